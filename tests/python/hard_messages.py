"""Messages that are hard to decode, for tests that send them through the real ingester.

What must become of each is not said here: the oracle decides (see history_check.py). Kinds: every
reason of quarantine, several at once, and good events at the edges of what is allowed.

    python hard_messages.py --brokers 127.0.0.1:9092 --topic webtoon.events [--partition 0]
    python hard_messages.py --file hard.jsonl      # as a topic dump, nothing is sent
"""

import argparse
import base64
import json
import sys
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
ABSENT = object()


def event(**changes: object) -> dict[str, object]:
    """A good event with changes; ABSENT takes a field away."""
    fields: dict[str, object] = {
        "event_id": "hard-1",
        "event_type": "scroll",
        "user_id": 42,
        "session_id": "s-1",
        "webtoon_id": "wt_001",
        "episode_id": "ep_1",
        "utimestamptz": "2026-11-01T11:59:00.000Z",
        "local_timestamptz": "2026-11-01T20:59:00.000+09:00",
        "country": "KR",
        "platform": "web",
        "device": "mobile",
        "browser": "chrome",
        "network_type": "wifi",
        "scroll_ratio": 0.5,
        "scroll_event_count": 3,
        "dwell_time_ms": 60_000,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ABSENT}


def plain(**changes: object) -> bytes:
    """A good event with changes, as bytes."""
    return json.dumps(event(**changes), ensure_ascii=False).encode()


def written(name: str, text: str) -> bytes:
    """A good event in which one value is written exactly as given."""
    mark = "\u2603mark"
    return plain(**{name: mark}).replace(
        json.dumps(mark, ensure_ascii=False).encode(), text.encode()
    )


def time(**names: object) -> bytes:
    """A good event whose time stands under other names."""
    return plain(utimestamptz=ABSENT, **names)


