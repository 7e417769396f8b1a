"""Prints expected tables: `python -m oracle topic.jsonl --from 2026-11-01 --to 2026-11-04`.

For looking, and for other programs with --json (one object a line: {"table": ..., row ...}).
"""

import argparse
import json
import sys
from datetime import date, datetime
from decimal import Decimal

import oracle


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument(
        "dump", help="topic dump (see topic_dump.py), or message lines with --lines"
    )
    parser.add_argument("--lines", action="store_true", help="the file holds plain message lines")
    parser.add_argument("--from", dest="start", required=True, type=date.fromisoformat)
    parser.add_argument(
        "--to", dest="end", required=True, type=date.fromisoformat, help="exclusive"
    )
    parser.add_argument("--table", help="only this one, such as gold.webtoon_user_daily")
    parser.add_argument("--json", action="store_true", help="rows as JSON lines, not only counts")
    arguments = parser.parse_args()

    messages = (oracle.load_lines if arguments.lines else oracle.load_dump)(arguments.dump)
    tables = oracle.all_tables(messages, oracle.days(arguments.start, arguments.end))
    if arguments.table is not None and arguments.table not in tables:
        parser.error(f"no table {arguments.table}; there are: {', '.join(tables)}")
    for table, rows in tables.items():
        if arguments.table not in (None, table):
            continue
        if arguments.json:
            for row in rows:
                print(json.dumps({"table": table, **row}, default=plain, ensure_ascii=False))
        else:
            print(f"{table}: {len(rows)} rows")
    return 0


def plain(value: object) -> object:
    """What JSON has no form for."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


if __name__ == "__main__":
    sys.exit(main())
