"""The e-commerce domain, end to end: a clean and a damaged week through Kafka into bronze, silver, gold and the seven checks.

What must come out is computed in PostgreSQL and in plain Python from the messages as they were sent (oracle_ecommerce).
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import ROOT, attempt, run

from oracle_ecommerce import checks, marts, messages, structure

FIRST = date(2026, 11, 2)
# Sessions that begin before the last midnight go on behind it.
DAYS = [FIRST + timedelta(days=day) for day in range(8)]
RANGE = ["--from", str(DAYS[0]), "--to", str(DAYS[-1] + timedelta(days=1))]
PARTITIONS = 2


@dataclass
class Week:
    """A lake with the week, and the messages that are JSON objects."""

    lake: Path
    read: list[structure.Message]

    def jobs(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return attempt("userflow-jobs", *arguments, "--lake", self.lake, "--output", "json")


@pytest.fixture(scope="module", params=["clean", "damaged"])
def week(request, brokers, tmp_path_factory) -> Week:
    sent = messages.week(7, request.param == "damaged", str(FIRST))
    topic = f"test.shop.{request.param}.{os.getpid()}.{time.time_ns()}"
    lake = tmp_path_factory.mktemp(request.param) / "lake"
    send(brokers, topic, sent)
    shared = ["--domain", "ecommerce", "--brokers", brokers, "--topic", topic, "--group", topic, "--lake", lake]
    run("userflow-ingester", "ingest", *shared, "--until-caught-up", "--output", "json")
    run("userflow-jobs", "init", "--lake", lake, "--output", "json")
    # The gate is not what is asked here.
    run("userflow-jobs", "run", "+gold.ecommerce_*", *RANGE, "--publish-blocked", "--lake", lake, "--output", "json")
    read = (structure.read(one.partition, one.offset, one.time_ms, one.value) for one in sent)
    return Week(lake, [one for one in read if one])


def send(brokers: str, topic: str, sent: list[messages.Sent]) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": brokers})
    made = admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    made[topic].result(60)
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True})
    for one in sent:
        producer.produce(topic, one.value, key=one.key, partition=one.partition, timestamp=one.time_ms)
    assert producer.flush(60) == 0


def seven(week: Week, day: date) -> dict[str, tuple[int, int, Decimal]]:
    """What `check` says of a date: total, failed and percentage, in the order of its lines."""
    done = week.jobs("check", "bronze.ecommerce_events", "--date", day)
    assert done.returncode in (0, 3), done.stderr
    results = json.loads(done.stdout)["quality"]["results"]
    return {
        one["test"]: (one["total"], one["failed"], Decimal(str(one["pass_rate"])) * 100)
        for one in results
        if one["test"] in checks.NAMES
    }


def test_sessions_and_six_marts_equal_plain_sql_on_postgresql(week, postgres_url):
    expected = marts.computed(postgres_url, week.read)
    assert all(len(rows) > 20 for rows in expected.values())
    found = marts.differences(week.lake, expected, set(DAYS))
    assert not found, f"{len(found)} differences, such as\n" + "\n".join(found[:20])


def test_seven_counts_equal_plain_python(week):
    for day in DAYS[:-1]:
        expected = checks.seven(week.read, day)
        assert list(seven(week, day)) == checks.NAMES
        assert seven(week, day) == expected, day


def places(read: list[structure.Message], day: date) -> dict[str, set[tuple[int, int]]]:
    """Partition and offset of the messages that fail each check by themselves or in their session."""
    events = [one for one in read if not one.problems and one.time.date() == day]
    refused = [one for one in read if one.problems and one.sent.date() == day]
    sessions = checks.by_session(events)
    platforms = {name: [checks.value(event, "platform") for event in own] for name, own in sessions.items()}
    first = {name: next((one for one in own if one is not None), None) for name, own in platforms.items()}

    def strange(event: structure.Message) -> bool:
        platform, session = checks.value(event, "platform"), checks.value(event, "session_id")
        return bool(checks.platforms([event], {})) or (session and platform not in (None, first[session]))

    fails = {
        "required_fields": lambda one: checks.required_fields(*([], [one]) if one.problems else ([one], [])),
        "ranges": lambda one: checks.ranges(*([], [one]) if one.problems else ([one], [])),
        "timestamp": lambda one: checks.timestamps(*([], [one]) if one.problems else ([one], [])),
        "order_sum": lambda one: one.event_type == "purchase" and not one.problems and checks.order_sums([one]),
        "platform_device": lambda one: not one.problems and strange(one),
    }
    return {name: {(one.partition, one.offset) for one in events + refused if test(one)} for name, test in fails.items()}


def test_examples_are_messages_that_fail(week):
    """Found by the place that they name; they are the first ones by it."""
    for day in DAYS[:-1]:
        done = week.jobs("check", "bronze.ecommerce_events", "--date", day)
        results = {one["test"]: one for one in json.loads(done.stdout)["quality"]["results"]}
        expected = places(week.read, day)
        for name in checks.NAMES:
            shown = [json.loads(row) for row in results[name]["sample"]]
            assert bool(shown) == (results[name]["failed"] > 0) and len(shown) <= 3, (name, shown)
            if name in expected and shown:
                found = [(row["_partition"], row["_offset"]) for row in shown]
                assert found[0] == min(expected[name]) and set(found) <= expected[name], (day, name, shown)
        copies = Counter(checks.value(one, "event_id") for one in week.read if not one.problems and one.time.date() == day)
        for row in map(json.loads, results["duplicate_event_id"]["sample"]):
            assert row["copies"] == copies[row["event_id"]] == len(row["partition_offset"].split(", ")) > 1
        sessions = checks.by_session([one for one in week.read if not one.problems and one.time.date() == day])
        for row in map(json.loads, results["funnel_order"]["sample"]):
            own = sessions[row["session_id"]]
            [event] = [one for one in own if (one.partition, one.offset) == (row["_partition"], row["_offset"])]
            assert checks.funnel_order({"": own}) and event.event_type == row["fault"].split()[0], row


def test_the_gate_is_what_the_checks_say(week):
    for day in DAYS[1:3]:
        fails = [name for name, (_, _, rate) in checks.seven(week.read, day).items() if rate < 99]
        done = week.jobs("run", "+gold.ecommerce_*", "--date", day)
        assert done.returncode == (3 if fails else 0), done.stderr
        lines = json.loads(done.stdout)["runs"]
        assert {line["status"] for line in lines} == ({"blocked", "not run"} if fails else {"done"})
        reasons = " ".join(line.get("reason") or "" for line in lines)
        for name in checks.NAMES:
            assert (f" {name}: " in reasons) == (name in fails), (name, reasons)


def test_the_damaged_week_has_every_kind_of_failure():
    """A comparison of nothing would agree."""
    read = [structure.read(one.partition, one.offset, one.time_ms, one.value) for one in messages.week(7, True, str(FIRST))]
    assert any(one is None for one in read), "no message that is no object"
    failed = dict.fromkeys(checks.NAMES, 0)
    for day in DAYS:
        for name, (_, count, _) in checks.seven([one for one in read if one], day).items():
            failed[name] += count
    assert all(count > 3 for count in failed.values()), failed


def test_real_dbt_on_duckdb_computes_the_same_cells(week):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/python/dbt_compare.py"), "--lake", str(week.lake),
         "--from", str(DAYS[1]), "--to", str(DAYS[3])],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_simulated_day_passes_its_own_checks_and_fills_every_table(brokers, tmp_path):
    topic = f"test.shop.simulated.{os.getpid()}.{time.time_ns()}"
    run(
        "userflow-ingester", "simulate", "--domain", "ecommerce", "--brokers", brokers, "--topic", topic, "--seed", 3,
        "--sessions", 3_000, "--start", "2026-11-02", "--days", 1, "--duplicates", 0.002, "--summary", tmp_path / "summary.json",
    )  # fmt: skip
    truth = json.loads((tmp_path / "summary.json").read_text())
    shared = ["--domain", "ecommerce", "--brokers", brokers, "--topic", topic, "--group", topic, "--lake", tmp_path / "lake"]
    landed = run("userflow-ingester", "ingest", *shared, "--until-caught-up", "--output", "json")
    assert landed["quarantined"] == 0, landed
    simulated = Week(tmp_path / "lake", [])
    run("userflow-jobs", "init", "--lake", simulated.lake, "--output", "json")
    done = simulated.jobs("run", "+gold.ecommerce_*", "--date", "2026-11-02")
    assert done.returncode == 0, done.stdout + done.stderr
    written = {line["model"]: line["rows_written"] for line in json.loads(done.stdout)["runs"]}
    assert written["silver.ecommerce_events"] == truth["events"]
    assert all(written.values()) and len(written) == 9, written
    found = seven(simulated, FIRST)
    assert all(rate >= 99 for _, _, rate in found.values()), found
    assert found["duplicate_event_id"][1] > 0


def test_simulated_garbage_is_refused_for_the_reasons_that_the_summary_tells(brokers, tmp_path):
    topic = f"test.shop.garbage.{os.getpid()}.{time.time_ns()}"
    run(
        "userflow-ingester", "simulate", "--domain", "ecommerce", "--brokers", brokers, "--topic", topic, "--seed", 5,
        "--sessions", 600, "--garbage", 0.1, "--damage", 0.2, "--summary", tmp_path / "summary.json",
    )  # fmt: skip
    truth = json.loads((tmp_path / "summary.json").read_text())
    shared = ["--domain", "ecommerce", "--brokers", brokers, "--topic", topic, "--group", topic, "--lake", tmp_path / "lake"]
    landed = run("userflow-ingester", "ingest", *shared, "--until-caught-up", "--output", "json")
    assert landed["quarantined_by_reason"] == truth["garbage_by_reason"]
    assert len(truth["garbage_by_reason"]) == 7 and truth["damaged"] > 100
    assert landed["rows_written"] == truth["events"]
