"""Which windows (UTC days) a DAG run is about. No Airflow in here, no clock, no lake.

    asked for      params from and to of a run that was triggered by hand, by REST or from a form
    an asset       the windows that the triggering event names: those that were just replaced
    a schedule     by a rule from the run's data interval, in UTC whatever zone the schedule has
    a drain        the days that it landed, whatever triggered it: events may be of any day

A run without any of them has no window, and says so instead of guessing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

Rule = Callable[[datetime, datetime, timedelta], list[date]]
DAY = timedelta(days=1)


class NoWindow(ValueError):
    """The run does not say what it is about; the message tells how to."""


def touched(start: datetime, end: datetime, margin: timedelta) -> list[date]:
    """The days that events of an interval can change: a session belongs to the day of its first event, up to `margin` earlier."""
    first, last = _utc(start - margin), _utc(end) - timedelta(microseconds=1)
    return _days(first.date(), last.date() + DAY)


def completed(start: datetime, end: datetime, margin: timedelta) -> list[date]:
    """The days that became final in an interval: those whose end, and the margin that is read beyond it, lie in it.

    Intervals that follow one another have every day once, whatever their lengths: also where clocks are put back or forward.
    """
    near = _days(_utc(start - margin).date() - DAY, _utc(end).date())
    return [day for day in near if start < _midnight(day + DAY) + margin <= end]


def of_run(
    params: Mapping[str, object],
    events: Iterable[Mapping[str, object]],
    interval: tuple[datetime | None, datetime | None],
    rule: Rule,
    margin: timedelta,
) -> list[date]:
    """The windows of one run. What was asked for wins over what triggered it."""
    if params.get("from") or params.get("to"):
        return asked(params.get("from"), params.get("to"))
    extras = list(events)
    if extras:
        return sorted({day for extra in extras for day in _named(extra)})
    start, end = interval
    if start is not None and end is not None and start < end:
        return rule(start, end, margin)
    raise NoWindow("this run has no window: trigger it with the params from and to, such as 2026-11-01 and 2026-11-02")


def landed(summary: Mapping[str, object] | None) -> list[date]:
    """The days that a drain added messages to, from its summary; none when nothing was new."""
    if summary is None or not isinstance(summary.get("dates"), list):
        raise NoWindow(f"the drain does not say which days it landed: its summary is {summary}, it needs a list `dates`")
    return [_date("dates", name) for name in summary["dates"]]


def asked(first: object, end: object) -> list[date]:
    """The days of a range as a person gives it; the end is exclusive."""
    if not first or not end:
        raise NoWindow("give both params, from and to, or none of them")
    days = _days(_date("from", first), _date("to", end))
    if not days:
        raise NoWindow(f"no day lies between from {first} and to {end}: to is exclusive, and later than from")
    return days


def ranges(days: Sequence[date]) -> list[tuple[date, date]]:
    """Days as ranges without gaps, the end of each exclusive: what lies between them is nobody's."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and found[-1][1] == day:
            found[-1] = (found[-1][0], day + DAY)
        else:
            found.append((day, day + DAY))
    return found


def _named(extra: Mapping[str, object]) -> list[date]:
    names = extra.get("windows")
    if not isinstance(names, list) or not names:
        example = '{"windows": ["2026-11-01"]}'
        raise NoWindow(f"the event that triggered this run names no windows: its extra is {extra}, it needs {example}")
    return [_date("windows", name) for name in names]


def _date(field: str, text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise NoWindow(f"{field}: {text!r} is no date such as 2026-11-01") from None


def _days(first: date, end: date) -> list[date]:
    return [first + DAY * number for number in range((end - first).days)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
