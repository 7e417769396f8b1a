"""Files of JSON lines are landed by `load`, without Kafka. What is in the tables then is held against the oracle, line by line,
which decodes the same files in plain Python."""

import dataclasses
import gzip
import hashlib
import subprocess
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from conftest import run

import delta_read
import history_check
import oracle

EVENTS, QUARANTINE = "bronze.webtoon_events", "bronze.webtoon_quarantine"
FIRST_MS = 946_684_800_000  # 2000-01-01, the oldest time that a file may have


def simulate(file: Path, seed: int) -> None:
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--seed", seed, "--sessions", 400, "--jsonl", file,
        "--start", "2023-12-30T00:00:00Z", "--days", 3, "--garbage", 0.1, "--duplicates", 0.02, "--out-of-order", 0.05,
    )  # fmt: skip


def lines_of(file: Path) -> list[oracle.Message]:
    """The lines of a file as messages: partition 0, the line's number as offset."""
    text = file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    numbered = ((number, line.removesuffix(b"\r")) for number, line in enumerate(text, 1))
    read_ms = int(time.time() * 1000)
    return [oracle.Message(0, number, read_ms, None, line) for number, line in numbered if line.strip()]


def limits() -> oracle.Limits:
    """Those of the contract, but for the past, which begins with the year 2000."""
    of_contract = oracle.Limits.of_contract()
    return dataclasses.replace(of_contract, max_past_ms=int(time.time() * 1000) - FIRST_MS)


def expected(file: Path) -> dict[int, oracle.Accepted | oracle.Rejected]:
    outcomes = (oracle.decode(message, limits()) for message in lines_of(file))
    # Kafka's time stood for the clock of the reader; the tables have none.
    return {
        outcome.message.offset: dataclasses.replace(outcome, message=dataclasses.replace(outcome.message, kafka_time_ms=None))
        for outcome in outcomes
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Path, Path], dict]:
    """A lake, the files that were loaded into it with their uncompressed twins, and what `load` said."""
    folder = tmp_path_factory.mktemp("load")
    twins = {}
    for number, form in enumerate(["plain", "gzip", "zstd", "windows"]):
        plain = folder / f"{form}.plain"
        simulate(plain, seed=number)
        if form == "windows":
            plain.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n") + b"\r\n  \r\nno end")
        loaded = folder / "in" / f"{form}.jsonl"
        loaded.parent.mkdir(exist_ok=True)
        match form:
            case "gzip":
                loaded = loaded.with_suffix(".jsonl.gz")
                loaded.write_bytes(gzip.compress(plain.read_bytes()))
            case "zstd":
                loaded = loaded.with_suffix(".jsonl.zst")
                subprocess.run(["zstd", "-q", plain, "-o", loaded], check=True)
            case _:
                loaded.write_bytes(plain.read_bytes())
        twins[loaded] = plain
    lake = folder / "lake"
    said = run("userflow-ingester", "load", "--domain", "webtoon", "--lake", lake, "--output", "json", folder / "in")
    return lake, twins, said


def test_every_line_is_where_the_oracle_puts_it(world):
    lake, twins, _ = world
    bronze = list(delta_read.snapshot(lake, EVENTS).rows())
    quarantine = list(delta_read.snapshot(lake, QUARANTINE).rows())
    stored = Counter(row["_topic_id"] for row in [*bronze, *quarantine])
    ids = {}
    for loaded, plain in twins.items():
        topic_id = f"sha256:{hashlib.sha256(plain.read_bytes()).hexdigest()} {loaded}"
        ids[topic_id] = loaded
        outcomes = expected(plain)
        assert len(outcomes) > 1_000
        assert stored[topic_id] == len(outcomes)
        accepted = {row["_offset"]: row for row in bronze if row["_topic_id"] == topic_id}
        refused = {row["_offset"]: row for row in quarantine if row["_topic_id"] == topic_id}
        assert accepted.keys() | refused.keys() == outcomes.keys()
        findings = []
        for offset, row in accepted.items():
            findings += history_check.check_bronze_row(row, outcomes[offset])
            assert row["_kafka_time"] is None and row["_partition"] == 0
        for offset, row in refused.items():
            findings += history_check.check_quarantine_row(row, outcomes[offset], str(loaded))
        assert findings == []
        assert len(refused) > 50
    assert stored.keys() == ids.keys()


def test_the_summary_counts_what_the_oracle_counts(world):
    lake, twins, said = world
    reasons, rows, dates = Counter(), 0, set()
    for loaded, plain in twins.items():
        accepted = [outcome for outcome in expected(plain).values() if isinstance(outcome, oracle.Accepted)]
        rejected = [outcome for outcome in expected(plain).values() if isinstance(outcome, oracle.Rejected)]
        reasons.update(outcome.reason for outcome in rejected)
        rows += len(accepted)
        dates |= {outcome.columns["event_date"] for outcome in accepted}
        of_file = next(entry for entry in said["inputs"] if entry["file"] == str(loaded))
        assert of_file["state"] == "landed"
        assert (of_file["rows"], of_file["quarantined"]) == (len(accepted), len(rejected))
    assert said["rows_written"] == said["lines_accepted"] == rows and said["quarantined_by_reason"] == dict(reasons)
    lines = (plain.read_bytes().count(b"\n") + (loaded.stem == "windows") for loaded, plain in twins.items())
    assert said["lines_read"] == sum(lines)
    # "windows" ends in a line of white space, between the last end and "no end".
    assert said["blank_lines"] >= 1
    assert {str(day) for day in dates} <= set(said["dates"])


def test_a_refused_line_has_the_date_of_the_row_before_it(world):
    lake, twins, _ = world
    quarantine = list(delta_read.snapshot(lake, QUARANTINE).rows())
    for loaded, plain in twins.items():
        before, wanted = date(1970, 1, 1), {}
        for offset, outcome in sorted(expected(plain).items()):
            if isinstance(outcome, oracle.Accepted):
                before = outcome.columns["event_date"]
            else:
                wanted[offset] = before
        found = {row["_offset"]: row["event_date"] for row in quarantine if row["_topic"] == str(loaded)}
        assert found == wanted


def test_loaded_long_ago_is_not_too_old(world):
    lake, _, said = world
    assert datetime.now(UTC) - datetime(2024, 1, 1, tzinfo=UTC) > timedelta(days=400), "max_past would accept it"
    assert said["quarantined_by_reason"].get("clock_skew", 0) == 0
