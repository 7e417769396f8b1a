"""A domain with a view of every kind, its tables with rows whose times the test chooses, and userflow-serving before them."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, run
from service import BINARIES, wait_for

CONTRACT = {
    "type": "object",
    "x-domain": "shelf",
    "x-limits": {"max_bytes": 4096, "max_depth": 4, "max_future": "1h"},
    "x-event-id": "id",
    "x-event-type": "kind",
    "x-event-time": "at",
    "x-key": "user_id",
    "x-partition": "event_date",
    "required": ["id", "kind", "at", "user_id"],
    "properties": {
        "id": {"type": "string", "x-column": {"name": "id", "type": "string"}},
        "kind": {"type": "string", "enum": ["look", "buy"], "x-column": {"name": "kind", "type": "string"}},
        "at": {"type": "string", "format": "date-time", "x-column": {"name": "at", "type": "timestamp"}},
        "user_id": {"type": "string", "x-column": {"name": "user_id", "type": "string"}},
        "item": {"type": ["string", "null"], "x-column": {"name": "item", "type": "string"}},
        "price": {"type": ["number", "null"], "x-column": {"name": "price", "type": "decimal(14,2)"}},
    },
}
VIEWS = {
    "shelf_user": """entity: user_id
partition_local: true
window: lifetime
features:
  looks: {count: {when: {kind: look}}}
  spent: {sum: price}
  bought: {seen: {kind: buy}}
  newest: {last: item}
  bought_at: {max: at, when: {kind: buy}}
  items: {last_n: item, n: 3}
ttl: 2h
online: {redis: {key: "shelf:{user_id}", keys: [user_id]}}
""",
    "shelf_user_ever": """entity: user_id
partition_local: true
window: lifetime
features:
  looks: {count: {when: {kind: look}}}
""",
    "shelf_pair": """entity: [user_id, item]
window: lifetime
features:
  looks: {count: {when: {kind: look}}}
  avg_price: {avg: price}
""",
    "shelf_stay": """entity: user_id
partition_local: true
window: {session: 10m, start: began}
features:
  events: {count: {}}
ttl: 7d
""",
}
SERVICES = {
    "shelf_reader": ["shelf_user:looks", "shelf_user:spent", "shelf_user:items"],
    "shelf_all": ["shelf_user:looks", "shelf_user_ever:looks", "shelf_user:newest"],
}


def sql(url: str, statement: str) -> list[str]:
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", url, "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@dataclass
class Stage:
    """The models and the tables."""

    folder: Path
    models: Path
    postgres: str

    def user(self, user: str, age: str, **values: str) -> None:
        """A row of shelf_user; values are SQL, and the age of its newest event is an interval."""
        self._row("online.shelf_user_id__local", "shelf_user", {"user_id": user}, age, values, "user_id")

    def ever(self, user: str, looks: int) -> None:
        values = {"looks": str(looks)}
        self._row("online.shelf_user_id__local", "shelf_user_ever", {"user_id": user}, "400 days", values, "user_id")

    def stay(self, user: str, began: str, events: int) -> None:
        values = {"events": str(events), "is_final": "true", "_merged": "false"}
        self._row(
            "online.shelf_user_id__began__local",
            "shelf_stay",
            {"user_id": user, "began": began},
            "1 hour",
            values,
            "user_id, began",
        )

    def pair(self, user: str, item: str, partition: int, looks: int, total: str, samples: int) -> None:
        """What a Kafka partition has of a pair; prices are in hundredths."""
        values = {"looks": str(looks), "avg_price": total, "avg_price__n": str(samples)}
        key = {"user_id": user, "item": item, "_partition": str(partition)}
        self._row("online.shelf_user_id__item__rows", "shelf_pair", key, "1 hour", values, "user_id, item, _partition")

    def _row(self, table: str, view: str, key: dict[str, str], age: str, values: dict[str, str], unique: str) -> None:
        own = {f"{view}.{name}": value for name, value in values.items()}
        own |= {f"{view}.event_time": f"now() - interval '{age}'", f"{view}.version": "1", f"{view}.updated_at": "now()"}
        if "_partition" not in key:
            own[f"{view}._partition"] = "0"
        columns = [*key, *own]
        cells = [*("'" + value.replace("'", "''") + "'" for value in key.values()), *own.values()]
        names = ", ".join(f'"{name}"' for name in columns)
        update = ", ".join(f'"{name}" = excluded."{name}"' for name in own)
        insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join(cells)})"
        sql(self.postgres, f"{insert} ON CONFLICT ({unique}) DO UPDATE SET {update}")


def make_models(folder: Path) -> Path:
    """The domain's folder."""
    models = folder / "models"
    for part in ("features", "services"):
        (models / "shelf" / part).mkdir(parents=True)
    shutil.copy(ROOT / "models/dbt_project.yml", models)
    (models / "shelf/contract.json").write_text(json.dumps(CONTRACT))
    for name, text in VIEWS.items():
        (models / f"shelf/features/{name}.yml").write_text(f"feature_view: {name}\ndescription: A view\n{text}")
    for name, features in SERVICES.items():
        lines = "".join(f"  - {feature}\n" for feature in features)
        head = f"feature_service: {name}\ndescription: A service\nowner: tests\nfeatures:\n"
        (models / f"shelf/services/{name}.yml").write_text(head + lines)
    return models


