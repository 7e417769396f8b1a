"""RFC 3339 as the domain's paragraph 1 uses it, and the few conversions of time that are needed."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST_YEAR, LAST_YEAR = 1970, 2200
DAYS_IN_400_YEARS = 146_097

RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Written:
    """A time as its author wrote it: the wall clock, and the offset (None when not written)."""

    day: date  # in year 400 for a year 0, which Python's calendar lacks
    is_year_zero: bool
    hour: int
    millis_of_day: int
    offset_minutes: int | None

    def epoch_ms(self, default_offset_minutes: int = 0) -> int:
        """Milliseconds since 1970 in UTC; digits beyond the millisecond were cut off."""
        days = self.day.toordinal() - EPOCH.toordinal() - DAYS_IN_400_YEARS * self.is_year_zero
        offset = self.offset_minutes if self.offset_minutes is not None else default_offset_minutes
        return days * 86_400_000 + self.millis_of_day - offset * 60_000


def parse_rfc3339(text: str) -> Written | None:
    """Reads `2026-11-01T09:30:00.123+09:00`; None when it is no such time.

    The offset may be missing here; whether that is allowed is the caller's matter. A second of 60
    is refused: the lake has no leap seconds to keep it in.
    """
    match = RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    if hour > 23 or minute > 59 or second > 59:
        return None
    try:
        calendar_day = date(year or 400, month, day)
    except ValueError:
        return None
    offset = None
    if match[8] is not None:
        offset = 0
        if match[9] is not None:
            offset_hours, offset_minutes = int(match[10]), int(match[11])
            if offset_hours > 23 or offset_minutes > 59:
                return None
            offset = (offset_hours * 60 + offset_minutes) * (-1 if match[9] == "-" else 1)
    millis = int(((match[7] or "") + "000")[:3])
    millis_of_day = ((hour * 60 + minute) * 60 + second) * 1000 + millis
    return Written(calendar_day, year == 0, hour, millis_of_day, offset)


def from_epoch_ms(millis: int) -> datetime:
    """The UTC datetime of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=millis)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of a UTC datetime."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def whole_seconds(moment: datetime) -> int:
    """Whole seconds since 1970, cut off."""
    return (moment - EPOCH) // timedelta(seconds=1)


def midnight(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


# The bounds of an acceptable event time, in epoch milliseconds: the years 1970 to 2200, both whole.
MIN_EPOCH_MS = 0
MAX_EPOCH_MS = epoch_ms(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)) - 1
