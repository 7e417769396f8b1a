"""The catalogue as people see it: the pages of a simulated week in headless Chromium, on every size of screen, light and dark."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Pipeline
from test_online import sql

from browser import Browser, different_lines

DESKTOP, TABLET, PHONE = (1280, 900), (768, 1024), (390, 844)
LAYERS = ("silver", "gold")
# One test of each kind for a fortnight; the worst day was blocked and left a row that looks like markup.
LOGS = """
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.job_runs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id text NOT NULL,
  command text NOT NULL, model text NOT NULL, window_date date NOT NULL,
  started_at timestamptz NOT NULL, seconds double precision NOT NULL,
  inputs text[] NOT NULL, version_written bigint, rows_read bigint NOT NULL, rows_written bigint NOT NULL,
  asked_by text NOT NULL, outcome text NOT NULL, message text);
CREATE TABLE IF NOT EXISTS ops.quality_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id text NOT NULL,
  checked_at timestamptz NOT NULL, model text NOT NULL, window_date date NOT NULL, test text NOT NULL, severity text NOT NULL,
  threshold double precision NOT NULL, total bigint NOT NULL, failed bigint NOT NULL, pass_rate double precision NOT NULL,
  status text NOT NULL, sample text[] NOT NULL);
INSERT INTO ops.quality_log (run_id, checked_at, model, window_date, test, severity, threshold, total, failed, pass_rate,
    status, sample)
  SELECT 'r', now(), 'silver.webtoon_sessions', date '2026-11-01' + day, test, 'error', 0.99, 10000, failed, 1 - failed / 10000.0,
    CASE WHEN failed > 100 THEN 'block' ELSE 'pass' END,
    CASE WHEN failed > 100 THEN ARRAY['{"user_id": "<b>bold</b>"}'] ELSE '{}' END
  FROM generate_series(0, 13) AS day, unnest(ARRAY['rows', 'not_null(user_id)']) AS test,
    LATERAL (SELECT CASE WHEN day = 9 THEN 212 ELSE day * 37 % 60 END AS failed) AS f;
INSERT INTO ops.job_runs (run_id, command, model, window_date, started_at, seconds, inputs, version_written, rows_read,
    rows_written, asked_by, outcome, message)
  SELECT 'r', 'run', 'silver.webtoon_sessions', date '2026-11-01' + day, now(), 1.5, ARRAY['bronze.webtoon_events@12'], day,
    60000, 5000, 'somebodywithalongname@anotherhostwithalongname', CASE WHEN day = 9 THEN 'blocked' ELSE 'done' END,
    CASE WHEN day = 9 THEN 'not_null(user_id): 212 of 10000 rows failed' END
  FROM generate_series(0, 13) AS day;
"""


@pytest.fixture(scope="module")
def site(pipeline: Pipeline, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the week, with the logs of a fortnight."""
    name = f"test_docs_{os.getpid()}_{time.time_ns()}"
    sql(postgres_url, f"CREATE DATABASE {name}")
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    sql(url, LOGS)
    folder = tmp_path_factory.mktemp("docs") / "site"
    pipeline.jobs("docs", "--into", folder, "--postgres-url", url)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser.start() as started:
        yield started


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, TABLET, PHONE], ids=["desktop", "tablet", "phone"])
@pytest.mark.parametrize("name", ["index", "silver.webtoon_sessions", "gold.webtoon_experiment_daily", "online.webtoon_session",
                                  "service.webtoon_reader"])  # fmt: skip
def test_a_page_fits_is_readable_and_makes_no_noise(
    site: Path, browser: Browser, name: str, size: tuple[int, int], dark: bool, tmp_path: Path
) -> None:
    page = browser.open(site / f"{name}.html", *size, dark=dark)
    assert page.evaluate("innerWidth") == size[0]
    assert page.too_wide() == {"page": 0, "out": []}
    assert page.too_pale() == []
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    # Every drawing says in words what it shows, or holds links that do.
    assert page.evaluate("[...document.querySelectorAll('svg[role]')].filter((e) => !e.getAttribute('aria-label')).length") == 0
    assert page.evaluate("document.querySelectorAll('svg[role]').length") > 0
    picture = page.screenshot()
    (tmp_path / f"{name}.png").write_bytes(picture)
    assert different_lines(picture) > 100, "the picture is blank"
    assert page.errors == []
    page.close()


