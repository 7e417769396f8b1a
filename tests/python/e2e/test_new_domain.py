"""A third domain that nobody wrote: made by `new-domain` of 200 lines, run through bronze, online, silver, gold and quality.

What it must hold is counted here from the lines, in plain Python. Then as a new user does it: the commands that are printed are
run as they stand, for a sample from a file and for one from a topic.
"""

import json
import os
import re
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import ROOT, run
from test_online import sql

SAMPLE = ROOT / "tests/fixtures/plays.jsonl"
DATE = "2026-11-01"
PARTITIONS = 2
TEN_MINUTES, LATENESS = 600, 10
TYPES = ("started", "finished", "skipped", "liked")


@dataclass(frozen=True)
class Made:
    """The domain's summary, and where its rows are."""

    summary: dict[str, object]
    models: Path
    lake: Path
    url: str

    def jobs(self, *arguments: object) -> dict[str, object]:
        return run("userflow-jobs", *arguments, "--models", self.models, "--lake", self.lake, "--output", "json")

    def online(self, view: str) -> list[dict[str, object]]:
        return [json.loads(row) for row in sql(self.url, f"SELECT to_jsonb(v) FROM online.plays_{view} AS v")]


@pytest.fixture(scope="module")
def events() -> list[dict[str, object]]:
    return [json.loads(line) for line in SAMPLE.read_text().splitlines()]


def partition(event: dict[str, object]) -> int:
    return int(event["who"]["listener_id"][1:]) % PARTITIONS


