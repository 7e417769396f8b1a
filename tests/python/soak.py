"""Everything at once on one lake: two ingesters, runs, backfills, two maintainers and readers, for a time. Then the books are
closed.

What must hold, and is checked from the outside:

* no read fails: a reader that opens a version finds its files, however much is merged and removed meanwhile;
* every version of every table follows from the one before: no file is added twice, none is removed that is not there, a merge
  keeps the number of rows, and a reader of that version counted what its log says;
* bronze at every version holds exactly the offsets below its positions that are not in quarantine;
* in the end every message is in bronze or quarantine, once, and silver and gold are what a new lake gets from the same topic.

`tests/python/e2e/test_soak.py` runs it with DuckDB as the reader, `tests/python/trino` with Trino.
"""

import collections
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow.parquet
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

import delta_read
import topic_dump

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "webtoon"
BRONZE, QUARANTINE = f"bronze.{DOMAIN}_events", f"bronze.{DOMAIN}_quarantine"
SILVER, GOLD = f"silver.{DOMAIN}_sessions", f"gold.{DOMAIN}_user_daily"
FIRST, SECOND, END = "2026-11-01", "2026-11-02", "2026-11-03"
# Longer than any read here, short enough that files really go while it lasts.
RETENTION = 20
# What a job may say while others write the same: it lost (4), or the rows were not yet good enough to be seen (3).
BEATEN = (3, 4)

# A reader counts the rows of a table's newest version: (version or None when it cannot know, rows).
Reader = Callable[[Path, str], tuple[int | None, int]]


def read_duckdb(lake: Path, table: str) -> tuple[int, int]:
    """delta-rs says which files there are, DuckDB reads a column of each."""
    snapshot = delta_read.snapshot(lake, table)
    if not snapshot.files:
        return snapshot.table.version(), 0
    column = "_offset" if table.startswith("bronze.") else "user_id"
    with duckdb.connect() as connection:
        paths = [str(file.path) for file in snapshot.files]
        [(rows, _)] = connection.execute(f"select count(*), max({column}) from read_parquet(?)", [paths]).fetchall()
    return snapshot.table.version(), rows


