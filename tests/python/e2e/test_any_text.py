"""No byte of any value decides anything: hostile texts in every text column, real binaries, against the oracle and DuckDB."""

import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import ROOT, run

import compare
import oracle
from topic_dump import dump

DAY = "2026-11-01"
NEXT = "2026-11-02"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
# What programs put between values, at their ends, or take for none.
PIECES = ["", "\0", "\x01", "\x02", "\x1c", "\x1d", "\x1e", "\x1f", "|", ",", ";", "\t", "\n", "\\", "'", '"', "\x7f", "\x85",
          " ", "é", "\u2028", "\ufeff", "\U0010ffff", "a", "b", "UNKNOWN", "null"]  # fmt: skip
KEYS = ["session_id", "user_id", "webtoon_id", "episode_id"]
ATTRIBUTES = ["platform", "country", "device", "browser", "network_type"]
EVENTS = 6_000


def text(chance: random.Random, longest: int) -> str:
    size = chance.choice([0, 1, 1, 2, 3, 5, longest])
    return "".join(chance.choice(PIECES) for _ in range(size))


def events(seed: int) -> list[dict[str, object]]:
    chance = random.Random(seed)
    sessions = [
        {name: f"{text(chance, 12)}{number % 97 if name != 'session_id' else number}" for name in KEYS} for number in range(900)
    ]
    sent = []
    for number in range(EVENTS):
        at = NOON + timedelta(milliseconds=chance.randrange(5) * 1000)  # many at one instant: the id decides
        event: dict[str, object] = {
            "event_id": f"{text(chance, 8)}{number}",
            "event_type": chance.choice(["enter", "scroll", "complete", "exit"]),
            "utimestamptz": at.isoformat(timespec="milliseconds"),
            **chance.choice(sessions),
        }
        for name in ATTRIBUTES:
            if chance.random() < 0.6:
                event[name] = text(chance, 4_000 if number % 40 == 0 else 6)
        if chance.random() < 0.6:
            event |= {name: text(chance, 6) for name in ("experiment_name", "experiment_group")}
        if chance.random() < 0.5:
            event["local_timestamptz"] = f"2026-11-01T{chance.randrange(24):02}:30:00+09:00"
        if chance.random() < 0.7:
            event |= {"scroll_ratio": chance.randrange(1001) / 1000, "dwell_time_ms": chance.randrange(10**6)}
        sent.append(event)
        if chance.random() < 0.05:
            sent.append(event)
    return sent


@pytest.fixture(scope="module")
def lake(brokers: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any-text")
    topic = f"test.any-text.{os.getpid()}.{time.time_ns()}"
    seed = int(os.environ.get("USERFLOW_TEST_SEED", "7"))
    print(f"seed {seed} (USERFLOW_TEST_SEED)")
    settings, refused = {"bootstrap.servers": brokers}, []
    admin = AdminClient(settings)
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])[topic].result(60)
    producer = Producer(settings)
    for event in events(seed):
        value = json.dumps(event, ensure_ascii=chr(0) in event["event_id"]).encode()
        producer.produce(
            topic, value=value, key=str(event["user_id"]).encode(), on_delivery=lambda error, _: error and refused.append(error)
        )
        producer.poll(0)
    # Refused, and kept under the day after.
    producer.produce(topic, value=b"{", timestamp=int((NOON + timedelta(days=1)).timestamp() * 1000))
    assert (producer.flush(60), refused) == (0, [])
    landed = run("userflow-ingester", "ingest", "--domain", "webtoon", "--brokers", brokers, "--topic", topic, "--group", topic,
        "--lake", folder / "lake", "--until-caught-up", "--output", "json")  # fmt: skip
    assert (landed["dates"], landed["quarantined"]) == ([DAY, NEXT], 1)
    run("userflow-jobs", "init", "--lake", folder / "lake", "--output", "json")
    with (folder / "topic.jsonl").open("w") as out:
        dump(brokers, topic, out)
    return folder / "lake"


@pytest.fixture(scope="module")
def expected(lake: Path) -> dict[str, list[dict]]:
    messages = list(oracle.load_dump(lake.parent / "topic.jsonl"))
    return oracle.all_tables(messages, oracle.days(DAY, NEXT))


def test_the_events_hold_what_they_are_meant_to_test(expected):
    rows = expected["silver.webtoon_sessions"]
    texts = ["".join(str(row[name]) for row in rows) for name in (*KEYS, "platform", "experiment_name")]
    assert all(piece in column for column in texts for piece in ("\0", "\x01", "\x1f", "\U0010ffff"))
    assert any(row["platform"] == "" for row in rows) and any(row["platform"] == "UNKNOWN" for row in rows)
    assert max(len(row["browser"]) for row in rows) > 3_000
    assert max(row["event_count"] for row in rows) > 5 and any(row["duplicate_count"] for row in rows)


@pytest.mark.parametrize("limits", [[], ["--memory-limit", "10MB", "--threads", "2"]], ids=["in memory", "spilling"])
def test_every_cell_of_silver_and_gold_equals_the_oracle(lake, expected, limits):
    # Texts that no test of quality accepts are not what this is about.
    run(
        "userflow-jobs", "run", "+gold.webtoon_*", "--date", DAY, "--publish-blocked", "--lake", lake, "--output", "json", *limits
    )
    # Of an interval around a rate of 0 the lower end is 0, or 5e-17 in the oracle's arithmetic: DuckDB judges that table.
    tables = {name: rows for name, rows in expected.items() if name != "gold.webtoon_experiment_daily"}
    differences = compare.compare(lake, tables)
    assert not differences, compare.report(differences)


def test_real_dbt_on_duckdb_computes_the_same_cells(lake):
    run("userflow-jobs", "run", "+gold.webtoon_*", "--date", DAY, "--publish-blocked", "--lake", lake, "--output", "json")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/python/dbt_compare.py"), "--lake", str(lake), "--from", DAY, "--to", NEXT],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
