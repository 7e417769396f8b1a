"""What the services say of themselves: every metric that a document, dashboard or alert names is on /metrics of the running
processes, and a real Prometheus that scrapes them answers every query of the dashboards."""

import json
import re
import subprocess
import urllib.parse

import pytest
from conftest import ROOT
from service import fetch, wait_for

import dashboards

SERVER = ROOT / "deploy/servers/prometheus"
FILES = dashboards.FILES
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "docs/operate.md", "docs/troubleshooting.md", "docs/serving.md",
             "deploy/prometheus/rules.yml"]  # fmt: skip
TEXTS = [*DOCUMENTS, *(str(file.relative_to(ROOT)) for file in FILES)]


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
