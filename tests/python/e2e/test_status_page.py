"""The status page of both services as people see it, in headless Chromium: on a large screen and a small one, light and dark, and
while something is wrong."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PARTITIONS, run
from service import BINARIES, Service, fetch, wait_for

from browser import Browser, different_lines

DESKTOP, PHONE = (1280, 900), (390, 844)
SERVICES = ("ingest", "sessionize")
# A table by its heading: lists of cells, without what stands beside a value in small.
ROWS = """(title) => {
  const section = [...document.querySelectorAll("section")].find((e) => e.querySelector("h2").textContent.startsWith(title));
  const text = (e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("");
  return [...section.querySelectorAll("tr")].map((row) => [...row.children].map(text));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser.start() as started:
        yield started


def rows(page: object, title: str) -> list[dict[str, str]]:
    """The rows of a table, by the names of its columns."""
    head, *body = page.evaluate(f"({ROWS})({title!r})")
    return [dict(zip(head, row, strict=True)) for row in body]


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", SERVICES)
def test_the_page_fits_is_readable_and_makes_no_noise(
    services: dict[str, Service], browser: Browser, name: str, size: tuple[int, int], dark: bool, tmp_path: Path
) -> None:
    page = browser.open(f"http://{services[name].address()}/?refresh=off", *size, dark=dark)
    assert page.evaluate("document.title") == f"{name} webtoon: ready"
    assert page.too_wide() == {"page": 0, "out": []}
    assert page.too_pale() == []
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("performance.getEntriesByType('resource').filter((e) => !e.name.startsWith('data:')).length") == 0
    picture = page.screenshot(whole=True)
    (tmp_path / f"{name}.png").write_bytes(picture)
    assert different_lines(picture) > 100, "the picture is blank"
    assert page.errors == []
    page.close()


@pytest.mark.parametrize("name", SERVICES)
def test_the_page_says_what_the_metrics_say(services: dict[str, Service], browser: Browser, name: str) -> None:
    service = services[name]
    page = browser.open(f"http://{service.address()}/?refresh=off", *DESKTOP)
    metrics, prefix = service.metrics(), f"userflow_{name}"
    partitions = rows(page, "Partitions")
    assert [row["partition"] for row in partitions] == [str(number) for number in range(PARTITIONS)]
    assert {row["process"] for row in partitions} == {"this"}
    assert {row["lag"] for row in partitions} == {"0"}
    assert sum(int(row["offset"]) for row in partitions) == metrics[f"{prefix}_messages_total"]
    assert all(row["newest event"].startswith("2026-11-01 ") for row in partitions)
    kept = {"ingest": "last commit", "sessionize": "last checkpoint"}[name]
    assert all(row[kept].endswith("ago") or row[kept] == "now" for row in partitions)
    figures = page.evaluate("[...document.querySelectorAll('figure')].map((e) => e.textContent.trim())")
    read = next(text for text in figures if text.startswith("messages read"))
    assert f"{metrics[f'{prefix}_messages_total']:,.0f} since the start" in read
    if name == "ingest":
        shown = {row["reason"]: number(row["messages"]) for row in rows(page, "Quarantine")}
        labels = (series for series in metrics if series.startswith(f"{prefix}_quarantined_total"))
        assert shown == {series.split('"')[1]: metrics[series] for series in labels} and len(shown) > 1
    else:
        assert all(row["watermark"].startswith("2026-11-01 ") for row in partitions)
        shown = {row["view"]: number(row["rows written"]) for row in rows(page, "Feature views")}
        series = {view: metrics[f'{prefix}_rows_total{{view="{view}"}}'] for view in shown}
        assert shown == series and len(shown) > 1
        assert number(rows(page, "Messages passed over")[0]["messages"]) == metrics[f"{prefix}_rejected_total"]
        assert "the store took every row" in page.evaluate("document.body.textContent")
    page.close()


def test_the_page_asks_again_and_draws_a_line(services: dict[str, Service], browser: Browser) -> None:
    page = browser.open(f"http://{services['sessionize'].address()}/", *DESKTOP)
    began = page.evaluate("performance.timeOrigin")
    drawn = "performance.timeOrigin !== %r && [...document.querySelectorAll('figure .line')].every((e) => e.getBBox().width > 1)"
    wait_for("the page loads itself again, with plots", lambda: page.evaluate(drawn % began))
    assert page.evaluate("document.querySelectorAll('figure .line').length") == 4
    page.close()


def test_what_goes_wrong_is_on_top_and_among_the_last_errors(browser: Browser, tmp_path: Path) -> None:
    topic, lake = "test.status", tmp_path / "<b>lake"
    # A broker of its own, to be taken away.
    command = [str(BINARIES / "userflow-ingester"), "dev-broker", "--topic", f"{topic}:2"]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    brokers = broker.stdout.readline().strip().removeprefix("USERFLOW_BROKERS=")
    source = ["--domain", "webtoon", "--brokers", brokers, "--topic", topic]
    run("userflow-ingester", "simulate", *source, "--events", 100)
    run("userflow-jobs", "init", "--domain", "webtoon", "--lake", lake, "--output", "json")
    service = Service(tmp_path / "log", "ingest", *source, "--no-topic-id", "--lake", lake, "--flush-interval", "100ms")

    def says(word: str) -> bool:
        return f"<title>ingest webtoon: {word}</title>" in fetch(f"http://{service.address()}/")

    try:
        wait_for("ready, with all events", lambda: service.has("userflow_ingest_lag", 0, 2) and says("ready"))
        broker.kill()
        wait_for("not ready", lambda: says("not ready"))
        page = browser.open(f"http://{service.address()}/?refresh=off", *DESKTOP)
        assert page.evaluate("document.title") == "ingest webtoon: not ready"
        assert page.evaluate("document.querySelector('.reasons').textContent").strip().startswith("kafka: ")
        last = page.evaluate("[...document.querySelectorAll('.lines li')].map((e) => e.textContent)")
        assert any("not ready: " in line and "condition=kafka" in line for line in last), last
        assert "<b>lake" in page.evaluate("document.body.textContent")
        assert page.evaluate("document.querySelectorAll('b').length") == 0
        assert page.too_pale() == [] and page.too_wide() == {"page": 0, "out": []} and page.errors == []
        (tmp_path / "away.png").write_bytes(page.screenshot(whole=True))
        page.close()
    finally:
        service.stop()
        broker.kill()
        broker.wait()
