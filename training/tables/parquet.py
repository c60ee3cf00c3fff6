"""Parquet -> raw rows, through polars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from classifier.errors import TableError
from training.tables.files import RawRow, Tick
from training.tables.problems import ProblemLog, Source

_BATCH_ROWS = 65_536


class ParquetTable:
    """A Parquet file; only the columns that are used are read, a batch of rows at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._readable():
            # The path is one file's name: brackets in it are no pattern, and "x=1" in a folder's name is no column.
            self._frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            self.columns = tuple(self._frame.collect_schema().names())

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        file, size = str(self._path), self._path.stat().st_size
        with self._readable():
            frame = self._frame.select(wanted)
            total = frame.select(pl.len()).collect().item()
            for begin in range(0, total, _BATCH_ROWS):
                batch = frame.slice(begin, _BATCH_ROWS).collect()
                for row, cells in enumerate(batch.iter_rows(), begin + 1):
                    yield Source(file, row), cells
                tick(size * min(begin + _BATCH_ROWS, total) // total)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            why = str(error).strip().split("\n")[0][:200]
            raise TableError(
                f"{self._path}: found a damaged or foreign file ({why}), expected Parquet; write or copy it again"
            ) from None


def first_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """The first rows of a Parquet file, with all its columns; none where it cannot be read."""
    try:
        return pl.scan_parquet(path, glob=False, hive_partitioning=False).head(count).collect().to_dicts()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return []
