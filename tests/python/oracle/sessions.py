"""Paragraph 3 of the domain: `silver.webtoon_sessions`, one row per reading of one episode."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from oracle import timestamps
from oracle.catalogue import Catalogue, EpisodeMetadata
from oracle.decode import Accepted

SESSION_MARGIN = timedelta(hours=2)
TIMEOUT = timedelta(seconds=600)
READ_TO_THE_END = Decimal("0.95")
HUNDREDTH = Decimal("0.01")
NOT_IN_CATALOGUE = EpisodeMetadata(genre=None, episode_no=None)

SessionKey = tuple[str, str, str, str]
Episode = tuple[str, str]


@dataclass(frozen=True)
class Session:
    """One row of silver, columns in the order of the domain's table."""

    session_id: str
    user_id: str
    webtoon_id: str
    episode_id: str
    platform: str
    country: str
    device: str
    browser: str
    network_type: str | None
    experiment_name: str | None
    experiment_group: str | None
    start_time: datetime
    end_time: datetime
    duration_ms: int | None
    max_scroll_ratio: Decimal | None
    scroll_event_count: int | None
    event_count: int
    duplicate_count: int
    seen_enter: bool
    seen_scroll: bool
    seen_complete: bool
    seen_exit: bool
    session_state: str
    is_complete: int
    is_exit: int
    local_hour: int
    local_day_of_week: int
    genre: str
    episode_no: int | None
    event_date: date

    @property
    def episode(self) -> Episode:
        """ "An episode is (webtoon_id, episode_id)"."""
        return (self.webtoon_id, self.episode_id)


class Events:
    """All good events, ordered by time, so that a window can be cut out of them."""

    def __init__(self, accepted: list[Accepted]) -> None:
        self._events = sorted(accepted, key=lambda event: event.columns["event_time"])
        self._times = [event.columns["event_time"] for event in self._events]

    def between(self, start: datetime, end: datetime) -> list[Accepted]:
        """Events with start <= event time < end."""
        return self._events[bisect_left(self._times, start) : bisect_left(self._times, end)]


def sessions_of_day(
    events: Events, day: date, catalogue: Catalogue, as_of: datetime | None = None
) -> list[Session]:
    """The partition of one UTC day.

    "The job reads a margin (2 h) on both sides of the window and keeps sessions that start inside
    it"; everything, the de-duplication too, happens among the events so read. "The as-of time is
    an argument (default: the end of the window plus the read margin)".
    """
    start = timestamps.midnight(day)
    end = start + timestamps.DAY
    read = events.between(start - SESSION_MARGIN, end + SESSION_MARGIN)
    kept, dropped = deduplicate(read)

    by_session: dict[SessionKey, list[Accepted]] = defaultdict(list)
    for event in kept:
        by_session[session_key(event)].append(event)
    duplicates: dict[SessionKey, int] = defaultdict(int)
    for event in dropped:
        duplicates[session_key(event)] += 1

    sessions = [
        session_of(rows, duplicates[key], catalogue, as_of or end + SESSION_MARGIN)
        for key, rows in by_session.items()
    ]
    return [session for session in sessions if start <= session.start_time < end]


def session_key(event: Accepted) -> SessionKey:
    """ "Grain: one row per (session_id, user_id, webtoon_id, episode_id)"."""
    columns = event.columns
    return (
        columns["session_id"],
        columns["user_id"],
        columns["webtoon_id"],
        columns["episode_id"],
    )


def deduplicate(events: list[Accepted]) -> tuple[list[Accepted], list[Accepted]]:
    """Splits events into those used and those dropped.

    "De-duplicated by event_id (keep the one with the latest event time; ties by highest Kafka
    partition, then offset)". Two topics can agree in all of these: then the greater topic id, as
    text by its code points, decides.
    """
    best: dict[str, Accepted] = {}
    dropped = []
    for event in events:
        event_id = event.columns["event_id"]
        rival = best.get(event_id)
        if rival is None:
            best[event_id] = event
        elif _precedence(event) > _precedence(rival):
            best[event_id] = event
            dropped.append(rival)
        else:
            dropped.append(event)
    return list(best.values()), dropped


