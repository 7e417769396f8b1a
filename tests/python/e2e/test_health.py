"""What the services say of themselves: every metric that a document, dashboard or alert names is on /metrics of the running
processes, and a real Prometheus that scrapes them answers every query of the dashboards."""

import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, run

import dashboards

SERVER = ROOT / "deploy/servers/prometheus"
PATIENCE = 120
PARTITIONS = 2
FILES = dashboards.FILES
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "docs/operate.md", "docs/troubleshooting.md", "deploy/prometheus/rules.yml"]
TEXTS = [*DOCUMENTS, *(str(file.relative_to(ROOT)) for file in FILES)]


def wait_for(what: str, look: Callable[[], object]) -> object:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.1)
    return found


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Service:
    """An ingester or a sessionizer that runs."""

    def __init__(self, log: Path, *arguments: object):
        self.log = log
        binary = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / "userflow-ingester"
        with log.open("wb") as out:
            self.process = subprocess.Popen([str(part) for part in (binary, *arguments, "--metrics-addr", "127.0.0.1:0")],
                                            cwd=ROOT, stdout=out, stderr=out)  # fmt: skip

    def address(self) -> str:
        def look() -> str | None:
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(r'"addr":"([\d.]+:\d+)"', self.log.read_text())
            return found and found[1]

        return wait_for("the metrics address", look)

    def metrics(self) -> dict[str, float]:
        """Value by series; comments left out."""
        lines = (line for line in fetch(f"http://{self.address()}/metrics").splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def has(self, metric: str, total: float | None, series: int = 1) -> bool:
        """Whether a metric has so many series that add up to so much, or to anything."""
        values = [value for name, value in self.metrics().items() if name.partition("{")[0] == metric]
        return len(values) == series and total in (None, sum(values))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(scope="module")
def services(brokers: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory):
    """Both services at work, and everything that was sent read and written."""
    folder = tmp_path_factory.mktemp("health")
    name = f"test_health_{os.getpid()}_{time.time_ns()}"
    subprocess.run(["psql", "--no-psqlrc", "--quiet", postgres_url, "-c", f"CREATE DATABASE {name}"], check=True)
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    run(
        "userflow-ingester", "simulate", "--domain", "webtoon", "--brokers", brokers, "--topic", name, "--partitions", PARTITIONS,
        "--seed", 5, "--events", 4_000, "--start", "2026-11-01", "--days", 1, "--duplicates", 0.03, "--late", 0.1,
        "--garbage", 0.05, "--summary", folder / "sent.json",
    )  # fmt: skip
    sent = json.loads((folder / "sent.json").read_text())["messages"]
    run("userflow-jobs", "init", "--domain", "webtoon", "--lake", folder / "lake", "--postgres-url", url, "--output", "json")
    shared = ["--domain", "webtoon", "--brokers", brokers, "--topic", name, "--group", name]
    ingest = Service(folder / "ingest.log", "ingest", *shared, "--lake", folder / "lake", "--flush-interval", 1)
    sessionize = Service(folder / "sessionize.log", "sessionize", *shared[:-1], f"{name}.s", "--postgres-url", url,
                         "--checkpoints", folder / "checkpoints", "--checkpoint-interval", 1)  # fmt: skip
    try:
        wait_for("bronze has it all", lambda: ingest.has("userflow_ingest_messages_total", sent)
                 and ingest.has("userflow_ingest_lag", 0, PARTITIONS))  # fmt: skip
        wait_for("the views have it all", lambda: sessionize.has("userflow_sessionize_messages_total", sent)
                 and sessionize.has("userflow_sessionize_lag", 0, PARTITIONS)
                 and sessionize.has("userflow_sessionize_checkpoint_time_seconds", None, PARTITIONS))  # fmt: skip
        yield {"ingest": ingest, "sessionize": sessionize}
    finally:
        ingest.stop()
        sessionize.stop()


@pytest.fixture(scope="module")
def exposed(services) -> set[str]:
    """Names of all metrics, histograms without their parts."""
    series = [name for service in services.values() for name in service.metrics()]
    return {re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0]) for name in series}


@pytest.fixture(scope="module")
def prometheus(services, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("prometheus")
    targets = [word for name, service in services.items() for word in ("--target", f"{name}={service.address()}")]
    started = subprocess.run([SERVER, "start", "--dir", folder, *targets], stdout=subprocess.PIPE, text=True, check=True)
    url = dict(line.split("=", 1) for line in started.stdout.split())["USERFLOW_PROMETHEUS_URL"]
    try:
        # A rate needs two scrapes.
        wait_for("two scrapes of each", lambda: len(ask(url, 'count_over_time(up{job="userflow"}[5m]) >= 2')) == len(services))
        yield url
    finally:
        subprocess.run([SERVER, "stop", "--dir", folder], check=True)


def ask(url: str, query: str) -> list[dict]:
    answer = json.loads(fetch(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"))
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


@pytest.mark.parametrize("text", TEXTS)
def test_every_metric_that_is_written_about_exists(exposed, text):
    content = (ROOT / text).read_text()
    whole = {re.sub(r"_(bucket|sum|count)$", "", name) for name in dashboards.METRIC.findall(content)}
    assert whole <= exposed, whole - exposed
    # In prose a counter stands without its service.
    short = set(re.findall(r"`([a-z_]+_total)`", content)) - whole
    assert {name for name in short if not any(one.endswith(f"_{name}") for one in exposed)} == set()


def test_every_metric_is_on_the_dashboard(exposed):
    shown = " ".join(query.text for query in dashboards.queries("prometheus"))
    assert {name for name in exposed if name not in shown} == set()


@pytest.mark.parametrize("query", dashboards.queries("prometheus"), ids=lambda query: f"{query.panel}: {query.text[:60]}")
def test_every_query_of_a_healthy_pipeline_has_rows(prometheus, query):
    rows = ask(prometheus, dashboards.for_prometheus(query.text))
    assert rows
    # Nothing was written in the last minute: then there is no latency.
    assert "histogram_quantile" in query.text or all(row["value"][1] != "NaN" for row in rows), rows


def test_latencies_are_numbers_while_something_is_written(prometheus):
    for query in dashboards.queries("prometheus"):
        if "histogram_quantile" in query.text:
            since_start = re.sub(r"rate\((\w+)\[.*?\]\)", r"\1", dashboards.for_prometheus(query.text))
            assert all(float(row["value"][1]) > 0 for row in ask(prometheus, since_start)), query.name


def test_prometheus_has_the_alerts_and_none_fires(prometheus):
    found = json.loads(fetch(f"{prometheus}/api/v1/rules"))["data"]["groups"]
    names = {rule["name"] for group in found for rule in group["rules"]}
    assert names == {rule["alert"] for rule in dashboards.rules()}
    assert ask(prometheus, 'ALERTS{alertstate="firing"}') == []


def test_alerts_fire_when_they_should_and_only_then():
    command = ["promtool", "test", "rules", "rules.test.yml"]
    done = subprocess.run(command, cwd=ROOT / "deploy/prometheus", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
