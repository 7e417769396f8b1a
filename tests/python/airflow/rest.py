"""Airflow as its users reach it: the REST API that the UI speaks."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.5
ENDED = {"success", "failed"}


class Airflow:
    """One Airflow, entered as admin."""

    def __init__(self, url: str, passwords: Path):
        self.url = url
        password = json.loads(passwords.read_text())["admin"]
        self._token = ""
        self._token = self._call("POST", "/auth/token", {"username": "admin", "password": password})["access_token"]

    def get(self, path: str, **query: object) -> dict:
        return self._call("GET", f"/api/v2/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else ""))

    def post(self, path: str, body: dict) -> dict:
        return self._call("POST", f"/api/v2/{path}", body)

    def patch(self, path: str, body: dict) -> dict:
        return self._call("PATCH", f"/api/v2/{path}", body)

    def _call(self, method: str, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:2000]}") from None

    def pause(self, dag: str, paused: bool) -> None:
        self.patch(f"dags/{dag}", {"is_paused": paused})

    def trigger(self, dag: str, **params: object) -> str:
        """As the form of the UI does, without a logical date; gives the run's id."""
        return self.post(f"dags/{dag}/dagRuns", {"logical_date": None, "conf": params})["dag_run_id"]

    def runs(self, dag: str) -> list[dict]:
        return self.get(f"dags/{dag}/dagRuns", limit=200)["dag_runs"]

    def run(self, dag: str, run_id: str) -> dict:
        return self.get(f"dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}")

    def tasks(self, dag: str, run_id: str) -> dict[str, dict]:
        found = self.get(f"dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances", limit=200)
        return {task["task_id"]: task for task in found["task_instances"]}

    def states(self, dag: str, run_id: str) -> dict[str, str]:
        return {name: task["state"] for name, task in self.tasks(dag, run_id).items()}

    def value(self, dag: str, run_id: str, task: str, key: str = "return_value") -> object:
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{urllib.parse.quote(task)}/xcomEntries/{key}"
        return self.get(path, deserialize="true")["value"]

    def log(self, dag: str, run_id: str, task: str, attempt: int) -> str:
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task}/logs/{attempt}"
        return json.dumps(self.get(path))

    def ended(self, dag: str, run_id: str, timeout: float = 240) -> str:
        """The state in which a run ended."""
        wait_for(
            lambda: self.run(dag, run_id)["state"] in ENDED, f"{dag} {run_id} to end", timeout, lambda: self.states(dag, run_id)
        )
        return self.run(dag, run_id)["state"]


def wait_for(found: Callable[[], object], what: str, timeout: float = 120, told: Callable[[], object] = lambda: "") -> object:
    """Looks until there is something."""
    deadline = time.monotonic() + timeout
    while not (result := found()):
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s for {what}; now: {told()}"
        time.sleep(POLL_SECONDS)
    return result
