"""
# Upkeep of the tables

1. **late**: computes the days whose input has changed since they were last computed, silver and gold, whatever the reason:
   events that came late, hours that were missed, a model that was changed. `userflow-jobs plan` shows them.
2. One task per table: merges small files, writes a checkpoint of the log, removes files that no version needs any more. One
   table at a time, by a pool of one slot (`dags/pools.json`).

* **Repeat it at will.** No row changes by upkeep; what is up to date is not computed again.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from userflow_airflow.graph import domains
from userflow_airflow.job import Job
from userflow_airflow.runs import DEFAULTS, Close

for domain in domains():
    with DAG(
        f"{domain.name}_maintenance",
        schedule=CronDataIntervalTimetable("0 5 * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        tags=[domain.name, "maintenance"],
        doc_md=__doc__,
    ) as dag:
        models = [model.name for model in domain.models]
        late = Job(task_id="late", command=["userflow-jobs", "run", *models, "--planned"])
        upkeep = [
            Job(task_id=name, command=["userflow-jobs", "maintain", name], pool="table_maintenance", trigger_rule="all_done")
            for name in [*domain.sources, *models]
        ]
        late >> upkeep
        [late, *upkeep] >> Close(task_id="done", of=["late"])