def messages() -> list[bytes | None]:
    """All of them; None is a tombstone. Sent at noon of 2026-11-01."""
    # fmt: off
    good = plain()
    required = ("event_id", "event_type", "user_id", "session_id", "webtoon_id", "episode_id")
    texts = ("event_id", "event_type", "session_id", "webtoon_id", "episode_id")
    optional = ("local_timestamptz", "country", "platform", "device", "browser", "network_type")
    numbers = ("scroll_ratio", "scroll_event_count", "dwell_time_ms")
    # First of all: a date of NULs must not meet a decoder's memory of the last date while it is empty.
    nothing = "\0" * 10 + "T00:00:00Z"
    hard: list[bytes | None] = [plain(utimestamptz=nothing, local_timestamptz=nothing)]
    hard += [None, b"", good]

    # The message as a whole.
    hard += [b" ", b"{}", b"[]", b"null", b"true", b"7", b'"text"', b"\xff", b"\xef\xbb\xbf" + good]
    hard += [b"\x00", b"{", good[:-1], good + b"}", good + b" \r\n\t", b"\n " + good, good + good]
    hard += [good.replace(b"chrome", bad) for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80")]
    hard += [good.replace(b"chrome", bad) for bad in (b"a\x00b", b"a\nb", b"a\tb", b"\\x41", b"\\u12")]
    hard += [good.replace(b"chrome", text) for text in (b"a\\u0000b", b'\\"\\\\\\/\\b\\f\\n\\r\\t')]
    hard += [good.replace(b"chrome", text) for text in (b"\\ud83d\\ude00", "\U0001f600é".encode())]
    lone = (b"\\ud83d", b"\\ude00", b"\\ud83d\\ud83d", b"\\ude00\\ud83d", b"\\ud83dx\\ude00", b"\\uD83D")
    hard += [good.replace(b"chrome", text) for text in lone]
    hard += [good.replace(b"}", b', "\\ud83d": 1}'), good.replace(b"}", b', "x": ["\\ude00"]}')]
    hard += [good.replace(b"}", b', "x": {"y": "\\ud83d"}}'), good.replace(b"}", b',}')]
    hard += [good.replace(b'"', b"'"), good.replace(b":", b"=", 1), good.replace(b",", b",,", 1)]
    hard += [b"/* c */" + good, good.replace(b'"event_id"', b"event_id")]
    for size in (65_535, 65_536, 65_537, 200_000):
        hard.append(plain(padding="x" * (size - len(plain(padding="")))))
    hard.append(b"\xff" * 65_537)
    for depth in (30, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 30_000):
        hard.append(written("deep", "[" * depth + "]" * depth))
        hard.append(written("deep", '{"a":' * depth + "1" + "}" * depth))
    hard += [written("deep", "[" * 20 + "]" * 19), written("deep", '"' + "[" * 100 + '"')]

    # Fields that must be there, and types.
    for name in required:
        hard += [plain(**{name: value}) for value in (ABSENT, None, "", True, 1.5, [], {}, -7)]
    for name in texts:
        hard.append(plain(**{name: 7}))
    for name in ("experiment_name", "experiment_group", *optional):
        hard += [plain(**{name: value}) for value in (ABSENT, None, "", 7, False, ["x"], {"a": 1})]
    hard += [plain(event_type=value) for value in ("ENTER", "purchase", " enter", "enter ", "exit")]
    hard += [written("event_type", '"\\u0065nter"'), written("event_type", '"\\u0078nter"')]
    for text in ("42", "-0", "0", "5.0", "5e0", "5E+1", "12345678901234567890123", "1.5e1", "007", "+1"):
        hard.append(written("user_id", text))
    hard += [written("user_id", text) for text in ('"42"', '" 42 "', '"\\u0034\\u0032"', "1.0000", "1e400")]
    hard += [written("user_id", text) for text in ("9" * 100, "-" + "9" * 5000, "1e63", "1e64", "0.5e1")]
    hard += [written("user_id", text) for text in ("-5.00", "0e9999", "0.0", "10e-1", "15e-1")]
    hard += [plain(platform="smart_fridge", device="watch", network_type="6g", country="Atlantis")]

    # Numbers.
    for name in numbers:
        hard += [plain(**{name: value}) for value in (None, ABSENT, "0.5", True, [0.5], -1, -0.0, 0, 1)]
        for text in ("-0", "-0.0", "1.0", "1e0", "10e-1", "0e5", "NaN", "Infinity", "-Infinity", ".5"):
            hard.append(written(name, text))
        for text in ("1e9999999", "-1e9999999", "1e-9999999", "-1e-9999999", "0e9999999"):
            hard.append(written(name, text))
        for text in ("1e400", "-1e400", "1e-400", "1e99999999999999999999", "1e-99999999999999999999"):
            hard.append(written(name, text))
        for text in ("9223372036854775807", "9223372036854775808", "92233720368547758070e-1", "01", "1."):
            hard.append(written(name, text))
        for text in ("0x1", "1_0", "--1", "-", "1e", "1e+", "5.5", "0e99999999999999999999"):
            hard.append(written(name, text))
    for text in ("0.295", "0.945", "0.9449999999999999999", "0.294999999999999999999", "1.000000000000000"):
        hard.append(written("scroll_ratio", text))
    for text in ("1.0000000000000000000001", "0.1234567890123456789", "-0.0000000000000000000001", "29.5e-2"):
        hard.append(written("scroll_ratio", text))
    hard += [written("scroll_ratio", text) for text in ("0.00295E2", "1e-15", "9.9e-16", "0." + "9" * 300)]

    # Experiments: both or neither.
    for name, group in (("a", ABSENT), (ABSENT, "b"), ("a", None), (None, "b"), (None, None), ("a", "b")):
        hard.append(plain(experiment_name=name, experiment_group=group))
    hard += [plain(experiment_name=7), plain(experiment_name=7, experiment_group="b"), plain(experiment_group=7)]

    # Time.
    for text in (
        "2026-11-01T11:59:00Z", "2026-11-01t11:59:00z", "2026-11-01 11:59:00Z", "2026-11-01T11:59:00.1Z",
        "2026-11-01T11:59:00.123456789Z", "2026-11-01T11:59:00.9999999+00:00", "2026-11-01T20:59:00+09:00",
        "2026-11-01T11:59:00-00:00", "2026-11-01T11:59:00", "2026-11-01T11:59:00.5", "2026-11-01T06:29:00-05:30",
        "2026-11-01T11:59Z", "2026-11-01", "20261101T115900Z", "2026-11-01T11:59:00+0900", "2026-11-01T11:59:00+09",
        "2026-11-01T11:59:60Z", "2026-11-01T24:00:00Z", "2026-11-01T11:60:00Z", "2026-02-29T11:59:00Z",
        "2024-02-29T11:59:00Z", "2026-13-01T11:59:00Z", "2026-00-01T11:59:00Z", "2026-11-31T11:59:00Z",
        "2026-11-01T11:59:00+24:00", "2026-11-01T11:59:00+23:59", "2026-11-01T11:59:00+00:60", "2026-11-01T11:59:00.Z",
        "2026-11-01T11:59:00 Z", " 2026-11-01T11:59:00Z", "2026-11-01T11:59:00Z ", "2026-11-01T11:59:00Z\n", "",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:00-00:01", "9999-12-31T23:59:59-23:59",
        "2200-12-31T23:59:59.999Z",
        "2201-01-01T00:00:00Z", "now", "1793534340000", "２０２６-11-01T11:59:00Z", "\0" * 10 + "T00:00:00Z",
        "2026-11-01T00:00:00Z", "2026-10-31T23:59:59.9996Z", "2026-11-01T11:59:00,5Z",
    ):
        hard += [plain(utimestamptz=text), plain(local_timestamptz=text), time(timestamp=text)]
    for text in ("1793534340000", "1793534340000.0", "1.79353434e12", "1793534340000.5", "-1", "0", "1e400"):
        hard += [written("utimestamptz", text)]
        for name in ("timestamp", "event_time"):
            hard.append(time(x=0).replace(b'"x": 0', f'"{name}": {text}'.encode()))
    for text in ("7289654399999", "7289654400000", "9223372036854775808", "99999999999999999999999"):
        hard.append(time(timestamp=int(text)))
    hard += [time(), time(event_time=None), time(event_time=None, timestamp="2026-11-01T11:00:00Z")]
    hard += [plain(event_time="2026-11-01T10:00:00Z"), plain(timestamp=None), plain(event_time={"a": [1, None]})]
    hard += [plain(utimestamptz=True, timestamp="2026-11-01T11:00:00Z"), plain(utimestamptz={})]
    hard += [plain(utimestamptz=[1]), plain(utimestamptz="", timestamp="2026-11-01T11:00:00Z")]
    hard += [time(event_time="2026-11-01T11:00:00Z", timestamp=1)]
    for seconds in (0, 3599, 3600, 3600.001, 3601, 86_400):
        later = NOON + timedelta(seconds=seconds)
        hard.append(plain(utimestamptz=later.isoformat(timespec="milliseconds")))
        hard.append(time(timestamp=int(later.timestamp() * 1000)))
    # the oldest event that is believed, and one that is older by a millisecond; seconds for milliseconds
    oldest = NOON_MS - 400 * 86_400_000
    hard += [time(timestamp=oldest), time(timestamp=oldest - 1), time(timestamp=NOON_MS // 1000)]
    # keys as long as an index takes, and longer by a byte; others may be longer
    for key in ("user_id", "session_id", "webtoon_id", "episode_id"):
        hard += [plain(**{key: "ä" * 256}), plain(**{key: "ä" * 256 + "x"})]
    hard += [written("user_id", "9" * 512), written("user_id", "9" * 513)]
    hard += [plain(event_id="e" * 6_000), plain(browser="b" * 6_000)]

    # Duplicate keys, unknown fields, many problems at once.
    hard += [good.replace(b"{", b'{"event_id": 7, ', 1), good.replace(b"}", b', "event_id": ""}')]
    hard += [good.replace(b"}", b', "country": null}'), good.replace(b"}", b', "x": 1, "x": {"x": 2}}')]
    hard += [good.replace(b"}", b', "utimestamptz": null}'), good.replace(b"}", b', "scroll_\\u0072atio": 2}')]
    hard += [good.replace(b'"event_id"', b'"event\\u005fid"'), good.replace(b"}", b', "": 0, "a.b": 1, "a/b": 2}')]
    hard += [plain(foo=None), plain(foo={"bar": [1, {"baz": "é"}]}, extra={"a": 1}, event_date="x", _offset=5)]
    hard += [plain(padding=1.10, big=1e300, nested={"user_id": "7"}), written("n", "1.500"), written("n", "-0.0")]
    hard += [plain(event_type="purchase", session_id=ABSENT, scroll_ratio=2, dwell_time_ms="x", country=1)]
    hard += [plain(event_id=None, utimestamptz="2031-01-01T00:00:00Z", experiment_group="b", scroll_ratio=-1)]
    # fmt: on
    return hard


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers")
    parser.add_argument("--topic", default="webtoon.events")
    parser.add_argument("--partition", type=int, default=0)
    parser.add_argument("--file", help="write a topic dump instead of sending")
    arguments = parser.parse_args()
    hard = messages()
    if arguments.file:
        with open(arguments.file, "w", encoding="ascii") as out:
            for offset, value in enumerate(hard):
                encoded = None if value is None else base64.b64encode(value).decode()
                entry = {
                    "p": arguments.partition,
                    "o": offset,
                    "t": NOON_MS,
                    "k": None,
                    "v": encoded,
                }
                out.write(json.dumps(entry) + "\n")
    elif arguments.brokers:
        send(arguments.brokers, arguments.topic, arguments.partition, hard)
    else:
        parser.error("give --brokers or --file")
    print(f"{len(hard)} messages")
    return 0


def send(brokers: str, topic: str, partition: int, hard: list[bytes | None]) -> None:
    """Sends all to one partition, in order, stamped with noon."""
    from confluent_kafka import KafkaException, Producer

    failed = []
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True})
    for value in hard:
        producer.produce(
            topic,
            value=value,
            partition=partition,
            timestamp=NOON_MS,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
    if producer.flush(60) or failed:
        raise KafkaException(failed[0] if failed else f"not all messages reached {topic}")


if __name__ == "__main__":
    sys.exit(main())
