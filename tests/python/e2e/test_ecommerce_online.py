"""The feature views of the shop on real servers: two days in PostgreSQL and in Redis, every cell against plain Python."""

import csv
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import ROOT, run
from test_ecommerce import PARTITIONS, send
from test_online import sql

from oracle_ecommerce import messages, online, structure

FIRST = datetime(2026, 11, 2, tzinfo=UTC)
SEED = ROOT / "models/ecommerce/seeds/product_catalog.csv"
LATENESS = timedelta(seconds=10)


@dataclass
class Shop:
    """The topic, its stores, and what was sent."""

    brokers: str
    topic: str
    postgres: str
    redis: str
    folder: Path
    events: dict[int, list[online.Event]]

    def sessionize(self, *more: object) -> dict[str, object]:
        return run(
            "userflow-ingester", "sessionize", "--domain", "ecommerce", "--brokers", self.brokers, "--topic", self.topic,
            "--group", self.topic, "--postgres-url", self.postgres, "--redis-url", self.redis, "--checkpoints",
            self.folder / "checkpoints", "--idle-timeout", 3600, "--until-caught-up", *more, "--output", "json",
        )  # fmt: skip

    def rows(self, view: str) -> dict[str, list[dict[str, object]]]:
        """By shopper."""
        found: dict[str, list[dict[str, object]]] = {}
        for line in sql(self.postgres, f"SELECT to_jsonb(v) FROM online.{view} AS v"):
            row = json.loads(line)
            found.setdefault(row["user_id"], []).append(row)
        return found

    def row(self, view: str) -> dict[str, dict[str, object]]:
        return {user: one(rows) for user, rows in self.rows(view).items()}

    def ask(self, *command: str) -> list[str]:
        done = subprocess.run(["redis-cli", "-u", self.redis, *command], capture_output=True, text=True, check=True)
        # Of a key that is not there redis-cli prints an empty line.
        return [] if done.stdout == "\n" else done.stdout.splitlines()

    def hash(self, key: str) -> dict[str, str]:
        lines = self.ask("hgetall", key)
        return dict(zip(lines[::2], lines[1::2], strict=True))

    def users(self) -> Iterator[tuple[str, list[online.Event], datetime]]:
        """Each shopper with all events and the newest time of their partition."""
        for events in self.events.values():
            newest = max(event.time for event in events)
            for user, own in online.by_user(events).items():
                yield user, own, newest


def one(rows: list[dict[str, object]]) -> dict[str, object]:
    assert len(rows) == 1, rows
    return rows[0]


def moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def event(message: structure.Message) -> online.Event:
    """The columns that the views look at, by the domain's mapping of its dialects."""
    body, nested = message.body, message.dialect == "nested"
    place = body.get("properties", {}) if nested else body
    product, price = place.get("product_id"), place.get("price")
    return online.Event(
        user=str(body["user_id"]),
        kind=str(message.event_type),
        time=message.time,
        place=message.offset,
        product=None if product is None else str(product),
        price=None if price is None else Decimal(str(price)),
    )


