"""Ingest, runs, backfills, two maintainers and readers at once on one lake (soak.py says what must hold).

USERFLOW_TEST_SOAK_SECONDS: how long; 600 is what a release deserves. USERFLOW_TEST_SEED repeats what is random in it.
"""

import os
import random
import time
from pathlib import Path

from soak import Soak


def test_everything_at_once_loses_doubles_and_hides_nothing(brokers: str, tmp_path: Path, capsys):
    seed = int(os.environ.get("USERFLOW_TEST_SEED") or random.randrange(1_000_000))
    seconds = float(os.environ.get("USERFLOW_TEST_SOAK_SECONDS") or 60)
    print(f"seed {seed} (repeat with USERFLOW_TEST_SEED={seed})")
    soak = Soak(tmp_path / "lake", tmp_path / "soak", brokers, f"test.soak.{os.getpid()}.{time.time_ns()}", seed, seconds)
    soak.run()
    line = soak.close()
    with capsys.disabled():
        print(f"\n{line}")
