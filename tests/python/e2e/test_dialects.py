"""A domain whose events come in several shapes, through the real broker into bronze: what a validator accepts is a row, the
rest is in quarantine, and lists of objects are read alike by DataFusion, DuckDB and Polars."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import ROOT, run

import delta_read
import readers_agree

DOMAIN = "ecommerce"
PARTITIONS = 2
NOON_MS = 1_793_534_400_000  # 2026-11-01T12:00:00Z
ORDER = {
    "products": [{"product_id": "P1", "quantity": 2, "unit_price": 10000}, {"product_id": 7, "unit_price": 5000.005}],
    "discount_amount": 500,
    "coupon_code": 'Hallo "Welt"',
}
PURCHASE = {
    "event_id": "order", "event_type": "purchase", "user_id": "U1", "session_id": "s1",
    "timestamp": "2026-11-01 21:00:00 Asia/Seoul", "platform": "ios", "device_type": "mobile", "order_id": "O1",
    "total_amount": 24500, "payment_method": "toss_pay",
    "extra_data": json.dumps(ORDER, ensure_ascii=False),
}  # fmt: skip
SHORT = {"event_type": "view", "user_id": "U2", "event_time": "2026-11-01 12:00:00", "price": 12000}


@pytest.fixture(scope="module")
def sent() -> list[tuple[str, str]]:
    """Verdict and message of each, by the independent validator; those above first, the short one twice."""
    generated = subprocess.run(
        [sys.executable, ROOT / "tests/python/contract_messages.py", ROOT / f"models/{DOMAIN}/contract.json", "--count", "3000"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = [json.dumps(event, ensure_ascii=False) for event in (PURCHASE, SHORT, SHORT)]
    drawn = [tuple(line.split("\t", 1)) for line in generated.stdout.splitlines()]
    # The broker has a clock, and two of the generator's times are years before it.
    return [("good", text) for text in ours] + [(verdict, text) for verdict, text in drawn if "2024-02-29" not in text]


@pytest.fixture(scope="module")
def lake(brokers: str, sent: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("dialects") / "lake"
    topic = f"test.dialects.{os.getpid()}.{time.time_ns()}"
    settings = {"bootstrap.servers": brokers}
    admin = AdminClient(settings)
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(60)
    producer = Producer(settings)
    for number, (_, text) in enumerate(sent):
        producer.produce(topic, value=text.encode(), partition=number % PARTITIONS, timestamp=NOON_MS)
        producer.poll(0)
    assert producer.flush(60) == 0
    arguments = ["--domain", DOMAIN, "--brokers", brokers, "--topic", topic, "--group", topic, "--lake", lake]
    run("userflow-ingester", "ingest", *arguments, "--until-caught-up", "--output", "json")
    return lake


def test_every_message_is_where_the_validator_says(lake: Path, sent: list[tuple[str, str]]):
    places = {
        table: {
            row["_offset"] * PARTITIONS + row["_partition"]: row
            for row in delta_read.snapshot(lake, f"bronze.{DOMAIN}_{table}").rows()
        }
        for table in ("events", "quarantine")
    }
    assert len(places["events"]) + len(places["quarantine"]) == len(sent), "each once"
    # How far a time may be from Kafka's, and the years of the tables, are no part of the schema.
    by_limits = {"clock_skew", "out_of_range"}
    for number, (verdict, text) in enumerate(sent):
        if number in places["events"]:
            assert verdict == "good", text
        else:
            row = places["quarantine"][number]
            assert row["raw"].decode() == text
            problems = {(problem["reason"], problem["field"]) for problem in row["problems"]}
            excused = all(reason in by_limits and field == "event_time" for reason, field in problems)
            assert verdict == "bad" or excused, (problems, text)
    assert min(len(rows) for rows in places.values()) > 500


def test_an_order_is_a_typed_list_for_every_reader(lake: Path):
    expected = [
        {"product_id": "P1", "quantity": 2, "unit_price": "10000.00"},
        {"product_id": "7", "quantity": None, "unit_price": "5000.00"},
    ]
    files = [str(file.path) for file in delta_read.snapshot(lake, f"bronze.{DOMAIN}_events").files]
    with duckdb.connect(":memory:") as connection:
        products, coupon, kept = connection.execute(
            "select products, coupon_code, extra_data from read_parquet(?, union_by_name = true) where event_id = 'order'",
            [files],
        ).fetchone()
    assert [{**product, "unit_price": str(product["unit_price"])} for product in products] == expected
    assert (coupon, kept) == (ORDER["coupon_code"], PURCHASE["extra_data"])
    _, findings = readers_agree.check(lake)
    assert findings == []
    shown = run("userflow-jobs", "show", f"bronze.{DOMAIN}_events", "--date", "2026-11-01", "--limit", "100000", "--lake", lake,
                "--output", "json")  # fmt: skip
    rows = [dict(zip(shown["columns"], row, strict=True)) for row in shown["rows"]]
    (row,) = [row for row in rows if row["event_id"] == "order"]
    assert (
        row["products"]
        == "[{product_id: P1, quantity: 2, unit_price: 10000.00}, {product_id: 7, quantity: , unit_price: 5000.00}]"
    )


def test_an_event_without_an_id_is_its_place(lake: Path):
    rows = [
        row
        for row in delta_read.snapshot(lake, f"bronze.{DOMAIN}_events").rows()
        if row["user_id"] == "U2" and row["price"] == 12000
    ]
    assert len(rows) == 2
    assert {(row["event_id"], row["session_id"], row["event_type"], row["page_type"]) for row in rows} == {
        (None, None, "page_view", "product")
    }
    assert Counter((row["_partition"], row["_offset"]) for row in rows) == {(1, 0): 1, (0, 1): 1}


def test_the_catalogue_says_that_repeats_cannot_be_told(lake: Path, tmp_path: Path):
    run("userflow-jobs", "init", "--domain", DOMAIN, "--lake", lake, "--output", "json")
    run("userflow-jobs", "docs", "--lake", lake, "--output", "json", "--into", tmp_path / "catalogue")
    page = "".join(file.read_text() for file in (tmp_path / "catalogue").rglob("*.html"))
    assert "in the dialect short there is none" in page
