"""Dashboards and alerts as files: whole, explained, and on data sources that are provisioned."""

import sys
from itertools import combinations
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import dashboards  # noqa: E402

BOARDS = dashboards.boards()
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]


def test_there_are_dashboards_for_the_pipeline_and_for_both_domains():
    found = {board["uid"] for board in BOARDS.values()}
    assert found == {"userflow-pipeline", "userflow-quality", "userflow-serving", "userflow-webtoon", "userflow-ecommerce"}


def test_grafana_gets_every_folder_of_dashboards():
    """Mounted in docker-compose.yml beside one another, below the folder that its provisioning reads."""
    compose = yaml.safe_load((dashboards.ROOT / "docker-compose.yml").read_text())
    mounts = [mount.split(":") for mount in compose["services"]["grafana"]["volumes"]]
    below = "/var/lib/grafana/dashboards/"
    mounted = {source.removeprefix("./"): target for source, target, *_ in mounts if target.startswith(below)}
    assert set(mounted) == {str(Path(name).parent) for name in BOARDS}
    assert len(set(mounted.values())) == len(mounted)


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_whole(name):
    board = BOARDS[name]
    assert board["title"] and board["description"] and board["schemaVersion"] >= 36
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) and None not in ids
    for one, other in combinations((panel["gridPos"] for panel in board["panels"]), 2):
        apart = (one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
                 or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"])  # fmt: skip
        assert apart, (name, one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS])
def test_a_panel_says_what_it_shows_in_which_unit_from_where(name, panel):
    assert panel["title"] and panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"]
    known = dashboards.sources()
    assert panel["targets"]
    for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
        assert known.get(source["uid"]) == source["type"], source
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_query_of_gold_reads_only_the_days_that_are_shown():
    for query in dashboards.queries("trino"):
        assert "$__dateFilter(event_date)" in query.text, query.name


def test_every_alert_says_what_it_means_and_what_to_do():
    rules = dashboards.rules()
    assert len(rules) >= 8
    for rule in rules:
        assert rule["annotations"]["summary"] and rule["annotations"]["action"], rule
        assert rule["labels"]["severity"] in ("page", "ticket"), rule


def test_every_alert_is_seen_firing_in_a_test():
    """promtool runs rules.test.yml in the end-to-end suite; here only that no alert is missing there."""
    tests = yaml.safe_load((dashboards.ROOT / "deploy/prometheus/rules.test.yml").read_text())["tests"]
    firing = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    assert firing == {rule["alert"] for rule in dashboards.rules()}
