"""The models, as `userflow-jobs list` tells them: read when a DAG file is parsed, so it has to be quick.

The answer depends on the files under the models folder and on the binary only; it is kept in a file that is named after what
they hold. A parse then costs reading some small files, and a model that is added or changed is seen at the next parse.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from userflow_airflow.programs import environment, program


@dataclass(frozen=True)
class Model:
    """One table that a job makes."""

    name: str
    domain: str
    layer: str
    description: str
    depends_on: tuple[str, ...]
    margin: timedelta
    publishes: str | None  # the view of the online store that shows it

    @property
    def table(self) -> str:
        return self.name.split(".", 1)[1]


@dataclass(frozen=True)
class Domain:
    """One folder under models/."""

    name: str
    models: tuple[Model, ...]
    sources: tuple[str, ...]
    compared: tuple[str, ...]  # feature views that have a batch table of the same rows

    def layer(self, name: str) -> list[Model]:
        """Its models of a layer, each after what it reads."""
        return [model for model in self.models if model.layer == name]

    def inputs(self, layer: str) -> list[str]:
        """The tables outside of a layer that the layer rests on, however far away, in the order in which data passes them."""
        known = {model.name: model for model in self.models}
        waiting, found = [model.name for model in self.layer(layer)], set()
        while waiting:
            for name in known[waiting.pop()].depends_on:
                if name not in found:
                    found.add(name)
                    waiting += [name] if name in known else []
        inside = {model.name for model in self.layer(layer)}
        return [name for name in (*self.sources, *known) if name in found - inside]

    @property
    def margin(self) -> timedelta:
        """How long after its end a day can still change."""
        return max((model.margin for model in self.models), default=timedelta())


def domains() -> list[Domain]:
    """All domains; what `userflow-jobs list` says against a model is the DAG file's import error."""
    answer = _listed()
    models = [
        Model(
            name=each["name"],
            domain=each["domain"],
            layer=each["layer"],
            description=each["description"],
            depends_on=tuple(each["depends_on"]),
            margin=timedelta(hours=each["margin_hours"]),
            publishes=each["publishes"],
        )
        for each in answer["models"]
    ]
    return [
        Domain(
            name=name,
            models=tuple(model for model in models if model.domain == name),
            sources=tuple(source for source in answer["sources"] if source.split(".", 1)[1].rsplit("_", 1)[0] == name),
            compared=tuple(view["name"] for view in answer["views"] if view["domain"] == name and view["batch"]),
        )
        for name in answer["domains"]
    ]


def selected(selectors: Sequence[str]) -> list[str]:
    """The models that selectors name, as every job understands them: wildcards, `+` for what a model is built from."""
    return [each["name"] for each in _list(selectors)["models"]]


def _listed() -> dict:
    binary, models = Path(program("userflow-jobs")), Path(os.environ.get("USERFLOW_MODELS", "models"))
    cache = Path(tempfile.gettempdir()) / f"userflow-{os.getuid()}" / f"models-{_content(binary, models)}.json"
    try:
        return json.loads(cache.read_text())
    except (FileNotFoundError, ValueError):
        answer = _list([])
    cache.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = cache.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(answer))
    fresh.rename(cache)
    return answer


def _content(binary: Path, models: Path) -> str:
    found = hashlib.sha256()
    stat = binary.stat()
    found.update(f"{binary} {stat.st_size} {stat.st_mtime_ns}".encode())
    for path in sorted(path for path in models.rglob("*") if path.is_file() and path.suffix in {".sql", ".yml", ".json", ".csv"}):
        found.update(f"\0{path.relative_to(models)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:32]


def _list(selectors: Sequence[str]) -> dict:
    argv = [program("userflow-jobs"), "list", *selectors, "--output", "json"]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise ValueError(f"userflow-jobs list ended with {done.returncode}:\n{done.stderr.strip()}")
    return json.loads(done.stdout)
