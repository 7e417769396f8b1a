"""Runs the models with real dbt on DuckDB over the lake's bronze tables and compares every cell with what the job runner wrote.

    python tests/python/dbt_compare.py --lake .userflow/lake --from 2026-11-02 --to 2026-11-04

dbt works in a DuckDB file of its own: bronze as views over the Parquet files of the Delta snapshot, all else computed anew, day
by day, as the runner does. DuckDB's own delta extension is not needed; the file lists come from the `deltalake` package.
Exit codes: 0 all cells equal, 1 something differs, 2 dbt or an argument failed.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from urllib.parse import unquote

import duckdb
import yaml
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from deltalake import DeltaTable
from deltalake.schema import ArrayType, StructType

ROOT = Path(__file__).resolve().parents[2]
PARTITION = "event_date"
# Quotients of exact sums are equal to the last bit; exp, ln and sqrt come from two libraries and may differ in it.
TOLERANCE = 1e-12
# Delta types whose DuckDB name is another.
DUCKDB_TYPES = {"string": "varchar", "long": "bigint", "timestamp": "timestamptz", "binary": "blob"}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Model:
    """A table that dbt and the runner both make."""

    name: str
    schema: str
    key: list[str]
    margin: timedelta
    lookback: timedelta

    @property
    def relation(self) -> str:
        return f"{self.schema}.{self.name}"


class DbtFailed(Exception):
    """dbt did not finish; the message is what it said."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, required=True, help="folder of the lake")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="the dbt project")
    parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, help="first date to compare")
    parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, help="first date not to compare")
    parser.add_argument("--keep", type=Path, help="folder for the DuckDB file and dbt's output, instead of a temporary one")
    arguments = parser.parse_args()
    if arguments.end <= arguments.start:
        parser.error("--to is exclusive and must be after --from")
    if not arguments.keep:
        with tempfile.TemporaryDirectory(prefix="dbt-compare-") as folder:
            return run(arguments, Path(folder))
    arguments.keep.mkdir(parents=True, exist_ok=True)
    return run(arguments, arguments.keep)


def run(arguments: argparse.Namespace, folder: Path) -> int:
    database = folder / "compare.duckdb"
    database.unlink(missing_ok=True)
    with connect(database) as connection:
        for name in table_names(arguments.lake, "bronze"):
            view(connection, name, arguments.lake, "bronze")
    dates = [arguments.start + timedelta(days=day) for day in range((arguments.end - arguments.start).days)]
    try:
        models = compute(arguments, folder, database, dates)
    except DbtFailed as failed:
        print(f"dbt failed: {failed}", file=sys.stderr)
        return 2
    with connect(database) as connection:
        findings = [finding for model in models for finding in differences(connection, model, arguments, dates)]
    for finding in findings:
        print(finding)
    print(f"{len(models)} tables, {len(dates)} dates: " + (f"{len(findings)} differences" if findings else "every cell equal"))
    return 1 if findings else 0


def connect(database: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(database))
    connection.execute("set TimeZone = 'UTC'")
    return connection


def table_names(lake: Path, layer: str) -> list[str]:
    """The Delta tables of a layer."""
    return sorted(f"{layer}.{log.parent.name}" for log in (lake / layer).glob("*/_delta_log"))


def view(
    connection: duckdb.DuckDBPyConnection, name: str, lake: Path, schema: str, dates: list[date] | None = None
) -> None:
    """A view over the files of a Delta table, the partition column first among equals."""
    layer, table = name.split(".")
    delta = DeltaTable(str(lake / layer / table))
    adds = delta.get_add_actions(flatten=True)
    files: dict[date, list[str]] = {}
    if adds.num_rows:
        partitions = adds.column(f"partition.{PARTITION}").to_pylist()
        for path, value in zip(adds.column("path").to_pylist(), partitions, strict=True):
            day = value if isinstance(value, date) else date.fromisoformat(value)
            files.setdefault(day, []).append(str(lake / layer / table / unquote(path)))
    columns = [field.name for field in delta.schema().fields]
    parts = [
        f"select {', '.join(columns)} from (select *, date '{day}' as {PARTITION} "
        f"from read_parquet({paths}, union_by_name = true, hive_partitioning = false))"
        for day, paths in sorted(files.items())
        if dates is None or day in dates
    ]
    empty = ", ".join(f"null::{duckdb_type(field.type)} as {field.name}" for field in delta.schema().fields)
    connection.execute(f"create schema if not exists {schema}")
    connection.execute(
        f"create or replace view {schema}.{table} as " + (" union all ".join(parts) or f"select {empty} where false")
    )


def duckdb_type(kind: object) -> str:
    """What a Delta type is called in DuckDB."""
    if isinstance(kind, ArrayType):
        return f"{duckdb_type(kind.element_type)}[]"
    if isinstance(kind, StructType):
        return "struct(" + ", ".join(f"{field.name} {duckdb_type(field.type)}" for field in kind.fields) + ")"
    return DUCKDB_TYPES.get(kind.type, kind.type)


def compute(arguments: argparse.Namespace, folder: Path, database: Path, dates: list[date]) -> list[Model]:
    """Seeds, then every model for every date, and before that the days that trailing windows look back on."""
    os.environ["USERFLOW_DUCKDB"] = str(database)
    options = [
        "--project-dir", str(arguments.models), "--profiles-dir", str(arguments.models),
        "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), "--quiet",
    ]  # fmt: skip
    manifest = invoke(dbtRunner(), ["parse", *options])
    models = list(read_models(manifest))
    dbt = dbtRunner(manifest=manifest)
    margin = max(model.margin for model in models)
    if (seconds := default_margin(arguments.models)) != margin:
        raise DbtFailed(f"dbt_project.yml: margin_seconds is {seconds}, the models' margin is {margin}: write the same")

    def run_day(day: date, *select: str) -> None:
        start = datetime.combine(day, time())
        end = start + timedelta(days=1)
        window = {"window_start": start, "window_end": end, "as_of": end + margin}
        values = ", ".join(f'{name}: "{value}"' for name, value in window.items())
        invoke(dbt, ["run", *options, "--vars", f"{{{values}}}", *select])

    invoke(dbt, ["seed", *options])
    for day in days_behind(arguments.lake, models, dates[0]):
        run_day(day, "--select", "config.schema:silver")
    for day in dates:
        run_day(day)
    return models


