"""userflow-serving with Redis: the rows that the sessionizer wrote, and what happens when Redis fails, is slow or lacks them."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import ROOT, run
from service import wait_for
from serving_stage import Serving, Stage, column, sql

# The views of the service `shopper`, and one whose key has a time.
TTLS = {
    "user_activity_1h": 7200,
    "user_interest_10m": 7200,
    "user_interest_30m": 7200,
    "user_recent_products": None,
    "user_pattern": 7200,
}


class Redis:
    """A server of this module's own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.url = self.script("start").split("=", 1)[1].strip()

    def script(self, command: str) -> str:
        clean = {key: value for key, value in os.environ.items() if key != "USERFLOW_REDIS_URL"}
        done = subprocess.run(
            [ROOT / "deploy/servers/redis", command, "--dir", self.folder],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=clean,
        )
        return done.stdout

    def cli(self, *command: str) -> str:
        return subprocess.run(["redis-cli", "-u", self.url, *command], capture_output=True, text=True, check=True).stdout.strip()


@dataclass
class Shop:
    """A day of the shop that ends now, in both stores."""

    stage: Stage
    redis: Redis
    serving: Serving
    users: list[str]

    def reads(self) -> tuple[float, float]:
        """So often were Redis and PostgreSQL asked."""
        redis, postgres = (
            self.serving.metric(f'userflow_serving_read_seconds_count{{store="{store}"}}') for store in ("redis", "postgres")
        )
        return redis, postgres


