"""A simulated week through the real broker and the real binaries, once for all tests of this folder."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/python"))

FROM, TO = "2026-11-01", "2026-11-08"
SESSIONS = 5_000
# Of the topic that the services of `services` read.
PARTITIONS = 2


@dataclass(frozen=True)
class Pipeline:
    """Where the week is: topic, lake, what the simulator says it sent, and the topic's messages."""

    brokers: str
    topic: str
    lake: Path
    summary: dict[str, object]
    dump: Path

    def ingester(self, *arguments: object) -> dict[str, object]:
        return run("userflow-ingester", *arguments)

    def jobs(self, command: str, *arguments: object, lake: Path | None = None) -> dict[str, object]:
        return run("userflow-jobs", command, *arguments, "--lake", lake or self.lake, "--output", "json")

    def ingest(self) -> dict[str, object]:
        return self.ingester(
            "ingest", "--domain", "webtoon", "--brokers", self.brokers, "--topic", self.topic,
            "--group", self.topic, "--lake", self.lake, "--until-caught-up", "--output", "json",
        )  # fmt: skip


def run(binary: str, *arguments: object) -> dict[str, object]:
    """Runs one of our binaries to its end; its standard output is one JSON object, or nothing."""
    done = attempt(binary, *arguments)
    assert done.returncode == 0, f"{binary} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else {}


def attempt(binary: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    folder = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release"))
    command = [str(folder / binary), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def brokers() -> str:
    """The Kafka that `make test` started."""
    found = os.environ.get("USERFLOW_TEST_BROKERS")
    assert found, "USERFLOW_TEST_BROKERS is not set: run `make test`"
    return found


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The PostgreSQL that `make test` started, as its superuser."""
    found = os.environ.get("USERFLOW_TEST_POSTGRES_URL")
    assert found, "USERFLOW_TEST_POSTGRES_URL is not set: run `make test`"
    return found


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script, folder = ROOT / "deploy/servers/redis", tmp_path_factory.mktemp("redis")
    lines = subprocess.run([script, "start", "--dir", folder], check=True, stdout=subprocess.PIPE, text=True).stdout
    yield dict(line.split("=", 1) for line in lines.split())["USERFLOW_REDIS_URL"]
    subprocess.run([script, "stop", "--dir", folder], check=True)


@pytest.fixture(scope="session")
def pipeline(brokers: str, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A week, with every kind of trouble the simulator knows, in bronze, silver and gold."""
    from topic_dump import dump

    folder = tmp_path_factory.mktemp("week")
    topic = f"test.week.{os.getpid()}.{time.time_ns()}"
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", topic,
        "--seed", 11, "--sessions", SESSIONS, "--start", f"{FROM}T00:00:00Z", "--days", 7,
        "--duplicates", 0.03, "--out-of-order", 0.05, "--late", 0.02, "--abandoned", 0.1, "--binge", 0.2,
        "--garbage", 0.02, "--summary", folder / "summary.json",
    )  # fmt: skip
    week = Pipeline(
        brokers=brokers,
        topic=topic,
        lake=folder / "lake",
        summary=json.loads((folder / "summary.json").read_text()),
        dump=folder / "topic.jsonl",
    )
    week.ingest()
    week.jobs("init")
    week.jobs("run", "+gold.webtoon_*", "--from", FROM, "--to", TO)
    with week.dump.open("w") as out:
        dump(brokers, topic, out)
    return week


@pytest.fixture(scope="session")
def services(brokers: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """All services at work, the sessionizer for both domains, and everything that was sent read and written."""
    from service import Service, fetch, wait_for

    folder = tmp_path_factory.mktemp("services")
    name = f"test_services_{os.getpid()}_{time.time_ns()}"
    subprocess.run(["psql", "--no-psqlrc", "--quiet", postgres_url, "-c", f"CREATE DATABASE {name}"], check=True)
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", name, "--partitions", PARTITIONS,
        "--seed", 5, "--events", 4_000, "--start", "2026-11-01", "--days", 1, "--duplicates", 0.03, "--late", 0.1,
        "--garbage", 0.05, "--summary", folder / "sent.json",
    )  # fmt: skip
    sent = json.loads((folder / "sent.json").read_text())["messages"]
    run(
        "userflow-ingester", "simulate", "--domain", "ecommerce", "--brokers", brokers, "--topic", f"{name}.shop", "--partitions",
        PARTITIONS, "--seed", 5, "--sessions", 100, "--start", "2026-11-01", "--days", 1,
    )  # fmt: skip
    run("userflow-jobs", "init", "--lake", folder / "lake", "--postgres-url", url, "--output", "json")
    shared = ["--domain", "webtoon", "--brokers", brokers, "--topic", name, "--group", name]
    ingest = Service(folder / "ingest.log", "ingest", *shared, "--lake", folder / "lake", "--flush-interval", 1)
    # Event time stands at the end of the stream, however long the tests take.
    sessionize = Service(folder / "sessionize.log", "sessionize", *shared[:-1], f"{name}.s", "--postgres-url", url,
                         "--checkpoints", folder / "checkpoints", "--checkpoint-interval", 1, "--idle-timeout", "1h")  # fmt: skip
    shop = Service(folder / "shop.log", "sessionize", "--domain", "ecommerce", "--brokers", brokers, "--topic", f"{name}.shop",
                   "--group", f"{name}.shop", "--postgres-url", url, "--checkpoints", folder / "checkpoints",
                   "--checkpoint-interval", 1, "--idle-timeout", "1h")  # fmt: skip
    serving = Service(folder / "serving.log", "--addr", "127.0.0.1:0", "--postgres-url", url, "--drain-delay", 0,
                      binary="userflow-serving")  # fmt: skip
    try:
        wait_for("bronze has it all", lambda: ingest.has("userflow_ingest_messages_total", sent)
                 and ingest.has("userflow_ingest_lag", 0, PARTITIONS))  # fmt: skip
        wait_for("the views have it all", lambda: sessionize.has("userflow_sessionize_messages_total", sent)
                 and sessionize.has("userflow_sessionize_lag", 0, PARTITIONS)
                 and sessionize.has("userflow_sessionize_checkpoint_time_seconds", None, PARTITIONS))  # fmt: skip
        wait_for("so have those of the shop", lambda: shop.has("userflow_sessionize_lag", 0, PARTITIONS)
                 and shop.has("userflow_sessionize_checkpoint_time_seconds", None, PARTITIONS))  # fmt: skip
        wait_for("features can be read", lambda: serving.has("userflow_serving_store_away", 0))
        address = re.search(r'"serving":"([\d.:]+)"', serving.log.read_text())
        wanted = json.dumps({"features": ["webtoon_user_lifetime:sessions"], "entities": {"user_id": ["1"]}}).encode()
        fetch(urllib.request.Request(f"http://{address[1]}/get-online-features", wanted))
        yield {"ingest": ingest, "sessionize": sessionize, "shop": shop, "serving": serving}
    finally:
        serving.stop()
        ingest.stop()
        sessionize.stop()
        shop.stop()
