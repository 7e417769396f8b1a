"""Paragraph 1 of the domain: what an event is. A message becomes columns, or a list of problems.

Reasons: `too_large`, `invalid_utf8` and `invalid_json` stand alone, because nothing more can be
known of such a message. All other problems are collected, in the order of the columns, at most one
a column; the first is the reason of the quarantine.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from oracle import strict_json, timestamps
from oracle.messages import Message
from oracle.strict_json import InvalidJson, Number

EVENT_TYPES = ("enter", "scroll", "complete", "exit")
# "Aliases: event_time, timestamp"; only these may also carry integer epoch milliseconds.
EVENT_TIME_FIELDS = ("utimestamptz", "event_time", "timestamp")
FIELDS = {
    *("event_id", "event_type", "user_id", "session_id", "webtoon_id", "episode_id"),
    *EVENT_TIME_FIELDS,
    *("local_timestamptz", "country", "platform", "device", "browser", "network_type"),
    *("scroll_ratio", "scroll_event_count", "dwell_time_ms"),
    *("experiment_name", "experiment_group"),
}
# What rows are found by: the topic's key, the session, the entities of feature views.
KEYS = {"user_id", "session_id", "webtoon_id", "episode_id"}
# What an exponent may unfold to in an id; digits written out are kept however many they are.
MAX_UNFOLDED_DIGITS = 64
MAX_BIGINT = Decimal(2**63 - 1)
# decimal(18,15), cut off beyond: no rounding rule sees further
SCROLL_RATIO_UNIT = Decimal("1E-15")
CONTRACT = Path(__file__).parents[3] / "models" / "webtoon" / "contract.json"


@dataclass(frozen=True)
class Limits:
    """What the contract leaves to its x- keywords."""

    max_bytes: int = 64 * 1024
    max_depth: int = 64
    max_future_ms: int = 3_600_000
    max_past_ms: int = 400 * 86_400_000
    max_key_bytes: int = 512
    default_offset_minutes: int | None = None  # of an alias written without; None: refuse it

    @classmethod
    def of_contract(cls, path: str | Path = CONTRACT) -> "Limits":
        """Reads the limits of a contract.json."""
        contract = json.loads(Path(path).read_text(encoding="utf-8"))
        limits = contract["x-limits"]
        zone = contract["properties"]["utimestamptz"]["x-column"].get("default_zone")
        if zone not in (None, "UTC"):
            raise ValueError(f"{path}: the oracle knows no default_zone but UTC, not {zone}")
        return cls(
            max_bytes=limits["max_bytes"],
            max_depth=limits["max_depth"],
            max_future_ms=_milliseconds(limits["max_future"]),
            max_past_ms=_milliseconds(limits.get("max_past", "400d")),
            max_key_bytes=limits.get("max_key_bytes", 512),
            default_offset_minutes=None if zone is None else 0,
        )


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a message; `field` is the column, empty for the message as a whole."""

    reason: str
    field: str = ""


@dataclass(frozen=True)
class Accepted:
    """A good event: its bronze columns, `extra` as the parsed object of unknown fields or None."""

    message: Message
    columns: dict[str, object]


@dataclass(frozen=True)
class Rejected:
    """A message for quarantine."""

    message: Message
    problems: list[Problem]

    @property
    def reason(self) -> str:
        """The first problem's."""
        return self.problems[0].reason


def decode_all(
    messages: Iterable[Message], limits: Limits
) -> tuple[list[Accepted], list[Rejected]]:
    """Decodes messages, each into one of two lists."""
    accepted, rejected = [], []
    for message in messages:
        outcome = decode(message, limits)
        (accepted if isinstance(outcome, Accepted) else rejected).append(outcome)
    return accepted, rejected


