"""The same SQL over the same files in DuckDB, results written as Parquet: the peer of the `batch` benchmark.

Reads the Parquet files of the newest Delta snapshot of bronze; a model's result is written to a Parquet file and read by the
next model from there, as ours goes through the lake. Two threads, like ours; DuckDB's other settings are its defaults.
"""

import argparse
import subprocess
import time
from pathlib import Path
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--date", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("set threads = 2; set timezone = 'UTC'; create schema bronze; create schema silver; create schema gold; "
                       "create schema seeds")
    for table in (options.lake / "bronze").iterdir():
        files = [unquote(uri.removeprefix("file://")) for uri in DeltaTable(str(table)).file_uris()]
        connection.execute(f"create view bronze.{table.name} as select * from read_parquet({files!r}, hive_partitioning = true, "
                           "hive_types = {'event_date': date})")
    for seed in (ROOT / "models").glob("*/seeds/*.csv"):
        connection.execute(f"create table seeds.{seed.stem} as select * from read_csv('{seed}')")
    said = []
    for model in options.models:
        command = [ROOT / "target/release/userflow-jobs", "compile", model, "--date", options.date]
        sql = subprocess.run(command, cwd=ROOT, check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        path = options.out / f"{model}.parquet"
        began = time.monotonic()
        connection.execute(f"copy ({sql.rstrip().rstrip(';')}\n) to '{path}' (format parquet, compression zstd)")
        connection.execute(f"create view {model} as select * from '{path}'")
        said.append(f"{model} {time.monotonic() - began:.1f} s")
    print(", ".join(said))


if __name__ == "__main__":
    main()
