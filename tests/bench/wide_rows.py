#!/usr/bin/env python3
"""One row per user and view, or one row per user with the columns of all views: what the same changes cost PostgreSQL.

    tests/bench/wide_rows.py [--users N] [--batches N] [--rows N] [--sliding-only PERCENT] POSTGRES_URL

Makes a schema `wide_rows_bench` in the database of the URL, fills both forms with the same rows, and writes the same batches of
changes to each, as `sessionize` does: one statement per batch, arrays through `unnest`, lists as literals, a guard by version.
The columns are those of the three views of users in models/webtoon/features. With --sliding-only, so many of the changes in a
batch are windows that moved on without an event: one of the three tables gets a row then, and the wide table a whole row.

Prints per form: seconds of processor of the server process that wrote (from /proc; the role must be a superuser), bytes of WAL,
rows written, and the size of the tables with their indexes afterwards.
"""

import argparse
import json
import subprocess
import sys

KEY = [("user_id", "text"), ("_partition", "int")]
COMMON = [("event_time", "timestamptz"), ("version", "bigint")]
VIEWS = {
    "hour": [
        ("sessions", "bigint[]"),
        ("events", "bigint"),
        ("completes", "bigint[]"),
        ("exits", "bigint[]"),
        ("avg_scroll_ratio", "numeric"),
        ("avg_scroll_ratio__n", "bigint"),
        ("distinct_episodes", "bigint[]"),
        ("distinct_webtoons", "bigint[]"),
        ("window_end", "timestamptz"),
    ],
    "lifetime": [
        ("all_sessions", "bigint"),
        ("all_completes", "bigint"),
        ("all_exits", "bigint"),
        ("streak", "bigint[]"),
        ("streak__older", "bigint"),
        ("streak__older_newest", "bigint"),
        ("streak__since", "bigint"),
    ],
    "recent": [
        ("recent_episodes", "text[]"),
        ("recent_episodes__t", "bigint[]"),
        ("recent_webtoons", "text[]"),
        ("recent_webtoons__t", "bigint[]"),
        ("last_event_type", "text"),
        ("last_event_type__t", "timestamptz"),
        ("last_event_at", "timestamptz"),
        ("last_event_at__t", "timestamptz"),
        ("_times", "bigint[]"),
    ],
}
# What a change holds, for row r of batch b: lists as literals, as they are bound.
HASHES = "(SELECT '{{' || string_agg((hashtextextended(r || '.' || i, b))::text, ',') || '}}' FROM generate_series(1, {n}) AS i)"
TIMES = "(SELECT '{{' || string_agg((1763000000000000 + b * 1000000 + i)::text, ',') || '}}' FROM generate_series(1, {n}) AS i)"
TEXTS = "(SELECT '{{' || string_agg('\"{p}_' || (r * 7 + b + i) % 5000 || '\"', ',') || '}}' FROM generate_series(1, {n}) AS i)"
VALUES = {
    "sessions": HASHES.format(n=2),
    "completes": HASHES.format(n=1),
    "exits": HASHES.format(n=1),
    "distinct_episodes": HASHES.format(n=2),
    "distinct_webtoons": HASHES.format(n=2),
    "streak": TIMES.format(n=3),
    "recent_episodes": TEXTS.format(n=12, p="ep"),
    "recent_episodes__t": TIMES.format(n=12),
    "recent_webtoons": TEXTS.format(n=8, p="w"),
    "recent_webtoons__t": TIMES.format(n=8),
    "_times": TIMES.format(n=50),
    "last_event_type": "'scroll'::text",
    "avg_scroll_ratio": "(r * 31 + b)::text",
    "user_id": "'user_' || u",
    "_partition": "u % 3",
    "version": "1000000::bigint * b + r",
}


def value(name, kind):
    if name in VALUES:
        return VALUES[name]
    return "to_timestamp(1763000000 + b)" if kind == "timestamptz" else f"({len(name)} + r + b)::bigint"


def bound(kind):
    return "text" if kind.endswith("[]") or kind == "numeric" else kind


