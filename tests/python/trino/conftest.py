"""Two simulated days in a lake, and a real Trino over it that `userflow-jobs register` has told of its tables."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/python"))

from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

import trino  # noqa: E402  the client from PyPI: this folder of the same name is no package

FIRST, SECOND, END = "2026-11-01", "2026-11-02", "2026-11-03"
SERVERS = ROOT / "deploy/servers"


@dataclass
class Shop:
    """The topic, the lake, the online store and the Trino of this run."""

    brokers: str
    postgres_url: str
    topic: str
    lake: Path
    url: str = ""

    def shopping(self) -> None:
        """The same days of the other domain."""
        kafka = ["--domain", "ecommerce", "--brokers", self.brokers, "--topic", f"{self.topic}.shop"]
        days = ["--start", f"{FIRST}T00:00:00Z", "--days", 2]
        run("userflow-ingester", "simulate", *kafka, "--partitions", 2, "--seed", 31, "--sessions", 1_000, *days)
        into = ["--group", f"{self.topic}.shop", "--lake", self.lake]
        run("userflow-ingester", "ingest", *kafka, *into, "--until-caught-up", "--output", "json")

    def live(self) -> None:
        """Shoppers of this hour, and what the online store says of them: one left a cart, one looks at something."""
        topic, now = f"{self.topic}.live", datetime.now(UTC)
        admin = AdminClient({"bootstrap.servers": self.brokers})
        made = admin.create_topics([NewTopic(topic, 1, 1)])
        made[topic].result(60)
        producer = Producer({"bootstrap.servers": self.brokers})
        for user, ago, kind in [("U1", 20, "cart"), ("U2", 5, "view"), ("U2", 0, "view")]:
            time = (now - timedelta(minutes=ago)).isoformat()
            event = {"user_id": user, "event_type": kind, "event_time": time, "product_id": "P000001", "price": 1000}
            producer.produce(topic, json.dumps(event), key=user)
        assert producer.flush(60) == 0
        kafka = ["--domain", "ecommerce", "--brokers", self.brokers, "--topic", topic, "--group", topic]
        into = ["--postgres-url", self.postgres_url, "--checkpoints", self.lake.parent / "checkpoints"]
        run("userflow-ingester", "sessionize", *kafka, *into, "--until-caught-up", "--output", "json")

    def simulate(self, seed: int, sessions: int) -> None:
        run(
            "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", self.brokers, "--topic", self.topic,
            "--partitions", 2, "--seed", seed, "--sessions", sessions, "--start", f"{FIRST}T00:00:00Z", "--days", 2,
            "--duplicates", 0.02, "--out-of-order", 0.05, "--abandoned", 0.1, "--binge", 0.2, "--garbage", 0.02,
        )  # fmt: skip

    def ingest(self) -> None:
        run(
            "userflow-ingester", "ingest", "--domain", "webtoon", "--brokers", self.brokers, "--topic", self.topic,
            "--group", self.topic, "--lake", self.lake, "--until-caught-up", "--output", "json",
        )  # fmt: skip

    def jobs(self, command: str, *arguments: object) -> dict:
        return run("userflow-jobs", command, *arguments, "--lake", self.lake, "--output", "json")

    def register(self, *arguments: object) -> dict:
        return self.jobs("register", "--trino-url", self.url, *arguments)

    def sql(self, statement: str, user: str = "userflow") -> list[list[object]]:
        port = int(self.url.rpartition(":")[2])
        with trino.dbapi.connect(host="127.0.0.1", port=port, user=user, timezone="UTC") as connection:
            return connection.cursor().execute(statement).fetchall()

    def columns(self, table: str) -> list[tuple[str, str]]:
        """Names and Trino's types."""
        return [(name, kind) for name, kind, *_ in self.sql(f"describe delta.{table}")]


def run(binary: str, *arguments: object) -> dict:
    """Runs one of our binaries to its end; its standard output is one JSON object, or nothing."""
    done = attempt(binary, *arguments)
    assert done.returncode == 0, f"{binary} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else {}


def attempt(binary: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    folder = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release"))
    command = [str(folder / binary), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def psql(url: str, statement: str) -> str:
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", url, "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def setting(name: str) -> str:
    """The address of a server that `make test` started."""
    found = os.environ.get(name)
    assert found, f"{name} is not set: run `make test-trino`"
    return found


def started(server: str, folder: Path, *options: object, environment: dict[str, str] | None = None) -> dict[str, str]:
    """Starts a server of deploy/servers; the variables that it prints."""
    command = [str(part) for part in (SERVERS / server, "start", "--dir", folder, *options)]
    done = subprocess.run(command, env=os.environ | (environment or {}), stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.split())


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory):
    """The AWS_ variables of an S3 store."""
    folder = tmp_path_factory.mktemp("s3")
    try:
        yield started("s3", folder)
    finally:
        subprocess.run([SERVERS / "s3", "stop", "--dir", folder], check=True)


@pytest.fixture(scope="session")
def shop(s3: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    """Everything computed and registered."""
    folder = tmp_path_factory.mktemp("shop")
    name = f"test_trino_{os.getpid()}_{time.time_ns()}"
    server = setting("USERFLOW_TEST_POSTGRES_URL")
    psql(server, f"CREATE DATABASE {name}")
    shop = Shop(setting("USERFLOW_TEST_BROKERS"), f"{server.rpartition('/')[0]}/{name}", name, folder / "lake")
    shop.simulate(seed=31, sessions=2_000)
    shop.ingest()
    shop.shopping()
    shop.jobs("init", "--postgres-url", shop.postgres_url)
    shop.jobs("run", "+gold.*", "--from", FIRST, "--to", END, "--postgres-url", shop.postgres_url)
    shop.live()
    try:
        options = ["--lake", shop.lake, "--postgres-url", shop.postgres_url]
        shop.url = started("trino", folder / "trino", *options, environment=s3)["USERFLOW_TRINO_URL"]
        shop.register()
        yield shop
    finally:
        subprocess.run([SERVERS / "trino", "stop", "--dir", folder / "trino"], check=True)
