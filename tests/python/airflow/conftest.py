"""One Airflow with all its processes for the tests of this folder, over a lake that is filled once through the real broker."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from deltalake import DeltaTable
from rest import Airflow

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/python"))
BIN = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release"))
SERVER = ROOT / "deploy/servers/airflow"
# Thirty days with the last night of October in them, one hour of which is there twice in some zones.
FIRST, DAYS = date(2026, 10, 10), 30
# A day of which a part is wrong although the contract accepts it.
DAMAGED = date(2026, 10, 7)
# Enough of gold for a graph, and little enough for a slow machine.
GOLD = ["webtoon_genre_daily", "webtoon_user_7d"]
# The task that shows a day of one of them to readers of the online store.
PUBLISHED = "webtoon_user_7d_online"
TABLES = ["silver.webtoon_sessions", *(f"gold.{name}" for name in GOLD)]


@dataclass
class Lake:
    """The tables, as another reader sees them. The last days are left out unless asked for: schedules may run them anytime."""

    path: Path
    last_days: str = field(default_factory=lambda: str(datetime.now(UTC).date() - timedelta(days=3)))

    def versions(self) -> dict[str, int]:
        return {name: DeltaTable(str(self.table(name))).version() for name in TABLES}

    def replaced(self, since: dict[str, int], by_schedule: bool = False) -> dict[str, list[str]]:
        """The windows that every table's log says were replaced since then, in order; tables without any are left out."""
        found: dict[str, list[str]] = {}
        for name, version in since.items():
            for entry in reversed(DeltaTable(str(self.table(name))).history()):
                day = ((entry.get("operationParameters") or {}).get("predicate") or "''").split("'")[1]
                if entry["version"] > version and (by_schedule or day < self.last_days):
                    found.setdefault(name, []).append(day)
        return found

    def rows(self, name: str) -> list[str]:
        """All rows of a table, in an order that does not depend on files."""
        from delta_read import snapshot

        rows = (row for row in snapshot(self.path, name).rows() if str(row["event_date"]) < self.last_days)
        return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)

    def content(self) -> dict[str, list[str]]:
        return {name: self.rows(name) for name in TABLES}

    def table(self, name: str) -> Path:
        return self.path / name.replace(".", "/")


@dataclass
class Faults:
    """What the stand-in is told."""

    folder: Path

    def write(self, name: str, text: object) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_text(str(text))
        fresh.rename(self.folder / name)


@dataclass
class Slack:
    """A webhook receiver."""

    url: str
    texts: list[str] = field(default_factory=list)
    broken: bool = False

    def about(self, run_id: str) -> list[str]:
        return [text for text in self.texts if run_id in text]


