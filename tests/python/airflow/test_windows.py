"""Which days a run is about: the rules alone, without Airflow."""

import random
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "dags"))
from userflow_airflow import windows  # noqa: E402

MARGIN = timedelta(hours=2)
NOTHING = (None, None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def texts(days: list[date]) -> list[str]:
    return [str(day) for day in days]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-01T12:00", "2026-11-01T13:00", ["2026-11-01"]),
        ("2026-11-01T23:00", "2026-11-02T00:00", ["2026-11-01"]),
        ("2026-11-02T00:00", "2026-11-02T01:00", ["2026-11-01", "2026-11-02"]),
        ("2026-11-02T01:00", "2026-11-02T02:00", ["2026-11-01", "2026-11-02"]),
        ("2026-11-02T02:00", "2026-11-02T03:00", ["2026-11-02"]),
        ("2026-12-31T23:00", "2027-01-01T01:00", ["2026-12-31", "2027-01-01"]),
    ],
)
def test_an_hour_touches_its_day_and_those_from_which_a_session_can_last(start: str, end: str, days: list[str]):
    assert texts(windows.touched(at(start), at(end), MARGIN)) == days


def test_days_are_those_of_utc_whatever_zone_an_interval_is_told_in():
    """Half past midnight in Paris, in the night in which its clocks are put back, is the evening before in UTC."""
    start = datetime(2026, 10, 25, 0, 30, tzinfo=ZoneInfo("Europe/Paris"))
    assert texts(windows.touched(start, start + timedelta(hours=1), MARGIN)) == ["2026-10-24"]
    # The hour from 2 to 3 is there twice: this is the second one, 01:00 to 02:00 in UTC.
    again = datetime(2026, 10, 25, 2, tzinfo=ZoneInfo("Europe/Paris"), fold=1)
    assert texts(windows.touched(again, again.astimezone(UTC) + timedelta(hours=1), MARGIN)) == ["2026-10-24", "2026-10-25"]
    assert texts(windows.completed(again, again.astimezone(UTC) + timedelta(hours=1), MARGIN)) == ["2026-10-24"]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-01T03:00", "2026-11-02T03:00", ["2026-11-01"]),
        ("2026-11-01T02:00", "2026-11-02T02:00", ["2026-11-01"]),  # final at 02:00 sharp: the end of an interval belongs to it
        ("2026-11-01T00:00", "2026-11-02T00:00", ["2026-10-31"]),
        ("2026-11-02T02:00", "2026-11-02T03:00", []),
        ("2026-11-01T03:00", "2026-11-04T03:00", ["2026-11-01", "2026-11-02", "2026-11-03"]),
    ],
)
def test_a_day_is_completed_when_its_margin_is_over(start: str, end: str, days: list[str]):
    assert texts(windows.completed(at(start), at(end), MARGIN)) == days


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Seoul"]
)
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 12])
def test_daily_intervals_in_any_zone_complete_every_day_once_over_a_year_of_changing_clocks(zone: str, hour: int):
    first = date(2026, 1, 1)
    # Local wall time, as a cron schedule in that zone would have it; the instants come out 23, 24 or 25 hours apart.
    cuts = [
        datetime(2026, 1, 1, hour, 30, tzinfo=ZoneInfo(zone)).replace(**_ymd(first + timedelta(days=number)))
        for number in range(366)
    ]
    instants = [cut.astimezone(UTC) for cut in cuts]
    if zone in {"Europe/Paris", "America/New_York"}:
        assert {end - start for start, end in zip(instants, instants[1:], strict=False)} >= {
            timedelta(hours=23),
            timedelta(hours=25),
        }
    _each_once(cuts)


def test_random_intervals_complete_every_day_once():
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(200):
        cuts = [at("2026-10-20T00:00")]
        while len(cuts) < 40:
            cuts.append(
                cuts[-1] + timedelta(minutes=draw.choice([1, 30, 60, 60 * 24, 60 * 30]), microseconds=draw.choice([0, 1]))
            )
        _each_once(cuts)


def _ymd(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _each_once(cuts: list[datetime]) -> None:
    found = [day for start, end in zip(cuts, cuts[1:], strict=False) for day in windows.completed(start, end, MARGIN)]
    whole = windows.completed(cuts[0], cuts[-1], MARGIN)
    assert found == whole and found == sorted(set(found))
    assert not found or (found[-1] - found[0]).days == len(found) - 1


def test_what_was_asked_for_wins_over_an_event_and_an_event_over_the_interval():
    interval = (at("2026-11-05T03:00"), at("2026-11-06T03:00"))
    events = [{"windows": ["2026-11-03", "2026-11-01"]}, {"windows": ["2026-11-03"]}]
    asked = {"from": "2026-11-10", "to": "2026-11-12"}
    none = {"from": None, "to": None}
    assert texts(windows.of_run(asked, events, interval, windows.completed, MARGIN)) == ["2026-11-10", "2026-11-11"]
    assert texts(windows.of_run(none, events, interval, windows.completed, MARGIN)) == ["2026-11-01", "2026-11-03"]
    assert texts(windows.of_run(none, [], interval, windows.completed, MARGIN)) == ["2026-11-05"]


@pytest.mark.parametrize(
    ("params", "events", "interval", "message"),
    [
        ({}, [], NOTHING, "trigger it with the params from and to"),
        ({}, [], (at("2026-11-01T00:00"), at("2026-11-01T00:00")), "trigger it with the params from and to"),
        ({"from": "2026-11-01"}, [], NOTHING, "give both"),
        ({"to": "2026-11-01"}, [], (at("2026-11-01T03:00"), at("2026-11-02T03:00")), "give both"),
        ({"from": "2026-11-02", "to": "2026-11-02"}, [], NOTHING, "to is exclusive"),
        ({"from": "yesterday", "to": "2026-11-02"}, [], NOTHING, "from: 'yesterday' is no date"),
        ({}, [{}], NOTHING, "names no windows"),
        ({}, [{"windows": []}], NOTHING, "names no windows"),
        ({}, [{"windows": ["soon"]}], NOTHING, "windows: 'soon' is no date"),
    ],
)
def test_a_run_that_does_not_say_its_window_is_told_how(params: dict, events: list[dict], interval: tuple, message: str):
    with pytest.raises(windows.NoWindow, match=message):
        windows.of_run(params, events, interval, windows.completed, MARGIN)


def test_ranges_leave_out_what_lies_between():
    days = [date(2026, 11, day) for day in (3, 1, 2, 5, 5)]
    assert windows.ranges(days) == [(date(2026, 11, 1), date(2026, 11, 4)), (date(2026, 11, 5), date(2026, 11, 6))]
    assert windows.ranges([]) == []


def test_a_drain_is_judged_by_the_days_that_it_landed():
    assert texts(windows.landed({"dates": ["2026-11-03", "2024-02-29"], "rows_written": 2})) == ["2026-11-03", "2024-02-29"]
    assert windows.landed({"dates": [], "rows_written": 0}) == []
    for summary in (None, {}, {"dates": None}, {"dates": "2026-11-03"}):
        with pytest.raises(windows.NoWindow, match="`dates`"):
            windows.landed(summary)
    with pytest.raises(windows.NoWindow, match="dates: 'soon' is no date"):
        windows.landed({"dates": ["soon"]})
