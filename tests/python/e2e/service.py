"""A service of ours that runs beside a test, and what it answers on its metrics address."""

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARIES = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release"))
PATIENCE = 120


def wait_for(what: str, look: Callable[[], object]) -> object:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.1)
    return found


def fetch(url: str | urllib.request.Request) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Service:
    """An ingester, a sessionizer or, with the name of another binary, one of that."""

    def __init__(self, log: Path, *arguments: object, binary: str = "userflow-ingester"):
        self.log = log
        with log.open("wb") as out:
            command = [str(part) for part in (BINARIES / binary, *arguments, "--metrics-addr", "127.0.0.1:0")]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)

    def address(self) -> str:
        def look() -> str | None:
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(r'"addr":"([\d.]+:\d+)"', self.log.read_text())
            return found and found[1]

        return wait_for("the metrics address", look)

    def metrics(self) -> dict[str, float]:
        """Value by series; comments left out."""
        lines = (line for line in fetch(f"http://{self.address()}/metrics").splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def has(self, metric: str, total: float | None, series: int = 1) -> bool:
        """Whether a metric has so many series that add up to so much, or to anything."""
        values = [value for name, value in self.metrics().items() if name.partition("{")[0] == metric]
        return len(values) == series and total in (None, sum(values))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
