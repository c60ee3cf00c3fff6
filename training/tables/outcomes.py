"""Where outcomes are gathered while tables are read, and what they become."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifier.features import Features
from classifier.request import Request
from training.tables.columns import Form
from training.tables.identity import KnownRequests
from training.tables.measured import NumberCells, Settled
from training.tables.names import Measure
from training.tables.problems import ProblemLog, RowProblem, Source
from training.tables.rows import JoinedRows
from training.tables.times import NumericDate

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What was understood of one file.

    Attributes
    ----------
    path : the path as it was given.
    format : "csv", "tsv", "jsonl", "json", "xlsx", "parquet" or "arrow".
    form : "wide", "labelled", "long" or "pairwise"; "outcomes" for an outcome store.
    rows_read : data rows in the file.
    rows_kept : data rows that were used; the difference is listed in `OutcomeTable.problems`.
    repeats : scores of a request and tier that already had one (long and pairwise); the mean is taken.
    sha256 : of the file's bytes, in hexadecimal.
    ignored : columns that no form uses, in the file's order.
    hints : a sentence for each ignored column whose name is nearly one that would be used.
    notes : a sentence for each thing that was not read as the convention has it.
    """

    path: str
    format: str
    form: Form | Literal["outcomes"]
    rows_read: int
    rows_kept: int
    repeats: int
    sha256: str
    ignored: tuple[str, ...]
    hints: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """What is to be known of a table's rows that a router in use observed: by its own choice, not of every tier.

    Their scores are expected adequacies, 0..1, whatever makes an answer adequate elsewhere.

    Attributes
    ----------
    rows : (n,) whether the row is one.
    weights : (n, t) how many rows' worth a score counts, by the inverse probability of being seen; 1 in all other rows.
    features : of rows whose requests were not kept, by row; their entry among the requests is empty.
    half_life : days after which an outcome counts half; None: all count alike.
    """

    rows: NDArray[np.bool_]
    weights: NDArray[np.float64]
    features: Mapping[int, Features] = field(repr=False)
    half_life: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeTable:
    """Requests and how each tier did on them.

    Attributes
    ----------
    requests : n requests.
    tiers : t names as they stand in the data, in order of first appearance.
    scores : (n, t), 0..1, NaN where not observed.
    costs : (n, t) USD per call, NaN where unknown.
    tokens_out : (n, t) tokens of the answer, NaN where unknown.
    responses : for each row tier -> answer, or None when no table has answers.
    groups : the user's own group of each row, or None.
    timestamps : (n,) seconds since 1970-01-01 UTC, NaN where unknown.
    labels : the cheapest adequate tier of each row of a labelled table (whose scores are all NaN), else None.
    sources : where each row came from.
    problems : skipped rows, ignored cells and, with row 0, tiers left out.
    files : one summary a file.
    logged : where rows come from an outcome store; None: none do.
    """

    requests: Sequence[Request]
    tiers: tuple[str, ...]
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    tokens_out: NDArray[np.float64]
    responses: list[dict[str, str]] | None
    groups: list[str | None]
    timestamps: NDArray[np.float64]
    labels: list[str | None]
    sources: Sequence[Source]
    problems: list[RowProblem]
    files: list[FileSummary]
    logged: Logged | None = None


class Observations:
    """Values of (row, tier) in order of arrival, any number for each."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.int32]] = []
        self._tiers: list[NDArray[np.int32]] = []
        self._values: list[NDArray[np.float64]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, settled: Settled) -> None:
        """Add what a file's cells came to."""
        known = np.isfinite(settled.values)
        whole = bool(known.all())
        self._rows.append(settled.rows if whole else settled.rows[known])
        self._tiers.append(settled.tiers if whole else settled.tiers[known])
        self._values.append(settled.values if whole else settled.values[known])
        self._count += len(self._values[-1])

    def mean(self, rows: int, tiers: int) -> NDArray[np.float64]:
        """Means, (rows, tiers), NaN where there is no value."""
        cells = self._cells(tiers)
        means: NDArray[np.float64] = np.full(rows * tiers, np.nan)
        if len(cells):
            sums = np.bincount(cells, np.concatenate(self._values), rows * tiers)
            counts = np.bincount(cells, minlength=rows * tiers)
            np.divide(sums, counts, out=means, where=counts > 0)
        return means.reshape(rows, tiers)

    def repeats(self, tiers: int, bounds: Sequence[int]) -> list[int]:
        """Between each two bounds, how many values came to a row and tier that had one before."""
        cells = self._cells(tiers)
        if not len(cells) or np.bincount(cells).max() == 1:
            return [0] * (len(bounds) - 1)
        first = np.sort(np.unique(cells, return_index=True)[1])
        new = np.diff(np.searchsorted(first, bounds))
        return [int(count) for count in np.diff(bounds) - new]

    def _cells(self, tiers: int) -> NDArray[np.int64]:
        if not self._rows:
            return np.zeros(0, np.int64)
        cells = np.concatenate(self._rows, dtype=np.int64)
        cells *= tiers
        cells += np.concatenate(self._tiers)
        return cells


