"""deploy/servers/kafka: what the fault tests build on. kill -9 loses nothing, a restart keeps the port, stop means stopped."""

import re
import socket
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

KAFKA = Path(__file__).resolve().parents[3] / "deploy/servers/kafka"
PATIENCE = 60


def kafka(command, folder, *options):
    return subprocess.run([KAFKA, command, "--dir", folder, *options], stdout=subprocess.PIPE, text=True, check=False)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "broker"
    kafka("kill", tmp_path / "broker")


def brokers(done):
    assert done.returncode == 0
    [found] = re.findall(r"^USERFLOW_BROKERS=(127\.0\.0\.1:\d+)$", done.stdout, re.M)
    return found


def values(address, topic, count):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = [message.value() for message in consumer.consume(count, PATIENCE)]
    consumer.close()
    return found


def test_a_private_broker_survives_kill_9(folder):
    address = brokers(kafka("start", folder))
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(PATIENCE)
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    sent = [str(number).encode() for number in range(1000)]
    for value in sent:
        producer.produce("t", value)
    assert producer.flush(PATIENCE) == 0

    assert kafka("kill", folder).returncode == 0
    assert kafka("status", folder).returncode == 1
    assert brokers(kafka("start", folder)) == address
    assert brokers(kafka("start", folder)) == address, "a second start changes nothing"
    assert brokers(kafka("status", folder)) == address
    assert values(address, "t", 1000) == sent

    assert kafka("stop", folder).returncode == 0
    assert kafka("stop", folder).returncode == 0
    assert kafka("status", folder).returncode == 1


def test_a_port_that_is_taken_is_said(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([KAFKA, "start", "--dir", folder, "--port", port], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Address already in use" in done.stderr