@dataclass
class Soak:
    """A lake, a topic, and what goes on between them."""

    lake: Path
    folder: Path
    brokers: str
    topic: str
    seed: int
    seconds: float
    rate: int = 250
    reader: Reader = read_duckdb
    ended: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)
    reads: list[tuple[str, int | None, int]] = field(default_factory=list)
    done: collections.Counter = field(default_factory=collections.Counter)

    def run(self) -> None:
        """All of it, until as many messages are sent as fit into the time."""
        self.folder.mkdir(exist_ok=True)
        self.jobs("init", "--output", "json")
        producer = self.producer()
        self.wait_for_topic()
        ingesters = [self.ingester(name) for name in ("first", "second")]
        loops = [self.runs, self.backfills, self.maintains, self.maintains]
        readers = [lambda table=table: self.reads_of(table) for table in (BRONZE, SILVER, GOLD)]
        threads = [threading.Thread(target=self.guarded, args=(work,)) for work in (*loops, *readers)]
        for thread in threads:
            thread.start()
        try:
            assert producer.wait(self.seconds * 3 + 120) == 0, "simulate failed"
        finally:
            self.ended.set()
            for thread in threads:
                thread.join()
            for ingester in ingesters:
                ingester.terminate()
            codes = [ingester.wait(60) for ingester in ingesters]
        if any(codes):
            self.failures.append(f"ingesters ended with {codes}: {(self.folder / 'ingest.log').read_text()[-2000:]}")

    def producer(self) -> subprocess.Popen:
        events = max(1, round(self.rate * self.seconds))
        return self.start(
            "simulate.log", "userflow-ingester", "simulate", "--domain", DOMAIN, "--brokers", self.brokers, "--topic", self.topic,
            "--partitions", 4, "--seed", self.seed, "--events", events, "--start", f"{FIRST}T00:00:00Z", "--days", 2,
            "--rate", self.rate, "--duplicates", 0.02, "--out-of-order", 0.05, "--late", 0.02, "--garbage", 0.02,
        )  # fmt: skip

    def wait_for_topic(self) -> None:
        admin, deadline = AdminClient({"bootstrap.servers": self.brokers}), time.monotonic() + 60
        while self.topic not in admin.list_topics(timeout=15).topics:
            assert time.monotonic() < deadline, f"no topic {self.topic}: {(self.folder / 'simulate.log').read_text()}"

    def ingester(self, name: str) -> subprocess.Popen:
        return self.start(
            "ingest.log", "userflow-ingester", *self.ingest(self.lake), "--threads", 1, "--instance-id", name,
            "--flush-interval", 0.3,
        )  # fmt: skip

    def ingest(self, lake: Path, group: str = "") -> list[object]:
        return [
            "ingest",
            "--domain",
            DOMAIN,
            "--brokers",
            self.brokers,
            "--topic",
            self.topic,
            "--group",
            self.topic + group,
            "--lake",
            lake,
        ]

    def runs(self) -> None:
        days = random.Random(self.seed)
        while not self.ended.is_set():
            self.job("run", SILVER, GOLD, "--date", days.choice((FIRST, SECOND)))

    def backfills(self) -> None:
        while not self.ended.is_set():
            self.job("backfill", f"+{GOLD}", "--from", FIRST, "--to", END, "--jobs", 2)

    def maintains(self) -> None:
        while not self.ended.is_set():
            self.job("maintain", *retention(f"{RETENTION}s"))

    def reads_of(self, table: str) -> None:
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                self.reads.append((table, *self.reader(self.lake, table)))
            except Exception as error:
                # A reader that the machine kept waiting for longer than files are kept proves nothing.
                if time.monotonic() - began < RETENTION:
                    raise
                self.done[f"reads too slow ({type(error).__name__})"] += 1
            self.ended.wait(0.05)

    def guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, it is what this is for
            self.failures.append(f"{type(error).__name__}: {error}")
            self.ended.set()

    def job(self, command: str, *arguments: object) -> None:
        done = self.jobs(command, *arguments, check=False)
        self.done[f"{command} {done.returncode}"] += 1
        if done.returncode not in (0, *BEATEN):
            raise AssertionError(
                f"{command} {arguments} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
            )

    def jobs(
        self, command: str, *arguments: object, lake: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        argv = [binary("userflow-jobs"), command, *map(str, arguments), "--lake", str(lake or self.lake)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{command} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, log: str, name: str, *arguments: object) -> subprocess.Popen:
        with (self.folder / log).open("ab") as out:
            return subprocess.Popen([binary(name), *map(str, arguments)], cwd=ROOT, stdout=out, stderr=out)

    def catch_up(self, lake: Path, group: str) -> None:
        done = subprocess.run([binary("userflow-ingester"), *map(str, self.ingest(lake, group)), "--until-caught-up"],
                              cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    # --- the books ---------------------------------------------------------------------------------------------------

    def close(self) -> str:
        """Checks everything and says in one line what there was."""
        assert not self.failures, "\n".join(self.failures)
        self.catch_up(self.lake, "")
        self.job("maintain", *retention(f"{RETENTION}s"))
        histories = {table: history(self.lake, table) for table in (BRONZE, QUARANTINE, SILVER, GOLD)}
        for table, version, rows in self.reads:
            possible = histories[table] if version is None else [histories[table][version]]
            assert any(rows == one.rows for one in possible), f"{table} at version {version}: {rows} rows were read"
        sent = self.every_offset_once(histories[BRONZE])
        self.as_in_a_new_lake()
        merges = sum(version.merged for found in histories.values() for version in found)
        versions = sum(map(len, histories.values()))
        assert merges > 0 and self.done["run 0"] > 0 and self.done["backfill 0"] > 0, f"{merges} merges, {dict(self.done)}"
        return (
            f"row 17, soak: seed {self.seed}, {self.seconds:.0f} s, {sent} messages, {versions} versions checked, "
            f"{merges} merges, {len(self.reads)} reads, {dict(sorted(self.done.items()))}, 0 lost, 0 doubled"
        )

    def every_offset_once(self, bronze: list["Version"]) -> int:
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "soak", "enable.auto.commit": False})
        ends = topic_dump.end_offsets(consumer, self.topic)
        consumer.close()
        places = [sorted(offsets(self.lake, table)) for table in (BRONZE, QUARANTINE)]
        held = sorted(places[0] + places[1])
        sent = [(p, o) for p, (low, end) in sorted(ends.items()) for o in range(low, end)]
        assert held == sent, f"{len(held)} rows of {len(sent)} messages, {len(set(held))} of them once"
        for number, version in enumerate(bronze):
            refused = sum(o < version.positions.get(p, 0) for p, o in places[1])
            assert version.rows == sum(version.positions.values()) - refused, f"{BRONZE} at version {number}: {version}"
        return len(sent)

    def as_in_a_new_lake(self) -> None:
        new = self.folder / "new.lake"
        self.jobs("init", lake=new)
        self.catch_up(new, ".new")
        for lake in (self.lake, new):
            self.jobs("run", SILVER, GOLD, "--from", FIRST, "--to", END, lake=lake)
        for table in (SILVER, GOLD):
            found, expected = (collections.Counter(rows(lake, table)) for lake in (self.lake, new))
            assert expected, f"nothing in {table}: there is nothing to compare"
            assert found == expected, (
                f"{table}: {list((found - expected).items())[:3]} instead of {list((expected - found).items())[:3]}"
            )


