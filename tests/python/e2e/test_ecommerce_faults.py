"""Patterns, moving windows and sessions of the shop while the process is killed: its rows are as defined.

Every row and every field in Redis is compared with what plain Python makes of all events so far (oracle_ecommerce/restless.py).
A trigger in PostgreSQL writes down each pattern that a shopper was ever shown, so that one that came too early, twice, or for
somebody who had paid is seen although the next event hides it.
"""

import csv
import json
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import run
from service import PATIENCE, Service, wait_for
from test_ecommerce import PARTITIONS, send
from test_ecommerce_online import SEED, Shop, moment
from test_online import sql

from oracle_ecommerce import restless
from oracle_ecommerce.restless import LATENESS, MINUTE, Crowd, Shown

FIRST = datetime(2026, 11, 2, tzinfo=UTC)
NEVER = "1h"

ROWS = """SELECT json_build_object(
  'pattern', (SELECT json_agg(v) FROM online.user_pattern AS v), 'mean', (SELECT json_agg(v) FROM online.user_interest_10m AS v),
  'top', (SELECT json_agg(v) FROM online.user_interest_30m AS v),
  'session', (SELECT json_agg(v) FROM online.user_session AS v))"""

# What PostgreSQL was told, in its order, whenever it was something else than before.
TOLD = """
CREATE TABLE told (number bigserial, user_id text, name text, at timestamptz, detail text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE before online.{table}; BEGIN
  IF TG_OP = 'UPDATE' THEN before := OLD; END IF;
  IF (NEW."{v}_detected", NEW."{v}_at", NEW."{v}_detail")
    IS DISTINCT FROM (before."{v}_detected", before."{v}_at", before."{v}_detail") THEN
    INSERT INTO told (user_id, name, at, detail) VALUES (NEW.user_id, NEW."{v}_detected", NEW."{v}_at", NEW."{v}_detail");
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON online.{table} FOR EACH ROW EXECUTE FUNCTION tell()"""

# The fields of the hashes, by shopper.
HASHES = """
local found = {}
for _, key in ipairs(redis.call('KEYS', 'user_features:*')) do
  local fields = {}
  for _, name in ipairs({'pattern_detected', 'avg_viewed_price_10m', 'top_category_30m'}) do
    fields[name] = redis.call('HGET', key, name) or nil
  end
  if next(fields) then found[string.sub(key, 15)] = fields end
end
return cjson.encode(found)"""