def psql(url, sql):
    command = ["psql", url, "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    done = subprocess.run(command, input=sql, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def table(name, columns):
    body = ", ".join(f"{column} {kind}" + (' COLLATE "C"' if column == "user_id" else "") for column, kind in columns)
    rest = "updated_at timestamptz NOT NULL, PRIMARY KEY (user_id, _partition)"
    return f"CREATE TABLE {name} ({body}, {rest}) WITH (fillfactor = 50);"


def upsert(name, columns, staged, batch):
    names = ", ".join(column for column, _ in columns)
    arrays = ", ".join(f"s.{column}" for column, _ in columns)
    values = ", ".join(f"e.{column}" + ("" if bound(kind) == kind else f"::{kind}") for column, kind in columns)
    sets = ", ".join(f"{column} = excluded.{column}" for column, kind in columns if (column, kind) not in KEY)
    return (
        f"INSERT INTO {name} AS t ({names}, updated_at) SELECT {values}, clock_timestamp() "
        f"FROM (SELECT * FROM {staged} WHERE b = {batch} OFFSET 0) AS s, unnest({arrays}) AS e({names}) "
        f"ON CONFLICT (user_id, _partition) DO UPDATE SET {sets}, updated_at = excluded.updated_at "
        "WHERE t.version <= excluded.version RETURNING 1"
    )


def stage(name, columns, options, condition):
    """One row per batch, one array per column: what a client binds."""
    arrays = ", ".join(f"array_agg({value(column, kind)}) AS {column}" for column, kind in columns)
    return (
        f"CREATE UNLOGGED TABLE {name} AS SELECT b, {arrays} FROM generate_series(0, {options.batches}) AS b, LATERAL ("
        f"SELECT r, CASE WHEN b = 0 THEN r ELSE (r::bigint * 7919 + b * 104729) % {options.users} END AS u "
        f"FROM generate_series(0, CASE WHEN b = 0 THEN {options.users} ELSE {options.rows} END - 1) AS r) AS rows "
        f"WHERE b = 0 OR {condition} GROUP BY b;"
    )


def measure(url, parts, options):
    """Writes all batches on one connection, and asks the server's process what it spent."""
    tables = [name for name, _ in parts]

    def statement(batch):
        writes = [upsert(name, columns, f"{name}_changes", batch) for name, columns in parts]
        writes = ", ".join(f"w{number} AS ({write})" for number, write in enumerate(writes))
        counts = " + ".join(f"(SELECT count(*) FROM w{number})" for number in range(len(parts)))
        return f"WITH {writes} SELECT {counts};"

    path = "SET search_path = wide_rows_bench;"
    spent = "SELECT split_part(s, ' ', 14)::int + split_part(s, ' ', 15)::int FROM pg_read_file('/proc/self/stat') AS s;"
    wal = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn;"
    batches = "\n".join(statement(batch) for batch in range(1, options.batches + 1))
    psql(url, f"{path}\n{statement(0)}")
    psql(url, f"{path} VACUUM ANALYZE {', '.join(tables)}; CHECKPOINT;")
    lines = psql(url, f"{path}\n{wal}\n{spent}\n{batches}\n{spent}\n{wal}").splitlines()
    sizes = " + ".join(f"pg_total_relation_size('{name}')" for name in tables)
    numbers = [int(float(line)) for line in lines if line]
    return {
        "rows": sum(numbers[2:-2]),
        "cpu_seconds": (numbers[-2] - numbers[1]) / 100,
        "wal_bytes": numbers[-1] - numbers[0],
        "bytes_afterwards": int(psql(url, f"{path} SELECT {sizes}")),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1_000, help="changed users per batch")
    parser.add_argument("--sliding-only", type=int, default=0, help="percent of changes that are windows moving on")
    parser.add_argument("url")
    options = parser.parse_args()
    versions = [(f"{view}_version", "bigint") for view in VIEWS]
    wide = [*KEY, *(column for columns in VIEWS.values() for column in columns), *COMMON, *versions]
    narrow = {view: KEY + columns + COMMON for view, columns in VIEWS.items()}
    event = f"r % 100 >= {options.sliding_only}"
    sql = ["DROP SCHEMA IF EXISTS wide_rows_bench CASCADE; CREATE SCHEMA wide_rows_bench; SET search_path = wide_rows_bench;"]
    for name, columns in [*narrow.items(), ("wide", wide)]:
        condition = "true" if name in ("hour", "wide") else event
        sql += [table(name, columns), stage(f"{name}_changes", columns, options, condition)]
    psql(options.url, "\n".join(sql))
    forms = {"a table per view": list(narrow.items()), "one wide table": [("wide", wide)]}
    for name, parts in forms.items():
        print(json.dumps({"form": name, "changes": options.batches * options.rows, **measure(options.url, parts, options)}))
    psql(options.url, "DROP SCHEMA wide_rows_bench CASCADE")


if __name__ == "__main__":
    main()
