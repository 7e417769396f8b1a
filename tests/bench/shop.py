"""The benchmarks of the ecommerce domain: what Redis beside PostgreSQL costs, and the work of a job that keeps windows.

Both read a topic from its start to its end, several times, each time into new stores. They print no figure before the rows that
every run left were found to be the same, in PostgreSQL and in Redis.
"""

import contextlib
import json
import shutil
import statistics
import subprocess
from dataclasses import dataclass

import stores_agree
from measure import HOME, QUIET, ROOT, Memory, cpu_seconds, online_store, preload_and_drain, run, server, sessionize

EVENTS = 1_000_000
WINDOWS = ("user_activity_1h", "user_interest_10m", "user_session")


@dataclass
class Run:
    """What reading the topic once came to."""

    messages: int
    seconds: float
    rows: dict[str, int]  # by view, into PostgreSQL
    redis_rows: int
    flushes: int
    cpu: dict[str, float]
    memory: dict[str, float]
    keys: int
    prints: dict[str, tuple[int, int]]

    @property
    def speed(self):
        return self.messages / self.seconds


def online(options):
    topic, floor = preload_and_drain(options, EVENTS, "ecommerce")
    alone, both = [], []
    for number in range(options.rounds):
        alone.append(catch_up(options, topic, f"alone.{number}", ROOT / "models", stores_agree.VIEWS, redis=False))
        both.append(catch_up(options, topic, f"both.{number}", ROOT / "models", stores_agree.VIEWS, redis=True))
    require_equal([*alone, *both])
    print_runs("alone", alone)
    print_runs("both", both)
    print_spread("ratio", [b.speed / a.speed for a, b in zip(alone, both, strict=True)], "of PostgreSQL alone")
    spent = [sum(b.cpu.values()) / sum(a.cpu.values()) for a, b in zip(alone, both, strict=True)]
    print_spread("CPU", spent, "x that of PostgreSQL alone, all processes")
    print_spread("drain", [floor["seconds"] / each.seconds for each in both], "of the drain, both stores")


def windows(options):
    topic, floor = preload_and_drain(options, EVENTS, "ecommerce")
    models = HOME / "models"
    shutil.rmtree(models, ignore_errors=True)
    shutil.copytree(ROOT / "models/ecommerce", models / "ecommerce")
    for file in (models / "ecommerce/features").iterdir():
        if file.stem not in WINDOWS:
            file.unlink()
    runs = [catch_up(options, topic, f"windows.{number}", models, WINDOWS, redis=True) for number in range(options.rounds)]
    require_equal(runs)
    print_runs("windows", runs)
    print_spread("ratio", [floor["seconds"] / each.seconds for each in runs], "of the drain")


def catch_up(options, topic, name, models, views, redis):
    """A sessionizer reads the topic from its start to its end, into new stores."""
    with online_store(name, models) as postgres, server("redis") if redis else contextlib.nullcontext() as cache:
        more = ["--redis-url", cache] if redis else []
        before = cpu_seconds()
        with Memory() as memory:
            # An idle partition's time would pass by the clock, and its rows would depend on it.
            out, _, cpu, rss = run(*sessionize(options, topic, postgres, name, "ecommerce"), "--models", models, *more,
                                   "--idle-timeout", 3600, "--until-caught-up", env=QUIET)
        servers = {server: seconds - before[server] for server, seconds in cpu_seconds().items()}
        summary = json.loads(out)
        rows, marks = stores_agree.in_postgresql(postgres, views), summary["watermarks"]
        keys = stores_agree.in_redis(cache) if redis else {}
        if redis:
            stores_agree.require(stores_agree.differences(rows, keys, marks), "PostgreSQL and Redis")
        return Run(
            messages=sum(summary["next_offsets"].values()),
            seconds=summary["seconds"],
            rows=summary["rows"],
            redis_rows=written(cache) if redis else 0,
            flushes=summary["flushes"],
            cpu={"sessionize": cpu} | servers,
            memory={"sessionize": rss} | {name: most for name, most in memory.most.items() if name != "kafka"},
            keys=len(keys),
            prints=stores_agree.fingerprint(rows, marks),
        )


def written(redis):
    """Rows that Redis was given: each puts its key into an index once."""
    ask = ["redis-cli", "-u", redis, "info", "commandstats"]
    said = subprocess.run(ask, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    calls = [line.partition("calls=")[2].partition(",")[0] for line in said if line.startswith("cmdstat_zadd:")]
    return int(calls[0]) if calls else 0


def require_equal(runs):
    """Every run has left the same rows."""
    first = runs[0].prints
    problems = [f"{view}: {count:,} rows in run {number}, {first[view][0]:,} in the first, or other cells"
                for number, each in enumerate(runs, 1) for view, (count, cells) in each.prints.items()
                if (count, cells) != first[view]]  # fmt: skip
    stores_agree.require(problems, "the rows of the runs")
    kept = ", ".join(f"{view} {count:,}" for view, (count, _) in first.items())
    print(f"equal    in {len(runs)} runs: {kept}; Redis has the same in {runs[-1].keys:,} keys")


def print_runs(name, runs):
    def median(value):
        return statistics.median(map(value, runs))

    speeds = sorted(each.speed / 1000 for each in runs)
    cpu = ", ".join(f"{process} {median(lambda each, process=process: each.cpu[process]):.1f}" for process in runs[0].cpu)
    memory = ", ".join(f"{process} {max(each.memory[process] for each in runs):.0f}" for process in runs[0].memory)
    rows = ", ".join(f"{view} {median(lambda each, view=view: each.rows[view]):,.0f}" for view in runs[0].rows)
    redis = median(lambda each: each.redis_rows)
    print(f"{name:<8} {median(lambda each: each.messages):>10,.0f} messages {statistics.median(speeds):>6,.1f} k/s "
          f"({speeds[0]:.1f}-{speeds[-1]:.1f} in {len(runs)} runs), {median(lambda each: each.seconds):.1f} s; "
          f"CPU {cpu} s; peak RSS {memory} MB")
    print(f"         {median(lambda each: sum(each.rows.values())):,.0f} rows into PostgreSQL in "
          f"{median(lambda each: each.flushes):,.0f} writes ({rows})" + (f", {redis:,.0f} into Redis" if redis else ""))


def print_spread(name, values, of):
    print(f"{name:<8} {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f}) {of}")