def decode(message: Message, limits: Limits) -> Accepted | Rejected:
    """Decides what a message is."""
    raw = message.value or b""
    if len(raw) > limits.max_bytes:
        return Rejected(message, [Problem("too_large")])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Rejected(message, [Problem("invalid_utf8")])
    try:
        event = strict_json.parse(text, limits.max_depth)
    except InvalidJson:
        return Rejected(message, [Problem("invalid_json")])
    if not isinstance(event, dict):
        return Rejected(message, [Problem("wrong_type")])

    reader = _Reader(event, message.kafka_time_ms, limits)
    columns = reader.columns()
    if reader.problems:
        return Rejected(message, reader.problems)
    return Accepted(message, columns)


@dataclass
class _Reader:
    """Takes the columns of one event in order and notes what is wrong on the way."""

    event: dict[str, object]
    kafka_time_ms: int | None
    limits: Limits
    problems: list[Problem] = field(default_factory=list)

    def columns(self) -> dict[str, object]:
        """The rows of the table in paragraph 1, top to bottom."""
        columns: dict[str, object] = {
            "event_id": self.required_text("event_id"),
            "event_type": self.event_type(),
            "user_id": self.text_or_integer("user_id"),
            "session_id": self.required_text("session_id"),
            "webtoon_id": self.required_text("webtoon_id"),
            "episode_id": self.required_text("episode_id"),
            "event_time": self.event_time(),
            "local_timestamptz": self.local_timestamptz(),
            "country": self.optional_text("country"),
            "platform": self.optional_text("platform"),
            "device": self.optional_text("device"),
            "browser": self.optional_text("browser"),
            "network_type": self.optional_text("network_type"),
            "scroll_ratio": self.scroll_ratio(),
            "scroll_event_count": self.count("scroll_event_count"),
            "dwell_time_ms": self.count("dwell_time_ms"),
            "experiment_name": self.experiment("experiment_name", "experiment_group"),
            "experiment_group": self.experiment("experiment_group", "experiment_name"),
        }
        event_time = columns["event_time"]
        columns["event_date"] = event_time.date() if isinstance(event_time, datetime) else None
        columns["extra"] = self.extra()
        return columns

    def problem(self, reason: str, column: str) -> None:
        """Notes a problem; returns None, the value of a column that has one."""
        self.problems.append(Problem(reason, column))

    def required_text(self, name: str) -> str | None:
        """A string that must be there; an empty one is not there."""
        value = self.event.get(name)
        if value is None or value == "":
            return self.problem("missing_field", name)
        if not _is_text(value):
            return self.problem("wrong_type", name)
        return self.short_enough(name, value)

    def short_enough(self, name: str, text: str) -> str | None:
        """A key fits into an index: "bytes, not characters"."""
        if name in KEYS and len(text.encode()) > self.limits.max_key_bytes:
            return self.problem("too_large", name)
        return text

    def optional_text(self, name: str) -> str | None:
        """A string or nothing; "an unknown value of an optional enum is kept as it came"."""
        value = self.event.get(name)
        if value is None or _is_text(value):
            return value
        return self.problem("wrong_type", name)

    def event_type(self) -> str | None:
        """One of the four; "an unknown event_type is quarantined"."""
        value = self.required_text("event_type")
        if value is not None and value not in EVENT_TYPES:
            return self.problem("unknown_event_type", "event_type")
        return value

    def text_or_integer(self, name: str) -> str | None:
        """ "integer or string, kept as string": 42 and "42" are one user."""
        value = self.event.get(name)
        if isinstance(value, Number):
            number = value.value()
            if not _is_integer(number):
                return self.problem("wrong_type", name)
            if "e" in value.lower() and number.copy_abs() >= Decimal(f"1E+{MAX_UNFOLDED_DIGITS}"):
                return self.problem("out_of_range", name)
            text = format(number.to_integral_value() if number else Decimal(0), "f")
            return self.short_enough(name, text)
        return self.required_text(name)

    def count(self, name: str) -> int | None:
        """ "integer >= 0, optional"; 5.0 is the integer 5, as JSON Schema has it."""
        value = self.event.get(name)
        if value is None:
            return None
        if not isinstance(value, Number) or not _is_integer(value.value()):
            return self.problem("wrong_type", name)
        number = value.value()
        if number < 0 or number > MAX_BIGINT:
            return self.problem("out_of_range", name)
        return int(number)

    def scroll_ratio(self) -> Decimal | None:
        """ "0 to 1, optional number; outside the range -> quarantine out_of_range"."""
        value = self.event.get("scroll_ratio")
        if value is None:
            return None
        if not isinstance(value, Number):
            return self.problem("wrong_type", "scroll_ratio")
        number = value.value()
        if not 0 <= number <= 1:
            return self.problem("out_of_range", "scroll_ratio")
        return number.quantize(SCROLL_RATIO_UNIT, ROUND_DOWN).copy_abs()

    def event_time(self) -> datetime | None:
        """ "required; the event time. Aliases: event_time, timestamp (RFC 3339, or integer ms)".

        The first of the names that is present and not null is the event time, good or bad.
        """
        name = self.event_time_field()
        if name is None:
            return self.problem("missing_field", "event_time")
        value = self.event[name]
        is_alias = name != EVENT_TIME_FIELDS[0]
        if isinstance(value, Number) and is_alias:
            number = value.value()
            if not _is_integer(number):
                return self.problem("wrong_type", "event_time")
            if not timestamps.MIN_EPOCH_MS <= number <= timestamps.MAX_EPOCH_MS:
                return self.problem("out_of_range", "event_time")
            millis = int(number)
        else:
            written = timestamps.parse_rfc3339(value) if _is_text(value) else None
            # utimestamptz is "RFC 3339 with offset"; of the aliases the contract may know the zone.
            default_offset = self.limits.default_offset_minutes if is_alias else None
            if written is None or (written.offset_minutes is None and default_offset is None):
                return self.problem("wrong_type", "event_time")
            millis = written.epoch_ms(default_offset or 0)
            if not timestamps.MIN_EPOCH_MS <= millis <= timestamps.MAX_EPOCH_MS:
                return self.problem("out_of_range", "event_time")
        sent = self.kafka_time_ms
        # a Kafka time that no column could hold (microseconds, say) is as good as none
        if sent is not None and timestamps.MIN_EPOCH_MS <= sent <= timestamps.MAX_EPOCH_MS:
            earliest, latest = sent - self.limits.max_past_ms, sent + self.limits.max_future_ms
            if not earliest <= millis <= latest:
                return self.problem("clock_skew", "event_time")
        return timestamps.from_epoch_ms(millis)

    def event_time_field(self) -> str | None:
        """The name under which this event has its time."""
        return next((n for n in EVENT_TIME_FIELDS if self.event.get(n) is not None), None)

    def local_timestamptz(self) -> str | None:
        """ "RFC 3339 with offset, optional": checked, and kept as it came."""
        value = self.event.get("local_timestamptz")
        if value is None:
            return None
        written = timestamps.parse_rfc3339(value) if _is_text(value) else None
        if written is None or written.offset_minutes is None:
            return self.problem("wrong_type", "local_timestamptz")
        return value

    def experiment(self, name: str, partner: str) -> str | None:
        """ "optional, both or neither": the absent one is the missing field."""
        if self.event.get(name) is None and self.event.get(partner) is not None:
            return self.problem("missing_field", name)
        return self.optional_text(name)

    def extra(self) -> dict[str, object] | None:
        """ "Unknown fields go to extra"; so do the time's other names when they carry something."""
        used = self.event_time_field()
        extra = {
            name: value
            for name, value in self.event.items()
            if name not in FIELDS
            or (name in EVENT_TIME_FIELDS and name != used and value is not None)
        }
        return extra or None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _is_integer(number: Decimal) -> bool:
    return number == number.to_integral_value()


def _milliseconds(duration: str) -> int:
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", duration)
    if match is None:
        raise ValueError(f"no duration: {duration}")
    unit = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    return int(match[1]) * unit[match[2]]
