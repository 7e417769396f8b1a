"""What the benchmarks share: where things are, programs that are run and what they cost, servers, a topic with events in it.

Not here: what is measured (`run`, `shop.py`).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".userflow/bench"
BIN = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
QUIET = os.environ | {"RUST_LOG": "warn"}
SERVERS = ("kafka", "postgres", "redis")
LONGEST = 1_800  # seconds: what takes longer hangs
START, DAY = "2026-11-01T00:00:00Z", "2026-11-01"


def run(*command, **options):
    """Runs to the end; standard output as text, and what it cost: wall seconds, CPU seconds, peak RSS in MB."""
    began = time.monotonic()
    child = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)
    limit = threading.Timer(LONGEST, child.kill)
    limit.start()
    try:
        out = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        raise
    finally:
        limit.cancel()
    if status != 0:
        sys.exit(f"{command[0]} ended with status {status}")
    return out, time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def rate(count, seconds):
    return f"{count:>10,} messages {count / seconds / 1000:>8,.0f} k/s"


@contextlib.contextmanager
def server(name):
    """A private server; its address."""
    script, folder = ROOT / "deploy/servers" / name, HOME / name
    lines = subprocess.run([script, "start", "--dir", folder], check=True, stdout=subprocess.PIPE, text=True).stdout
    try:
        yield lines.split()[0].partition("=")[2]
    finally:
        subprocess.run([script, "stop", "--dir", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def online_store(name, models=ROOT / "models"):
    """A private PostgreSQL with the tables of all views."""
    with server("postgres") as url:
        run(BIN / "userflow-jobs", "init", "--models", models, "--lake", HOME / f"{name}.lake", "--postgres-url", url,
            stderr=subprocess.DEVNULL)
        yield url


def sessionize(options, topic, url, name, domain="webtoon"):
    return [BIN / "userflow-ingester", "sessionize", "--domain", domain, "--brokers", options.brokers, "--topic", topic,
            "--group", f"bench.{name}.{time.time_ns()}", "--postgres-url", url, "--checkpoints", HOME / f"{name}.checkpoints",
            "--output", "json"]


def preload_and_drain(options, events, domain="webtoon"):
    """A topic with events, and what it takes to read it with the same client and do nothing."""
    topic = preload(options, events, domain)
    out, wall, cpu, _ = run(BIN / "examples/drain", options.brokers, topic, 2)
    floor = json.loads(out)
    print(f"drain    {rate(floor['messages'], floor['seconds'])}   {wall:.1f} s wall, {cpu:.1f} s CPU", flush=True)
    return topic, floor


def preload(options, events, domain="webtoon"):
    """A day of so many events, or as many as the command line says, in eight partitions, sent once a run."""
    events = options.events or events
    topic = f"bench.{domain}.{events}"
    if topic in options.preloaded:
        return topic
    options.preloaded.add(topic)
    began = time.monotonic()
    run(BIN / "userflow-ingester", "simulate", "--domain", domain, "--brokers", options.brokers, "--topic", topic,
        "--partitions", 8, "--seed", 1, "--events", events, "--start", START, "--days", 1,
        "--duplicates", 0.005, "--late", 0.01, "--garbage", 0.001, "--summary", HOME / "sent.json",
        stderr=subprocess.DEVNULL)
    sent = json.loads((HOME / "sent.json").read_text())
    print(f"preload  {sent['messages']:,} messages of {sent['bytes'] / sent['messages']:.0f} B "
          f"in {time.monotonic() - began:.0f} s", flush=True)
    return topic


def cpu_seconds():
    """CPU time of the servers and of a sessionizer in the background so far, each with its children."""
    parents, own, background = {}, {}, set()
    for number, fields, command in processes():
        parents[number] = int(fields[1])
        # Of living children only their own time, of the dead what their parent has collected.
        own[number] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        if "sessionize" in command and str(HOME) in command:
            background.add(number)
    found = {}
    for name, roots in [*server_ids().items(), ("sessionize", background)]:
        members = {number for number in own if roots & set(ancestors(number, parents))}
        if members:
            found[name] = sum(own[number] for number in members)
    return found


def processes():
    """Every process: its number, its fields in /proc from the state on, its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        yield int(folder.name), fields, command


def server_ids():
    """The process of each server that runs, by its name."""
    found = {}
    for name in SERVERS:
        with contextlib.suppress(OSError):
            found[name] = {int((HOME / name / "pid").read_text().split()[0])}
    return found


def ancestors(number, parents):
    """The process itself and those above it."""
    while number in parents:
        yield number
        number = parents[number]


def resident(child):
    """Memory of a process, bytes."""
    lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024


class Memory(threading.Thread):
    """Looks four times a second how much memory each server has: the most, in MB. What its processes share counts once."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.over = {}, threading.Event()

    def run(self):
        while not self.over.wait(0.25):
            parents = {number: int(fields[1]) for number, fields, _ in processes()}
            for name, roots in server_ids().items():
                members = [number for number in parents if roots & set(ancestors(number, parents))]
                self.most[name] = max(self.most.get(name, 0), sum(map(proportional, members)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def proportional(number):
    """A process's part of the memory that it has, MB."""
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0)
