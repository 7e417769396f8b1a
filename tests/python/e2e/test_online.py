"""The streaming half, end to end: a simulated day in the online store, every cell of every view, and held against silver."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from conftest import attempt, run

import oracle
import streaming_oracle

DATE = "2026-11-01"
# All events lie before the first, which is the end of no window and more than the gap after nothing; at the second all is over.
MIDNIGHT, NIGHT = "2026-11-02T00:00:00Z", "2026-11-02T03:00:00Z"


@dataclass(frozen=True)
class Store:
    """The topic of a day, its online store, and its lake with silver in it."""

    brokers: str
    topic: str
    url: str
    folder: Path
    messages: list[oracle.Message]

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def sessionize(self, end: str) -> dict[str, object]:
        return run(
            "userflow-ingester", "sessionize", "--domain", "webtoon", "--brokers", self.brokers, "--topic", self.topic,
            "--group", self.topic, "--postgres-url", self.url, "--checkpoints", self.folder / "checkpoints",
            "--idle-timeout", 3600, "--until-caught-up", "--advance-to", end, "--output", "json",
        )  # fmt: skip

    def view(self, name: str, keys: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, object]]:
        rows = [json.loads(line) for line in sql(self.url, f"SELECT to_jsonb(v) FROM online.{name} AS v")]
        return {tuple(row[key] for key in keys): row for row in rows}

    def skew(self, *more: object) -> subprocess.CompletedProcess[str]:
        return attempt(
            "userflow-jobs", "check", "--skew", "--date", DATE, "--domain", "webtoon", "--postgres-url", self.url,
            "--lake", self.lake, *more,
        )  # fmt: skip


def sql(url: str, statement: str) -> list[str]:
    """Runs a statement with psql and returns the rows of one column."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", url, "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


KEYS = {
    "webtoon_session": streaming_oracle.SESSION,
    "webtoon_user_1h": ("user_id",),
    "webtoon_episode_1h": ("webtoon_id", "episode_id"),
    "webtoon_title_24h": ("webtoon_id",),
    "webtoon_user_recent": ("user_id",),
    "webtoon_user_lifetime": ("user_id",),
}


@pytest.fixture(scope="module")
def store(brokers: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    from topic_dump import dump

    folder = tmp_path_factory.mktemp("online")
    name = f"test_online_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    topic = f"test.online.{name}"
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", topic, "--partitions", 4,
        "--seed", 23, "--sessions", 1_500, "--start", DATE, "--days", 1, "--duplicates", 0.03, "--out-of-order", 0.05,
        "--late", 0.03, "--abandoned", 0.1, "--binge", 0.2, "--garbage", 0.02,
    )  # fmt: skip
    with (folder / "topic.jsonl").open("w") as out:
        dump(brokers, topic, out)
    messages = oracle.load_dump(folder / "topic.jsonl")
    store = Store(brokers, topic, f"{postgres_url.rpartition('/')[0]}/{name}", folder, messages)
    run("userflow-jobs", "init", "--domain", "webtoon", "--lake", store.lake, "--postgres-url", store.url, "--output", "json")
    return store


@pytest.fixture(scope="module")
def at_midnight(store: Store) -> dict[str, dict]:
    """What the views show at the end of the day, and what `sessionize` said."""
    summary = store.sessionize(MIDNIGHT)
    return {"summary": summary, **{name: store.view(name, keys) for name, keys in KEYS.items()}}


@pytest.fixture(scope="module")
def at_night(store: Store, at_midnight: dict) -> dict[str, dict]:
    """The same three hours later."""
    summary = store.sessionize(NIGHT)
    return {"summary": summary, **{name: store.view(name, keys) for name, keys in KEYS.items()}}


@pytest.fixture(scope="module")
def expected(store: Store) -> dict[str, dict[str, dict]]:
    return {end: streaming_oracle.rows(store.messages, datetime.fromisoformat(end)) for end in (MIDNIGHT, NIGHT)}


def test_the_day_holds_what_it_is_meant_to_test(expected):
    """A comparison of nothing would agree."""
    rows = expected[MIDNIGHT]
    assert {row["session_state"] for row in rows["webtoon_session"].values()} == {"COMPLETE", "EXIT", "TIMEOUT_EXIT"}
    assert sum(row["sessions"] > 0 for row in rows["webtoon_user_1h"].values()) > 5
    assert sum(row["completes"] > 0 for row in rows["webtoon_episode_1h"].values()) > 5
    assert any(len(row["recent_episodes"]) > 5 for row in rows["webtoon_user_recent"].values())
    assert {row["current_complete_streak"] > 1 for row in rows["webtoon_user_lifetime"].values()} == {True, False}


def test_every_message_is_in_the_summary(store, at_midnight):
    summary = at_midnight["summary"]
    accepted, rejected = oracle.decode_all(store.messages, oracle.Limits.of_contract())
    partitions = streaming_oracle.partitions(store.messages)
    assert summary["rejected"] == len(rejected)
    assert summary["duplicates"] == sum(partition.duplicates for partition in partitions.values())
    assert summary["events"] == len(accepted)
    assert sum(summary["next_offsets"].values()) == len(store.messages)


@pytest.mark.parametrize("view", [name for name in KEYS if name != "webtoon_session"])
def test_every_cell_of_the_last_hours_equals_the_oracle(at_midnight, expected, view):
    """Sessions wait for the night: the last ones are still open."""
    found = streaming_oracle.differences(expected[MIDNIGHT][view], at_midnight[view])
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("view", list(KEYS))
def test_every_cell_equals_the_oracle_when_all_is_over(at_night, expected, view):
    found = streaming_oracle.differences(expected[NIGHT][view], at_night[view])
    assert not found, "\n".join(found[:20])


def test_nothing_is_read_twice(at_night):
    assert at_night["summary"]["events"] == 0


def test_a_session_is_open_until_its_gap_has_passed(store, at_midnight):
    used = [event for partition in streaming_oracle.partitions(store.messages).values() for event in partition.used]
    last = {key: events[-1].time for key, events in streaming_oracle.by(used, streaming_oracle.SESSION).items()}
    midnight = datetime.fromisoformat(MIDNIGHT)
    margin = streaming_oracle.LATENESS
    for session, row in at_midnight["webtoon_session"].items():
        age = midnight - last[session]
        if age > streaming_oracle.GAP + margin:
            assert row["is_final"], row
        elif row["session_state"] == "IN_PROGRESS":
            assert not row["is_final"] and age <= streaming_oracle.GAP + margin, row


def test_the_stream_agrees_with_the_batch(store, at_night):
    ingest = ["ingest", "--domain", "webtoon", "--brokers", store.brokers, "--topic", store.topic, "--group", store.topic + ".b"]
    run("userflow-ingester", *ingest, "--lake", store.lake, "--until-caught-up", "--output", "json")
    run("userflow-jobs", "run", "silver.webtoon_sessions", "--date", DATE, "--lake", store.lake, "--output", "json")
    done = store.skew()
    assert done.returncode == 0, done.stdout + done.stderr

    # One cell of one row, and the check tells which.
    [session] = sql(store.url, "SELECT session_id FROM online.webtoon_session ORDER BY session_id LIMIT 1")
    sql(store.url, f"UPDATE online.webtoon_session__partials SET event_count = event_count + 1 WHERE session_id = '{session}'")
    done = store.skew()
    assert done.returncode == 3, done.stdout + done.stderr
    assert session in done.stdout and "event_count" in done.stdout, done.stdout
    sql(store.url, f"DELETE FROM online.webtoon_session__partials WHERE session_id = '{session}'")
    done = store.skew("--output", "json")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "missing" in done.stdout
