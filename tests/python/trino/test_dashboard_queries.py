"""Every SQL query of every dashboard, run against the real source as Grafana's plugins would send it: it returns rows."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from conftest import FIRST, SECOND, psql

import dashboards

# What no run of this suite does: one that is blocked.
ROWS = f"""
INSERT INTO ops.job_runs (run_id, command, model, window_date, started_at, seconds, inputs, version_written, rows_read,
    rows_written, asked_by, outcome) VALUES
    ('r1', 'run', 'gold.t', '{FIRST}', now(), 1.5, '{{silver.s@4}}', 7, 100, 10, 'ann@host', 'done'),
    ('r2', 'run', 'gold.t', '{SECOND}', now(), 0.5, '{{silver.s@5}}', NULL, 100, 0, 'ann@host', 'blocked');
INSERT INTO ops.quality_log (run_id, checked_at, model, window_date, test, severity, threshold, total, failed, pass_rate,
    status, sample) VALUES
    ('r2', now(), 'gold.t', '{SECOND}', 'rows', 'error', 0.99, 100, 2, 0.98, 'block', '{{}}'),
    ('r2', now(), 'gold.t', '{SECOND}', 'not_null(user_id)', 'error', 1, 100, 2, 0.98, 'block', ARRAY['{{"user_id":null}}']);
"""


@pytest.fixture(scope="module")
def operations(shop) -> str:
    psql(shop.postgres_url, ROWS)
    return shop.postgres_url


@pytest.mark.parametrize("query", dashboards.queries("trino"), ids=lambda query: query.name)
def test_gold_through_trino(shop, query):
    text = dashboards.for_trino(query.text, datetime.fromisoformat(FIRST), datetime.fromisoformat(SECOND))
    # As Grafana's user, who may only read.
    rows = shop.sql(text, user="grafana")
    assert rows and any(value is not None for value in rows[0])
    if query.series:
        assert all(isinstance(row[0], datetime) for row in rows)
    [columns] = shop.sql(f"explain (type io, format json) {text}", user="grafana")[0]
    for table in json.loads(columns)["inputTableColumnInfos"]:
        assert [one["columnName"] for one in table["constraint"]["columnConstraints"]] == ["event_date"], "it reads every day"


@pytest.mark.parametrize("query", dashboards.queries("postgres"), ids=lambda query: query.name)
def test_operations_in_postgres(operations, query):
    now = datetime.now(UTC)
    text = dashboards.for_postgres(query.text, now - timedelta(days=1), now + timedelta(days=1))
    rows = [json.loads(line) for line in psql(operations, f"SELECT to_jsonb(q) FROM ({text}) AS q").splitlines()]
    assert rows
    if query.series:
        assert {"time", "metric", "value"} <= set(rows[0])


def test_the_seven_checks_and_the_live_shoppers_are_seen(operations):
    now = datetime.now(UTC)
    found = {}
    for query in dashboards.queries("postgres"):
        text = dashboards.for_postgres(query.text, now - timedelta(days=1), now + timedelta(days=1))
        lines = psql(operations, f"SELECT to_jsonb(q) FROM ({text}) AS q").splitlines()
        found[query.name] = [json.loads(line) for line in lines]
    board = "userflow-ecommerce: "
    verdicts = found[board + "The seven checks of each day"]
    assert len(verdicts) == 7 * 2 and {row["window_date"] for row in verdicts} == {FIRST, SECOND}
    assert found[board + "In the last hour"] == [{"shoppers": 2, "views": 2, "carts": 1, "purchases": 0}]
    assert found[board + "Patterns"] == [{"carts_at_risk": 1, "comparing": 0}]
    [left] = found[board + "Carts at risk"]
    assert (left["user_id"], left["product_id"]) == ("U1", "P000001")
    assert sum(row["value"] for row in found[board + "Visits"]) == 2


def test_the_funnel_of_the_shop_is_that_of_its_table(shop):
    [funnel] = [query for query in dashboards.queries("trino") if query.name == "userflow-ecommerce: Funnel"]
    rows = shop.sql(dashboards.for_trino(funnel.text, datetime.fromisoformat(FIRST), datetime.fromisoformat(SECOND)))
    steps = ["step1_viewers", "step2_clickers", "step3_cart_adders", "step4_purchasers"]
    table = shop.sql(f"select {', '.join(f'sum({step})' for step in steps)} from delta.gold.ecommerce_funnel_daily")
    assert [count for _, count in rows] == table[0] and min(table[0]) > 0


def test_the_funnel_never_widens(shop):
    [funnel] = [query for query in dashboards.queries("trino") if query.panel == "Episode funnel"]
    rows = shop.sql(dashboards.for_trino(funnel.text, datetime.fromisoformat(FIRST), datetime.fromisoformat(SECOND)))
    counts = [count for _, count in rows[:6]]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] > 0, rows
