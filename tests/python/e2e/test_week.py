"""The batch half, end to end: what was sent, what landed, and every cell that was computed from it."""

import json
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from conftest import FROM, ROOT, TO, Pipeline

import compare
import history_check
import oracle
import readers_agree

GOLD = sorted(name for name in oracle.KEYS if name.startswith("gold."))


@pytest.fixture(scope="module")
def messages(pipeline: Pipeline) -> list[oracle.Message]:
    return list(oracle.load_dump(pipeline.dump))


@pytest.fixture(scope="module")
def expected(messages: list[oracle.Message]) -> dict[str, list[dict]]:
    return oracle.all_tables(messages, oracle.days(FROM, TO))


def fingerprints(lake: Path) -> dict[str, object]:
    """Content of silver and gold, independent of files and their order."""
    seen, findings = readers_agree.check(lake)
    assert findings == []
    return {name: found for name, found in seen.items() if not name.startswith("bronze.")}


def test_every_message_is_accounted_for_with_its_reasons_and_columns(pipeline, messages):
    assert history_check.check(pipeline.lake, messages, topic=pipeline.topic) == []


def test_the_week_holds_what_it_is_meant_to_test(messages, expected):
    """A comparison of nothing would agree: the expected tables must have the cases in them."""
    sessions = expected["silver.webtoon_sessions"]
    assert {row["session_state"] for row in sessions} >= {"COMPLETE", "EXIT", "TIMEOUT_EXIT"}
    assert any(row["duplicate_count"] for row in sessions)
    assert any(row["start_time"].date() != row["end_time"].date() for row in sessions), "no midnight"
    assert all(len(expected[table]) > 0 for table in GOLD)
    _, rejected = oracle.decode_all(messages, oracle.Limits.of_contract())
    reasons = {outcome.problems[0].reason for outcome in rejected}
    assert len(reasons) >= 7, reasons


@pytest.mark.parametrize("table", sorted(oracle.KEYS))
def test_every_cell_equals_the_oracle(pipeline, expected, table):
    differences = compare.compare(pipeline.lake, {table: expected[table]})
    assert not differences, compare.report(differences)


def test_duckdb_and_polars_agree_on_every_table(pipeline):
    seen, findings = readers_agree.check(pipeline.lake)
    assert findings == []
    assert {"bronze.webtoon_events", "bronze.webtoon_quarantine", *oracle.KEYS} <= set(seen)


def test_real_dbt_on_duckdb_computes_the_same_cells(pipeline):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/python/dbt_compare.py"), "--lake", str(pipeline.lake),
         "--from", "2026-11-02", "--to", "2026-11-04"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_running_again_in_any_way_leaves_the_same_content(pipeline):
    before = fingerprints(pipeline.lake)
    pipeline.jobs("run", "+gold.webtoon_*", "--date", "2026-11-03")
    assert fingerprints(pipeline.lake) == before
    pipeline.jobs("backfill", "+gold.webtoon_*", "--from", FROM, "--to", TO, "--jobs", 2, "--force")
    assert fingerprints(pipeline.lake) == before


def test_plan_lists_exactly_the_windows_that_new_events_touch(pipeline):
    assert planned(pipeline) == set()
    # Midday of the fifth day, away from its midnights.
    send_one(pipeline, datetime.fromisoformat("2026-11-05T12:00:00+00:00"))
    pipeline.ingest()
    silver = {window for model, window in planned(pipeline) if model == "silver.webtoon_sessions"}
    assert silver == {date(2026, 11, 5)}
    daily = {window for model, window in planned(pipeline) if model == "gold.webtoon_user_daily"}
    assert daily == {date(2026, 11, 5)}
    title = {window for model, window in planned(pipeline) if model == "gold.webtoon_title_daily"}
    assert title == {date(2026, 11, 5), date(2026, 11, 6)}, "yesterday's readers are an input"
    trailing = {window for model, window in planned(pipeline) if model == "gold.webtoon_user_7d"}
    assert trailing == {date(2026, 11, day) for day in (5, 6, 7)}
    pipeline.jobs("run", "+gold.webtoon_*", "--from", FROM, "--to", TO)
    assert planned(pipeline) == set()


def planned(pipeline: Pipeline) -> set[tuple[str, date]]:
    return {
        (window["model"], date.fromisoformat(window["window"]))
        for window in pipeline.jobs("plan")["windows"]
    }


def send_one(pipeline: Pipeline, when: datetime) -> None:
    from confluent_kafka import Producer

    event = {
        "event_id": f"plan-{when.isoformat()}", "event_type": "enter", "user_id": 1, "session_id": "plan",
        "webtoon_id": "plan", "episode_id": "ep_1", "utimestamptz": when.isoformat(),
    }  # fmt: skip
    producer = Producer({"bootstrap.servers": pipeline.brokers})
    producer.produce(pipeline.topic, json.dumps(event).encode(), timestamp=int(when.timestamp() * 1000))
    assert producer.flush(60) == 0