@dataclass
class World:
    """Everything that a test needs."""

    airflow: Airflow
    lake: Lake
    faults: Faults
    slack: Slack
    models: Path
    folder: Path
    topic: str
    brokers: str
    database: str
    damaged: int

    def sql(self, statement: str) -> list[str]:
        """The rows of a query of PostgreSQL, their values with `|` between them."""
        done = subprocess.run(["psql", "-qAt", "-c", statement, self.database], check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    def jobs(self, *arguments: object, lake: Path | None = None) -> dict:
        return call("userflow-jobs", *arguments, "--lake", lake or self.lake.path, "--models", self.models)


def call(binary: str, *arguments: object) -> dict:
    done = subprocess.run([str(BIN / binary), *map(str, arguments), "--output", "json"], capture_output=True, text=True)
    assert done.returncode == 0, f"{binary} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else {}


def simulate(
    brokers: str, topic: str, seed: int, start: date, days: int, sessions: int, folder: Path, damage: float = 0
) -> dict:
    subprocess.run(
        [BIN / "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", topic,
         "--seed", str(seed), "--sessions", str(sessions), "--start", f"{start}T00:00:00Z", "--days", str(days),
         "--damage", str(damage), "--summary", folder / "summary.json"],
        check=True, capture_output=True,
    )  # fmt: skip
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the models that a test may change, with less gold."""
    copy = tmp_path_factory.mktemp("project") / "models"
    shutil.copytree(ROOT / "models", copy, ignore=shutil.ignore_patterns("target", "src", "tests"))
    for path in (copy / "webtoon/gold").iterdir():
        if path.stem not in GOLD:
            path.unlink()
    return copy


@pytest.fixture(scope="session")
def slack() -> Iterator[Slack]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not found.broken:
                found.texts.append(body["text"])
            self.send_response(500 if found.broken else 200)
            self.end_headers()
            self.wfile.write(b"broken" if found.broken else b"ok")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Slack(f"http://127.0.0.1:{server.server_port}/services/T/B/X")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()


@pytest.fixture(scope="session")
def world(models: Path, slack: Slack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    brokers = os.environ.get("USERFLOW_TEST_BROKERS")
    database = os.environ.get("USERFLOW_TEST_POSTGRES_URL")
    assert brokers and database, "USERFLOW_TEST_BROKERS or USERFLOW_TEST_POSTGRES_URL is not set: run `make test`"
    folder = tmp_path_factory.mktemp("airflow")
    name = f"airflow_{os.getpid()}_{time.time_ns()}"
    topic, lake = f"test.{name}", Lake(folder / "lake")
    faults = Faults(folder / "faults")
    faults.folder.mkdir()
    binaries = folder / "bin"
    binaries.mkdir()
    (binaries / "userflow-jobs").symlink_to(ROOT / "tests/python/airflow/stand_in")
    (binaries / "userflow-ingester").symlink_to(BIN / "userflow-ingester")

    simulate(brokers, topic, 21, FIRST, DAYS, 900, folder)
    simulate(brokers, topic, 22, datetime.now(UTC).date() - timedelta(days=2), 2, 200, folder)
    damaged = simulate(brokers, topic, 24, DAMAGED, 1, 150, folder, damage=0.05)["damaged"]
    ingest = ["ingest", "--domain", "webtoon", "--brokers", brokers, "--topic", topic, "--group", topic, "--lake", lake.path]
    call("userflow-ingester", *ingest, "--until-caught-up")
    subprocess.run(["psql", "-q", "-c", f"create database {name}", database], check=True)
    own = f"{database.rpartition('/')[0]}/{name}"
    # The operations log is made by hand, as `make up` does: DAGs prepare the lake only.
    call("userflow-jobs", "init", "--lake", lake.path, "--models", models, "--postgres-url", own)
    live = ["sessionize", "--domain", "webtoon", "--brokers", brokers, "--topic", topic, "--group", f"{topic}.live"]
    call("userflow-ingester", *live, "--postgres-url", own, "--checkpoints", folder / "checkpoints", "--until-caught-up")
    settings = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": own.replace("postgres:", "postgresql+psycopg2:"),
        # All the intervals that a test would otherwise wait for.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "20",
        "USERFLOW_BIN": str(binaries),
        "USERFLOW_TEST_BIN": str(BIN),
        "USERFLOW_TEST_FAULTS": str(faults.folder),
        "USERFLOW_MODELS": str(models),
        "USERFLOW_LAKE": str(lake.path),
        "USERFLOW_POSTGRES_URL": own,
        "USERFLOW_BROKERS": brokers,
        "USERFLOW_TOPIC": topic,
        "USERFLOW_GROUP": topic,
        "USERFLOW_SLACK_WEBHOOK": slack.url,
    }
    home = folder / "home"
    started = subprocess.run([SERVER, "start", "--dir", home], env=os.environ | settings, capture_output=True, text=True)
    try:
        assert started.returncode == 0, started.stderr
        variables = dict(line.split("=", 1) for line in started.stdout.split())
        airflow = Airflow(variables["USERFLOW_AIRFLOW_URL"], Path(variables["USERFLOW_AIRFLOW_PASSWORDS"]))
        yield World(airflow, lake, faults, slack, models, folder, topic, brokers, own, damaged)
    finally:
        subprocess.run([SERVER, "stop", "--dir", home], check=True)
