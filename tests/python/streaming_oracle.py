"""The streaming feature views of the webtoon domain (its paragraph 5) once more, in plain Python, by brute force.

Every event that a view may use is kept, and a row is computed from all of them at the end: no increments, no panes, no partials.
Written from the domain's description; how the stream treats time is in `Partition`. Events come from `oracle.decode_all`.

    rows = streaming_oracle.rows(messages, end)     # {view: {key: {feature: value}}}, as after `sessionize --advance-to END`
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import oracle
from oracle.sessions import round_ratio
from oracle.timestamps import from_epoch_ms

LATENESS = timedelta(seconds=10)
# A clock may be so far ahead of Kafka's before the stream's time takes Kafka's instead.
AHEAD = timedelta(seconds=10)
DEDUP_HORIZON = timedelta(minutes=10)
GAP = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
RECENT_EVENTS = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# One reading of one episode: what tells sessions apart.
SESSION = ("session_id", "user_id", "webtoon_id", "episode_id")

Key = tuple[str, ...]
Row = dict[str, object]
Columns = dict[str, object]


@dataclass(frozen=True)
class Used:
    """An event that counts: its columns, and the watermark when it came, which decides whether it is late for a window."""

    columns: Columns
    time: datetime
    arrival: int
    watermark: datetime


class Partition:
    """How a stream sees its events: one after the other, with a watermark behind the newest, and each once."""

    def __init__(self) -> None:
        self.newest = EPOCH
        self.used: list[Used] = []
        self.duplicates = 0
        self._seen: dict[str, datetime] = {}

    @property
    def watermark(self) -> datetime:
        return self.newest - LATENESS

    def read(self, event: oracle.Accepted) -> None:
        sent = from_epoch_ms(event.message.kafka_time_ms)
        time = min(event.columns["event_time"], sent + AHEAD)
        event_id = event.columns["event_id"]
        # An id is known from its first event, until the watermark is a horizon beyond the minute in which that came.
        came = self._seen.get(event_id)
        if came is not None and floor(came, MINUTE) + MINUTE > self.watermark - DEDUP_HORIZON:
            self.duplicates += 1
            return
        self.used.append(Used(event.columns, time, len(self.used), self.watermark))
        self.newest = max(self.newest, time)
        self._seen[event_id] = self.newest


def partitions(messages: Iterable[oracle.Message]) -> dict[int, Partition]:
    """Reads a topic, each partition in the order of its offsets."""
    accepted, _ = oracle.decode_all(messages, oracle.Limits.of_contract())
    found: dict[int, Partition] = defaultdict(Partition)
    for event in sorted(accepted, key=lambda event: (event.message.partition, event.message.offset)):
        found[event.message.partition].read(event)
    return found


def rows(messages: Iterable[oracle.Message], end: datetime) -> dict[str, dict[Key, Row]]:
    """All views when all partitions have been moved on to `end`, which is later than every event."""
    read = partitions(messages)
    assert all(partition.newest <= end for partition in read.values()), f"there are events after {end}"
    used = [event for partition in read.values() for event in partition.used]
    return {
        "webtoon_session": sessions(used),
        "webtoon_user_1h": {
            key: user_1h(window) for key, window in sliding(used, ("user_id",), hours(1), minutes(10), end).items()
        },
        "webtoon_episode_1h": {
            key: episode_1h(window)
            for key, window in sliding(used, ("webtoon_id", "episode_id"), hours(1), minutes(10), end).items()
        },
        "webtoon_title_24h": {
            key: title_24h(window) for key, window in sliding(used, ("webtoon_id",), hours(24), hours(1), end).items()
        },
        "webtoon_user_recent": {key: recent(events) for key, events in by(used, ("user_id",)).items()},
        "webtoon_user_lifetime": {key: lifetime(events) for key, events in by(used, ("user_id",)).items()},
    }


# --- windows -----------------------------------------------------------------------------------------------------------------


def sliding(
    used: list[Used], entity: Key, size: timedelta, every: timedelta, now: datetime
) -> dict[Key, list[Columns]]:
    """The events of every entity in [end - size, end), where end is the first multiple of `every` after `now`.

    An event is late, and in no window, when its last window had ended before it came.
    """
    end = floor(now, every) + every
    return {
        key: [
            event.columns
            for event in events
            if end - size <= event.time < end and floor(event.time, every) + size > event.watermark
        ]
        for key, events in by(used, entity).items()
    }


def by(used: list[Used], entity: Key) -> dict[Key, list[Used]]:
    """Events by entity, oldest first; of the same time, the one that came first."""
    found: dict[Key, list[Used]] = defaultdict(list)
    for event in sorted(used, key=lambda event: (event.time, event.arrival)):
        found[tuple(event.columns[name] for name in entity)].append(event)
    return found


def floor(time: datetime, unit: timedelta) -> datetime:
    return EPOCH + (time - EPOCH) // unit * unit


def hours(count: int) -> timedelta:
    return timedelta(hours=count)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


# --- features ----------------------------------------------------------------------------------------------------------------


def user_1h(events: list[Columns]) -> Row:
    sessions_seen, completes = distinct(events, "session_id"), distinct(of_type(events, "complete"), "session_id")
    return {
        "sessions": sessions_seen,
        "events": len(events),
        "completes": completes,
        "exits": distinct(of_type(events, "exit"), "session_id"),
        "completion_rate": ratio(completes, sessions_seen),
        "avg_scroll_ratio": mean(events, "scroll_ratio"),
        "distinct_episodes": distinct(events, "webtoon_id", "episode_id"),
        "distinct_webtoons": distinct(events, "webtoon_id"),
    }


def episode_1h(events: list[Columns]) -> Row:
    views, completes, exits = (len(of_type(events, kind)) for kind in ("enter", "complete", "exit"))
    return {
        "views": views,
        "completes": completes,
        "exits": exits,
        "completion_rate": ratio(completes, views),
        "avg_scroll_ratio": mean(events, "scroll_ratio"),
        "unique_users": distinct(events, "user_id"),
    }


def title_24h(events: list[Columns]) -> Row:
    return {
        "views": len(of_type(events, "enter")),
        "completes": len(of_type(events, "complete")),
        "unique_users": distinct(events, "user_id"),
    }


def recent(events: list[Used]) -> Row:
    newest = events[-RECENT_EVENTS:]
    return {
        "recent_episodes": newest_last(newest, "episode_id"),
        "recent_webtoons": newest_last(newest, "webtoon_id"),
        "last_event_type": newest[-1].columns["event_type"],
        "last_event_at": newest[-1].time,
    }


def lifetime(events: list[Used]) -> Row:
    columns = [event.columns for event in events]
    entered, completes, exits = (of_type(columns, kind) for kind in ("enter", "complete", "exit"))
    times = sorted(event["event_time"] for event in completes)
    last_exit = max((event["event_time"] for event in exits), default=EPOCH)
    return {
        "sessions": len(entered),
        "completes": len(completes),
        "exits": len(exits),
        "completion_rate": ratio(len(completes), len(entered)),
        "current_complete_streak": len(times) - bisect_left(times, last_exit + timedelta(microseconds=1)),
    }


def sessions(used: list[Used]) -> dict[Key, Row]:
    """Rows of sessions that have all ended: for `end` more than the gap after every event."""
    return {key: session(events) for key, events in by(used, SESSION).items()}


def session(events: list[Used]) -> Row:
    columns = [event.columns for event in events]
    seen = {event["event_type"] for event in columns}
    reached = round_ratio(largest(columns, "scroll_ratio"))
    if "complete" in seen and reached is not None and reached >= Decimal("0.95"):
        state = "COMPLETE"
    elif "exit" in seen and reached is not None and reached < Decimal("0.95"):
        state = "EXIT"
    else:
        state = "TIMEOUT_EXIT"
    return {
        "experiment_group": first(columns, "experiment_group"),
        **{name: first(columns, name) or "UNKNOWN" for name in ("country", "platform", "device", "browser")},
        "started_at": events[0].time,
        "last_event_at": events[-1].time,
        "event_count": len(events),
        "scroll_event_count": largest(columns, "scroll_event_count"),
        "max_scroll_ratio": reached,
        "dwell_time_ms": largest(columns, "dwell_time_ms"),
        "session_state": state,
        "is_final": True,
    }


def of_type(events: list[Columns], kind: str) -> list[Columns]:
    return [event for event in events if event["event_type"] == kind]


def distinct(events: list[Columns], *names: str) -> int:
    return len({tuple(event[name] for name in names) for event in events})


def mean(events: list[Columns], name: str) -> Fraction | None:
    values = [Fraction(event[name]) for event in events if event[name] is not None]
    return sum(values) / len(values) if values else None


def ratio(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)


def first(events: list[Columns], name: str) -> object:
    return next((event[name] for event in events if event[name] is not None), None)


def largest(events: list[Columns], name: str) -> object:
    return max((event[name] for event in events if event[name] is not None), default=None)


def newest_last(events: list[Used], name: str) -> list[str]:
    """Different values, each in the place of its newest event."""
    values: dict[str, None] = {}
    for event in events:
        value = event.columns[name]
        values.pop(value, None)
        values[value] = None
    return list(values)


# --- comparison --------------------------------------------------------------------------------------------------------------


def differences(expected: dict[Key, Row], found: dict[Key, Row]) -> list[str]:
    """What differs, one line each: numbers that are not whole agree to 12 digits, times are instants."""
    lines = [f"{key}: not there" for key in expected.keys() - found.keys()]
    lines += [f"{key}: should not be there" for key in found.keys() - expected.keys()]
    for key in sorted(expected.keys() & found.keys()):
        for name, wanted in expected[key].items():
            got = found[key].get(name, "no such column")
            if not agree(wanted, got):
                lines.append(f"{key}: {name} is {got!r}, expected {wanted!r}")
    return lines


def agree(wanted: object, got: object) -> bool:
    if isinstance(wanted, datetime):
        return isinstance(got, str) and datetime.fromisoformat(got) == wanted
    if isinstance(wanted, Fraction | Decimal):
        return isinstance(got, int | float) and abs(Fraction(got) - Fraction(wanted)) <= Fraction(wanted) / 10**12
    return type(wanted) is type(got) and wanted == got
