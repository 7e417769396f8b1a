"""The one operator: a task is one call of a userflow binary, with its window in the arguments.

exit code  0      the summary is the task's return value; rows, version and quality are beside it, and in the asset's event
           1, 4   failed, a retry is safe: the task is tried again, later each time
           2      wrong usage, configuration or model: no retry helps
           3      stopped by the quality gate or another check: no retry, and the summary says by what
"""

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import date

from airflow.sdk import Asset, BaseOperator, BaseXCom, BranchMixIn, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from userflow_airflow import windows
from userflow_airflow.programs import NotFound, environment, program

WRONG, BLOCKED = 2, 3
STOP_SECONDS = 20
VERDICTS = ["pass", "warn", "block"]  # from good to bad

Days = Callable[[Context], list[date]]


class Blocked(AirflowFailException):
    """A check stopped the job; what the quality gate refused was not published."""


class Job(BaseOperator):
    """Runs `command` for the windows of the run. Days that are not neighbours are calls of their own, one after the other."""

    template_fields = ("command",)
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        command: Sequence[str],
        days: Days | None = None,
        publishes: Asset | None = None,
        hide: Sequence[str] = (),
        **kwargs,
    ):
        super().__init__(outlets=[publishes] if publishes else [], **kwargs)
        self.command = list(command)
        self.days = days
        self.publishes = publishes
        self.hide = frozenset(hide)  # variables that this job is not to see
        self._child: subprocess.Popen | None = None
        self._last_line = "it said nothing"

    def execute(self, context: Context):
        code, summary = self.attempt(context)
        if code == BLOCKED:
            raise Blocked(f"stopped by a check: {failing(summary, otherwise=self._last_line)}")
        if self.publishes:
            extra = {key: summary[key] for key in ("windows", "rows_written", "tables") if key in summary}
            context["outlet_events"][self.publishes].extra = extra
        return summary

    def attempt(self, context: Context) -> tuple[int, dict]:
        """A call for each part of the window, to the first that fails. Of the bad ends only the gate's is no exception."""
        days = self.window(context)
        code, summaries = 0, []
        for window in self.calls(days) if self.days else [[]]:
            code, summary = self._call(context, window)
            summaries.append(summary)
            if code:
                break
        summary = merged(summaries) | ({"windows": [str(day) for day in days]} if self.days else {})
        self._show(context, summary)
        return code, summary

    def window(self, context: Context) -> list[date]:
        """The days of this run; a run without any is a mistake that no retry mends."""
        try:
            return self.days(context) if self.days else []
        except windows.NoWindow as error:
            raise AirflowFailException(str(error)) from None

    def calls(self, days: list[date]) -> list[list[str]]:
        """What each call is told of the window."""
        return [["--from", str(first), "--to", str(end)] for first, end in windows.ranges(days)]

    def _call(self, context: Context, window: list[str]) -> tuple[int, dict]:
        try:
            argv = [program(self.command[0]), *self.command[1:], *window, "--output", "json"]
        except NotFound as error:
            raise AirflowFailException(str(error)) from None
        ti = context["ti"]
        self.log.info("running %s", " ".join(argv))
        # Should the worker be killed, its job goes with it: the retry finds nobody at work.
        guard = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        known = environment(USERFLOW_ASKED_BY=f"airflow {ti.dag_id} {ti.run_id}")
        known = {key: value for key, value in known.items() if key not in self.hide}
        self._child = subprocess.Popen(
            [*guard, *argv],
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        reader = threading.Thread(target=self._follow, args=(self._child.stderr,), daemon=True)
        reader.start()
        output = self._child.stdout.read()
        code = self._child.wait()
        reader.join()
        self.log.info("it ended with %s", code)
        if code not in (0, BLOCKED):
            failure = AirflowFailException if code == WRONG else AirflowException
            raise failure(f"{self.command[0]} {self.command[1]} ended with {code}: {self._last_line}")
        try:
            return code, json.loads(output)
        except ValueError:
            raise AirflowFailException(f"{argv[0]} printed no summary but {output[:500]!r}") from None

    def _follow(self, stream):
        for line in stream:
            self._last_line = line.strip() or self._last_line
            self.log.info(line.rstrip())

    def on_kill(self):
        """Stopped from the UI: the job may finish what it must not leave half done, then it is ended by force."""
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()

    def _show(self, context: Context, summary: dict):
        quality = summary.get("quality") or {}
        shown = {"rows": summary.get("rows_written"), "version": summary.get("tables"), "quality": quality.get("status")}
        for key, value in shown.items():
            if value is not None:
                context["ti"].xcom_push(key, value)


class Gate(Job, BranchMixIn):
    """A job that judges and decides how the run goes on: with `passed`, or with the task `blocked`."""

    inherits_from_skipmixin = True
    ui_color = "#fef7e0"

    def __init__(self, *, passed: Sequence[str], blocked: str, **kwargs):
        super().__init__(**kwargs)
        self.passed, self.blocked = list(passed), blocked

    def execute(self, context: Context):
        code, summary = self.attempt(context)
        # Branching ends the task by an exception, so nothing would be returned.
        context["ti"].xcom_push(BaseXCom.XCOM_RETURN_KEY, summary)
        self.do_branch(context, [self.blocked] if code == BLOCKED else self.passed)


def merged(summaries: Sequence[dict]) -> dict:
    """One summary of several calls: numbers are added, lists and tables put together, of the rest the last one counts."""
    whole = dict(summaries[0]) if summaries else {}
    for summary in summaries[1:]:
        for key, value in summary.items():
            before = whole.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and isinstance(before, (int, float)):
                whole[key] = before + value
            elif isinstance(value, list) and isinstance(before, list):
                whole[key] = before + value
            elif isinstance(value, dict) and isinstance(before, dict) and key == "quality":
                worst = max(before, value, key=lambda verdict: VERDICTS.index(verdict["status"]))
                whole[key] = merged([before, value]) | {"status": worst["status"]}
            elif isinstance(value, dict) and isinstance(before, dict):
                whole[key] = before | value
            else:
                whole[key] = value
    return whole


def failing(summary: dict, otherwise: str = "it does not say which test") -> str:
    """The tests that blocked, each with its counts, for people."""
    results = (summary.get("quality") or {}).get("results", [])
    blocked = [
        f"{each['model']} {each['window']}: {each['test']} failed for {each['failed']} of {each['total']} rows"
        for each in results
        if each.get("status") == "block"
    ]
    return "; ".join(blocked) or summary.get("error") or otherwise