@pytest.fixture(scope="module")
def made(brokers: str, postgres_url: str, events: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("new-domain")
    name = f"test_plays_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    models, lake = folder / "models", folder / "lake"
    summary = run("userflow-jobs", "new-domain", "plays", "--from", SAMPLE, "--models", models, "--output", "json")
    made = Made(summary, models, lake, url)
    made.jobs("test", "plays")
    made.jobs("init", "--domain", "plays", "--postgres-url", url)

    topic = f"test.plays.{name}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(60)
    producer = Producer({"bootstrap.servers": brokers})
    lines = SAMPLE.read_text().splitlines()
    for event, line in [(events[0], lines[0]), *zip(events, lines, strict=True)]:  # the first is sent twice
        producer.produce(topic, value=line, key=event["who"]["listener_id"], partition=partition(event))
    producer.produce(topic, value="no event", partition=0)
    assert producer.flush(60) == 0

    kafka = ["--domain", "plays", "--models", models, "--brokers", brokers, "--topic", topic, "--group", topic]
    run("userflow-ingester", "ingest", *kafka, "--lake", lake, "--until-caught-up", "--output", "json")
    online = ["--postgres-url", url, "--checkpoints", folder / "checkpoints", "--idle-timeout", 3600]
    run("userflow-ingester", "sessionize", *kafka, *online, "--until-caught-up", "--output", "json")
    made.jobs("run", "+gold.plays_user_daily", "--date", DATE, "--postgres-url", url)
    return made


def test_the_roles_are_found(made: Made):
    fields = [role["field"] for role in made.summary["roles"][:5]]
    assert fields == ["/action", "/at", "/who/listener_id", "/who/visit_id", "/uuid"]
    assert made.summary["kept_in_extra"] == ["/reason", "/tags"]


def test_bronze_has_every_line(made: Made):
    shown = made.jobs("show", "bronze.plays_events", "--date", DATE, "--limit", 1000)
    rows = [dict(zip(shown["columns"], row, strict=True)) for row in shown["rows"]]
    assert len(rows) == 201


def test_the_last_hour_counts_by_type(made: Made, events: list[dict[str, object]]):
    rows = made.online("user_1h")
    assert {row["listener_id"] for row in rows} == {event["who"]["listener_id"] for event in events}
    for row in rows:
        own = [event for event in events if event["who"]["listener_id"] == row["listener_id"]]
        newest = max(event["at"] for event in events if partition(event) == partition(own[0]))
        end = datetime.fromisoformat(row["window_end"]).timestamp()
        # The window that is not over: time is the allowed lateness behind the newest event.
        assert newest - LATENESS < end <= (newest // TEN_MINUTES + 1) * TEN_MINUTES
        counted = Counter(event["action"] for event in own if end - 3600 <= event["at"] < end)
        assert {kind: row[f"{kind}_count"] for kind in TYPES} == {kind: counted[kind] for kind in TYPES}, row
        assert row["events"] == counted.total()


def test_sessions_are_live(made: Made, events: list[dict[str, object]]):
    counted = Counter((event["who"]["visit_id"], event["who"]["listener_id"]) for event in events)
    assert {(row["visit_id"], row["listener_id"]): row["events"] for row in made.online("session")} == counted


def test_the_newest_event_of_each_user(made: Made, events: list[dict[str, object]]):
    last = {event["who"]["listener_id"]: event for event in events}
    rows = {row["listener_id"]: row for row in made.online("user_recent")}
    assert {user: row["last_event_type"] for user, row in rows.items()} == {user: event["action"] for user, event in last.items()}
    for user, event in last.items():
        at = datetime.fromisoformat(rows[user]["last_event_at"]).astimezone(UTC)
        assert at == datetime.fromtimestamp(int(event["at"] * 1000 + 0.5) / 1000, UTC), user


def test_gold_counts_each_event_once(made: Made, events: list[dict[str, object]]):
    shown = made.jobs("show", "gold.plays_user_daily", "--date", DATE, "--limit", 1000)
    rows = {row["listener_id"]: row for row in (dict(zip(shown["columns"], row, strict=True)) for row in shown["rows"])}
    counted = Counter((event["who"]["listener_id"], event["action"]) for event in events)
    visits = {(event["who"]["listener_id"], event["who"]["visit_id"]) for event in events}
    assert set(rows) == {user for user, _ in counted}
    for user, row in rows.items():
        assert {kind: int(row[f"{kind}_count"]) for kind in TYPES} == {kind: counted[user, kind] for kind in TYPES}
        assert int(row["events"]) == sum(counted[user, kind] for kind in TYPES)
        assert int(row["sessions"]) == sum(1 for visitor, _ in visits if visitor == user)


def test_quality_is_judged(made: Made):
    made.jobs("check", "--date", DATE, "--domain", "plays", "--postgres-url", made.url)
    tables = set(sql(made.url, "SELECT DISTINCT model FROM ops.quality_log"))
    assert tables >= {"bronze.plays_events", "silver.plays_events", "gold.plays_user_daily"}


@dataclass(frozen=True)
class Shell:
    """A new user's terminal: an empty folder, the programs in PATH, a database."""

    folder: Path
    url: str
    brokers: str
    name: str

    def run(self, script: str) -> str:
        binaries = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release"))
        settings = {key: value for key, value in os.environ.items() if not key.startswith("USERFLOW_")}
        # What belongs to a deployment and would meet that of other tests on the same broker.
        settings |= {"USERFLOW_GROUP": self.name, "USERFLOW_ONLINE_GROUP": f"{self.name}_online"}
        settings |= {"PATH": f"{binaries.resolve()}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def commands(self, printed: str) -> str:
        """What stands below `Next`, as it stands but for the two addresses."""
        _, commands = printed.split("Next (also in ", 1)
        commands = commands.split("\n", 1)[1]
        addresses = f"USERFLOW_BROKERS={self.brokers} USERFLOW_POSTGRES_URL={self.url}"
        assert commands.count("=…") == 2
        return re.sub(r"USERFLOW_BROKERS=… +USERFLOW_POSTGRES_URL=…", addresses, commands)


@pytest.fixture
def shell(brokers: str, postgres_url: str, tmp_path: Path) -> Shell:
    name = f"plays_{os.getpid()}_{time.time_ns() % 10**6}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    return Shell(tmp_path, f"{postgres_url.rpartition('/')[0]}/{name}", brokers, name)


def on_the_topic(brokers: str, topic: str) -> dict[str, set[int]]:
    """The keys of a topic, each with its partitions."""
    settings = {"bootstrap.servers": brokers, "group.id": topic, "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(settings)
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    keys: dict[str, set[int]] = {}
    ended = 0
    while ended < len(partitions):
        message = consumer.poll(60)
        assert message is not None
        if message.error():
            ended += 1
        else:
            keys.setdefault(message.key().decode(), set()).add(message.partition())
    consumer.close()
    return keys


def test_the_printed_commands_run_as_they_stand(shell: Shell, events: list[dict[str, object]]):
    (shell.folder / "my plays.jsonl").write_text(SAMPLE.read_text())
    printed = shell.run(f"userflow-jobs new-domain {shell.name} --from 'my plays.jsonl'")
    said = shell.run(shell.commands(printed))
    users = Counter(event["who"]["listener_id"] for event in events)
    assert f"200 messages sent to {shell.name}.events\n" in said
    assert re.search(rf"^200 rows to bronze\.{shell.name}_events", said, re.MULTILINE), said
    assert "(5 rows)" in said, "the look into the live features"
    rows = sql(shell.url, f"SELECT count(*) FROM online.{shell.name}_user_1h")
    assert int(rows[0]) == len(users)
    keys = on_the_topic(shell.brokers, f"{shell.name}.events")
    assert set(keys) == set(users) and all(len(partitions) == 1 for partitions in keys.values())
    # The same commands stand in the folder.
    block = printed.split("Next (also in ", 1)[1].split("\n", 1)[1].strip()
    assert block in (shell.folder / f"models/{shell.name}/README.md").read_text()

    # Another domain, of the topic that is there now.
    other = Shell(shell.folder, shell.url, shell.brokers, f"{shell.name[:18]}_again")
    command = f"userflow-jobs new-domain {other.name} --from-topic {shell.name}.events --brokers {shell.brokers}"
    few = json.loads(shell.run(f"{command} --sample 50 --dry-run --output json"))
    assert few["events"] == 50
    said = shell.run(other.commands(shell.run(command)))
    assert re.search(rf"^200 rows to bronze\.{other.name}_events", said, re.MULTILINE), said


def test_a_topic_that_is_not_there_is_told(shell: Shell):
    for more, words in [("", "does not exist"), ("--kafka-sasl-mechanism nonsense", "nonsense")]:
        command = f"userflow-jobs new-domain x --from-topic {shell.name}.none --brokers {shell.brokers} {more}"
        said = shell.run(f"{command} 2>&1 && exit 9 || echo exit $?")
        assert said.endswith("exit 2\n") and words in said, said


def test_what_is_no_event_on_a_topic_is_left_out(shell: Shell, events: list[dict[str, object]]):
    topic = f"{shell.name}.mixed"
    admin = AdminClient({"bootstrap.servers": shell.brokers})
    admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])[topic].result(60)
    producer = Producer({"bootstrap.servers": shell.brokers})
    for event in events:
        producer.produce(topic, value=json.dumps(event, indent=1))
    for other in ["GET /healthz", '{"cut": ', b"\xff\xfe", None, "7"]:
        producer.produce(topic, value=other)
    assert producer.flush(60) == 0
    said = shell.run(f"userflow-jobs new-domain mixed --from-topic {topic} --brokers {shell.brokers} 2>&1")
    assert "5 others are no JSON and are left out" in said and "200 events" in said, said
