"""Whether the stores of the shop's views hold what they should: PostgreSQL the rows that another run left, Redis the same.

What a view looks like in Redis stands here a second time, by hand: what is right is not said by the program that is measured.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHOWN = 5

Row = dict[str, object]


def double(value: object) -> str:
    return repr(float(str(value)))


def moment(value: object) -> datetime:
    return datetime.fromisoformat(str(value))


def millis(value: object) -> str:
    return str((moment(value) - EPOCH) // timedelta(milliseconds=1))


def truth(value: object) -> str:
    return "true" if value else "false"


@dataclass
class InRedis:
    """How a row stands in Redis: under which key, and there the text of which column is what; a list is one column alone."""

    key: Callable[[Row], str]
    fields: dict[str, Callable[[object], str]]
    is_list: bool = False
    ttl: timedelta | None = None
    kept: timedelta | None = None  # in PostgreSQL


def features(**fields: Callable[[object], str]) -> InRedis:
    """A part of what is known of a shopper."""
    two_hours = timedelta(hours=2)
    return InRedis(lambda row: f"user_features:{row['user_id']}", fields, ttl=two_hours, kept=two_hours)


VIEWS = {
    "user_activity_1h": features(
        user_id=str, view_count_1h=str, cart_count_1h=str, purchase_count_1h=str, avg_viewed_price_1h=double
    ),
    "user_interest_10m": features(avg_viewed_price_10m=double),
    "user_interest_30m": features(top_category_30m=str),
    "user_pattern": features(pattern_detected=str),
    "user_recent_products": InRedis(
        lambda row: f"recent_products:{row['user_id']}", {"recent_product_ids": str}, is_list=True
    ),
    "user_session": InRedis(
        lambda row: f"session_features:{row['user_id']}:{millis(row['started_at'])}",
        {"user_id": str, "started_at": millis, "event_count": str, "duration_seconds": double, "last_event_at": millis,
         "is_final": truth},
        ttl=timedelta(hours=1), kept=timedelta(days=7),
    ),
}  # fmt: skip

# Every key of readers, a line of JSON each. One script: nothing changes any more, and nobody else waits for this server.
DUMP = """
local found, cursor = {}, '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if string.sub(key, 1, 9) ~= 'userflow:' then
      local list = redis.call('TYPE', key)['ok'] == 'list'
      local value = list and redis.call('LRANGE', key, 0, -1) or redis.call('HGETALL', key)
      found[#found + 1] = cjson.encode({key, list, value})
    end
  end
until cursor == '0'
return found
"""


def in_redis(url: str) -> dict[str, object]:
    """Every key that readers see, with its list, or with its hash."""
    out = subprocess.run(["redis-cli", "-u", url, "EVAL", DUMP, "0"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, object] = {}
    for line in out.splitlines():
        if line:
            key, is_list, values = json.loads(line)
            # A key that a SCAN shows twice is the same key.
            found[key] = list(values) if is_list else dict(zip(values[::2], values[1::2], strict=True))
    return found


def sql(url: str, statement: str) -> list[str]:
    done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", url, "-c", statement], check=True, stdout=subprocess.PIPE,
                          text=True)  # fmt: skip
    return done.stdout.splitlines()


def in_postgresql(url: str, views: Iterable[str]) -> dict[str, list[Row]]:
    return {view: [json.loads(row) for row in sql(url, f"SELECT to_jsonb(v) FROM online.{view} AS v")] for view in views}


def lasting(rows: list[Row], kept: timedelta | None, watermarks: dict[str, str]) -> list[Row]:
    """Those that are not old enough to go. Old rows are looked for once a minute, so some of them may be there."""
    if kept is None:
        return rows
    return [row for row in rows if moment(row["event_time"]) >= moment(watermarks[str(row["_partition"])]) - kept]


def differences(rows: dict[str, list[Row]], redis: dict[str, object], watermarks: dict[str, str]) -> list[str]:
    """What Redis has otherwise than the rows of PostgreSQL say."""
    wanted: dict[str, object] = {}
    wanted_of: dict[str, set[str]] = {}  # what a key that may have gone would have
    for view, of_view in rows.items():
        shape = VIEWS[view]
        new = {id(row) for row in lasting(of_view, shape.ttl, watermarks)}
        for row in of_view:
            key = shape.key(row)
            if id(row) not in new:
                wanted_of.setdefault(key, set()).update(shape.fields)
            if shape.is_list:
                value = row[next(iter(shape.fields))]
                if value:
                    wanted[key] = value
            else:
                texts = {name: text(row[name]) for name, text in shape.fields.items() if row[name] is not None}
                if texts:
                    wanted.setdefault(key, {}).update(texts)
    problems = [f"{key}: Redis has it, PostgreSQL does not" for key in redis.keys() - wanted.keys()]
    for key, value in wanted.items():
        found = redis.get(key)
        if found != value and not (key in wanted_of and old(value, found, wanted_of[key])):
            problems.append(f"{key}: Redis has {found}, PostgreSQL {value}")
    return problems


def old(wanted: object, found: object, may_lack: set[str]) -> bool:
    """Whether nothing is wrong but that fields lack that may."""
    if not isinstance(wanted, dict):
        return found is None
    found = found or {}
    return found.items() <= wanted.items() and wanted.keys() - found.keys() <= may_lack


def fingerprint(rows: dict[str, list[Row]], watermarks: dict[str, str]) -> dict[str, tuple[int, int]]:
    """By view: how many rows, and a number that is another one if a cell is."""
    told = {"updated_at"}  # by the clock
    found = {}
    for view, of_view in rows.items():
        cells = [tuple(sorted((name, str(value)) for name, value in row.items() if name not in told))
                 for row in lasting(of_view, VIEWS[view].kept, watermarks)]  # fmt: skip
        found[view] = (len(cells), sum(map(hash, cells)))
    return found


def require(problems: list[str], what: str) -> None:
    """Ends the program when there are any."""
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:SHOWN])
        sys.exit(f"{what}: {len(problems):,} differences, no figure is worth anything:\n{shown}")
