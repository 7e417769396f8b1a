"""Tasks for the online store."""

import os
from datetime import date

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from userflow_airflow.graph import Model
from userflow_airflow.job import Days, Job


class Publish(Job):
    """Shows readers of the online store the newest of the days that a table was computed for; an older one would not stay."""

    def __init__(self, *, model: Model, days: Days, **kwargs):
        super().__init__(command=["userflow-jobs", "publish", model.name], days=days, **kwargs)

    def execute(self, context: Context):
        if not os.environ.get("USERFLOW_POSTGRES_URL"):
            raise AirflowSkipException("USERFLOW_POSTGRES_URL is not set: there is no online store to publish to")
        return super().execute(context)

    def calls(self, days: list[date]) -> list[list[str]]:
        return [["--date", str(max(days))]]
