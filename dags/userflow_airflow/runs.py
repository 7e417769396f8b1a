"""What the DAGs of this folder have in common: how a run says its window, one task per model, and the task that closes a run."""

import os
from collections.abc import Iterable
from datetime import date, timedelta

from airflow.sdk import Asset, BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from userflow_airflow import messages, windows
from userflow_airflow.graph import Model, selected
from userflow_airflow.job import Days, Job, failing

# How often and how long apart tasks are retried is Airflow's own setting; here, that the time between them doubles.
DEFAULTS = {"owner": "userflow", "retry_exponential_backoff": 2.0, "on_failure_callback": messages.failed}

_DATE = {"type": ["null", "string"], "format": "date"}
ASKED = {
    "from": Param(None, **_DATE, title="From", description="First day (UTC). Empty: the window that the run itself stands for."),
    "to": Param(None, **_DATE, title="To", description="The day after the last one: to is exclusive."),
}


def days(rule: windows.Rule, margin: timedelta) -> Days:
    """The windows of the run that a task finds itself in."""

    def of(context: Context):
        run = context["dag_run"]
        events = [event.extra for events in context["triggering_asset_events"].values() for event in events]
        interval = (run.data_interval_start, run.data_interval_end)
        return windows.of_run(context["params"], events, interval, rule, margin)

    return of


def landed(task: str) -> Days:
    """The days that a drain landed, for a task behind it; those that were asked for, when somebody did."""

    def of(context: Context):
        params = context["params"]
        if params.get("from") or params.get("to"):
            return windows.asked(params.get("from"), params.get("to"))
        return windows.landed(context["ti"].xcom_pull(task_ids=task))

    return of


def asset(model: Model) -> Asset:
    """A table, as Airflow shows it."""
    return Asset(name=model.name, uri=f"userflow://lake/{model.layer}/{model.table}")


def layer_asset(domain: str, layer: str) -> Asset:
    """All tables of a layer of a domain: its event says that their windows were replaced, together."""
    return Asset(name=f"{layer} of {domain}", uri=f"userflow://domains/{domain}/{layer}")


def per_model(models: Iterable[Model], make) -> dict[str, BaseOperator]:
    """A task for every model, after the tasks of the models that it reads. `make(model)` makes it."""
    tasks: dict[str, BaseOperator] = {}
    for model in models:
        tasks[model.name] = make(model)
        tasks[model.name].doc_md = model.description
        for parent in model.depends_on:
            if parent in tasks:
                tasks[parent] >> tasks[model.name]
    return tasks


def roots(tasks: dict[str, BaseOperator]) -> list[BaseOperator]:
    """Those that wait for none of the others."""
    return [task for task in tasks.values() if not task.upstream_task_ids]


def leaves(tasks: dict[str, BaseOperator]) -> list[BaseOperator]:
    """Those that none of the others waits for."""
    return [task for task in tasks.values() if not task.downstream_task_ids]


def prepare(domain: str) -> Job:
    """Creates the tables of new models and adds the columns that a model gained, so that nobody has to.

    In the lake only: the online store is changed by hand, by somebody who knows its readers.
    """
    return Job(task_id="tables", command=["userflow-jobs", "init", "--domain", domain], hide=["USERFLOW_POSTGRES_URL"])


def run_model(model: Model, of: Days) -> Job:
    """Computes one table for the windows of the run and replaces exactly those."""
    return Job(task_id=model.table, command=["userflow-jobs", "run", model.name], days=of, publishes=asset(model))


class Close(BaseOperator):
    """The end of a good run: says so where people read it, and tells those who wait for the layer which windows are new."""

    def __init__(
        self, *, of: Iterable[str], publishes: Asset | None = None, days: Days | None = None, tell: bool = False, **kwargs
    ):
        super().__init__(outlets=[publishes] if publishes else [], **kwargs)
        self.of, self.publishes, self.days, self.tell = list(of), publishes, days, tell

    def execute(self, context: Context):
        summaries = {name: context["ti"].xcom_pull(task_ids=name) for name in self.of}
        rows = {name: summary["rows_written"] for name, summary in summaries.items() if summary}
        names = [str(day) for day in self.days(context)] if self.days else []
        if self.publishes:
            context["outlet_events"][self.publishes].extra = {"windows": names, "rows": rows}
        messages.done(context, names, rows, tell=self.tell)
        return {"windows": names, "rows": rows}


class Stop(BaseOperator):
    """The end of a run that the gate stopped: says which tests failed, and fails, so that the run is red."""

    def __init__(self, *, gate: str, **kwargs):
        super().__init__(retries=0, on_failure_callback=None, **kwargs)
        self.gate = gate

    def execute(self, context: Context):
        reason = failing(context["ti"].xcom_pull(task_ids=self.gate))
        messages.blocked(context, reason)
        raise AirflowFailException(f"blocked, nothing was published: {reason}")


class Compare(Job):
    """Holds the live rows of each day against the batch tables. Both sides come from one definition: a difference is a fault."""

    def __init__(self, *, domain: str, **kwargs):
        super().__init__(command=["userflow-jobs", "check", "--skew", "--domain", domain], **kwargs)

    def execute(self, context: Context):
        if not os.environ.get("USERFLOW_POSTGRES_URL"):
            raise AirflowSkipException("USERFLOW_POSTGRES_URL is not set: there is no online store to compare")
        return super().execute(context)

    def calls(self, days: list[date]) -> list[list[str]]:
        return [["--date", str(day)] for day in days]


class Select(BaseOperator):
    """Turns what a person selected into the names of models, as every job understands selections."""

    def execute(self, context: Context):
        return selected(context["params"]["models"])


class Backfill(Job):
    """Runs the windows of one model that are not up to date, when it was selected."""

    def __init__(self, *, model: Model, choice: str, **kwargs):
        super().__init__(command=["userflow-jobs", "backfill", model.name], publishes=asset(model), **kwargs)
        self.model, self.choice = model.name, choice

    def execute(self, context: Context):
        if self.model not in context["ti"].xcom_pull(task_ids=self.choice):
            raise AirflowSkipException(f"{self.model} was not selected")
        return super().execute(context)
