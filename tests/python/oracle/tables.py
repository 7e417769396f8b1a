"""All tables of the domain, computed from messages: the entry point of the oracle."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta

from oracle import (
    gold_audience,
    gold_content,
    gold_experiment,
    gold_hourly,
    gold_readers,
)
from oracle.catalogue import Catalogue, load_catalogue
from oracle.decode import Limits, decode_all
from oracle.messages import Message
from oracle.metrics import Row
from oracle.sessions import Events, Session, sessions_of_day
from oracle.timestamps import DAY

# The grain of every table: these columns name a row (event_date is part of it everywhere).
KEYS: dict[str, tuple[str, ...]] = {
    "silver.webtoon_sessions": ("session_id", "user_id", "webtoon_id", "episode_id"),
    "gold.webtoon_user_daily": ("user_id",),
    "gold.webtoon_episode_daily": ("webtoon_id", "episode_id"),
    "gold.webtoon_title_daily": ("webtoon_id",),
    "gold.webtoon_country_daily": ("country",),
    "gold.webtoon_platform_device_daily": ("platform", "device", "browser"),
    "gold.webtoon_genre_daily": ("genre",),
    "gold.webtoon_daypart_daily": ("daypart", "country"),
    "gold.webtoon_experiment_daily": ("experiment_name", "experiment_group"),
    "gold.webtoon_user_7d": ("user_id",),
    "gold.webtoon_user_30d": ("user_id",),
    "gold.webtoon_episode_hourly": ("webtoon_id", "episode_id", "event_hour"),
    "gold.webtoon_user_hourly": ("user_id", "event_hour"),
}


def days(start: str | date, end: str | date) -> list[date]:
    """The days from `start` to `end`, the end not included."""
    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in (start, end))
    return [first + timedelta(days=n) for n in range((last - first).days)]


def all_tables(
    messages: Iterable[Message],
    dates: Sequence[date],
    *,
    catalogue: Catalogue | None = None,
    limits: Limits | None = None,
    as_of: datetime | None = None,
    silver_dates: Sequence[date] | None = None,
) -> dict[str, list[Row]]:
    """Every row of silver and gold of `dates`, by table.

    `silver_dates` are the days whose sessions exist when gold is computed, for the tables that look
    back; without it, exactly `dates`. `as_of` overrides the default as-of time of every day.
    """
    accepted, _ = decode_all(messages, limits or Limits.of_contract())
    return tables_of_events(
        Events(accepted), dates, catalogue or load_catalogue(), as_of, silver_dates
    )


def tables_of_events(
    events: Events,
    dates: Sequence[date],
    catalogue: Catalogue,
    as_of: datetime | None = None,
    silver_dates: Sequence[date] | None = None,
) -> dict[str, list[Row]]:
    """The same, from events already decoded."""
    silver = {
        day: sessions_of_day(events, day, catalogue, as_of)
        for day in sorted({*dates, *(dates if silver_dates is None else silver_dates)})
    }
    tables: dict[str, list[Row]] = {table: [] for table in KEYS}
    for day in dates:
        tables["silver.webtoon_sessions"] += map(asdict, silver[day])
        for table, rows in gold_of_day(silver, day).items():
            tables[table] += [{**row, "event_date": day} for row in rows]
    return tables


def gold_of_day(silver: dict[date, list[Session]], day: date) -> dict[str, list[Row]]:
    """The gold partitions of one day, "all from silver"."""
    today = silver[day]
    yesterday = silver.get(day - DAY, [])

    def trailing(length: int) -> list[Session]:
        """The sessions of the last days, this day the last of them."""
        window = (day - n * DAY for n in range(length))
        return [session for one in window for session in silver.get(one, [])]

    return {
        "gold.webtoon_user_daily": gold_readers.user_daily(today),
        "gold.webtoon_episode_daily": gold_content.episode_daily(today),
        "gold.webtoon_title_daily": gold_content.title_daily(today, yesterday),
        "gold.webtoon_country_daily": gold_audience.country_daily(today, yesterday),
        "gold.webtoon_platform_device_daily": gold_audience.platform_device_daily(today),
        "gold.webtoon_genre_daily": gold_audience.genre_daily(today),
        "gold.webtoon_daypart_daily": gold_audience.daypart_daily(today),
        "gold.webtoon_experiment_daily": gold_experiment.experiment_daily(today),
        "gold.webtoon_user_7d": gold_readers.user_trailing(trailing(7), day),
        "gold.webtoon_user_30d": gold_readers.user_trailing(trailing(30), day),
        "gold.webtoon_episode_hourly": gold_hourly.episode_hourly(today),
        "gold.webtoon_user_hourly": gold_hourly.user_hourly(today),
    }
