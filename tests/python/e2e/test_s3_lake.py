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


def version(lake: object, name: str) -> int:
    """The table's newest version, -1 without one."""
    place = f"{lake}/{name.replace('.', '/')}"
    return DeltaTable(place).version() if DeltaTable.is_deltatable(place) else -1


def test_a_load_that_is_killed_again_and_again_lands_each_line_once(lakes, tmp_path):
    file, lake, folder = tmp_path / "history.jsonl", "s3://lake/loaded", tmp_path / "lake"
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--jsonl", file, "--seed", 11, "--sessions", 3_000,
        "--start", "2024-02-28T00:00:00Z", "--days", 2, "--garbage", 0.05, "--duplicates", 0.02,
    )  # fmt: skip
    load = ["load", "--domain", "webtoon", "--threads", 1, "--output", "json"]
    pieces = ["--memory-limit", "1MB", "--flush-size", "64KB", "--flush-interval", 0.01]
    binary = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / "userflow-ingester"
    command = [str(part) for part in [binary, *load, *pieces, "--lake", lake, file]]
    for kill in range(4):
        before = version(lake, TABLES[0])
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while version(lake, TABLES[0]) <= before + kill:
            assert running.poll() is None, f"it ended before kill {kill}"
        running.kill()
        running.wait()
    done = run("userflow-ingester", *load, "--lake", lake, file)
    [landed] = done["inputs"]
    assert landed["state"] == "landed" and landed["resumed_at"] > 1, done
    run("userflow-ingester", *load, "--lake", folder, file)
    for name in TABLES[:2]:
        found, expected = content(lake, name), content(folder, name)
        assert expected
        assert found == expected, name
    again = run("userflow-ingester", *load, "--lake", lake, file)
    assert (again["commits"], again["lines_read"]) == (0, 0), again


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
