"""Writes a whole topic to a file, for the checks of this folder.

    python topic_dump.py --brokers 127.0.0.1:9092 --topic webtoon.events topic.jsonl

One line a message: {"p": partition, "o": offset, "t": timestamp in ms, "k": key or null, "v": value
or null}, bytes in base64. Reads every partition from its first offset to the end it had at the
start. Joins no consumer group and commits nothing.
"""

import argparse
import base64
import json
import sys
import time
import uuid
from typing import TextIO

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

METADATA_SECONDS = 15


def dump(brokers: str, topic: str, out: TextIO, stall_seconds: float = 60.0) -> int:
    """Writes all messages; returns how many. Raises TimeoutError when the broker falls silent."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"topic-dump-{uuid.uuid4()}",  # the client demands one; it is never joined
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "check.crcs": True,
        }
    )
    try:
        ends = end_offsets(consumer, topic)
        open_partitions = {partition for partition, (low, end) in ends.items() if end > low}
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in open_partitions])
        written = 0
        heard = time.monotonic()
        while open_partitions:
            for message in consumer.consume(num_messages=10_000, timeout=1.0):
                heard = time.monotonic()
                partition = message.partition()
                if message.error() is not None:
                    # Also the end of a partition whose last offsets hold no message.
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(message.error())
                    open_partitions.discard(partition)
                    continue
                end = ends[partition][1]
                if message.offset() < end:
                    out.write(line(message))
                    written += 1
                if message.offset() >= end - 1:
                    open_partitions.discard(partition)
            if time.monotonic() - heard > stall_seconds:
                raise TimeoutError(f"no answer for partitions {sorted(open_partitions)} of {topic}")
        return written
    finally:
        consumer.close()


def end_offsets(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """First and end offset of every partition."""
    metadata = consumer.list_topics(topic, timeout=METADATA_SECONDS).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return {
        partition: consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=METADATA_SECONDS
        )
        for partition in metadata.partitions
    }


def line(message: Message) -> str:
    """One message as a line."""
    _, timestamp_ms = message.timestamp()
    entry = {
        "p": message.partition(),
        "o": message.offset(),
        "t": timestamp_ms,
        "k": encode(message.key()),
        "v": encode(message.value()),
    }
    return json.dumps(entry, separators=(",", ":")) + "\n"


def encode(data: bytes | None) -> str | None:
    """Base64, or null for what is null in Kafka."""
    return None if data is None else base64.b64encode(data).decode("ascii")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", default="webtoon.events")
    parser.add_argument("file", help="where to write")
    arguments = parser.parse_args()
    with open(arguments.file, "w", encoding="ascii") as out:
        written = dump(arguments.brokers, arguments.topic, out)
    print(f"{written} messages of {arguments.topic} in {arguments.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
