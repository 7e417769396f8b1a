"""
# Quality of what is published

Judges every table of the domain as it is, bronze to gold, for the day that has become final: one task per table, each with the
results of its tests as return value and in its log. Nothing is changed. A table that fails its tests is a red task and a message.

Where a feature view has a batch table of the same rows, **skew** compares the live rows of that day with it, feature by feature:
one definition, so a difference is a red task. Without an online store (`USERFLOW_POSTGRES_URL`) it is skipped.

* Runs once a night after gold. Triggered **by hand**, it takes `from` and `to` (a day each, `to` exclusive).
* The trend over many days: `userflow-jobs check --trend`.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from userflow_airflow import windows
from userflow_airflow.graph import domains
from userflow_airflow.job import Job
from userflow_airflow.runs import ASKED, DEFAULTS, Close, Compare, days

for domain in domains():
    with DAG(
        f"{domain.name}_quality",
        schedule=CronDataIntervalTimetable("0 4 * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=ASKED,
        tags=[domain.name, "quality"],
        doc_md=__doc__,
    ) as dag:
        of = days(windows.completed, domain.margin)
        names = [*domain.sources, *(model.name for model in domain.models)]
        checks = [Job(task_id=name, command=["userflow-jobs", "check", name], days=of) for name in names]
        skew = [Compare(task_id="skew", domain=domain.name, days=of)] if domain.compared else []
        [*checks, *skew] >> Close(task_id="done", of=[], trigger_rule="none_failed")
