"""
# Bronze to silver, every hour

Computes the days that the events of the hour can change, whole: a session belongs to the day of its first event, so the first
hours of a day run the day before as well.

* **Repeat it at will.** A run replaces exactly its days; the same input leaves the same content.
* Triggered **by hand**, it takes `from` and `to` (a day each, `to` exclusive).
* When all tables are there, the asset *silver of …* tells the gold DAG which days are new.
* Missed hours are not made up for: the next hour computes the whole day again, and the maintenance DAG finds what came late.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from userflow_airflow import windows
from userflow_airflow.graph import domains
from userflow_airflow.runs import ASKED, DEFAULTS, Close, days, layer_asset, leaves, per_model, prepare, roots, run_model

for domain in domains():
    with DAG(
        f"{domain.name}_silver_hourly",
        schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=ASKED,
        tags=[domain.name, "silver"],
        doc_md=__doc__,
    ) as dag:
        of = days(windows.touched, domain.margin)
        tables = per_model(domain.layer("silver"), lambda model, of=of: run_model(model, of))
        names = [task.task_id for task in tables.values()]
        prepare(domain.name) >> roots(tables)
        leaves(tables) >> Close(task_id="done", of=names, publishes=layer_asset(domain.name, "silver"), days=of)
