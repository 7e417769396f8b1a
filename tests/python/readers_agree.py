"""Two other engines read the lake and must see the same: property 9 of the batch half.

    python readers_agree.py --lake .userflow/lake

For every Delta table of the lake: DuckDB and Polars each read the files of the snapshot and are
compared by row count and by a checksum over all cells of all rows; the count must be the log's.
Further, what keeps other readers out must not be there: deletion vectors, column mapping, reader
protocol above 1 or writer above 2 (a writer feature is fine where readers need not know it), and
timestamps other than microseconds in UTC, cut to milliseconds. Exit code 0: all agree; 1: findings.

From a test: `report, findings = check(lake)`.
"""

import argparse
import hashlib
import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.parquet
from pyarrow import compute

import delta_read
from delta_read import File, Snapshot

# Table features of the writer that no reader has to know (appendOnly is how bronze is protected).
HARMLESS_FEATURES = {"appendOnly", "invariants"}


@dataclass(frozen=True)
class Fingerprint:
    """What a reader saw of a table."""

    rows: int
    checksum: str


def check(lake: str | Path) -> tuple[dict[str, Fingerprint], list[str]]:
    """The fingerprint of every table, and everything that is wrong."""
    seen, findings = {}, []
    for name in delta_read.table_names(lake):
        snapshot = delta_read.snapshot(lake, name)
        findings += check_protocol(snapshot)
        for file in snapshot.files:
            findings += check_timestamps(snapshot, file)
        by_reader = {
            "duckdb": fingerprint(read_duckdb(snapshot), snapshot.columns),
            "polars": fingerprint(read_polars(snapshot), snapshot.columns),
        }
        if len(set(by_reader.values())) != 1:
            findings.append(f"{name}: the readers differ: {by_reader}")
        recorded = log_rows(snapshot)
        if recorded is not None and recorded != by_reader["duckdb"].rows:
            findings.append(
                f"{name}: the log counts {recorded} rows, duckdb {by_reader['duckdb'].rows}"
            )
        seen[name] = by_reader["duckdb"]
    return seen, findings


def check_protocol(snapshot: Snapshot) -> list[str]:
    """Nothing that a plain reader would not understand."""
    findings = []
    protocol = snapshot.table.protocol()
    reader_features = set(protocol.reader_features or [])
    writer_features = set(protocol.writer_features or [])
    if protocol.min_reader_version > 1 or reader_features:
        findings.append(f"reader protocol {protocol.min_reader_version} {sorted(reader_features)}")
    if protocol.min_writer_version > 2 and not writer_features <= HARMLESS_FEATURES:
        findings.append(f"writer protocol {protocol.min_writer_version} {sorted(writer_features)}")
    configuration = snapshot.table.metadata().configuration
    if configuration.get("delta.enableDeletionVectors", "false") != "false":
        findings.append("deletion vectors are enabled")
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        findings.append("column mapping is enabled")
    for field in snapshot.table.schema().fields:
        if "timestamp_ntz" in str(field.type):
            findings.append(f"column {field.name} is a timestamp without zone")
    if snapshot.table.metadata().partition_columns != [delta_read.PARTITION]:
        findings.append(f"partitioned by {snapshot.table.metadata().partition_columns}")
    return [f"{snapshot.name}: {finding}" for finding in findings]


def check_timestamps(snapshot: Snapshot, file: File) -> list[str]:
    """Every timestamp of a file is UTC microseconds, and a whole millisecond."""
    findings = []
    schema = pyarrow.parquet.read_schema(file.path)
    zoned = pyarrow.timestamp("us", tz="UTC")
    times = [field for field in schema if pyarrow.types.is_timestamp(field.type)]
    for field in times:
        if field.type != zoned:
            findings.append(f"{snapshot.name}: {field.name} is {field.type} in {file.path.name}")
    names = [field.name for field in times if field.type == zoned]
    if names:
        table = pyarrow.parquet.ParquetFile(file.path).read(columns=names)
        for name in names:
            micros = table[name].cast(pyarrow.int64())
            whole = compute.multiply(compute.divide(micros, 1000), 1000)
            if compute.any(compute.not_equal(micros, whole)).as_py():
                findings.append(f"{snapshot.name}: {name} has parts of a millisecond")
    return findings


def read_duckdb(snapshot: Snapshot) -> list[dict[str, object]]:
    """All rows by DuckDB's own Parquet reader."""
    rows = []
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        for file in snapshot.files:
            relation = connection.execute(
                "select * from read_parquet(?, hive_partitioning = false)", [str(file.path)]
            )
            names = [column[0] for column in relation.description]
            for values in relation.fetchall():
                row = dict(zip(names, values, strict=True))
                rows.append({**row, delta_read.PARTITION: file.event_date})
    return rows


def read_polars(snapshot: Snapshot) -> list[dict[str, object]]:
    """All rows by Polars' own Parquet reader."""
    rows = []
    for file in snapshot.files:
        frame = polars.read_parquet(file.path, hive_partitioning=False)
        for row in frame.iter_rows(named=True):
            rows.append({**row, delta_read.PARTITION: file.event_date})
    return rows


def fingerprint(rows: list[dict[str, object]], columns: list[str]) -> Fingerprint:
    """The count, and the sum of all rows' hashes: the order of rows and files does not matter."""
    total = 0
    for row in rows:
        text = "\x1f".join(f"{column}={canonical(row.get(column))}" for column in columns)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
    return Fingerprint(len(rows), f"{total % (1 << 128):032x}")


def canonical(value: object) -> str:
    """A cell as text, the same whatever class an engine returns it in."""
    if isinstance(value, datetime):
        if value.utcoffset() is None or value.utcoffset().total_seconds() != 0:
            return f"not UTC: {value!r}"
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{canonical(item)}" for key, item in value.items()) + "}"
    return repr(value)


def log_rows(snapshot: Snapshot) -> int | None:
    """How many rows the table's log says there are, if it says so for every file."""
    adds = snapshot.table.get_add_actions(flatten=True)
    if not snapshot.files:
        return 0
    if "num_records" not in adds.schema.names:
        return None
    counts = adds.column("num_records").to_pylist()
    return None if None in counts else sum(counts)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True)
    arguments = parser.parse_args()
    seen, findings = check(arguments.lake)
    if not seen:
        findings.append(f"no Delta tables in {arguments.lake}")
    for name, own in seen.items():
        print(f"{name:45} {own.rows:>10} rows  {own.checksum}")
    for finding in findings:
        print(finding)
    print(f"duckdb and polars on {len(seen)} tables: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
