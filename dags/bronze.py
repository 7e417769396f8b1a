"""
# Kafka to bronze

Drains the topic: `userflow-ingester ingest --until-caught-up` stops at the offsets that were the topic's end when it began, with
everything committed. Then two checks, either of which fails the run:

* **lag**: how many messages have come since and wait, and for how long the oldest does. `USERFLOW_MAX_LAG` and
  `USERFLOW_MAX_LAG_AGE` (30 minutes) are the limits.
* **check**: the days that were landed are judged, whatever they are: required fields, the share that went to quarantine.

* **Repeat it at will.** The position in the topic lies in the table; what is in bronze is not read again.
* Triggered **by hand** it does the same; with `from` and `to` (a day each, `to` exclusive) those days are judged instead.
* **One run at a time**, and no run is made up for: the next one drains what the last one would have.
* Where an ingester runs all the time, leave this DAG paused; `userflow-ingester lag` says whether it keeps up.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from userflow_airflow.graph import domains
from userflow_airflow.job import Job
from userflow_airflow.runs import ASKED, DEFAULTS, Close, landed

for domain in domains():
    with DAG(
        f"{domain.name}_bronze",
        schedule=CronDataIntervalTimetable("*/10 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=ASKED,
        tags=[domain.name, "bronze"],
        doc_md=__doc__,
    ) as dag:
        ingest = Job(task_id="ingest", command=["userflow-ingester", "ingest", "--domain", domain.name, "--until-caught-up"])
        lag = Job(task_id="lag", command=["userflow-ingester", "lag", "--domain", domain.name])
        check = Job(task_id="check", command=["userflow-jobs", "check", *domain.sources], days=landed("ingest"))
        ingest >> [lag, check] >> Close(task_id="done", of=[])