@dataclass
class Stage:
    """The stores, a crowd that has not been sent yet, and what is random."""

    shop: Shop
    crowd: Crowd
    random: random.Random
    seed: int
    sent: int = 0
    started: list[Service] = field(default_factory=list)

    def start(self, name: str, *, checkpoints: float = 3_600, idle: str = NEVER, session: int = 6_000) -> Service:
        """A process under a name that the group knows it by."""
        shop, log = self.shop, self.shop.folder / f"{name}.{time.time_ns()}.log"
        service = Service(
            log, "sessionize", "--domain", "ecommerce", "--brokers", shop.brokers, "--topic", shop.topic, "--group", shop.topic,
            "--instance-id", name, "--postgres-url", shop.postgres, "--redis-url", shop.redis, "--threads", 1, "--checkpoints",
            shop.folder / "checkpoints", "--checkpoint-interval", checkpoints, "--flush-interval", 0.02, "--idle-timeout", idle,
            "--lateness", LATENESS.total_seconds(), "--kafka-option", f"session.timeout.ms={session}", "--kafka-option",
            f"heartbeat.interval.ms={session // 10}",
        )  # fmt: skip
        self.started.append(service)
        return service

    def send(self, until: datetime | None = None, rate: float | None = None) -> None:
        """Sends what happens until a moment of event time, or the rest; so many in a second, or at once."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.shop.brokers, "enable.idempotence": True, "linger.ms": 1})
        rest = self.crowd.messages[self.sent :]
        for message in rest:
            if until and message.arrives >= until:
                break
            millis = round(message.arrives.timestamp() * 1_000)
            producer.produce(self.shop.topic, message.value, partition=message.partition, timestamp=millis)
            self.sent += 1
            if rate:
                producer.poll(1 / rate)
        assert producer.flush(60) == 0

    def shows(self, now: datetime | None = None) -> None:
        """Waits until PostgreSQL and then Redis show what they must."""
        expected = self.crowd.shown(self.sent, now)
        fields = {user: said for user, shown in expected.items() if (said := in_redis(shown))}
        for found, wanted in ((self.found, expected), (self.hashes, fields)):
            deadline = time.monotonic() + PATIENCE
            while wrong := differences(found(), wanted):
                assert time.monotonic() < deadline, f"{len(wrong)} after {self.sent} messages, such as {wrong[:3]}"
                time.sleep(0.02)

    def found(self) -> dict[str, Shown]:
        """What PostgreSQL shows, by shopper."""
        views = json.loads("".join(sql(self.shop.postgres, ROWS)))
        pattern, mean, top = ({row["user_id"]: row for row in views[name] or []} for name in ("pattern", "mean", "top"))
        sessions: dict[str, dict] = {}
        for row in views["session"] or []:
            assert moment(row["started_at"]) not in sessions.setdefault(row["user_id"], {}), row
            sessions[row["user_id"]][moment(row["started_at"])] = (
                row["event_count"], moment(row["last_event_at"]), row["duration_seconds"], row["is_final"],
            )  # fmt: skip
        return {
            user: Shown(
                pattern_of(row["pattern_detected"], row["pattern_at"], row["pattern_detail"]),
                mean.get(user, {}).get("avg_viewed_price_10m"), top.get(user, {}).get("top_category_30m"), sessions.get(user, {}),
            )
            for user, row in pattern.items()
        }  # fmt: skip

    def hashes(self) -> dict[str, dict[str, str]]:
        """What Redis says, by shopper."""
        found = json.loads(self.shop.ask("eval", HASHES, "0")[0])
        return {user: numbers(fields) for user, fields in dict(found).items()}

    def keeps_all(self) -> None:
        """Waits until checkpoints have every message."""
        kept = "SELECT coalesce(sum(kept), 0) FROM online._owners"
        wait_for("a checkpoint of everything", lambda: sql(self.shop.postgres, kept) == [str(self.sent)])

    def told_no_other(self, now: datetime) -> int:
        """What shoppers were told is their story, in its order; of two that were true before the next write only the later
        one need be told. Returns how often one was told that there is a pattern."""
        told: dict[str, list[restless.Pattern]] = {}
        for line in sql(self.shop.postgres, "SELECT to_jsonb(t) FROM told AS t ORDER BY number"):
            row = json.loads(line)
            told.setdefault(row["user_id"], []).append(pattern_of(row["name"], row["at"], row["detail"]))
        story = self.crowd.story(now)
        for user, patterns in told.items():
            rest = iter(story[user])
            assert all(pattern in rest for pattern in patterns), f"{user} was told {patterns}, but should have been {story[user]}"
        return sum(pattern[0] is not None for patterns in told.values() for pattern in patterns)


def pattern_of(name: str | None, at: str | None, detail: str | None) -> restless.Pattern:
    return name, at and moment(at), detail


def in_redis(shown: Shown) -> dict[str, object]:
    fields = {"pattern_detected": shown.pattern[0], "avg_viewed_price_10m": shown.mean, "top_category_30m": shown.top}
    return numbers({name: value for name, value in fields.items() if value is not None})


def numbers(fields: dict[str, object]) -> dict[str, object]:
    return {name: round(float(str(value)), 6) if name.startswith("avg") else value for name, value in fields.items()}


def differences(found: dict, wanted: dict) -> list[tuple[str, object, object]]:
    def same(one: object, other: object) -> bool:
        if isinstance(one, Shown) and isinstance(other, Shown) and None not in (one.mean, other.mean):
            other = Shown(other.pattern, one.mean if abs(one.mean - other.mean) < 1e-6 else other.mean, other.top, other.sessions)
        return one == other

    users = sorted(found.keys() | wanted.keys())
    return [(user, found.get(user), wanted.get(user)) for user in users if not same(found.get(user), wanted.get(user))]


def kill(service: Service) -> None:
    assert service.process.poll() is None, service.log.read_text()
    service.process.kill()
    service.process.wait(60)


@pytest.fixture
def stage(brokers: str, postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Stage]:
    seed = int(os.environ.get("USERFLOW_TEST_SEED") or random.randrange(1_000_000))
    print(f"seed {seed} (repeat with USERFLOW_TEST_SEED={seed})")
    with SEED.open() as file:
        products = [(row["product_id"], row["category"], int(row["price"])) for row in csv.DictReader(file)]
    crowd = Crowd(seed, products[:30], PARTITIONS, FIRST)
    name = f"test_shop_faults_{os.getpid()}_{time.time_ns()}"
    send(brokers, name, [])
    sql(postgres_url, f"CREATE DATABASE {name}")
    shop = Shop(brokers, name, f"{postgres_url.rpartition('/')[0]}/{name}", redis_url, tmp_path, {})
    shop.ask("flushall")
    stores = ["--lake", tmp_path / "lake", "--postgres-url", shop.postgres]
    run("userflow-jobs", "init", "--domain", "ecommerce", *stores, "--output", "json")
    tables = "SELECT table_name FROM information_schema.columns WHERE column_name = 'user_pattern.pattern_detected'"
    [table] = sql(shop.postgres, f"{tables} AND table_schema = 'online'")
    sql(shop.postgres, TOLD.format(table=table, v="user_pattern.pattern"))
    stage = Stage(shop, crowd, random.Random(seed), seed)
    yield stage
    for process in stage.started:
        process.process.kill()
        process.process.wait(60)


def ends_in_silence(stage: Stage, live: Service, name: str, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """Nothing comes any more, and in this silence a process is killed: carts are seen as left, views leave, sessions end."""
    asked = stage.crowd.silence()
    stage.send()
    stage.shows()
    kill(live)
    live = stage.start(name, checkpoints=0.05, idle="1s")
    # It may still read, it may wait, it may have written.
    time.sleep(stage.random.uniform(0.3, 4))
    kill(live)
    stage.start(name, checkpoints=0.05, idle="1s")
    stage.shows(asked)
    told = stage.told_no_other(asked)
    with capsys.disabled():
        print(f"\nrow 3, patterns and moving windows: {what}, {stage.sent} messages, {told} patterns told, "
              f"0 early, twice or wrong; seed {stage.seed}")  # fmt: skip


def test_killed_while_carts_wait(stage: Stage, capsys):
    """With a checkpoint of them and without, while it reads, and with its checkpoints lost."""
    kinds = ["after a checkpoint", "before a checkpoint", "while it reads", "without checkpoints"]
    stage.random.shuffle(kinds)
    waiting = 0
    for number, kind in enumerate(kinds):
        live = stage.start("one", checkpoints=0.05 if kind == "after a checkpoint" else 3_600)
        stage.crowd.live(FIRST + (number + 1) * timedelta(minutes=14))
        stage.send()
        waiting += stage.crowd.waiting(stage.sent)
        if kind == "while it reads":
            time.sleep(stage.random.uniform(0, 1.5))
        else:
            stage.shows()
        if kind == "after a checkpoint":
            stage.keeps_all()
        kill(live)
        if kind == "without checkpoints":
            shutil.rmtree(stage.shop.folder / "checkpoints", ignore_errors=True)
    assert waiting > 5
    live = stage.start("one")
    ends_in_silence(stage, live, "one", capsys, f"killed {len(kinds) + 2} times with {waiting} carts waiting")


def test_a_rebalance_while_carts_wait(stage: Stage, capsys):
    """Of two processes one dies, and the other goes on with its partitions; then it comes back and gets them again."""
    members = {name: stage.start(name, checkpoints=0.3, session=1_500) for name in ("one", "two")}
    waiting = 0
    for number in range(3):
        stage.crowd.live(FIRST + (number + 1) * timedelta(minutes=14))
        stage.send()
        stage.shows()
        waiting += stage.crowd.waiting(stage.sent)
        name = stage.random.choice(sorted(members))
        if number == 1:
            [name] = {"one", "two"} - members.keys()
            members[name] = stage.start(name, checkpoints=0.3, session=1_500)
            wait_for("each has a partition", lambda: owners(stage) == 2)
        else:
            kill(members.pop(name))
    assert waiting > 5
    [(name, live)] = members.items()
    ends_in_silence(stage, live, name, capsys, f"3 rebalances with {waiting} carts waiting")


def owners(stage: Stage) -> int:
    return int(sql(stage.shop.postgres, "SELECT count(DISTINCT owner) FROM online._owners")[0])


def test_killed_under_load(stage: Stage, capsys):
    """At any moment, while messages come without a pause."""
    stage.crowd.live(FIRST + 70 * MINUTE)
    sending = threading.Thread(target=stage.send, kwargs={"rate": 300}, daemon=True)
    sending.start()
    kills = 0
    while sending.is_alive():
        live = stage.start("one", checkpoints=stage.random.choice([0.05, 0.5, 3_600]))
        time.sleep(stage.random.uniform(0.2, 1.5))
        kill(live)
        kills += 1
    assert kills >= 3
    live = stage.start("one")
    stage.shows()
    ends_in_silence(stage, live, "one", capsys, f"killed {kills + 2} times under load")
