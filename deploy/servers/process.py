"""A server that lives in one folder, as one process or as several.

The scripts beside this file, one per server, say how it is configured and when it is ready. What they share is here: the
command line, free ports, start detached, find again, stop, kill. Nothing here knows a particular server.

    D/lock   held while the server is started, so that two starts at once make one server
    D/pid    process id and start time, so that a recycled id is never taken for ours
    D/log    what the server wrote, appended over restarts
    D/ports  the ports it got at its first start; a restart takes the same ones
    D/env    the KEY=VALUE lines that a client needs

stdout carries KEY=VALUE lines only, everything for people goes to stderr.
"""

import argparse
import contextlib
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

POLL_SECONDS = 0.05


class Failed(Exception):
    """The server could not be started or stopped; the message says what to do."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Process:
    """The pid, log and ports of one folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.log = self.folder / "log"
        self.env = self.folder / "env"
        self._pid = self.folder / "pid"
        self._ports = self.folder / "ports"

    def pid(self):
        """The id of our running process, or None."""
        try:
            pid, started = self._pid.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _start_time(int(pid)) == started else None

    def ports(self, wanted):
        """`wanted` ports for this folder: those of its last start, else free ones."""
        if self._ports.exists():
            return [int(port) for port in self._ports.read_text().split()]
        return self.new_ports(wanted)

    def new_ports(self, wanted, first=None):
        ports = ([first] if first else []) + free_ports(wanted - bool(first))
        self._ports.write_text(" ".join(map(str, ports)))
        return ports

    def start(self, argv, ready, timeout=120.0, environment=None):
        """Starts `argv` detached and waits until `ready(new log text)` is true."""
        log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [str(part) for part in argv],
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid.write_text(f"{child.pid} {_start_time(child.pid)}")
        deadline = time.monotonic() + timeout
        while not ready(self._log_from(log_start)):
            if child.poll() is not None:
                raise Failed(f"it ended with {child.returncode}; {self.log} ends with:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise Failed(f"not ready after {timeout:.0f} s; {self.log} ends with:\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, sig=signal.SIGTERM, timeout=30.0):
        """Ends the process with `sig`, by force when that takes longer than `timeout`. True when there was one."""
        pid = self.pid()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            os.kill(pid, sig)
            deadline = time.monotonic() + timeout
            while self.pid() is not None:
                if time.monotonic() > deadline:
                    say(f"{pid} did not stop within {timeout:.0f} s: killed")
                    os.kill(pid, signal.SIGKILL)
                    deadline = float("inf")
                time.sleep(POLL_SECONDS)
        return True

    def kill(self):
        return self.stop(signal.SIGKILL)

    def _log_from(self, offset):
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def log_tail(self, lines=40):
        return "\n".join(self._log_from(0).splitlines()[-lines:])


def _start_time(pid):
    """The kernel's start time of a live process, None when it is gone or a zombie."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else fields[18]


def free_ports(wanted):
    """Free ports of 127.0.0.1 below the range that the kernel hands out to clients.

    A port from that range can be taken by an outgoing connection while its server is down: then a restart on the same
    port fails, and a client that dials it over and over may even connect to itself.
    """
    ports = []
    while len(ports) < wanted:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop_all(processes, sig, done):
    """Stops every one, also when another cannot be stopped; then says what went wrong, or `done` if it stopped something."""
    stopped, problems = [], []
    for one in processes:
        try:
            stopped.append(one.stop(sig))
        except OSError as error:
            problems.append(f"cannot stop the process of {one.folder}: {error}")
    if problems:
        raise Failed("; ".join(problems))
    if any(stopped):
        say(done)


def main(name, description, install, start, stop_signal=signal.SIGTERM, parts=()):
    """The command line that every server script has.

    `install()` makes the server's files available, `start(process, port)` starts it (port None: any) and returns the
    variables that a client needs. A server of several processes names the others in `parts`, each in a folder of its own below
    D; `start` then starts those that do not run.
    """
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("command", choices=["install", "start", "stop", "kill", "status"],
                        help="start and status print KEY=VALUE lines; start again after stop or kill: same port, same data")
    parser.add_argument("--dir", type=Path, help="folder of this instance: data, log, pid")
    parser.add_argument("--port", type=int, help="port of 127.0.0.1 to listen on at the first start (default: a free one)")
    options = parser.parse_args()
    if options.command != "install" and options.dir is None:
        parser.error(f"{options.command} needs --dir")
    try:
        if options.command == "install":
            install()
            return
        process = Process(options.dir)
        processes = [process, *(Process(process.folder / part) for part in parts)]
        if options.command == "start":
            process.folder.mkdir(parents=True, exist_ok=True)
            with (process.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if any(one.pid() is None for one in processes):
                    install()
                    began = time.monotonic()
                    variables = start(process, options.port)
                    process.env.write_text("".join(f"{key}={value}\n" for key, value in variables.items()))
                    say(f"{name} is ready after {time.monotonic() - began:.1f} s (pid {process.pid()}, {process.folder})")
        elif options.command in ("stop", "kill"):
            sig = stop_signal if options.command == "stop" else signal.SIGKILL
            stop_all(reversed(processes), sig, f"{name} is stopped ({process.folder})")
            return
        if any(one.pid() is None for one in processes):
            raise Failed(f"not running in {process.folder}")
        sys.stdout.write(process.env.read_text())
    except Failed as error:
        sys.exit(f"{name}: {error}")