@pytest.fixture(scope="module")
def categories() -> dict[str, str]:
    with SEED.open() as file:
        return {row["product_id"]: row["category"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def shop(brokers: str, postgres_url: str, redis_url: str, categories: dict[str, str], tmp_path_factory) -> Shop:
    """Two days without a message that is sent twice: how long a repeat is known is asked elsewhere."""
    products = [(product, category, 1_000 + 730 * number) for number, (product, category) in enumerate(categories.items())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "PRODUCTS", products[:40])
        maker = messages.Shop(11, damaged=False, users=40)
        patch.setattr(maker, "send", once(maker))
        sent = maker.days(FIRST, 2)
    topic = f"test.shop.online.{os.getpid()}.{time.time_ns()}"
    send(brokers, topic, sent)
    name = f"test_shop_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    events: dict[int, list[online.Event]] = {partition: [] for partition in range(PARTITIONS)}
    for message in sent:
        read = structure.read(message.partition, message.offset, message.time_ms, message.value)
        assert read is not None and not read.problems, message
        events[message.partition].append(event(read))
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(brokers, topic, f"{postgres_url.rpartition('/')[0]}/{name}", redis_url, folder, events)
    stores = ["--lake", folder / "lake", "--postgres-url", shop.postgres]
    run("userflow-jobs", "init", "--domain", "ecommerce", *stores, "--output", "json")
    return shop


def once(maker: messages.Shop) -> Callable[..., None]:
    """Sends each event one time, in place of now and then twice."""
    twice = maker.send

    def send_one(*arguments: object) -> None:
        before = len(maker.pending)
        twice(*arguments)
        del maker.pending[before + 1 :]

    return send_one


@pytest.fixture(scope="module")
def live(shop: Shop) -> dict[str, object]:
    """All messages are read, and no time has passed since the last one."""
    return shop.sessionize()


@pytest.fixture(scope="module")
def over(shop: Shop, live) -> dict[str, object]:
    """Twenty minutes later."""
    newest = max(newest for _, _, newest in shop.users())
    return shop.sessionize("--advance-to", (newest + timedelta(minutes=20)).isoformat().replace("+00:00", "Z"))


def test_all_events_count_and_none_is_late(shop, live):
    assert live["events"] == sum(map(len, shop.events.values()))
    assert live["rejected"] == 0 and live["duplicates"] == 0


def test_the_last_hour(shop, live):
    rows, seen = shop.row("user_activity_1h"), 0
    for user, events, _ in shop.users():
        if user not in rows:
            continue
        row = rows[user]
        expected = online.hour(events, moment(row["window_end"]))
        assert {name: row[name] for name in expected} == pytest.approx(expected), user
        seen += expected["view_count_1h"] > 0
    assert seen > 3


def test_windows_that_move_with_every_event(shop, live, categories):
    prices, tops = shop.row("user_interest_10m"), shop.row("user_interest_30m")
    seen = {"price": 0, "top": 0}
    for user, events, newest in shop.users():
        price = online.mean_price(online.within(events, newest - timedelta(minutes=10), newest))
        top = online.top_category(online.within(events, newest - timedelta(minutes=30), newest), categories)
        assert prices.get(user, {}).get("avg_viewed_price_10m") == (None if price is None else pytest.approx(price)), user
        assert tops.get(user, {}).get("top_category_30m") == top, user
        seen["price"] += price is not None
        seen["top"] += top is not None
    assert all(seen.values()), seen


def test_recent_products(shop, live):
    rows = shop.row("user_recent_products")
    expected = {user: online.recent_products(events) for user, events, _ in shop.users()}
    assert {user: row["recent_product_ids"] for user, row in rows.items()} == expected


def test_sessions_without_an_id(shop, over):
    rows, several = shop.rows("user_session"), 0
    for user, events, _ in shop.users():
        found = {
            moment(row["started_at"]): {
                "event_count": row["event_count"],
                "last_event_at": moment(row["last_event_at"]),
                "duration_seconds": row["duration_seconds"],
            }
            for row in rows[user]
        }
        expected = online.sessions(events)
        assert found == expected, user
        several += len(expected) > 1
        assert all(row["is_final"] for row in rows[user])
    assert several > 5


def test_a_cart_that_is_not_paid(shop, over):
    rows, kinds = shop.row("user_pattern"), set()
    end = max(newest for _, _, newest in shop.users()) + timedelta(minutes=20)
    for user, events, _ in shop.users():
        expected = online.abandoned(events, end - LATENESS)
        row = rows.get(user, {})
        kinds.add(expected is not None)
        if user not in rows:
            # Two hours after the last event the row may go.
            assert events[-1].time < end - timedelta(hours=2), user
        elif expected is None:
            assert row["pattern_detected"] != "cart_abandonment_risk", user
        else:
            assert row["pattern_detected"] == "cart_abandonment_risk", user
            assert (moment(row["pattern_at"]), row["pattern_detail"]) == tuple(expected.values()), user
    assert kinds == {True, False}


def test_an_idle_shopper_has_no_mean_any_more(shop, over):
    rows = shop.row("user_interest_10m")
    assert rows
    assert {row["avg_viewed_price_10m"] for row in rows.values()} == {None}


def number(value: object) -> str:
    """A double as it stands in Redis."""
    return repr(float(str(value)))


def test_redis_has_what_postgresql_has(shop, over):
    hours, tens, thirties, patterns, products = (
        shop.row(f"user_{view}") for view in ("activity_1h", "interest_10m", "interest_30m", "pattern", "recent_products")
    )
    for user, _, _ in shop.users():
        expected = {}
        if user in hours:
            row = hours[user]
            expected |= {"user_id": user, "avg_viewed_price_1h": number(row["avg_viewed_price_1h"])}
            expected |= {name: str(row[name]) for name in ("view_count_1h", "cart_count_1h", "purchase_count_1h")}
        price = tens.get(user, {}).get("avg_viewed_price_10m")
        texts = {
            "avg_viewed_price_10m": None if price is None else number(price),
            "top_category_30m": thirties.get(user, {}).get("top_category_30m"),
            "pattern_detected": patterns.get(user, {}).get("pattern_detected"),
        }
        expected |= {name: text for name, text in texts.items() if text is not None}
        assert shop.hash(f"user_features:{user}") == expected, user
        if expected:
            assert 0 < int(shop.ask("ttl", f"user_features:{user}")[0]) <= 7_200
        assert shop.ask("lrange", f"recent_products:{user}", "0", "-1") == products[user]["recent_product_ids"], user


def test_a_session_in_redis(shop, over):
    row = max((row for rows in shop.rows("user_session").values() for row in rows), key=lambda row: row["last_event_at"])
    millis = {name: str(round(moment(row[name]).timestamp() * 1_000)) for name in ("started_at", "last_event_at")}
    key = f"session_features:{row['user_id']}:{millis['started_at']}"
    expected = {
        "user_id": row["user_id"], **millis, "event_count": str(row["event_count"]),
        "duration_seconds": number(row["duration_seconds"]), "is_final": "true",
    }  # fmt: skip
    assert shop.hash(key) == expected
    assert 0 < int(shop.ask("ttl", key)[0]) <= 3_600


def test_the_example_of_the_readme(brokers, postgres_url, redis_url, tmp_path):
    """Its script is run as it stands. The service answers with what it promises; the pattern appears without another event."""
    from confluent_kafka import Producer

    text = (ROOT / "models/ecommerce/README.md").read_text()
    [script] = [block for block in text.split("```") if "shop.jsonl" in block and "nested()" in block]
    subprocess.run(["bash", "-euc", script.removeprefix("bash\n")], cwd=tmp_path, check=True)
    topic = f"test.shop.readme.{os.getpid()}.{time.time_ns()}"
    send(brokers, topic, [])
    producer = Producer({"bootstrap.servers": brokers})
    for line in (tmp_path / "shop.jsonl").read_bytes().splitlines():
        producer.produce(topic, line, b"U000001")
    assert producer.flush(60) == 0
    name = f"test_shop_readme_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    stores = ["--postgres-url", f"{postgres_url.rpartition('/')[0]}/{name}"]
    run("userflow-jobs", "init", "--domain", "ecommerce", "--lake", tmp_path / "lake", *stores, "--output", "json")
    shop = Shop(brokers, topic, stores[1], redis_url, tmp_path, {})
    with (tmp_path / "sessionize.log").open("w") as log:
        live = subprocess.Popen(
            [program("userflow-ingester"), "sessionize", "--domain", "ecommerce", "--brokers", brokers, "--topic", topic, *stores,
             "--redis-url", redis_url, "--checkpoints", tmp_path / "checkpoints", "--idle-timeout", "1s"],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        promised = {
            "user_id": "U000001", "view_count_1h": "4", "cart_count_1h": "1", "purchase_count_1h": "0",
            "avg_viewed_price_1h": "150000.0", "avg_viewed_price_10m": "150000.0", "top_category_30m": "audio",
        }  # fmt: skip
        wait_for(live, lambda: promised.items() <= shop.hash("user_features:U000001").items(), shop)
        wait_for(live, lambda: shop.hash("user_features:U000001").get("pattern_detected") == "cart_abandonment_risk", shop)
    finally:
        live.terminate()
        assert live.wait(60) == 0, (tmp_path / "sessionize.log").read_text()


def program(name: str) -> Path:
    return Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / name


def wait_for(live: subprocess.Popen, state: Callable[[], bool], shop: Shop) -> None:
    deadline = time.monotonic() + 120
    while not state():
        assert live.poll() is None, "sessionize ended"
        assert time.monotonic() < deadline, shop.hash("user_features:U000001")
        time.sleep(0.2)
