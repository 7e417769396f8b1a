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

from userflow_airflow import windows
from userflow_airflow.graph import domains
from userflow_airflow.job import Gate
from userflow_airflow.online import Publish
from userflow_airflow.runs import ASKED, DEFAULTS, Close, Stop, days, layer_asset, leaves, per_model, prepare, roots, run_model

for domain in domains():
    with DAG(
        f"{domain.name}_gold_daily",
        schedule=AssetOrTimeSchedule(
            timetable=CronDataIntervalTimetable("0 3 * * *", timezone="UTC"),
            assets=[layer_asset(domain.name, "silver")],
        ),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=ASKED,
        tags=[domain.name, "gold"],
        doc_md=__doc__,
    ) as dag:
        of = days(windows.completed, domain.margin)
        tables = per_model(domain.layer("gold"), lambda model, of=of: run_model(model, of))
        names, first = [task.task_id for task in tables.values()], roots(tables)
        gate = Gate(
            task_id="gate",
            command=["userflow-jobs", "check", *domain.inputs("gold")],
            days=of,
            passed=[task.task_id for task in first],
            blocked="blocked",
        )
        done = Close(task_id="done", of=names, publishes=layer_asset(domain.name, "gold"), days=of, tell=True)
        leaves(tables) >> done
        for model in domain.layer("gold"):
            if model.publishes:
                tables[model.name] >> Publish(task_id=f"{model.table}_online", model=model, days=of)
        prepare(domain.name) >> gate >> [*first, Stop(task_id="blocked", gate="gate")]
