"""Messages as Kafka has them: where they stand, when they were sent, and their bytes.

Two files can be read: the dump that ../topic_dump.py writes, and the plain JSON lines of the
simulator or a producer, which know neither partition nor time.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Message:
    """One Kafka message. `kafka_time_ms` and `key` are None where the source has none.

    `topic_id` is Kafka's id of its topic; "" where the source is one topic, or a table that kept none.
    """

    partition: int
    offset: int
    kafka_time_ms: int | None
    key: bytes | None
    value: bytes | None
    topic_id: str = ""


def load_dump(path: str | Path) -> list[Message]:
    """Reads a topic dump: one JSON object a line, `{"p", "o", "t", "k", "v"}`, bytes in base64.

    A time of -1 is Kafka's way to say that there is none.
    """
    messages = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            entry = json.loads(line)
            messages.append(
                Message(
                    partition=entry["p"],
                    offset=entry["o"],
                    kafka_time_ms=entry["t"] if entry["t"] >= 0 else None,
                    key=_bytes(entry["k"]),
                    value=_bytes(entry["v"]),
                )
            )
    return messages


def load_lines(path: str | Path) -> list[Message]:
    """Reads plain message lines: partition 0, the offset is the line's number from 0.

    Lines end with a newline byte and nothing else; a last newline opens no further message.
    """
    content = Path(path).read_bytes()
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [Message(0, number, None, None, line) for number, line in enumerate(lines)]


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
