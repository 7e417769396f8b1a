"""What producers put around an event, through the real broker: refused while the contract does not know it, landed by `replay`
when it does, each event once; a list of events is one offset and several rows."""

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import ROOT, run

import delta_read

DOMAIN = "ecommerce"
NOON_MS = 1_793_534_400_000  # 2026-11-01T12:00:00Z


def event(number: int) -> dict[str, object]:
    return {"event_type": "view", "user_id": f"U{number}", "event_time": "2026-11-01 12:00:00", "price": number}


def messages(first: int) -> list[object]:
    """One of each kind, about eight events; the last is refused by every contract."""
    numbers = iter(range(first, first + 8))
    return [
        event(next(numbers)),
        {"schema": {"type": "struct"}, "payload": event(next(numbers))},
        {"specversion": "1.0", "id": "c", "source": "/shop", "type": "t", "data": event(next(numbers))},
        [event(next(numbers)), {"schema": None, "payload": event(next(numbers))}, event(next(numbers))],
        [event(next(numbers))],
        [event(next(numbers)), {"event_type": "view"}],
    ]


class World:
    def __init__(self, folder: Path, brokers: str) -> None:
        self.lake, self.models, self.brokers = folder / "lake", folder / "models", brokers
        self.topic = f"test.envelopes.{os.getpid()}.{time.time_ns()}"
        self.settings = {"bootstrap.servers": brokers}
        admin = AdminClient(self.settings)
        admin.create_topics([NewTopic(self.topic, num_partitions=1, replication_factor=1)])[self.topic].result(60)
        (self.models / DOMAIN).mkdir(parents=True)
        self.contract(None)

    def contract(self, envelope: list[str] | None) -> None:
        contract = json.loads((ROOT / f"models/{DOMAIN}/contract.json").read_text())
        if envelope:
            contract["x-envelope"] = envelope
        (self.models / DOMAIN / "contract.json").write_text(json.dumps(contract))

    def send(self, sent: list[object]) -> None:
        producer = Producer(self.settings)
        for message in sent:
            producer.produce(self.topic, value=json.dumps(message).encode(), timestamp=NOON_MS)
        assert producer.flush(60) == 0

    def ingest(self) -> None:
        arguments = ["--domain", DOMAIN, "--models", self.models, "--brokers", self.brokers, "--topic", self.topic]
        arguments += ["--group", self.topic, "--lake", self.lake, "--until-caught-up", "--output", "json"]
        run("userflow-ingester", "ingest", *arguments)

    def replay(self) -> dict[str, object]:
        return run(
            "userflow-jobs", "replay", "--domain", DOMAIN, "--models", self.models, "--lake", self.lake, "--output", "json"
        )

    def rows(self, table: str) -> list[dict[str, object]]:
        return sorted(
            delta_read.snapshot(self.lake, f"bronze.{DOMAIN}_{table}").rows(),
            key=lambda row: (row["_offset"], row.get("_index") or 0),
        )


@pytest.fixture
def world(brokers: str, tmp_path: Path) -> World:
    return World(tmp_path, brokers)


def test_events_in_envelopes_land_once_each_when_the_contract_knows_them(world: World):
    world.send(messages(0))
    world.ingest()
    assert [row["user_id"] for row in world.rows("events")] == ["U0"]
    assert len(world.rows("quarantine")) == 5

    world.contract(["array", "kafka-connect", "cloudevents"])
    world.send(messages(100))
    world.ingest()
    world.replay()
    world.replay()
    found = [(row["_offset"], row["_index"], row["user_id"]) for row in world.rows("events")]
    expected = []
    for start, first in ((0, 0), (6, 100)):
        places = [(0, None), (1, None), (2, None), (3, 0), (3, 1), (3, 2), (4, 0)]
        expected += [(start + offset, index, f"U{first + number}") for number, (offset, index) in enumerate(places)]
    assert found == expected, "each event once, also after a second replay"
    refused = Counter(row["_offset"] for row in world.rows("quarantine"))
    assert refused == Counter([1, 2, 3, 4, 5, 11])
    [last] = [row for row in world.rows("quarantine") if row["_offset"] == 11]
    assert all(problem["detail"].startswith("event 2 of 2 in the list: ") for problem in last["problems"])
    [cloud] = [row for row in world.rows("events") if row["_offset"] == 8]
    assert json.loads(cloud["extra"]) == {"_envelope": {"specversion": "1.0", "id": "c", "source": "/shop", "type": "t"}}
