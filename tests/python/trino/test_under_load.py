"""Trino reads while two ingesters, runs, backfills and two maintainers are at work on the lake (soak.py says what must hold).

Last of this folder by its name: the tables hold more afterwards. USERFLOW_TEST_SOAK_SECONDS: three times how long.
"""

import os
import random
from pathlib import Path

from soak import BRONZE, Soak


def test_trino_misses_no_file_while_everything_goes_on(shop, tmp_path: Path, capsys):
    seed = int(os.environ.get("USERFLOW_TEST_SEED") or random.randrange(1_000_000))
    seconds = float(os.environ.get("USERFLOW_TEST_SOAK_SECONDS") or 60) / 3
    print(f"seed {seed} (repeat with USERFLOW_TEST_SEED={seed})")

    def read(_lake: Path, table: str) -> tuple[None, int]:
        # A column of every file, not only what the log says of them.
        column = "_offset" if table == BRONZE else "user_id"
        [[rows, _]] = shop.sql(f"select count(*), max({column}) from delta.{table}")
        return None, rows

    soak = Soak(shop.lake, tmp_path / "soak", shop.brokers, shop.topic, seed, seconds, rate=150, reader=read)
    soak.run()
    line = soak.close()
    with capsys.disabled():
        print(f"\n{line.replace('soak', 'soak with Trino', 1)}")
