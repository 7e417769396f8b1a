"""tests/bench/stores_agree.py: two stores that differ anywhere are found, and what may be gone is not called a difference."""

import copy
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load():
    spec = importlib.util.spec_from_file_location("stores_agree", ROOT / "tests/bench/stores_agree.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks for it
    spec.loader.exec_module(module)
    return module


stores = load()
WATERMARKS = {"0": "2026-11-01T12:00:00+00:00"}
COMMON = {"user_id": "U1", "event_time": "2026-11-01T11:30:00.5+00:00", "_partition": 0, "version": 7, "updated_at": "now"}
ROWS = {
    "user_activity_1h": [
        COMMON | {"view_count_1h": 3, "cart_count_1h": 0, "purchase_count_1h": 0, "avg_viewed_price_1h": 35000}
    ],
    "user_interest_10m": [COMMON | {"avg_viewed_price_10m": None}],
    "user_recent_products": [COMMON | {"recent_product_ids": ["p 1", 'p"2']}],
    "user_session": [
        COMMON
        | {"started_at": "2026-11-01T11:30:00.123+00:00", "event_count": 2, "duration_seconds": 0.377,
           "last_event_at": "2026-11-01T11:30:00.5+00:00", "is_final": False}
    ],
}  # fmt: skip
SESSION = "session_features:U1:1793532600123"
REDIS = {
    "user_features:U1": {
        "user_id": "U1", "view_count_1h": "3", "cart_count_1h": "0", "purchase_count_1h": "0", "avg_viewed_price_1h": "35000.0",
    },
    "recent_products:U1": ["p 1", 'p"2'],
    SESSION: {
        "user_id": "U1", "started_at": "1793532600123", "event_count": "2", "duration_seconds": "0.377",
        "last_event_at": "1793532600500", "is_final": "false",
    },
}  # fmt: skip


def test_equal_stores_are_equal():
    assert stores.differences(ROWS, REDIS, WATERMARKS) == []


@pytest.mark.parametrize("key", REDIS)
def test_a_missing_an_additional_and_another_value_are_found(key):
    for change in (lambda redis: redis.pop(key), lambda redis: redis.update(new=[]), lambda redis: spoil(redis, key)):
        redis = copy.deepcopy(REDIS)
        change(redis)
        assert len(stores.differences(ROWS, redis, WATERMARKS)) == 1


def spoil(redis, key):
    if isinstance(redis[key], list):
        redis[key].reverse()
    else:
        redis[key]["user_id"] = "U2"


def test_what_is_older_than_its_life_in_redis_may_be_gone_but_not_be_another():
    rows, redis = copy.deepcopy(ROWS), copy.deepcopy(REDIS)
    rows["user_session"][0]["event_time"] = "2026-11-01T10:59:59+00:00"
    assert stores.differences(rows, redis, WATERMARKS) == []
    spoil(redis, SESSION)
    assert len(stores.differences(rows, redis, WATERMARKS)) == 1
    del redis[SESSION]
    assert stores.differences(rows, redis, WATERMARKS) == []


def test_the_fingerprint_is_another_for_another_cell_and_row_but_not_for_another_order():
    rows = {"user_session": [*ROWS["user_session"], ROWS["user_session"][0] | {"user_id": "U2"}]}
    whole = stores.fingerprint(rows, WATERMARKS)
    assert whole["user_session"][0] == 2
    assert stores.fingerprint({"user_session": rows["user_session"][::-1]}, WATERMARKS) == whole
    later = [row | {"updated_at": "later"} for row in rows["user_session"]]
    assert stores.fingerprint({"user_session": later}, WATERMARKS) == whole
    other = [row | {"event_count": 3} for row in rows["user_session"]]
    assert stores.fingerprint({"user_session": other}, WATERMARKS) != whole
    assert stores.fingerprint({"user_session": rows["user_session"][:1]}, WATERMARKS) != whole


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    script, folder = ROOT / "deploy/servers/redis", tmp_path_factory.mktemp("redis")
    lines = subprocess.run([script, "start", "--dir", folder], check=True, stdout=subprocess.PIPE, text=True).stdout
    yield dict(line.split("=", 1) for line in lines.split())["USERFLOW_REDIS_URL"]
    subprocess.run([script, "stop", "--dir", folder], check=True)


def test_a_real_redis_is_read_whole(redis_url):
    def ask(*command):
        subprocess.run(["redis-cli", "-u", redis_url, *command], check=True, stdout=subprocess.DEVNULL)

    assert stores.in_redis(redis_url) == {}
    for key, value in REDIS.items():
        if isinstance(value, list):
            ask("RPUSH", key, *value)
        else:
            ask("HSET", key, *(part for pair in value.items() for part in pair))
    ask("HSET", "userflow:guard:x", "y", "1")
    assert stores.in_redis(redis_url) == REDIS
