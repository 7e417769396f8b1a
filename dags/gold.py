"""
# Silver to gold

Runs for the days that silver has just replaced (its asset's event names them), and every night for the day that has become final.

1. **tables**: creates those of new models, adds the columns that a model gained.
2. **gate**: judges what gold is made from, bronze and silver of those days.
3. **passed**: one task per table, in the order of the model graph, each judged once more before its partition is swapped. Then
   the asset *gold of …* and a message with the counts.
4. **…_online**: the tables with a `publish` block, for readers of the online store, once their partition is swapped.
5. **blocked**: nothing is published, the message names the tests that failed, the run is red. Gold keeps what it had.

* **Repeat it at will.** A run replaces exactly its days; the same input leaves the same content.
* Triggered **by hand**, it takes `from` and `to` (a day each, `to` exclusive). For many days take the backfill DAG.
"""

from airflow.sdk import DAG, AssetOrTimeSchedule, CronDataIntervalTimetable

from userflow_airflow import runs, windows
from userflow_airflow.graph import domains
from userflow_airflow.job import Gate

for domain in domains():
    with DAG(
        f"{domain.name}_gold_daily",
        schedule=AssetOrTimeSchedule(
            timetable=CronDataIntervalTimetable("0 3 * * *", timezone="UTC"),
            assets=[runs.layer_asset(domain.name, "silver")],
        ),
        catchup=False,
        max_active_runs=1,
        default_args=runs.DEFAULTS,
        params=runs.ASKED,
        tags=[domain.name, "gold"],
        doc_md=__doc__,
    ) as dag:
        of = runs.days(windows.completed, domain.margin)
        tables = runs.per_model(domain.layer("gold"), lambda model, of=of: runs.run_model(model, of))
        names, first = [task.task_id for task in tables.values()], runs.roots(tables)
        gate = Gate(
            task_id="gate",
            command=["userflow-jobs", "check", *domain.inputs("gold")],
            days=of,
            passed=[task.task_id for task in first],
            blocked="blocked",
        )
        done = runs.Close(task_id="done", of=names, publishes=runs.layer_asset(domain.name, "gold"), days=of, tell=True)
        runs.leaves(tables) >> done
        for model in domain.layer("gold"):
            if model.publishes:
                tables[model.name] >> runs.Publish(task_id=f"{model.table}_online", model=model, days=of)
        runs.prepare(domain.name) >> gate >> [*first, runs.Stop(task_id="blocked", gate="gate")]
