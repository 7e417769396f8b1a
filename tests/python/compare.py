"""Compares silver and gold of a lake with the oracle, every cell: property 5 of the batch half.

    python compare.py --dump topic.jsonl --lake .userflow/lake --from 2026-11-01 --to 2026-11-08

Integers, strings, decimals, dates and timestamps must be equal; doubles within 1e-12 relative
(differences: relative to what was subtracted), p-values within 1e-9. Rows missing, extra or
repeated and columns missing or unknown to the oracle are differences too. Exit code 0: all equal;
1: differences, the first of each table printed.

From a test: `differences = compare(lake, oracle.all_tables(messages, dates))`.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import delta_read
import oracle
from delta_read import PARTITION
from oracle.metrics import Difference as Subtracted
from oracle.metrics import Row

DOUBLE_TOLERANCE = 1e-12
P_VALUE_TOLERANCE = 1e-9
SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """One thing in which lake and oracle differ."""

    table: str
    key: tuple[object, ...]
    column: str
    what: str

    def __str__(self) -> str:
        key = "/".join(map(str, self.key))
        return "  ".join(part for part in (self.table, key, self.column, self.what) if part)


def compare(
    lake: str | Path, expected: dict[str, list[Row]], dates: set[date] | None = None
) -> list[Difference]:
    """Compares all tables; with `dates` only those partitions of the lake are looked at."""
    differences = []
    for table, rows in expected.items():
        if not delta_read.exists(lake, table):
            differences.append(Difference(table, (), "", "no such table in the lake"))
            continue
        snapshot = delta_read.snapshot(lake, table)
        differences += compare_table(table, rows, list(snapshot.rows(dates)), snapshot.columns)
    return differences


def compare_table(
    table: str, expected: list[Row], found: list[Row], found_columns: list[str]
) -> list[Difference]:
    """Compares the rows of one table."""
    key_columns = (PARTITION, *oracle.KEYS[table])
    absent = [column for column in key_columns if column not in found_columns]
    if absent:
        return [
            Difference(table, (), column, "no such key column in the lake") for column in absent
        ]

    expected_rows, repeated = _by_key(expected, key_columns)
    assert not repeated, f"the oracle made {table} with repeated keys: {repeated[:3]}"
    found_rows, repeated = _by_key(found, key_columns)
    differences = [Difference(table, key, "", "row repeated in the lake") for key in repeated]

    columns = list(expected[0]) if expected else list(key_columns)
    missing_columns = [column for column in columns if column not in found_columns]
    differences += [
        Difference(table, (), column, "no such column in the lake") for column in missing_columns
    ]
    if expected:
        differences += [
            Difference(table, (), column, "column unknown to the oracle")
            for column in found_columns
            if column not in columns
        ]
    differences += [
        Difference(table, key, "", "row missing in the lake")
        for key in _sorted(expected_rows.keys() - found_rows.keys())
    ]
    differences += [
        Difference(table, key, "", "row in the lake that should not be")
        for key in _sorted(found_rows.keys() - expected_rows.keys())
    ]
    for key in _sorted(expected_rows.keys() & found_rows.keys()):
        want, have = expected_rows[key], found_rows[key]
        for column in columns:
            if column in have and not same_cell(column, want[column], have[column]):
                what = f"expected {want[column]!r}, found {have[column]!r}"
                differences.append(Difference(table, key, column, what))
    return differences


def same_cell(column: str, want: object, have: object) -> bool:
    """Whether a cell of the lake is what the oracle computed."""
    if want is None or have is None:
        return want is have
    if isinstance(want, float):
        if not isinstance(have, float):
            return False
        tolerance = P_VALUE_TOLERANCE if column.endswith("p_value") else DOUBLE_TOLERANCE
        scale = max(abs(want), abs(have))
        if isinstance(want, Subtracted):
            scale = max(scale, want.scale)
        return abs(want - have) <= tolerance * scale
    if isinstance(want, Decimal) != isinstance(have, Decimal) or isinstance(have, float):
        return False
    return want == have


def report(differences: list[Difference], shown: int = SHOWN) -> str:
    """The first differences of each table, each column's first ones, and how many there are."""
    lines = []
    by_table: dict[str, list[Difference]] = {}
    for difference in differences:
        by_table.setdefault(difference.table, []).append(difference)
    for table, own in by_table.items():
        counts = Counter(difference.column or difference.what for difference in own)
        summary = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"{table}: {len(own)} differences ({summary})")
        lines += [f"    {difference}" for difference in own[:shown]]
        if len(own) > shown:
            lines.append(f"    ... and {len(own) - shown} more")
    return "\n".join(lines)


def _by_key(
    rows: list[Row], columns: tuple[str, ...]
) -> tuple[dict[tuple[object, ...], Row], list[tuple[object, ...]]]:
    by_key: dict[tuple[object, ...], Row] = {}
    repeated = []
    for row in rows:
        key = tuple(row[column] for column in columns)
        if key in by_key:
            repeated.append(key)
        by_key[key] = row
    return by_key, repeated


def _sorted(keys: set[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(keys, key=lambda key: tuple(map(str, key)))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dump", required=True, help="topic dump of topic_dump.py")
    parser.add_argument("--lines", action="store_true", help="the dump is plain message lines")
    parser.add_argument("--lake", required=True)
    parser.add_argument("--from", dest="start", required=True, type=date.fromisoformat)
    parser.add_argument(
        "--to", dest="end", required=True, type=date.fromisoformat, help="exclusive"
    )
    parser.add_argument("--table", action="append", help="only these tables (repeatable)")
    parser.add_argument(
        "--only-dates", action="store_true", help="ignore partitions of the lake outside the dates"
    )
    arguments = parser.parse_args()

    dates = oracle.days(arguments.start, arguments.end)
    messages = (oracle.load_lines if arguments.lines else oracle.load_dump)(arguments.dump)
    expected = oracle.all_tables(messages, dates)
    if arguments.table:
        unknown = set(arguments.table) - expected.keys()
        if unknown:
            parser.error(f"no table {', '.join(unknown)}; there are: {', '.join(expected)}")
        expected = {table: expected[table] for table in arguments.table}
    differences = compare(arguments.lake, expected, set(dates) if arguments.only_dates else None)
    if differences:
        print(report(differences))
        print(f"{len(differences)} differences")
        return 1
    cells = sum(len(row) for rows in expected.values() for row in rows)
    rows = sum(map(len, expected.values()))
    print(f"{len(expected)} tables, {rows} rows, {cells} cells agree with the oracle")
    return 0


if __name__ == "__main__":
    sys.exit(main())
