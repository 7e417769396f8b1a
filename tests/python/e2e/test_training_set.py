"""A training set as of what was known: equal to what a recorder beside the online store saw while `sessionize` was at work."""

import csv
import json
import os
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import run
from service import Service, wait_for
from test_online import sql

from delta_read import snapshot

PARTITIONS = 3
USERS = 250
LOOKS = 220
VIEWS = ["webtoon_user_1h", "webtoon_user_lifetime"]
# What a look sees.
RECORD = """
CREATE TABLE probes (user_id text, view text, version bigint, seen text);
CREATE PROCEDURE look(looks int) LANGUAGE plpgsql AS $$
BEGIN
    FOR number IN 1..looks LOOP
        {looks}
        COMMIT;
        PERFORM pg_sleep(0.05);
    END LOOP;
END $$;
"""


def features(view: str, url: str) -> list[str]:
    """All that readers see of a view, but what is no feature."""
    names = sql(
        url, f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'online' AND table_name = '{view}'"
    )
    return sorted(set(names) - {"user_id", "event_time", "version", "updated_at", "window_end", "_partition"})


def send(producer: Producer, topic: str, stop: threading.Event, counted: list[int]) -> None:
    """A few hundred readers at once: out of order, late by seconds and by hours, repeated."""
    chance = random.Random(5)
    sent: list[tuple[str, bytes]] = []
    while not stop.is_set():
        for _ in range(20):
            if sent and chance.random() < 0.03:
                user, message = chance.choice(sent[-2_000:])
            else:
                user = f"u{chance.randrange(USERS)}"
                late = chance.choice([0, 0, 0, 1, 2, 5]) if chance.random() < 0.97 else chance.choice([20, 90, 1_500, 5_000])
                at = datetime.now(UTC) - timedelta(seconds=late)
                kind = chance.choice(["enter", "scroll", "scroll", "complete", "exit"])
                event = {
                    "event_id": f"e{len(sent)}-{chance.getrandbits(32)}", "event_type": kind, "user_id": user,
                    "session_id": f"{user}-{chance.randrange(6)}", "webtoon_id": f"wt_{chance.randrange(9):03}",
                    "episode_id": f"ep_{chance.randrange(30)}", "timestamp": at.isoformat(timespec="milliseconds"),
                    "scroll_ratio": round(chance.random(), 2),
                }  # fmt: skip
                message = json.dumps(event).encode()
                sent.append((user, message))
            producer.produce(topic, message, key=user)
            counted[0] += 1
        producer.poll(0.02)
    producer.flush()


def test_as_of_known_is_what_a_recorder_beside_the_store_saw(brokers, postgres_url, tmp_path: Path):
    name = f"test_training_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    lake = tmp_path / "lake"
    run("userflow-jobs", "init", "--domain", "webtoon", "--lake", lake, "--postgres-url", url, "--output", "json")
    shared = ["--domain", "webtoon", "--brokers", brokers, "--topic", name]
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result()
    service = Service(tmp_path / "sessionize.log", "sessionize", *shared, "--group", name, "--postgres-url", url,
                      "--checkpoints", tmp_path / "checkpoints")  # fmt: skip
    asked = {view: features(view, url) for view in VIEWS}
    looks = "".join(
        f"INSERT INTO probes SELECT user_id, '{view}', version, concat_ws('|', {', '.join(texts)}) FROM online.{view};\n"
        for view, names in asked.items() if (texts := [f"coalesce(\"{name}\"::text, 'null')" for name in names])
    )  # fmt: skip
    sql(url, RECORD.format(looks=looks))
    stop, counted = threading.Event(), [0]
    sender = threading.Thread(target=send, args=(Producer({"bootstrap.servers": brokers}), name, stop, counted))
    sender.start()
    try:
        wait_for("rows of most readers", lambda: int(sql(url, "SELECT count(*) FROM online.webtoon_user_1h")[0]) > USERS * 0.9)
        sql(url, f"CALL look({LOOKS})")
        stop.set()
        sender.join()
        wait_for("all is read", lambda: service.has("userflow_sessionize_messages_total", counted[0]))
    finally:
        stop.set()
        sender.join()
        service.stop()
    run("userflow-ingester", "ingest", *shared, "--group", name, "--lake", lake, "--until-caught-up", "--output", "json")

    # The row of a reader at a version is what was known when the message at that offset had come.
    bronze = list(snapshot(lake, "bronze.webtoon_events").rows())
    partition = {row["user_id"]: row["_partition"] for row in bronze}
    came = {(row["_partition"], row["_offset"]): row["_kafka_time"] for row in bronze}
    looked = 0
    for view, names in asked.items():
        labels, out = tmp_path / f"{view}.csv", tmp_path / f"{view}.parquet"
        probes = [
            line.split("\t")
            for line in sql(url, f"SELECT concat_ws(E'\t', user_id, version, seen) FROM probes WHERE view = '{view}'")
        ]
        looked += len(probes)
        with labels.open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["user_id", "event_timestamp", "seen_version", "seen"])
            for user, version, seen in probes:
                writer.writerow([user, came[partition[user], int(version)].isoformat(), version, seen])
        wanted = ",".join(f"{view}:{name}" for name in names)
        made = run(
            "userflow-jobs", "training-set", "--domain", "webtoon", "--labels", labels, "--as-of", "known", "--with-versions",
            "--features", wanted, "--into", out, "--lake", lake, "--output", "json",
        )  # fmt: skip
        rows = pyarrow.parquet.read_table(out).to_pylist()
        assert made["labels"] == len(rows) == len(probes)
        # Never a row that was not known yet; a newer one only where the reader's next message came in the same millisecond.
        other = [row for row in rows if row[f"{view}__version"] != row["seen_version"]]
        assert not [row for row in other if (row[f"{view}__version"] or -1) < row["seen_version"]], other[:3]
        assert len(other) < 0.05 * len(rows), (len(other), len(rows))
        same = [row for row in rows if row[f"{view}__version"] == row["seen_version"]]
        wrong = [row for row in same if not is_seen(row["seen"].split("|"), [row[name] for name in names])]
        assert not wrong, (len(wrong), names, wrong[:3])
    assert looked >= 100_000, looked


def is_seen(seen: list[str], values: list[object]) -> bool:
    return len(seen) == len(values) and all(map(is_same, seen, values))


def is_same(seen: str, value: object) -> bool:
    """As PostgreSQL writes a value and as Python has it."""
    match value:
        case None:
            return seen == "null"
        case str():
            return seen == value
        case datetime():
            return datetime.fromisoformat(seen) == value
        case list():
            return seen.strip("{}").replace('"', "").split(",") == value or (seen == "{}" and not value)
        case _:
            return abs(float(seen) - float(value)) < 1e-9
