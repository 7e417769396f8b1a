"""What the DAG files are: small, without logic of their own, and complete. They are imported by Airflow's own Python, once."""

import ast
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import BIN, ROOT

sys.path.insert(0, str(ROOT / "dags"))
from userflow_airflow import windows  # noqa: E402

DAGS = sorted((ROOT / "dags").glob("*.py"))
PACKAGE = sorted((ROOT / "dags/userflow_airflow").glob("*.py"))
SECOND_DOMAIN = "bakery"


def inspected(models: Path, folder: Path) -> dict:
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "4",
        "USERFLOW_BIN": str(BIN),
        "USERFLOW_MODELS": str(models),
        "TMPDIR": str(folder),
    }
    script = ROOT / "tests/python/airflow/inspect_dags.py"
    done = subprocess.run(
        [ROOT / ".userflow/airflow/bin/python", script], env=environment, capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The DAGs of the models as they are, and of a second domain that is only data."""
    folder = tmp_path_factory.mktemp("inspect")
    models = folder / "models"
    shutil.copytree(ROOT / "models", models, ignore=shutil.ignore_patterns("target", "src", "tests"))
    second = models / SECOND_DOMAIN
    (second / "silver").mkdir(parents=True)
    contract = (models / "webtoon/contract.json").read_text().replace('"x-domain": "webtoon"', f'"x-domain": "{SECOND_DOMAIN}"')
    (second / "contract.json").write_text(contract)
    (second / "silver/_sources.yml").write_text(
        f"version: 2\nsources:\n  - name: bronze\n    description: d\n    tables:\n      - name: {SECOND_DOMAIN}_events\n"
        "        description: d\n"
    )
    (second / "silver/loaves.sql").write_text(
        "{{ config(schema='silver') }}\nselect event_id, event_date from {{ source('bronze', 'bakery_events') }}\n"
        "where event_date >= {{ var('window_start') }}"
    )
    (second / "silver/loaves.yml").write_text(
        "version: 2\nmodels:\n  - name: loaves\n    description: One row per loaf.\n    columns:\n"
        "      - {name: event_id, data_type: string, description: d}\n"
        "      - {name: event_date, data_type: date, description: d}\n"
    )
    return inspected(models, folder)


@pytest.fixture(scope="module")
def dags(shipped: dict) -> dict:
    return shipped["dags"]


@pytest.fixture(scope="module")
def listed() -> list[dict]:
    done = subprocess.run(
        [BIN / "userflow-jobs", "list", "--models", ROOT / "models", "--output", "json"], capture_output=True, check=True
    )
    return json.loads(done.stdout)["models"]


def test_every_model_is_one_task_where_its_layer_is_computed_and_in_the_backfill(dags: dict, listed: list[dict]):
    assert len(listed) > 10
    rooms = {"silver": "silver_hourly", "gold": "gold_daily"}
    for model in listed:
        dag = dags[f"{model['domain']}_{rooms[model['layer']]}"]
        task = dag["tasks"][model["name"].split(".")[1]]
        assert task["command"] == ["userflow-jobs", "run", model["name"]]
        assert task["docs"] == model["description"]
        assert task["outlets"] == [model["name"]]
        again = dags[f"{model['domain']}_backfill"]["tasks"][model["name"]]
        assert again["command"] == ["userflow-jobs", "backfill", model["name"]]
        assert set(again["upstream"]) >= {name for name in model["depends_on"] if not name.startswith("bronze.")}
    domains = {model["domain"] for model in listed}
    computing = [dags[f"{domain}_{room}"] for domain in domains for room in rooms.values() if f"{domain}_{room}" in dags]
    tasks = [task for dag in computing for task in dag["tasks"].values()]
    computed = [task["command"][2] for task in tasks if task["command"] and task["command"][1] == "run"]
    assert sorted(computed) == sorted(model["name"] for model in listed)


def test_every_table_is_judged_and_kept_up_one_at_a_time(dags: dict, listed: list[dict]):
    tables = {f"bronze.webtoon_{name}" for name in ("events", "quarantine")}
    tables |= {model["name"] for model in listed if model["domain"] == "webtoon"}
    judged = {tuple(task["command"]) for task in dags["webtoon_quality"]["tasks"].values() if task["command"]}
    skew = ("userflow-jobs", "check", "--skew", "--domain", "webtoon")
    assert judged == {("userflow-jobs", "check", table) for table in tables} | {skew}
    assert "skew" in dags["webtoon_quality"]["tasks"]["done"]["upstream"]
    # No view of the second domain has a batch table.
    assert "skew" not in dags[f"{SECOND_DOMAIN}_quality"]["tasks"]
    upkeep = {name: task for name, task in dags["webtoon_maintenance"]["tasks"].items() if name in tables}
    assert set(upkeep) == tables and {task["pool"] for task in upkeep.values()} == {"table_maintenance"}
    assert json.loads((ROOT / "dags/pools.json").read_text())["table_maintenance"]["slots"] == 1


def test_the_gate_judges_what_gold_rests_on_and_stands_before_all_of_it(dags: dict):
    tasks = dags["webtoon_gold_daily"]["tasks"]
    assert tasks["gate"]["command"] == ["userflow-jobs", "check", "bronze.webtoon_events", "silver.webtoon_sessions"]
    for name, task in tasks.items():
        assert name == "tables" or task["upstream"], f"{name} waits for nothing"


def test_a_second_domain_gets_its_dags_from_its_data(dags: dict):
    assert {f"{SECOND_DOMAIN}_{room}" for room in ("bronze", "silver_hourly", "quality", "maintenance", "backfill")} <= set(dags)
    assert dags[f"{SECOND_DOMAIN}_silver_hourly"]["tasks"]["loaves"]["command"] == ["userflow-jobs", "run", "silver.loaves"]


def test_dags_are_shown_with_docs_retried_with_a_growing_delay_and_never_beside_themselves(dags: dict):
    for name, dag in dags.items():
        assert dag["docs"].strip().startswith("# ") and len(dag["docs"]) > 200, name
        assert (dag["max_active_runs"], dag["catchup"]) == (1, False), name
        for task_id, task in dag["tasks"].items():
            assert task["backoff"] == 2.0, (name, task_id)
            assert task["retries"] == (0 if task_id == "blocked" else 4), (name, task_id)


def test_schedules_are_explicit_intervals_and_windows_can_be_asked_for(dags: dict):
    kinds = {name.removeprefix("webtoon_"): dag["timetable"] for name, dag in dags.items() if name.startswith("webtoon_")}
    interval = "CronDataIntervalTimetable"
    assert kinds == {
        "bronze": interval, "silver_hourly": interval, "gold_daily": "AssetOrTimeSchedule", "quality": interval,
        "maintenance": interval, "backfill": "NullTimetable",
    }  # fmt: skip
    form = dags["webtoon_backfill"]["params"]
    assert (form["from"]["format"], form["to"]["format"], form["models"]["type"]) == ("date", "date", "array")
    for room in ("bronze", "silver_hourly", "gold_daily", "quality"):
        assert {"from", "to"} <= set(dags[f"webtoon_{room}"]["params"]), room


def test_nightly_intervals_of_the_scheduler_give_every_day_once_where_clocks_change(shipped: dict):
    """02:30 in Paris does not exist on 29 March and is there twice on 25 October."""
    for season, changed in (("spring", timedelta(hours=23)), ("autumn", timedelta(hours=25))):
        found = [tuple(map(datetime.fromisoformat, pair)) for pair in shipped["intervals"][season]]
        assert changed in {end - start for start, end in found}
        completed = [day for start, end in found for day in windows.completed(start, end, timedelta(hours=2))]
        assert completed == [completed[0] + timedelta(days=number) for number in range(7)]


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.name)
def test_a_dag_file_is_short_and_only_order_and_time(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) < 60
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert "webtoon" not in text.lower(), "a domain is data"
    _no_clock_no_sql(path, tree)
    # Numbers and words that decide about data live under models/; a DAG has names of jobs and a schedule.
    numbers = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) in (int, float)]
    assert set(numbers) <= {1}, f"{numbers}: only max_active_runs=1 is a number here"


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.name)
def test_the_package_has_no_clock_and_no_sql_either(path: Path):
    assert "webtoon" not in path.read_text().lower(), "a domain is data"
    _no_clock_no_sql(path, ast.parse(path.read_text()))


def _no_clock_no_sql(path: Path, tree: ast.AST) -> None:
    clocks = {"now", "utcnow", "today", "monotonic", "time_ns", "perf_counter", "sleep"}
    words = ("select ", "insert ", "delete from", " where ", "group by")
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))}  # fmt: skip
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
        assert name not in clocks, f"{path.name}:{node.lineno} looks at a clock"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
            assert not any(word in node.value.lower() for word in words), f"{path.name}:{node.lineno} looks like SQL"