def make_stage(folder: Path, server: str) -> Stage:
    """Tables in a database of their own, with a user of every kind: `full`, `old`, `empty` and nobody else."""
    name = f"test_serving_{os.getpid()}_{time.time_ns()}"
    sql(server, f"CREATE DATABASE {name}")
    stage = Stage(folder, make_models(folder), f"{server.rpartition('/')[0]}/{name}")
    run(
        "userflow-jobs",
        "init",
        "--models",
        stage.models,
        "--lake",
        folder / "lake",
        "--postgres-url",
        stage.postgres,
        "--output",
        "json",
    )
    full = {
        "looks": "7",
        "spent": "1234.5",
        "bought": "true",
        "newest": "'a \"b\"'",
        "items": "ARRAY['x','ü']",
        "bought_at": "'2026-11-02T03:04:05.678Z'",
    }
    stage.user("full", "5 minutes", **full)
    stage.user("old", "121 minutes", **full)
    stage.user("young", "119 minutes", **full)
    stage.user("empty", "5 minutes", looks="0", bought="false", items="'{}'")
    for user in ("full", "old"):
        stage.ever(user, 40)
    stage.pair("full", "x", 0, 2, "300", 2)
    stage.pair("full", "x", 1, 3, "400", 1)
    stage.pair("full", "y", 1, 1, "0", 0)
    stage.pair("old", "x", 0, 9, "900", 3)
    stage.stay("full", "2026-11-02T03:04:05.678Z", 4)
    return stage


class Serving:
    """userflow-serving, on ports of its own."""

    def __init__(self, stage: Stage, log: Path, *arguments: object, drain: str = "200ms"):
        self.log = log
        command = [
            BINARIES / "userflow-serving",
            "--addr",
            "127.0.0.1:0",
            "--metrics-addr",
            "127.0.0.1:0",
            "--drain-delay",
            drain,
            "--models",
            stage.models,
            "--postgres-url",
            stage.postgres,
            *arguments,
        ]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("USERFLOW_")}
        with log.open("wb") as out:
            self.process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=out, stderr=out, env=clean)
        self.port = int(self._said("serving"))
        self.metrics_port = int(self._said("addr"))

    def _said(self, field: str) -> str:
        def look() -> str | None:
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(rf'"{field}":"127.0.0.1:(\d+)"', self.log.read_text())
            return found and found[1]

        return str(wait_for(f"its {field}", look))

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        port: int | None = None,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        with contextlib.closing(connection):
            sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
            connection.request(method, path, sent, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def get(self, path: str, **more: object) -> tuple[int, dict]:
        status, text = self.request("GET", path, **more)
        return status, json.loads(text)

    def ask(self, body: object, **more: object) -> dict:
        status, text = self.request("POST", "/get-online-features", body, **more)
        assert status == 200, (status, text)
        return json.loads(text)

    def refuses(self, body: object = None, **more: object) -> tuple[int, str, str]:
        """Status, class and message of a refusal, as Feast's client reads it."""
        status, text = self.request("POST", "/get-online-features", body, **more)
        inner = json.loads(json.loads(text))
        assert inner["module"] == "feast.errors"
        return status, inner["class"], inner["message"]

    def ready(self) -> bool:
        return self.request("GET", "/readyz")[0] == 200

    def metric(self, series: str) -> float:
        _, text = self.request("GET", "/metrics", port=self.metrics_port)
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def column(answer: dict, name: str) -> list[tuple[object, str]]:
    """Values with their statuses."""
    result = answer["results"][answer["metadata"]["feature_names"].index(name)]
    return list(zip(result["values"], result["statuses"], strict=True))
