"""Parquet and Arrow (Feather) -> raw rows, through polars."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import polars as pl

from classifier.errors import TableError
from training.tables.files import RawRow, Tick
from training.tables.problems import ProblemLog, Source
from training.tables.stored import Stored

_STANDARD_ERROR = 2
_one_at_a_time = threading.Lock()
_BATCH_ROWS = 65_536
_DEPTH = 4
_BATCH_BYTES = 2**27


class ArrowTable:
    """A Parquet or Arrow file; only the columns that are used are read, a batch of rows at a time.

    Parameters
    ----------
    format : "parquet", "arrow", or "arrow stream", which is Arrow without an index at its end.
    """

    repeated: frozenset[str] = frozenset()
    understood: tuple[str, ...] = ()

    def __init__(self, stored: Stored, format: str, stack: ExitStack) -> None:
        self._stored, self.format = stored, format.split()[0]
        path = stack.enter_context(stored.on_disk())
        with self._readable(), _without_panics_in_print():
            if format == "parquet":
                # The path is one file's name: brackets in it are no pattern, and "x=1" in a folder's name is no column.
                self._frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            elif format == "arrow":
                self._frame = pl.scan_ipc(path, glob=False, hive_partitioning=False)
            else:
                self._frame = pl.read_ipc_stream(path).lazy()
            schema = self._frame.collect_schema()
        self.columns = tuple(schema.names())
        self.nested = tuple(path for name, dtype in schema.items() for path in _fields(name, dtype))

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        file, size = self._stored.name, self._stored.size
        with self._readable():
            frame = self._frame.select(wanted)
            with _without_panics_in_print():
                total = frame.select(pl.len()).collect().item()
            batch_rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES * total // max(1, size)))
            for begin in range(0, total, batch_rows):
                with _without_panics_in_print():
                    batch = frame.slice(begin, batch_rows).collect()
                for row, cells in enumerate(batch.iter_rows(), begin + 1):
                    yield Source(file, row), cells
                tick(size * min(begin + batch_rows, total) // total)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
            why = str(error).strip().split("\n")[0][:200]
            kind = self.format.title()
            raise TableError(
                f"{self._stored.name}: found a damaged or foreign file ({why}), expected {kind}; write or copy it again"
            ) from None


@contextmanager
def _without_panics_in_print() -> Iterator[None]:
    """Keep what polars' panics print of damaged files from standard error: each is one error of ours as well."""
    try:
        kept = os.dup(_STANDARD_ERROR)
    except OSError:
        yield
        return
    with _one_at_a_time, open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)


def _fields(path: str, dtype: Any, depth: int = _DEPTH) -> Iterator[str]:
    if isinstance(dtype, pl.Struct) and depth:
        for field in dtype.fields:
            yield f"{path}.{field.name}"
            yield from _fields(f"{path}.{field.name}", field.dtype, depth - 1)
