"""Feast's own Python clients, 0.67 and 0.63, against userflow-serving and the registry that `userflow-jobs feast` writes."""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from conftest import ROOT, run
from service import wait_for
from serving_stage import Serving, Stage, make_stage, sql

FEATURES = ["looks", "spent", "bought", "newest", "items", "bought_at"]
USERS = ["full", "old", "nobody", "empty"]
REQUESTS = [
    {"service": "shelf_reader", "rows": [{"user_id": user} for user in USERS]},
    {"features": [f"shelf_user:{name}" for name in FEATURES], "rows": [{"user_id": user} for user in USERS]},
    {
        "features": ["shelf_pair:looks", "shelf_pair:avg_price", "shelf_user_ever:looks"],
        "full_names": True,
        "rows": [{"user_id": "full", "item": "x"}, {"user_id": "full", "item": "y"}, {"user_id": "nobody", "item": "x"}],
    },
    {"features": ["shelf_user:looks"], "rows": [{"item": "x"}]},
]


@pytest.fixture(scope="module")
def stage(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return make_stage(tmp_path_factory.mktemp("feast"), postgres_url)


@pytest.fixture(scope="module")
def repository(stage: Stage) -> Iterator[Path]:
    """What `feast` writes, and serving where it leads."""
    serving = Serving(stage, stage.folder / "serving.log")
    try:
        wait_for("it is ready", serving.ready)
        for folder in ("one", "other"):
            run("userflow-jobs", "feast", "--models", stage.models, "--into", stage.folder / folder, "--serving-url",
                f"http://127.0.0.1:{serving.port}", "--output", "json")  # fmt: skip
        one, other = ((stage.folder / folder / "registry.db").read_bytes() for folder in ("one", "other"))
        assert one == other, "the same models give the same bytes"
        yield stage.folder / "one"
    finally:
        assert serving.stop() == 0


def answers(repository: Path, version: str) -> list[dict]:
    python = ROOT / f".userflow/feast-{version}/bin/python"
    assert python.exists(), "deploy/setup feast installs it"
    done = subprocess.run([python, ROOT / "tests/python/feast_client.py", repository], input=json.dumps(REQUESTS),
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def stored(stage: Stage) -> dict[str, dict[str, object]]:
    """What the store has of each user, too old or not; times as whole seconds, an empty list as null."""
    columns = "user_id, looks, spent, bought, newest, nullif(items, '{}') AS items"
    columns += ", floor(extract(epoch FROM bought_at))::bigint AS bought_at"
    lines = sql(stage.postgres, f"SELECT to_jsonb(v) FROM (SELECT {columns} FROM online.shelf_user) AS v")
    return {row["user_id"]: row for row in map(json.loads, lines)}


def expected(stored: dict[str, dict[str, object]], name: str) -> list[object]:
    """`old` is beyond the ttl of its view, and `nobody` is not there."""
    return [None if user == "old" else stored.get(user, {}).get(name) for user in USERS]


@pytest.fixture(scope="module")
def pairs(stage: Stage) -> list[object]:
    select = "SELECT json_build_array(looks, avg_price) FROM online.shelf_pair WHERE user_id = 'full' ORDER BY item"
    lines = sql(stage.postgres, select)
    return [json.loads(line) for line in lines]


def test_the_client_of_0_67_has_the_values_and_the_statuses(repository: Path, stored: dict, pairs: list) -> None:
    service, features, keys, missing = answers(repository, "0.67")
    assert list(service["values"]) == ["user_id", "looks", "spent", "items"]
    assert list(features["values"]) == ["user_id", *FEATURES]
    for name in FEATURES:
        want = expected(stored, name)
        assert features["values"][name] == want, name
        statuses = ["PRESENT" if want[0] is not None else "NULL_VALUE", "OUTSIDE_MAX_AGE", "NOT_FOUND"]
        assert features["statuses"][name] == [*statuses, "PRESENT" if want[3] is not None else "NULL_VALUE"], name
        if name in service["values"]:
            assert service["values"][name] == want and service["statuses"][name] == features["statuses"][name]
    assert expected(stored, "items") == [["x", "ü"], None, None, None]
    assert keys["values"]["shelf_pair__looks"] == [*(pair[0] for pair in pairs), None]
    assert keys["values"]["shelf_pair__avg_price"] == [*(pair[1] for pair in pairs), None]
    assert keys["values"]["shelf_user_ever__looks"] == [40, 40, None]
    assert keys["statuses"]["shelf_pair__avg_price"] == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
    assert missing["error"] == "RequestDataNotFoundInEntityRowsException" and "user_id" in missing["message"]


def test_the_client_of_0_63_has_the_values(repository: Path, stored: dict) -> None:
    """It asks view by view, makes statuses of its own, and sends one join key: of a view with two it raises what it is told."""
    service, features, keys, missing = answers(repository, "0.63")
    for name in FEATURES:
        got = features["values"][name]
        if name == "bought_at":
            got = [value and int(datetime.fromisoformat(value).timestamp()) for value in got]
        assert got == expected(stored, name), name
        if name in ("looks", "spent", "items"):
            assert service["values"][name] == got
    assert keys["error"] == "RequestDataNotFoundInEntityRowsException" and "`item`" in keys["message"]
    assert "error" in missing
