"""Large CSV files in the wide form, read a column at a time.

polars reads them at its own speed. What it does with records that are not whole is not what rows need, which are to be
named one by one; so `record_lines` goes over the file at the same time, and where it finds anything odd, the rows are
read one by one after all. What comes out is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from training.tables import cells
from training.tables.cells import CellError
from training.tables.chats import is_chat_text
from training.tables.columns import Layout
from training.tables.delimited import DelimitedTable
from training.tables.files import RawTable
from training.tables.formulas import is_guarded
from training.tables.measured import NumberCells
from training.tables.numbers import THOUSANDS
from training.tables.outcomes import FileCells
from training.tables.problems import ProblemLog, kind
from training.tables.rows import RequestColumns, SourceColumns
from training.tables.structure import record_lines

LEAST_BYTES = 2**23
_ROLES = frozenset(("prompt", "task", "max_tokens", "group"))
_MEASURES = frozenset(("score", "cost", "tokens_out"))
_MOST_VALUES = 10_000
_UTF8 = ("utf-8", "utf-8-sig")


def read_in_bulk(table: RawTable, layout: Layout, log: ProblemLog, out: FileCells) -> int | None:
    """Read a file into a collector; returns how many of its rows were used.

    None, and nothing read, where the file is not large, or has something that is read row by row.
    """
    if not isinstance(table, DelimitedTable) or not _is_plain(table, layout):
        return None
    columns = list(table.columns)
    used = {name: str(columns.index(name)) for name in layout.used(columns)}
    numeric = [used[column] for tiers in layout.measures.values() for column in tiers.values()]
    with ThreadPoolExecutor(1) as pool:
        scanned = pool.submit(record_lines, table.stored.path, table.dialect.delimiter, len(columns))
        frame = _frame(table, list(used.values()), numeric)
        lines = scanned.result()
    if frame is None or lines is None or len(lines) != frame.height + 1 or frame.height == 0:
        return None
    texts = frame[used[layout.roles["prompt"]]]
    if _has_chats(texts):
        return None
    numbers = np.arange(1, frame.height + 1)
    return _Bulk(frame, used, layout, log, out).read(SourceColumns(table.stored.name, numbers, lines[1:]))


def _is_plain(table: DelimitedTable, layout: Layout) -> bool:
    stored, dialect = table.stored, table.dialect
    return (
        stored.is_plain
        and stored.size >= LEAST_BYTES
        and table.encoding.name in _UTF8
        and (dialect.quote, dialect.escape, dialect.skipped, dialect.is_declared) == ('"', None, 0, False)
        and layout.form == "wide"
        and set(layout.roles) <= _ROLES
        and "prompt" in layout.roles
        and set(layout.measures) <= _MEASURES
        and not table.repeated
        and len(table.columns) > 1
        and "" not in table.columns
        and not is_guarded(table.columns)
        and set(layout.used(table.columns)) <= set(table.columns)
    )


def _frame(table: DelimitedTable, wanted: list[str], numeric: list[str]) -> pl.DataFrame | None:
    """The wanted columns as text; the numeric ones as numbers, where all of them are written as everybody would.

    Then nothing in the file has a comma, and a point stands before decimals. None: polars cannot read it.
    """
    for kinds in ({column: pl.Float64() for column in numeric}, {}):
        try:
            frame = pl.scan_csv(
                table.stored.path,
                separator=table.dialect.delimiter,
                infer_schema=False,
                schema_overrides=kinds,
                new_columns=[str(place) for place in range(len(table.columns))],
                glob=False,
            )
            found = frame.select(wanted).collect(engine="streaming")
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            continue  # the reader that goes row by row says what is wrong
        if not any(found[column].is_infinite().any() for column in kinds):
            return found
    return None


def _has_chats(texts: pl.Series) -> bool:
    return any(map(is_chat_text, texts.filter(_starts_like(texts, "["))))


def _starts_like(texts: pl.Series, char: str) -> pl.Series:
    """(n,): whether a text is empty or starts with this character or a blank; a quick look before a close one."""
    first = texts.str.slice(0, 1).fill_null("")
    return first.is_in([char, ""]) | (first.str.strip_chars() == "")


class _Bulk:
    """Columns of text on their way to a collector; ``used`` : column -> its name in the frame."""

    def __init__(
        self, frame: pl.DataFrame, used: dict[str, str], layout: Layout, log: ProblemLog, out: FileCells
    ) -> None:
        self._frame, self._used, self._layout, self._log, self._out = frame, used, layout, log, out

    def read(self, sources: SourceColumns) -> int:
        """Hand all rows with a prompt to the collector; returns how many."""
        sources = self._without_blank(sources)
        begin = self._out.add_many(
            RequestColumns(self._role("prompt"), self._limits(sources), self._labels("task")),
            sources,
            self._labels("group").to_list(),
        )
        measures = {"score": self._out.scores, "cost": self._out.costs, "tokens_out": self._out.tokens_out}
        for measure, tiers in self._layout.measures.items():
            for tier, column in tiers.items():
                number = self._out.tier(tier)
                self._put(measures[measure], number, begin, sources, self._frame[self._used[column]])
        return len(sources)

    def _role(self, role: str) -> pl.Series:
        return self._frame[self._used[self._layout.roles[role]]]

    def _without_blank(self, sources: SourceColumns) -> SourceColumns:
        texts = self._role("prompt")
        blank = _starts_like(texts, "")
        if blank.any():
            blank = blank.scatter(blank.arg_true(), texts.filter(blank).fill_null("").str.strip_chars() == "")
        if not blank.any():
            return sources
        for place in blank.arg_true().to_list():
            self._log.skip(sources[place], self._layout.roles["prompt"], kind(texts[place]), "the text of a prompt")
        self._frame = self._frame.filter(~blank)
        keep = ~blank.to_numpy()
        return SourceColumns(sources.file, sources.numbers[keep], sources.lines[keep])

    def _labels(self, role: str) -> pl.Series:
        if role not in self._layout.roles:
            return pl.Series(values=[None], dtype=pl.String).new_from_index(0, self._frame.height)
        texts = self._role(role)
        return texts.set(texts.str.strip_chars() == "", None)

    def _limits(self, sources: SourceColumns) -> pl.Series:
        if "max_tokens" not in self._layout.roles:
            return pl.Series(values=[None], dtype=pl.Int64).new_from_index(0, self._frame.height)
        texts = self._role("max_tokens")
        column = self._layout.roles["max_tokens"]
        bad: dict[str, CellError] = {}
        known = _by_value(texts, lambda text: _whole(text, bad))
        if bad:
            for place in texts.is_in(list(bad)).fill_null(False).arg_true().to_list():
                error = bad[texts[place]]
                self._log.ignore(sources[place], column, error.found, error.expected)
        return known

    def _put(self, measure: NumberCells, tier: int, begin: int, sources: SourceColumns, cells_of: pl.Series) -> None:
        """Put a column of numbers; of those that are text, what is not written plainly goes one by one."""
        if cells_of.dtype == pl.Float64:
            places = (cells_of.is_not_null() & cells_of.is_not_nan()).arg_true().to_numpy()
            measure.put_many(places + begin, tier, sources, places, cells_of.to_numpy()[places])
            return
        values = cells_of.cast(pl.Float64, strict=False)
        plain = (values.is_finite() & ~_may_be_thousands(cells_of, values)).fill_null(False)
        measure.has_points |= bool((cells_of.str.contains(".", literal=True) & plain).any())
        places = plain.arg_true().to_numpy()
        measure.put_many(places + begin, tier, sources, places, values.to_numpy()[places])
        for place in (~plain & cells_of.is_not_null()).arg_true().to_list():
            measure.put(place + begin, tier, sources[place], cells_of[place])


def _may_be_thousands(texts: pl.Series, values: pl.Series) -> pl.Series:
    """(n,): whether points may stand between thousands: "1.234"."""
    suspects = (values.abs() >= 1).fill_null(False) & (texts.str.len_bytes() >= 5).fill_null(False)
    if not suspects.any():
        return suspects
    pattern = rf"^\s*(?:{THOUSANDS.pattern})\s*$".replace(r"\d", "[0-9]")
    found = texts.filter(suspects).str.contains(pattern)
    return suspects.scatter(suspects.arg_true(), found)


def _by_value(texts: pl.Series, parse: Callable[[str], Any]) -> pl.Series:
    """Whole numbers of texts, each different one parsed once."""
    different = texts.drop_nulls().unique()
    if len(different) > _MOST_VALUES:
        return pl.Series(values=[None if text is None else parse(text) for text in texts], dtype=pl.Int64)
    return texts.replace_strict(different, [parse(text) for text in different], default=None, return_dtype=pl.Int64)


def _whole(text: str, bad: dict[str, CellError]) -> int | None:
    try:
        limit = cells.whole(text)
        return None if limit is None else min(limit, 2**53)
    except CellError as error:
        bad[text] = error
        return None