class Collector:
    """Gathers rows of any form; tiers get their number when they are first seen."""

    def __init__(self) -> None:
        self.requests: JoinedRows[Request] = JoinedRows()
        self.sources: JoinedRows[Source] = JoinedRows()
        self.groups: list[str | None] = []
        self.labels: list[str | None] = []
        self.timestamps = array("d")
        self.answers: dict[int, dict[str, str]] = {}
        self.scores = Observations()
        self.costs = Observations()
        self.tokens_out = Observations()
        self.dropped: set[int] = set()
        self.known = KnownRequests()
        self._tiers: dict[str, int] = {}
        self._tier_origins: list[tuple[str, str]] = []

    def tier(self, name: str, file: str, column: str) -> int:
        """Number of the tier; file and column are kept from its first appearance."""
        number = self._tiers.setdefault(name, len(self._tiers))
        if number == len(self._tier_origins):
            self._tier_origins.append((file, column))
        return number

    def repeats(self, bounds: Sequence[int]) -> list[int]:
        """Between each two of these counts of scores, how many came to a row and tier that had one before."""
        if not self.known:  # every row is one of its own
            return [0] * (len(bounds) - 1)
        return self.scores.repeats(len(self._tiers), bounds)

    def table(self, files: list[FileSummary], log: ProblemLog) -> OutcomeTable:
        """Everything gathered, without rows that were dropped and tiers that have neither a score nor a label."""
        n, t = len(self.requests), len(self._tiers)
        rows = np.arange(n)
        if self.dropped:
            rows = np.delete(rows, list(self.dropped))
        scores = _of_rows(self.scores.mean(n, t), rows)
        labelled = set(self.labels)
        seen = np.isfinite(scores).sum(axis=0)
        keep = [number for name, number in self._tiers.items() if seen[number] or name in labelled]
        for name, number in self._tiers.items():
            if number not in keep:
                file, column = self._tier_origins[number]
                expected = f"at least one in the table; tier {name} is left out"
                log.ignore(Source(file, 0), column, "no score in any row", expected)
        names = list(self._tiers)
        return OutcomeTable(
            requests=self.requests.taken(rows),
            tiers=tuple(names[number] for number in keep),
            scores=scores[:, keep],
            costs=_of_rows(self.costs.mean(n, t), rows)[:, keep],
            tokens_out=_of_rows(self.tokens_out.mean(n, t), rows)[:, keep],
            responses=self._responses({names[number] for number in keep}, rows),
            groups=_taken(self.groups, rows),
            timestamps=np.array(self.timestamps)[rows],
            labels=_taken(self.labels, rows),
            sources=self.sources.taken(rows),
            problems=log.problems,
            files=files,
        )

    def _responses(self, tiers: set[str], rows: NDArray[np.int64]) -> list[dict[str, str]] | None:
        if not self.answers:
            return None
        answers = (self.answers.get(row, {}) for row in rows.tolist())
        return [{tier: text for tier, text in row.items() if tier in tiers} for row in answers]


class FileCells:
    """Takes the rows of one file to a collector; what its numbers and dates mean is settled when all are there.

    Parameters
    ----------
    columns : measure -> tier -> its column; ``roles`` : those that hold all tiers.
    """

    def __init__(
        self,
        out: Collector,
        file: str,
        columns: Mapping[Measure, Mapping[str, str]],
        roles: Mapping[str, str],
    ) -> None:
        self.scores, self.costs, self.tokens_out = NumberCells(), NumberCells(), NumberCells()
        self.dates: dict[int, NumericDate] = {}
        self.rows: list[int] = []
        self._out, self._file, self._columns, self._roles = out, file, columns, roles
        out.known.start_file()

    def tier(self, name: str) -> int:
        """Number of the tier."""
        measures: dict[Measure, NumberCells] = {"score": self.scores, "cost": self.costs, "tokens_out": self.tokens_out}
        columns = {measure: self._column(measure, name) for measure in measures}
        number = self._out.tier(name, self._file, columns["score"] or columns["cost"])
        for measure, cells in measures.items():
            cells.columns.setdefault(number, columns[measure])
        return number

    def _column(self, measure: Measure, tier: str) -> str:
        """The column of a measure of a tier, as far as it has one of its own."""
        tiers = self._columns.get(measure, {})
        roles = (measure, "winner", "tier") if measure == "score" else (measure,)
        return tiers.get(tier) or next((self._roles[role] for role in roles if role in self._roles), "")

    def add(
        self, request: Request, source: Source, group: str | None, time: float | NumericDate, label: str | None = None
    ) -> int:
        """Add a row of its own; returns its number."""
        out = self._out
        row = len(out.requests)
        out.requests.append(request)
        out.sources.append(source)
        out.groups.append(group)
        out.labels.append(label)
        out.timestamps.append(np.nan)
        self._set_time(row, time)
        return row

    def add_many(self, requests: Sequence[Request], sources: Sequence[Source], groups: Sequence[str | None]) -> int:
        """Add rows of their own, without times; returns the first one's number."""
        out = self._out
        row = len(out.requests)
        out.requests.extend(requests)
        out.sources.extend(sources)
        out.groups += groups
        out.labels += [None] * len(requests)
        out.timestamps.frombytes(np.full(len(requests), np.nan).tobytes())
        return row

    def find_or_add(self, request: Request, source: Source, group: str | None, time: float | NumericDate) -> int:
        """The row that earlier rows of the same request became, or a new one."""
        out = self._out
        found = out.known.find(request, out.requests)
        if found is None:
            row = self.add(request, source, group, time)
            out.known.add(request, row)
            self.rows.append(row)
            return row
        self.rows.append(found.row)
        row, out.requests[found.row] = found.row, found.request
        if out.groups[row] is None:
            out.groups[row] = group
        if np.isnan(out.timestamps[row]) and row not in self.dates:
            self._set_time(row, time)
        return row

    def answer(self, row: int, tier: str, text: str) -> None:
        """Keep the first answer of a tier to a row."""
        self._out.answers.setdefault(row, {}).setdefault(tier, text)

    def _set_time(self, row: int, time: float | NumericDate) -> None:
        if isinstance(time, NumericDate):
            self.dates[row] = time
        else:
            self._out.timestamps[row] = time


def _of_rows(values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    return values if len(rows) == len(values) else values[rows]


def _taken(values: list[T], rows: NDArray[np.int64]) -> list[T]:
    return values if len(rows) == len(values) else [values[row] for row in rows]
