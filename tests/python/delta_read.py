"""Which files a Delta table has and what is in them, for the checks of this folder.

The snapshot comes from the `deltalake` package; the Parquet files are read with pyarrow alone.
(`DeltaTable.to_pyarrow_table` aborted at process exit now and then, so it is not used.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet
from deltalake import DeltaTable

PARTITION = "event_date"


@dataclass(frozen=True)
class File:
    """An active file of a snapshot, with its partition value."""

    path: Path
    event_date: date


@dataclass(frozen=True)
class Snapshot:
    """The newest version of a table."""

    name: str
    table: DeltaTable
    files: list[File]
    columns: list[str]

    def rows(self, dates: set[date] | None = None) -> Iterator[dict[str, object]]:
        """All rows as dicts, the partition column included; columns a file lacks are None."""
        empty = dict.fromkeys(self.columns)
        for file in self.files:
            if dates is None or file.event_date in dates:
                for batch in pyarrow.parquet.ParquetFile(file.path).iter_batches():
                    for row in batch.to_pylist():
                        yield {**empty, **row, PARTITION: file.event_date}


def exists(lake: str | Path, name: str) -> bool:
    """Whether there is a table of that name (`gold.webtoon_user_daily`)."""
    return DeltaTable.is_deltatable(str(table_path(lake, name)))


def snapshot(lake: str | Path, name: str) -> Snapshot:
    """Opens a table of a lake folder."""
    path = table_path(lake, name)
    table = DeltaTable(str(path))
    adds = table.get_add_actions(flatten=True)
    paths = adds.column("path").to_pylist()
    values = adds.column(f"partition.{PARTITION}").to_pylist() if paths else []
    files = [
        File(path / unquote(file), value if isinstance(value, date) else date.fromisoformat(value))
        for file, value in zip(paths, values, strict=True)
    ]
    return Snapshot(name, table, files, [field.name for field in table.schema().fields])


def table_path(lake: str | Path, name: str) -> Path:
    """`<lake>/<layer>/<table>`."""
    layer, table = name.split(".")
    return Path(lake) / layer / table


def table_names(lake: str | Path) -> list[str]:
    """Every Delta table of a lake folder, sorted."""
    logs = Path(lake).glob("*/*/_delta_log")
    return sorted(f"{log.parent.parent.name}.{log.parent.name}" for log in logs)
