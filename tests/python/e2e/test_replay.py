"""Messages that a narrower contract refused are landed by `replay`. What is there then is held against the oracle, which only
knows the contract of today, and counted by DuckDB."""

import json
import os
import shutil
import time
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, attempt, run

import delta_read
import history_check
import oracle

EVENTS, QUARANTINE = "bronze.webtoon_events", "bronze.webtoon_quarantine"


@pytest.fixture(scope="module")
def world(brokers: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[oracle.Message]]:
    """A lake whose ingester knew a contract without scrolls and without long messages; its topic, and the topic's messages."""
    from topic_dump import dump

    folder = tmp_path_factory.mktemp("replay")
    topic = f"test.replay.{os.getpid()}.{time.time_ns()}"
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", topic,
        "--seed", 5, "--sessions", 300, "--start", "2026-11-01T00:00:00Z", "--days", 2, "--garbage", 0.1,
    )  # fmt: skip
    models = folder / "models"
    shutil.copytree(ROOT / "models/webtoon", models / "webtoon")
    contract = models / "webtoon/contract.json"
    narrow = json.loads(contract.read_text())
    narrow["properties"]["event_type"]["enum"].remove("scroll")
    narrow["x-limits"]["max_bytes"] = 450
    contract.write_text(json.dumps(narrow))
    lake = folder / "lake"
    run(
        "userflow-ingester", "ingest", "--domain", "webtoon", "--brokers", brokers, "--topic", topic, "--group", topic,
        "--lake", lake, "--models", models, "--until-caught-up", "--output", "json",
    )  # fmt: skip
    with (folder / "topic.jsonl").open("w") as out:
        dump(brokers, topic, out)
    return lake, topic, list(oracle.load_dump(folder / "topic.jsonl"))


def replay(lake: Path, *more: object) -> dict:
    return run("userflow-jobs", "replay", "--domain", "webtoon", "--lake", lake, "--output", "json", *more)


def test_what_was_refused_lands_as_the_oracle_decodes_it(world):
    lake, topic, messages = world
    accepted, rejected = oracle.decode_all(messages, oracle.Limits.of_contract())
    before = list(delta_read.snapshot(lake, QUARANTINE).rows())
    assert len(before) > 2 * len(rejected) > 0, "the narrow contract refused hardly more"
    assert history_check.check(lake, messages, topic=topic) != [], "a test that cannot fail"
    assert history_check.check(lake, messages, offsets_only=True) == []

    dry = replay(lake, "--dry-run")
    assert dry["passed"] == len(before) - len(rejected) and dry["rows_written"] == 0
    assert dry["refused"] == len(rejected)
    parts = [replay(lake, *part)["rows_written"] for part in (
        ["--reason", "too_large"], ["--where", "_partition = 0"], ["--date", "2026-11-01"], [], [],
    )]  # fmt: skip
    assert sum(parts) == dry["passed"] and parts[0] > 0 and parts[1] > 0 and parts[-1] == 0

    # What is still refused keeps the reasons of its time, and is what the oracle refuses; all else is as the oracle has it.
    findings = history_check.check(lake, messages, topic=topic)
    assert [found for found in findings if not found.startswith("quarantine")] == []
    landed = history_check.replayed(delta_read.snapshot(lake, EVENTS).rows())
    waiting = {history_check.place_of(row) for row in before} - landed
    assert waiting == {history_check.place(outcome.message) for outcome in rejected}
    assert list(delta_read.snapshot(lake, QUARANTINE).rows()) == before
    assert len(list(delta_read.snapshot(lake, EVENTS).rows())) == len(accepted)


def test_duckdb_counts_every_message_once(world):
    lake, _, messages = world
    replay(lake)
    events, quarantine = ([str(file.path) for file in delta_read.snapshot(lake, table).files] for table in (EVENTS, QUARANTINE))
    place = "_topic_id, _partition, _offset"
    duckdb.execute("create or replace temp table events as from read_parquet(?, union_by_name = true)", [events])
    duckdb.execute("create or replace temp table refused as from read_parquet(?, union_by_name = true)", [quarantine])
    [(rows, places)] = duckdb.sql(
        f"select count(*), count(distinct ({place})) from (select {place} from events union all "
        f"select {place} from refused anti join (from events where _replayed_at is not null) using ({place}))"
    ).fetchall()
    assert rows == places == len(messages)
    [(unmarked,)] = duckdb.sql(
        f"select count(*) from refused semi join (from events where _replayed_at is null) using ({place})"
    ).fetchall()
    [(stray,)] = duckdb.sql(
        f"select count(*) from events anti join refused using ({place}) where _replayed_at is not null"
    ).fetchall()
    assert (unmarked, stray) == (0, 0)


def test_a_condition_that_is_no_sql_is_wrong_usage(world):
    lake, _, _ = world
    done = attempt("userflow-jobs", "replay", "--domain", "webtoon", "--lake", lake, "--where", "raw ==== 1")
    assert done.returncode == 2 and "--where" in done.stderr
