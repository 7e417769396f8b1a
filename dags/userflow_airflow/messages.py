"""What people read in Slack: failed, blocked, recovered, done. A webhook that is down or missing changes nothing for a run.

The address is the Airflow connection `userflow_slack` (type Slack Incoming Webhook). Which DAGs have failed since their last good
run is kept in Airflow variables, so that the good run after a bad one can say that it is over.
"""

import logging
from collections.abc import Mapping, Sequence

from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
from airflow.sdk import Context, Variable

CONNECTION = "userflow_slack"
TIMEOUT_SECONDS = 10

log = logging.getLogger(__name__)


def failed(context: Context) -> None:
    """A task failed for good: the callback of every task."""
    error = context.get("exception")
    word = "blocked" if type(error).__name__ == "Blocked" else "failed"
    ti = context["ti"]
    _remember(context, f"{ti.task_id} {word}")
    _post(f":red_circle: *{word}* {_run(context)}, task `{ti.task_id}`: {error}", ti.log_url)


def blocked(context: Context, reason: str) -> None:
    """The gate stopped a run before it began to publish."""
    _remember(context, "blocked")
    _post(f":no_entry: *blocked* {_run(context)}, nothing was published: {reason}", context["ti"].log_url)


def done(context: Context, windows: Sequence[str], rows: Mapping[str, int], tell: bool) -> None:
    """A run is through. It is told when somebody waits for it, or when the run before it was not."""
    before = _forget(context)
    counts = ", ".join(f"{name} {count:,}" for name, count in rows.items()) or "no tables"
    text = f"{_run(context)} for {', '.join(windows) or 'no window'}: rows {counts}"
    if before:
        _post(f":large_green_circle: *recovered* {text}; before it: {before}", context["ti"].log_url)
    elif tell:
        _post(f":large_green_circle: *done* {text}", context["ti"].log_url)


def _run(context: Context) -> str:
    ti = context["ti"]
    return f"`{ti.dag_id}` {ti.run_id}"


def _post(text: str, link: str) -> None:
    try:
        SlackWebhookHook(slack_webhook_conn_id=CONNECTION, timeout=TIMEOUT_SECONDS).send(text=f"{text} <{link}|log>")
    except Exception as error:  # whatever it is: a message is never worth a run
        log.warning("no message was sent (%s: %s): %s", type(error).__name__, error, text)


def _remember(context: Context, what: str) -> None:
    try:
        Variable.set(_key(context), f"{context['ti'].run_id}: {what}")
    except Exception as error:
        log.warning("the failure is not remembered for a later message: %s", error)


def _forget(context: Context) -> str | None:
    try:
        before = Variable.get(_key(context), default=None)
        if before is not None:
            Variable.delete(_key(context))
        return before
    except Exception as error:
        log.warning("not known whether the run before this one failed: %s", error)
        return None


def _key(context: Context) -> str:
    return f"userflow_failed_{context['ti'].dag_id}"