def session_of(
    rows: list[Accepted], duplicates: int, catalogue: Catalogue, as_of: datetime
) -> Session:
    """Makes the row of one session out of its de-duplicated events."""
    # "of the earliest event that has a value (ties by event_id)"
    events = sorted(
        (row.columns for row in rows), key=lambda event: (event["event_time"], event["event_id"])
    )
    first = events[0]

    def earliest(name: str) -> str | None:
        return next((event[name] for event in events if event[name] is not None), None)

    seen = {event["event_type"] for event in events}
    end_time = max(event["event_time"] for event in events)
    max_scroll_ratio = round_ratio(_largest(events, "scroll_ratio"))
    state = session_state("complete" in seen, "exit" in seen, max_scroll_ratio, end_time, as_of)
    local_hour, local_day_of_week = local_clock(first)
    metadata = catalogue.get((first["webtoon_id"], first["episode_id"]), NOT_IN_CATALOGUE)
    return Session(
        session_id=first["session_id"],
        user_id=first["user_id"],
        webtoon_id=first["webtoon_id"],
        episode_id=first["episode_id"],
        platform=_or_unknown(earliest("platform")),
        country=_or_unknown(earliest("country")),
        device=_or_unknown(earliest("device")),
        browser=_or_unknown(earliest("browser")),
        network_type=earliest("network_type"),
        experiment_name=earliest("experiment_name"),
        experiment_group=earliest("experiment_group"),
        start_time=first["event_time"],
        end_time=end_time,
        duration_ms=_largest(events, "dwell_time_ms"),
        max_scroll_ratio=max_scroll_ratio,
        scroll_event_count=_largest(events, "scroll_event_count"),
        event_count=len(events),
        duplicate_count=duplicates,
        seen_enter="enter" in seen,
        seen_scroll="scroll" in seen,
        seen_complete="complete" in seen,
        seen_exit="exit" in seen,
        session_state=state,
        is_complete=int(state == "COMPLETE"),
        is_exit=int(state in ("EXIT", "TIMEOUT_EXIT")),
        local_hour=local_hour,
        local_day_of_week=local_day_of_week,
        genre=_or_unknown(metadata.genre),
        episode_no=metadata.episode_no,
        event_date=first["event_time"].date(),
    )


def round_ratio(ratio: Decimal | None) -> Decimal | None:
    """ "Rounded half up to 2 decimals on the decimal as written (0.295 -> 0.30)"."""
    return None if ratio is None else ratio.quantize(HUNDREDTH, ROUND_HALF_UP)


def session_state(
    seen_complete: bool,
    seen_exit: bool,
    max_scroll_ratio: Decimal | None,
    end_time: datetime,
    as_of: datetime,
) -> str:
    """ "First that applies"; a session without any ratio is neither above nor below 0.95."""
    if seen_complete and max_scroll_ratio is not None and max_scroll_ratio >= READ_TO_THE_END:
        return "COMPLETE"
    if seen_exit and max_scroll_ratio is not None and max_scroll_ratio < READ_TO_THE_END:
        return "EXIT"
    if as_of - end_time > TIMEOUT:
        return "TIMEOUT_EXIT"
    return "IN_PROGRESS"


def local_clock(first: dict[str, object]) -> tuple[int, int]:
    """Hour and ISO day of the week (Monday 1 to Sunday 7) on the reader's wall.

    "Of the first event's local_timestamptz, else of event time in UTC".
    """
    local = first["local_timestamptz"]
    if local is None:
        return first["event_time"].hour, first["event_time"].isoweekday()
    written = timestamps.parse_rfc3339(local)
    assert written is not None, f"bronze holds a local_timestamptz that is no time: {local}"
    return written.hour, written.day.isoweekday()


def _precedence(event: Accepted) -> tuple[datetime, int, int, str]:
    message = event.message
    return (event.columns["event_time"], message.partition, message.offset, message.topic_id)


def _largest(events: list[dict[str, object]], name: str) -> int | Decimal | None:
    return max((event[name] for event in events if event[name] is not None), default=None)


def _or_unknown(value: str | None) -> str:
    return "UNKNOWN" if value is None else value