@dataclass(frozen=True)
class Version:
    """A table at one version, as its log adds it up."""

    rows: int
    positions: dict[int, int]
    merged: bool


def history(lake: Path, table: str) -> list[Version]:
    """Every version from the first, and that each follows from the one before."""
    live: dict[str, int] = {}
    positions: dict[int, int] = {}
    versions = []
    for number, entry in enumerate(log(lake, table)):
        before, moved, merge = sum(live.values()), False, False
        for action in sorted(entry, key=lambda action: "remove" not in action):
            if remove := action.get("remove"):
                assert remove["path"] in live, f"{table} at version {number}: removes {remove['path']}, which is not there"
                del live[remove["path"]]
                moved |= remove["dataChange"]
                merge |= not remove["dataChange"]
            elif add := action.get("add"):
                assert add["path"] not in live, f"{table} at version {number}: adds {add['path']} again"
                live[add["path"]] = json.loads(add["stats"])["numRecords"]
                moved |= add["dataChange"]
            elif txn := action.get("txn"):
                place = txn["appId"].rpartition("/")
                if place[0].startswith("userflow-ingester/"):
                    partition = int(place[2])
                    assert txn["version"] >= positions.get(partition, 0), f"{table} at version {number}: a position goes back"
                    positions[partition] = txn["version"]
        assert moved or sum(live.values()) == before, (
            f"{table} at version {number}: {before} rows became {sum(live.values())} by a merge"
        )
        versions.append(Version(sum(live.values()), dict(positions), merge))
    return versions


def log(lake: Path, table: str) -> Iterator[list[dict]]:
    entries = sorted((delta_read.table_path(lake, table) / "_delta_log").glob("*.json"))
    assert [int(entry.stem) for entry in entries] == list(range(len(entries))), f"{table}: a version is missing in its log"
    for entry in entries:
        yield [json.loads(line) for line in entry.read_text().splitlines() if line]


def offsets(lake: Path, table: str) -> Iterator[tuple[int, int]]:
    for file in delta_read.snapshot(lake, table).files:
        columns = pyarrow.parquet.read_table(file.path, columns=["_partition", "_offset"], partitioning=None)
        yield from zip(columns["_partition"].to_pylist(), columns["_offset"].to_pylist(), strict=True)


def rows(lake: Path, table: str) -> Iterator[str]:
    for row in delta_read.snapshot(lake, table).rows():
        yield json.dumps(row, sort_keys=True, default=str)


def retention(duration: str) -> list[str]:
    """Files are kept for so short a time only here, where everybody is known to be quicker."""
    return ["--retention", duration, "--unsafe-retention"]


def binary(name: str) -> str:
    return str(Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / name)
