"""Run by Airflow's own Python: imports the DAG files as a DAG processor would and prints what they are, as JSON.

.userflow/airflow/bin/python tests/python/airflow/inspect_dags.py
"""

import importlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAGS = Path(__file__).resolve().parents[3] / "dags"


def main() -> None:
    sys.path.insert(0, str(DAGS))
    from airflow.sdk import DAG

    made: list[DAG] = []
    # A DAG made in a loop is known by its construction, not by the name that it is left with.
    enter = DAG.__enter__
    DAG.__enter__ = lambda dag: (made.append(dag), enter(dag))[1]
    for path in sorted(DAGS.glob("*.py")):
        importlib.import_module(path.stem)
    found = {dag.dag_id: describe(dag) for dag in made}
    json.dump({"dags": found, "intervals": intervals()}, sys.stdout)


def describe(dag) -> dict:
    return {
        "docs": dag.doc_md,
        "timetable": type(dag.timetable).__name__,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {
            task.task_id: {
                "command": getattr(task, "command", None),
                "upstream": sorted(task.upstream_task_ids),
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "pool": task.pool,
                "docs": task.doc_md,
                "outlets": [outlet.name for outlet in task.outlets],
            }
            for task in dag.tasks
        },
    }


def intervals() -> dict[str, list[list[str]]]:
    """The intervals that the scheduler itself makes of a nightly schedule in a zone, over both changes of its clocks."""
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.interval import CronDataIntervalTimetable

    found = {}
    for season, start in {"spring": datetime(2026, 3, 25, tzinfo=UTC), "autumn": datetime(2026, 10, 21, tzinfo=UTC)}.items():
        timetable, last = CronDataIntervalTimetable("30 2 * * *", timezone="Europe/Paris"), None
        limits = TimeRestriction(earliest=start, latest=start + timedelta(days=7), catchup=True)
        found[season] = []
        while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=limits):
            last = info.data_interval
            found[season].append([last.start.isoformat(), last.end.isoformat()])
    return found


if __name__ == "__main__":
    main()
