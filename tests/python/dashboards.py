"""The dashboards and alerts as they are shipped: their panels and queries, and the queries with Grafana's macros filled in.

Grafana itself is in no package registry, so what it would do is done here: the macros that our queries use, as its data sources
expand them, and no others.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("deploy/grafana/dashboards/*.json"), *ROOT.glob("models/*/dashboards/*.json")])
SOURCES = ROOT / "deploy/grafana/provisioning/datasources/userflow.yml"
METRIC = re.compile(r"\buserflow_(?:ingest|sessionize|serving)_[a-z_]+\b")


@dataclass(frozen=True)
class Query:
    """One query of one panel."""

    board: str
    panel: str
    source: str
    text: str
    series: bool

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel}"


def boards() -> dict[str, dict]:
    return {str(file.relative_to(ROOT)): json.loads(file.read_text()) for file in FILES}


def sources() -> dict[str, str]:
    """Type of every provisioned data source, by uid."""
    return {source["uid"]: source["type"] for source in yaml.safe_load(SOURCES.read_text())["datasources"]}


def queries(source: str) -> list[Query]:
    """Every query to a data source."""
    found = []
    for board in boards().values():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["uid"] == source:
                    text = target.get("expr") or target.get("rawSQL") or target["rawSql"]
                    found.append(Query(board["uid"], panel["title"], source, text, target.get("format") in (0, "time_series")))
    return found


def for_prometheus(text: str) -> str:
    return filled(text.replace("$__rate_interval", "1m"))


def for_trino(text: str, start: datetime, end: datetime) -> str:
    day = "%Y-%m-%d"
    return filled(re.sub(r"\$__dateFilter\((\w+)\)", rf"\1 BETWEEN date '{start:{day}}' AND date '{end:{day}}'", text))


def for_postgres(text: str, start: datetime, end: datetime) -> str:
    return filled(re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{start.isoformat()}' AND '{end.isoformat()}'", text))


def filled(text: str) -> str:
    """A text without a macro or variable that nobody fills in."""
    assert "$" not in text, f"a macro that Grafana's source does not know, or this file does not: {text}"
    return text


def rules() -> list[dict]:
    """The alerts."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]
