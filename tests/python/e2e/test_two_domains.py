"""Both domains at once on the same servers: neither sees the other, and one that breaks does not stop the other."""

import json
import os
import time
from pathlib import Path

import pytest
from conftest import run
from service import Service, wait_for
from test_online import sql

PARTITIONS = 2
VIEWS = {
    "webtoon": ["webtoon_session", "webtoon_user_1h", "webtoon_user_recent", "webtoon_user_lifetime", "webtoon_episode_1h"],
    "ecommerce": ["user_activity_1h", "user_session", "user_recent_products", "user_pattern"],
}


class Stage:
    """A database with the tables of some domains, and a topic for each."""

    def __init__(self, brokers: str, server: str, folder: Path, label: str, domains: list[str], topics: dict[str, str]):
        self.brokers, self.folder, self.topics = brokers, folder / label, topics
        self.folder.mkdir()
        name = f"test_two_{label}_{os.getpid()}_{time.time_ns()}"
        sql(server, f"CREATE DATABASE {name}")
        self.url = f"{server.rpartition('/')[0]}/{name}"
        for domain in domains:
            stores = ["--lake", self.folder / "lake", "--postgres-url", self.url]
            run("userflow-jobs", "init", "--domain", domain, *stores, "--output", "json")

    def sessionize(self, domain: str) -> Service:
        return Service(
            self.folder / f"{domain}.log", "sessionize", "--domain", domain, "--brokers", self.brokers, "--topic",
            self.topics[domain], "--group", f"{self.folder.name}.{self.topics[domain]}", "--postgres-url", self.url,
            "--checkpoints", self.folder / f"{domain}.checkpoints", "--idle-timeout", "1h",
        )  # fmt: skip

    def rows(self, domain: str) -> dict[str, list[str]]:
        written = "- '{updated_at,version,_partition,window_end}'::text[]"
        return {view: sql(self.url, f"SELECT to_jsonb(v) {written} FROM online.{view} AS v ORDER BY 1") for view in VIEWS[domain]}


def send(brokers: str, domain: str, topic: str, day: str, folder: Path) -> int:
    """How many messages it sent."""
    summary = folder / f"{topic}.{day}.json"
    run(
        "userflow-ingester", "simulate", "--domain", domain, "--brokers", brokers, "--topic", topic, "--partitions", PARTITIONS,
        "--seed", 3, "--sessions", 300, "--start", day, "--days", 1, "--summary", summary,
    )  # fmt: skip
    return json.loads(summary.read_text())["messages"]


def has_read(service: Service, messages: int) -> bool:
    return service.has("userflow_sessionize_messages_total", messages) and service.has("userflow_sessionize_lag", 0, PARTITIONS)


@pytest.fixture(scope="module")
def topics() -> dict[str, str]:
    return {domain: f"test.two.{domain}.{os.getpid()}.{time.time_ns()}" for domain in VIEWS}


def test_neither_sees_nor_stops_the_other(brokers, postgres_url, tmp_path, topics):
    sent = {domain: send(brokers, domain, topic, "2026-11-01", tmp_path) for domain, topic in topics.items()}
    both = Stage(brokers, postgres_url, tmp_path, "both", list(VIEWS), topics)
    services = {domain: both.sessionize(domain) for domain in VIEWS}
    try:
        for domain, service in services.items():
            wait_for(f"{domain} has read it all", lambda service=service, domain=domain: has_read(service, sent[domain]))
        for domain in VIEWS:
            alone = Stage(brokers, postgres_url, tmp_path, f"alone_{domain}", [domain], topics)
            service = alone.sessionize(domain)
            try:
                wait_for(f"{domain} alone has too", lambda service=service, domain=domain: has_read(service, sent[domain]))
                found, expected = both.rows(domain), alone.rows(domain)
            finally:
                service.stop()
            assert all(expected.values()) and found == expected, domain

        # Somebody breaks the tables of one; the other goes on with what comes.
        sql(both.url, 'ALTER TABLE online.ecommerce_user_id__local DROP COLUMN "user_activity_1h.view_count_1h" CASCADE')
        for domain, topic in topics.items():
            sent[domain] += send(brokers, domain, topic, "2026-11-02", tmp_path)
        assert wait_for("the broken one ends", lambda: services["ecommerce"].process.poll()) == 2
        wait_for("the other has read it all", lambda: has_read(services["webtoon"], sent["webtoon"]))
        later = "SELECT count(*) FROM online.webtoon_session WHERE started_at >= '2026-11-02'"
        assert int(sql(both.url, later)[0]) > 0
        assert services["webtoon"].process.poll() is None
    finally:
        for service in services.values():
            service.stop()
