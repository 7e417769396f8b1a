"""The topic dump, against the broker that librdkafka carries for tests."""

import io
import json

import pytest
from confluent_kafka import KafkaException, Producer

import hard_messages
import oracle
import topic_dump


@pytest.fixture
def broker():
    """A producer with its own broker inside, and the broker's address."""
    producer = Producer({"test.mock.num.brokers": 1, "linger.ms": 0})
    (metadata,) = producer.list_topics(timeout=10).brokers.values()
    return producer, f"{metadata.host}:{metadata.port}"


def test_everything_in_a_topic_is_dumped(broker, tmp_path):
    producer, address = broker
    sent = [m for m in hard_messages.messages() if m is None or len(m) < 10_000]
    for number, value in enumerate(sent):
        key = None if number % 3 == 0 else str(number).encode()
        producer.produce("t", value=value, key=key, partition=number % 3, timestamp=1000 + number)
    assert producer.flush(30) == 0

    path = tmp_path / "t.jsonl"
    with open(path, "w", encoding="ascii") as out:
        assert topic_dump.dump(address, "t", out, stall_seconds=20) == len(sent)
    dumped = sorted(oracle.load_dump(path), key=lambda m: m.kafka_time_ms)
    assert [m.value for m in dumped] == sent
    assert [(m.partition, m.offset) for m in dumped] == [(n % 3, n // 3) for n in range(len(sent))]
    assert dumped[1].key == b"1" and dumped[3].key is None
    assert set(json.loads(path.read_text().splitlines()[0])) == {"p", "o", "t", "k", "v"}


def test_an_empty_topic_gives_an_empty_dump(broker):
    producer, address = broker
    producer.list_topics("empty", timeout=10)  # which creates it
    out = io.StringIO()
    assert topic_dump.dump(address, "empty", out, stall_seconds=20) == 0
    assert out.getvalue() == ""


def test_a_missing_broker_is_an_error(monkeypatch):
    monkeypatch.setattr(topic_dump, "METADATA_SECONDS", 1)
    with pytest.raises(KafkaException):
        topic_dump.dump("127.0.0.1:1", "t", io.StringIO())
