"""What the cells of files mean, once all have been seen: decimal marks, scales, dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.tables.cells import CellError
from training.tables.columns import Layout
from training.tables.measured import Settled, file_mark, settle_amounts, settle_scores
from training.tables.options import ReadOptions
from training.tables.outcomes import Collector, FileCells
from training.tables.problems import ProblemLog, UnsureError
from training.tables.times import date_mark, date_orders, numeric_time

KnownFile = tuple[str, Layout, FileCells]


@dataclass(frozen=True, slots=True)
class SettledFile:
    """What a file's cells came to.

    Attributes
    ----------
    dropped : rows of the file that hold no outcome after all. repeats : scores that came to one that was there.
    """

    dropped: int
    repeats: int
    understood: tuple[str, ...]


def settle(files: Sequence[KnownFile], options: ReadOptions, log: ProblemLog, out: Collector) -> list[SettledFile]:
    """Settle all files, and hand what came of it to the collector; bad cells go to the log.

    Raises
    ------
    UnsureError : something can be read in several ways.
    """
    if options.requests_only:
        return [SettledFile(0, 0, ())] * len(files)
    scores, dropped, notes, bounds = [], [], [], [0]
    for name, layout, cells in files:
        measures = (cells.scores, cells.costs, cells.tokens_out)
        mark = file_mark(name, measures, options.decimal)
        scored = settle_scores(name, cells.scores, mark, options.scale)
        amounts = [settle_amounts(measure, mark) for measure in measures[1:]]
        scores.append(scored)
        for kept, settled in zip((out.scores, out.costs, out.tokens_out), (scored, *amounts), strict=True):
            kept.extend(settled)
        dropped.append(_log_bad(layout, scored, log))
        for settled in amounts:
            for bad in settled.bad:
                log.ignore(bad.source, bad.column, bad.found, bad.expected)
        times = _settle_times(name, layout, cells, options, log, out)
        notes.append((*scored.understood, *(note for settled in amounts for note in settled.understood), *times))
        bounds.append(len(out.scores))
    _refuse_other_scales(files, scores)
    _drop_empty(files, scores, out)
    repeats = out.repeats(bounds)
    return [SettledFile(*each) for each in zip(dropped, repeats, notes, strict=True)]


def _log_bad(layout: Layout, scored: Settled, log: ProblemLog) -> int:
    """Put bad scores into the log; returns how many rows of the file are left without one that is good."""
    if layout.form != "wide":
        for bad in scored.bad:
            log.skip(bad.source, bad.column, bad.found, bad.expected)
        return len(scored.bad)
    good = set(scored.rows.tolist()) if scored.bad else set()
    skipped: set[int] = set()
    for bad in scored.bad:
        if bad.row in good:
            log.ignore(bad.source, bad.column, bad.found, bad.expected)
        elif bad.row not in skipped:
            skipped.add(bad.row)
            log.skip(bad.source, bad.column, bad.found, bad.expected)
    return len(skipped)


def _drop_empty(files: Sequence[KnownFile], scores: Sequence[Settled], out: Collector) -> None:
    """Leave out rows of the table whose scores are all bad."""
    bad: set[int] = {cell.row for scored in scores for cell in scored.bad}
    if bad:
        good = np.concatenate([scored.rows for scored in scores])
        out.dropped |= bad.difference(good.tolist())


def _refuse_other_scales(files: Sequence[KnownFile], scores: Sequence[Settled]) -> None:
    """Files that are on different scales were scored differently, or one of them shows a part of its scale only."""
    known = {str(scored.scale): name for (name, *_), scored in zip(files, scores, strict=True) if scored.scale}
    if len(known) > 1:
        (one, first), (other, second) = list(known.items())[:2]
        raise UnsureError(
            f"{first}: found scores on {one}, and on {other} in {second}, expected one scale in all files; say which "
            "scale all are on, or write them with the same one",
            "scale",
            next(scale for scale in known if scale != "0..1"),
        )


def _settle_times(
    name: str, layout: Layout, cells: FileCells, options: ReadOptions, log: ProblemLog, out: Collector
) -> list[str]:
    """Set the times that are dates of numbers; returns what was understood of them."""
    if not cells.dates:
        return []
    orders = date_orders(cells.dates.values())
    column = layout.roles["timestamp"]
    unsure = [mark for mark, order in orders.items() if order is None]
    if unsure and options.dates is None:
        example = next(text for text in cells.dates.values() if date_mark(text) in unsure)
        raise UnsureError(
            f"{name}: column {column}: found dates such as {example[:20]!r}, expected to know the order of day and "
            "month; write them as 2025-01-31, or say the order (dmy, mdy or ymd)",
            "dates",
            "dmy",
        )
    for row, text in cells.dates.items():
        mark = date_mark(text)
        try:
            out.timestamps[row] = numeric_time(text, orders[mark] or options.dates or "dmy")
        except CellError as bad:
            log.ignore(out.sources[row], column, bad.found, bad.expected)
    words = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
    used = {mark: orders[mark] or options.dates for mark in orders}
    return [f"dates such as 1{mark}2{mark}2026 are read {words[order]}" for mark, order in used.items() if order]
