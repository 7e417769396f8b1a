"""A lake and checkpoints in an S3 compatible store: the same content as in a folder, and the lease that guards upkeep."""

import os
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow
import pyarrow.fs
import pytest
from conftest import ROOT, attempt, run
from deltalake import DeltaTable, QueryBuilder

FROM, TO = "2026-11-01", "2026-11-03"
LAKE = "s3://lake/uf"
MODELS = ["silver.webtoon_sessions", "gold.webtoon_user_daily", "gold.webtoon_user_7d"]
TABLES = ["bronze.webtoon_events", "bronze.webtoon_quarantine", *MODELS]
# When it was written, not what: the one column in which two ingests of a topic differ.
WRITTEN = "_ingested_at"


@dataclass(frozen=True)
class Lakes:
    """The same topic in a store and in a folder."""

    brokers: str
    topic: str
    folder: Path

    def ingest(self, lake: object) -> dict[str, object]:
        return run(
            "userflow-ingester", "ingest", "--domain", "webtoon", "--brokers", self.brokers, "--topic", self.topic,
            "--group", f"{self.topic}.{'s3' if lake == LAKE else 'folder'}", "--lake", lake,
            "--until-caught-up", "--output", "json",
        )  # fmt: skip


def jobs(command: str, *arguments: object, lake: object = LAKE) -> dict[str, object]:
    return run("userflow-jobs", command, *arguments, "--lake", lake, "--output", "json")


@pytest.fixture(scope="module")
def lakes(brokers: str, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("s3")
    server = [ROOT / "deploy/servers/s3", "start", "--dir", folder / "store"]
    lines = subprocess.run(server, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    before = os.environ.copy()
    os.environ.update(line.split("=", 1) for line in lines)
    topic = f"test.s3.{os.getpid()}.{time.time_ns()}"
    try:
        run(
            "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", topic, "--seed", 5,
            "--sessions", 400, "--start", f"{FROM}T00:00:00Z", "--days", 2,
            "--duplicates", 0.02, "--late", 0.02, "--garbage", 0.02,
        )  # fmt: skip
        lakes = Lakes(brokers, topic, folder / "lake")
        for lake in (LAKE, lakes.folder):
            jobs("init", lake=lake)
            lakes.ingest(lake)
            jobs("run", *MODELS, "--from", FROM, "--to", TO, lake=lake)
        yield lakes
    finally:
        subprocess.run([server[0], "kill", *server[2:]], check=True)
        os.environ.clear()
        os.environ.update(before)


def content(lake: object, name: str) -> list[dict[str, object]]:
    """All rows in an order of their own, read by another Delta reader than ours."""
    layer, table = name.split(".")
    found = QueryBuilder().register("t", DeltaTable(f"{lake}/{layer}/{table}")).execute("select * from t").read_all()
    rows = pyarrow.table(found).to_pylist()
    for row in rows:
        row.pop(WRITTEN, None)
    return sorted(rows, key=repr)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_that_of_a_folder(lakes, name):
    found, expected = content(LAKE, name), content(lakes.folder, name)
    assert expected
    assert found == expected


def test_nothing_is_left_to_plan_or_to_ingest(lakes):
    assert jobs("plan", *MODELS)["windows"] == []
    assert lakes.ingest(LAKE)["rows_read"] == 0


def test_upkeep_changes_no_row_and_respects_another_process(lakes):
    before = content(LAKE, "gold.webtoon_user_daily")
    run_again = jobs("run", "gold.webtoon_user_daily", "--from", FROM, "--to", TO)
    assert run_again["partitions"] == 2
    expires = datetime.now(UTC) + timedelta(hours=1)
    put("uf/_locks/gold.webtoon_user_daily.lease", expires.isoformat())
    held = attempt("userflow-jobs", "maintain", "gold.webtoon_user_daily", "--lake", LAKE, "--output", "json")
    assert "another process" in held.stdout + held.stderr
    # A lease whose holder is dead runs out.
    put("uf/_locks/gold.webtoon_user_daily.lease", (datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    jobs("maintain", "gold.webtoon_user_daily")
    assert content(LAKE, "gold.webtoon_user_daily") == before


def put(key: str, text: str) -> None:
    """Writes an object behind the back of the system under test."""
    keys = {"access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
    endpoint = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    store = pyarrow.fs.S3FileSystem(endpoint_override=endpoint, scheme="http", region="us-east-1", **keys)
    with store.open_output_stream(f"lake/{key}") as out:
        out.write(text.encode())


def test_a_store_that_is_away_is_a_clear_error(lakes):
    environment = os.environ | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_RETRIES": "0"}
    binary = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / "userflow-jobs"
    done = subprocess.run([binary, "plan", "--lake", LAKE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert LAKE in done.stderr


def test_a_restarted_sessionizer_goes_on_from_a_checkpoint_in_the_store(lakes, postgres_url):
    name = f"test_s3_{os.getpid()}_{time.time_ns()}"
    subprocess.run(["psql", "--quiet", postgres_url, "-c", f"CREATE DATABASE {name}"], check=True)
    url = postgres_url.rsplit("/", 1)[0] + f"/{name}"
    jobs("init", "--postgres-url", url)

    def sessionize(*more: object) -> dict[str, object]:
        return run(
            "userflow-ingester", "sessionize", "--domain", "webtoon", "--brokers", lakes.brokers, "--topic", lakes.topic,
            "--group", f"{lakes.topic}.online", "--postgres-url", url, "--checkpoints", "s3://lake/checkpoints",
            "--until-caught-up", "--output", "json", *more,
        )  # fmt: skip

    first = sessionize()
    assert first["events"] > 0
    again = sessionize()
    assert again["events"] == 0
    assert again["next_offsets"] == first["next_offsets"]