def default_margin(models: Path) -> timedelta:
    """What dbt reads around a window: dbt cannot take a var from a model's own config."""
    project = yaml.safe_load((models / "dbt_project.yml").read_text())
    return timedelta(seconds=int(project["vars"]["margin_seconds"]))


def invoke(dbt: dbtRunner, command: list[str]) -> Manifest:
    outcome = dbt.invoke(command)
    if outcome.success:
        return outcome.result
    if outcome.exception:
        raise DbtFailed(f"{command[0]}: {outcome.exception}")
    messages = [f"{each.node.name}: {each.message}" for each in outcome.result if each.status not in ("success", "skipped")]
    raise DbtFailed(f"{command[0]}: " + "\n".join(messages))


def read_models(manifest: Manifest) -> Iterator[Model]:
    """The project's models with the key that their uniqueness test names."""
    keys = {
        test.attached_node: test.test_metadata.kwargs["combination_of_columns"]
        for test in manifest.nodes.values()
        if test.resource_type == "test" and "combination_of_columns" in test.test_metadata.kwargs
    }
    for identity, node in sorted(manifest.nodes.items()):
        if node.resource_type == "model":
            meta = node.config.meta
            margin, lookback = duration(meta.get("margin", "0s")), duration(meta.get("lookback", "0d"))
            yield Model(node.name, node.schema, keys[identity], margin, lookback)


def duration(text: str) -> timedelta:
    count, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()
    return timedelta(**{UNITS[unit]: int(count)})


def days_behind(lake: Path, models: list[Model], first: date) -> list[date]:
    """The days before the first that a model looks back on and that bronze has anything near."""
    bronze: set[date] = set()
    for name in table_names(lake, "bronze"):
        layer, table = name.split(".")
        adds = DeltaTable(str(lake / layer / table)).get_add_actions(flatten=True)
        values = adds.column(f"partition.{PARTITION}").to_pylist() if adds.num_rows else []
        bronze |= {value if isinstance(value, date) else date.fromisoformat(value) for value in values}
    oldest = first - max(model.lookback for model in models)
    near = {day - timedelta(days=1) for day in bronze} | bronze
    return sorted(day for day in near if oldest <= day < first)


def differences(
    connection: duckdb.DuckDBPyConnection, model: Model, arguments: argparse.Namespace, dates: list[date]
) -> Iterator[str]:
    """What differs in one table, in words; a line with the number of rows goes to stdout either way."""
    if model.relation not in table_names(arguments.lake, model.schema):
        yield f"{model.relation}: the lake has no such table"
        return
    view(connection, model.relation, arguments.lake, "lake", dates)
    connection.execute(
        f"create or replace temp view dbt_rows as select * from {model.relation} "
        f"where {PARTITION} between date '{dates[0]}' and date '{dates[-1]}'"
    )
    ours, theirs = (described(connection, rows) for rows in (f"lake.{model.name}", "dbt_rows"))
    if ours.keys() != theirs.keys():
        yield f"{model.relation}: columns {sorted(ours.keys() ^ theirs.keys())} are only in one of the two"
        return
    on_key = " and ".join(f"ours.{name} is not distinct from theirs.{name}" for name in model.key)
    joined = f"from lake.{model.name} as ours full join dbt_rows as theirs on {on_key}"
    both, only_ours, only_theirs = connection.execute(
        f"select count(*) filter (ours.{PARTITION} is not null and theirs.{PARTITION} is not null), "
        f"count(*) filter (theirs.{PARTITION} is null), count(*) filter (ours.{PARTITION} is null) {joined}"
    ).fetchone()
    print(f"{model.relation}: {both} rows")
    if only_ours or only_theirs:
        yield f"{model.relation}: {only_ours} rows only in the lake, {only_theirs} only in dbt"
    for column, kind in ours.items():
        if column in model.key:
            continue
        differs = differing(column, kind)
        keys = ", ".join(f"ours.{name}" for name in model.key)
        rows = connection.execute(
            f"select {keys}, ours.{column}, theirs.{column} from lake.{model.name} as ours "
            f"join dbt_rows as theirs on {on_key} where {differs} order by all"
        ).fetchall()
        for *key, our, their in rows[:3]:
            at = ", ".join(f"{name}={value}" for name, value in zip(model.key, key, strict=True))
            yield f"{model.relation}.{column} at {at}: lake {our!r}, dbt {their!r} ({len(rows)} rows)"


def described(connection: duckdb.DuckDBPyConnection, rows: str) -> dict[str, str]:
    """Column names and DuckDB types."""
    return {name: kind for name, kind, *_ in connection.execute(f"describe {rows}").fetchall()}


def differing(column: str, kind: str) -> str:
    our, their = f"ours.{column}", f"theirs.{column}"
    equal = f"{our} is not distinct from {their}"
    if kind in ("DOUBLE", "FLOAT"):
        equal += f" or coalesce(abs({our} - {their}) <= {TOLERANCE} * greatest(abs({our}), abs({their})), false)"
    return f"not ({equal})"


if __name__ == "__main__":
    sys.exit(main())