def test_the_lineage_has_a_box_for_every_table_that_leads_to_its_page(site: Path, browser: Browser, pipeline: Pipeline) -> None:
    page = browser.open(site / "index.html", *DESKTOP)
    boxes = page.evaluate("[...document.querySelectorAll('.lineage .box')].map((e) => [e.dataset.name, e.getAttribute('href')])")
    tables = {f"{folder.parent.name}.{folder.name}" for folder in pipeline.lake.glob("*/*") if (folder / "_delta_log").is_dir()}
    assert len(tables) >= 15 and tables <= {name for name, _ in boxes}
    topics = {"ecommerce.events", "webtoon.events"}
    for name, link in boxes:
        assert link == (None if name in topics else f"{name}.html")
        assert link is None or (site / link).is_file()
    hits = page.evaluate("""[...document.querySelectorAll('.lineage a.box')].filter((e) => {
      const r = e.querySelector('.shape').getBoundingClientRect();
      window.scrollTo(0, scrollY + r.top - 300);
      const s = e.querySelector('.shape').getBoundingClientRect();
      return document.elementFromPoint(s.left + s.width / 2, s.top + s.height / 2)?.closest('a') === e;
    }).length""")
    assert hits == len(boxes) - len(topics), "a box is covered by something"
    page.close()


def test_pointing_at_a_box_lights_its_lineage_and_no_other(site: Path, browser: Browser) -> None:
    page = browser.open(site / "index.html", *DESKTOP)
    lit = "[...document.querySelectorAll('.lineage .line')].filter((e) => getComputedStyle(e).strokeWidth === '2px').length"
    assert page.evaluate(lit) == 0
    page.evaluate("document.querySelector('[data-name=\"gold.webtoon_user_daily\"]').focus()")
    assert page.evaluate(lit) == 4, "topic to events, events and seed to silver, silver to gold"
    page.close()


def test_the_search_finds_tables_by_their_columns(site: Path, browser: Browser) -> None:
    page = browser.open(site / "index.html", *DESKTOP)
    visible = "[...document.querySelectorAll('.card:not([hidden]) h4')].map((e) => e.textContent)"
    everything = page.evaluate(visible)
    type_in = "(word) => { const b = document.getElementById('search'); b.value = word; b.dispatchEvent(new Event('input')); }"
    page.evaluate(f"({type_in})('scroll_DROPOFF')")
    found = page.evaluate(visible)
    assert "gold.webtoon_episode_daily" in found and "gold.webtoon_user_7d" not in found
    assert page.evaluate("document.getElementById('hits').textContent") == f"{len(found)} of {len(everything)} match"
    assert page.evaluate("document.querySelector('.card:not([hidden]) .found').textContent.trim()") == "scroll_dropoff_point"
    page.evaluate("document.querySelector('.chip[data-group=online]').click()")
    assert page.evaluate(visible) == []
    page.evaluate(f"({type_in})('')")
    assert {name.split(".")[0] for name in page.evaluate(visible)} == {"online"}
    page.evaluate("document.querySelector('.chip').click()")
    assert page.evaluate(visible) == everything
    assert page.errors == []
    page.close()


def test_a_blocked_window_is_marked_in_the_plot_and_its_rows_are_text(site: Path, browser: Browser) -> None:
    page = browser.open(site / "silver.webtoon_sessions.html", *DESKTOP, anchor="#quality")
    marks = page.evaluate("[...document.querySelectorAll('#quality .spark')].map((e) => [e.querySelectorAll('.blocked').length, "
                          "e.querySelectorAll('.pass').length])")  # fmt: skip
    assert marks == [[1, 13], [1, 13]]
    assert page.evaluate("[...document.querySelectorAll('#quality .spark g')].every((e) => e.getBBox().width > 3)")
    label = page.evaluate("document.querySelector('#quality .spark').getAttribute('aria-label')")
    assert label.endswith("blocked on 2026-11-10") and "lowest 97.88 %" in label
    sample = page.evaluate("document.querySelector('#quality .sample').textContent")
    assert json.loads(sample) == {"user_id": "<b>bold</b>"}
    assert page.evaluate("document.querySelectorAll('#quality b').length") == 0
    assert page.evaluate("document.querySelectorAll('#runs tbody tr').length") == 10
    page.close()