@pytest.fixture(scope="module")
def shop(brokers: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("serving_redis")
    name = f"test_serving_redis_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    stage = Stage(folder, ROOT / "models", f"{postgres_url.rpartition('/')[0]}/{name}")
    redis = Redis(folder / "redis")
    run("userflow-jobs", "init", "--lake", folder / "lake", "--postgres-url", stage.postgres, "--output", "json")
    start = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    run(
        "userflow-ingester",
        "simulate",
        "--domain",
        "ecommerce",
        "--brokers",
        brokers,
        "--topic",
        name,
        "--partitions",
        2,
        "--seed",
        7,
        "--sessions",
        600,
        "--start",
        start,
        "--days",
        1,
    )
    run(
        "userflow-ingester",
        "sessionize",
        "--domain",
        "ecommerce",
        "--brokers",
        brokers,
        "--topic",
        name,
        "--group",
        name,
        "--postgres-url",
        stage.postgres,
        "--redis-url",
        redis.url,
        "--checkpoints",
        folder / "checkpoints",
        "--until-caught-up",
        "--output",
        "json",
    )
    serving = Serving(stage, folder / "serving.log", "--redis-url", redis.url, "--redis-pause", "200ms")
    try:
        wait_for("it is ready", serving.ready)
        users = sql(stage.postgres, "SELECT user_id FROM online.user_recent_products ORDER BY user_id")
        assert len(users) > 100
        yield Shop(stage, redis, serving, users)
    finally:
        serving.stop()
        redis.script("stop")


def expected(shop: Shop, view: str, feature: str, now: datetime) -> dict[str, tuple[object, str] | None]:
    """By user, from PostgreSQL; none where it depends on the second."""
    found: dict[str, tuple[object, str] | None] = {}
    ttl = TTLS[view]
    for line in sql(shop.stage.postgres, f"SELECT json_build_array(user_id, {feature}, event_time) FROM online.{view}"):
        user, value, time_of = json.loads(line)
        left = ttl - (now - datetime.fromisoformat(time_of)).total_seconds() if ttl else 1e9
        status = "OUTSIDE_MAX_AGE" if left < 0 else "NULL_VALUE" if value in (None, []) else "PRESENT"
        found[user] = None if abs(left) < 30 else (value if status == "PRESENT" else None, status)
    return found


def compare(shop: Shop, *, degraded: bool) -> None:
    users = [*shop.users, "nobody"]
    answer = shop.serving.ask({"feature_service": "shopper", "entities": {"user_id": users}})
    assert answer["userflow"]["degraded"] is degraded
    features = next(one for one in shop.serving.get("/services")[1]["services"] if one["name"] == "shopper")["features"]
    statuses = set()
    for view, feature in (one.split(":") for one in features):
        want = expected(shop, view, feature, datetime.now(UTC))
        for user, got in zip(users, column(answer, feature), strict=True):
            what = want.get(user, (None, "NOT_FOUND"))
            assert what is None or got == what, (view, feature, user)
            statuses.add(got[1])
    assert statuses == {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"}


def present(shop: Shop) -> str:
    """A user with a row of the last hour, which is in Redis."""
    for user in sql(shop.stage.postgres, "SELECT user_id FROM online.user_activity_1h ORDER BY event_time DESC LIMIT 1"):
        return user
    raise AssertionError


def test_what_redis_has_is_what_postgresql_has(shop: Shop) -> None:
    compare(shop, degraded=False)
    user = present(shop)
    before = shop.reads()
    answer = shop.serving.ask({"features": ["user_activity_1h:view_count_1h"], "entities": {"user_id": [user]}})
    assert answer["results"][1]["statuses"] == ["PRESENT"]
    after = shop.reads()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 0), "PostgreSQL was asked for what Redis has"
    [row] = sql(
        shop.stage.postgres, f"SELECT extract(epoch FROM event_time) FROM online.user_activity_1h WHERE user_id = '{user}'"
    )
    sent = datetime.fromisoformat(answer["results"][1]["event_timestamps"][0])
    assert abs(sent.timestamp() - float(row)) < 1e-5


def test_a_feature_that_redis_lacks_comes_from_postgresql(shop: Shop) -> None:
    before = shop.reads()
    user = present(shop)
    shop.serving.ask(
        {"features": ["user_activity_1h:window_end", "user_interest_10m:avg_viewed_price_10m"], "entities": {"user_id": [user]}}
    )
    after = shop.reads()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def test_a_row_is_too_old_by_the_clock_although_redis_has_it(shop: Shop) -> None:
    user = present(shop)
    key = f"user_features:{user}"
    version, partition, _ = shop.redis.cli("hget", f"userflow:guard:{key}", "user_activity_1h").split(":")
    old = time.time_ns() // 1000 - 7201 * 1_000_000
    kept = shop.redis.cli("hget", f"userflow:guard:{key}", "user_activity_1h")
    shop.redis.cli("hset", f"userflow:guard:{key}", "user_activity_1h", f"{version}:{partition}:{old}")
    asked = {"features": ["user_activity_1h:view_count_1h"], "entities": {"user_id": [user]}}
    assert column(shop.serving.ask(asked), "view_count_1h") == [(None, "OUTSIDE_MAX_AGE")]
    shop.redis.cli("hset", f"userflow:guard:{key}", "user_activity_1h", kept)
    assert column(shop.serving.ask(asked), "view_count_1h")[0][1] == "PRESENT"


def test_what_is_half_there_comes_from_postgresql(shop: Shop) -> None:
    """A key that was evicted, with its guard left behind, and a field that nobody of ours wrote."""
    user = present(shop)
    key = f"user_features:{user}"
    asked = {"features": ["user_activity_1h:view_count_1h"], "entities": {"user_id": [user]}}
    right = column(shop.serving.ask(asked), "view_count_1h")
    shop.redis.cli("hset", key, "view_count_1h", "no number")
    assert column(shop.serving.ask(asked), "view_count_1h") == right
    shop.redis.cli("del", key)
    assert column(shop.serving.ask(asked), "view_count_1h") == right
    shop.redis.cli("hset", key, "somebody", "else")
    assert column(shop.serving.ask(asked), "view_count_1h") == right
    shop.redis.cli("del", key)
    shop.redis.cli("set", key, "of another type")
    assert column(shop.serving.ask(asked), "view_count_1h") == right
    shop.redis.cli("del", key)


def test_a_slow_redis_holds_nobody_up(shop: Shop) -> None:
    user = present(shop)
    asked = {"features": ["user_activity_1h:view_count_1h"], "entities": {"user_id": [user]}}
    shop.redis.cli("client", "pause", "5000", "all")
    began = time.monotonic()
    answers = [shop.serving.ask(asked) for _ in range(40)]
    assert time.monotonic() - began < 2.5, "each of them waited for Redis"
    assert all(answer["userflow"]["degraded"] for answer in answers)
    assert [column(answer, "view_count_1h")[0][1] for answer in answers] == ["PRESENT"] * 40
    wait_for("Redis is used again", lambda: not shop.serving.ask(asked)["userflow"]["degraded"])


def test_without_redis_the_answers_are_the_same_and_it_comes_back(shop: Shop) -> None:
    shop.redis.script("kill")
    compare(shop, degraded=True)
    assert shop.serving.ready(), "it serves without Redis"
    wait_for("it says that Redis is away", lambda: shop.serving.metric('userflow_serving_store_away{store="redis"}') == 1)
    # One that starts now serves as well.
    late = Serving(shop.stage, shop.stage.folder / "late.log", "--redis-url", shop.redis.url)
    try:
        wait_for("it is ready without Redis", late.ready)
        answer = late.ask({"feature_service": "shopper", "entities": {"user_id": shop.users[:5]}})
        assert answer["userflow"]["degraded"]
        shop.redis.script("start")
        # Empty: nobody's absence there is an absence.
        asked = {"feature_service": "shopper", "entities": {"user_id": ["nobody"]}}
        for serving in (late, shop.serving):
            wait_for("Redis is used again", lambda serving=serving: not serving.ask(asked)["userflow"]["degraded"])
        compare(shop, degraded=False)
    finally:
        assert late.stop() == 0
