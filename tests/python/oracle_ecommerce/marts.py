"""Runs `marts.sql` in PostgreSQL over messages, and compares a lake's tables with it, cell by cell."""

import json
import subprocess
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import delta_read
from oracle_ecommerce.structure import Message

SQL = Path(__file__).with_name("marts.sql")
# What a row is known by within its date.
KEYS = {
    "silver.ecommerce_sessions": ["session_id"],
    "gold.ecommerce_user_daily": ["user_id"],
    "gold.ecommerce_funnel_daily": ["platform"],
    "gold.ecommerce_product_daily": ["product_id"],
    "gold.ecommerce_orders": ["order_id"],
    "gold.ecommerce_campaign_daily": ["utm_source", "utm_campaign"],
    "gold.ecommerce_weather_daily": ["weather_status"],
}


def computed(url: str, messages: Iterable[Message]) -> dict[str, list[dict]]:
    """Every row of the tables, by table."""
    columns = "kafka_partition int, kafka_offset bigint, dialect text, body jsonb, details jsonb"
    script = ["set timezone = 'UTC';", f"create temp table messages ({columns});", "copy messages from stdin;"]
    for one in messages:
        if not one.problems:
            cells = [str(one.partition), str(one.offset), one.dialect, text(one.body), text(one.details)]
            script.append("\t".join(cells))
    script.append("\\.")
    for part in SQL.read_text().split("\n\n-- ")[1:]:
        name, statement = part.split("\n", 1)
        statement = statement.strip().removesuffix(";")
        if name != "prepare":
            statement = f"select json_build_array('{name}', row_to_json(t)) from ({statement}) as t"
        script.append(f"{statement};")
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", url],
        input="\n".join(script), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tables: dict[str, list[dict]] = {name: [] for name in KEYS}
    for line in done.stdout.splitlines():
        name, row = json.loads(line, parse_float=Decimal)
        tables[name].append(row)
    return tables


def text(value: dict | None) -> str:
    """JSON as the text format of COPY has it."""
    if value is None:
        return "\\N"
    written = json.dumps(value, default=float, ensure_ascii=False)
    return written.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def differences(lake: Path, expected: dict[str, list[dict]], dates: set[date]) -> list[str]:
    """What differs, in words."""
    found = []
    for table, rows in expected.items():
        names = ["event_date", *KEYS[table]]
        want = {tuple(row[name] for name in names): row for row in rows if date.fromisoformat(row["event_date"]) in dates}
        have = {}
        for row in delta_read.snapshot(lake, table).rows(dates):
            row = {name: plain(cell) for name, cell in row.items()}
            at = tuple(row[name] for name in names)
            if at in have:
                found.append(f"{table} {at}: repeated")
            have[at] = row
        found += [f"{table} {at}: missing in the lake" for at in sorted(want.keys() - have.keys())]
        found += [f"{table} {at}: only in the lake" for at in sorted(have.keys() - want.keys())]
        for at in sorted(want.keys() & have.keys()):
            if want[at].keys() != have[at].keys():
                found.append(f"{table}: columns differ: {sorted(want[at].keys() ^ have[at].keys())}")
                break
            for name, cell in want[at].items():
                if not same(cell, have[at][name]):
                    found.append(f"{table} {at} {name}: expected {cell!r}, found {have[at][name]!r}")
    return found


def plain(cell: object) -> object:
    """A cell as PostgreSQL's JSON has it."""
    if isinstance(cell, datetime):
        return cell.astimezone(UTC)
    return cell.isoformat() if isinstance(cell, date) else cell


def same(want: object, have: object) -> bool:
    if isinstance(have, datetime):
        return want is not None and datetime.fromisoformat(want) == have
    return want == have
