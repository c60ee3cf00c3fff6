"""Raw rows -> outcomes, form by form. Each reader returns how many rows it used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from classifier.request import Request, make_request
from training.tables import cells
from training.tables.cells import CellError
from training.tables.columns import RESPONSE, TOKENS_OUT, Columns, Form, per_tier
from training.tables.files import RawRow
from training.tables.outcomes import Collector, Observations
from training.tables.problems import ProblemLog, Source, kind, shown

T = TypeVar("T")
Cells = Sequence[Any]
Reader = Callable[[str, Iterable[RawRow], "RowReader", Collector], int]

_BOTH_GOOD = frozenset({"tie"})
_BOTH_BAD = frozenset({"tie (bothbad)", "tie(bothbad)", "both_bad", "bothbad", "both bad"})
_SIDES = {"model_a": 0, "a": 0, "model_b": 1, "b": 1}


class RowReader:
    """Takes from a row what all forms share; bad cells go to the log.

    ``used`` are the columns of the rows, in their order.
    """

    def __init__(self, used: Sequence[str], names: Columns, log: ProblemLog) -> None:
        self.at: Mapping[str, int] = {column: place for place, column in enumerate(used)}
        self.names = names
        self.log = log

    def request(self, source: Source, row: Cells) -> Request | None:
        """The row's request, or None when the row has to be skipped for lack of one."""
        names, at = self.names, self.at
        limit = self.value(source, row, names.max_tokens, cells.whole)
        task = self.value(source, row, names.task, cells.label)
        tools = self.value(source, row, names.tools, _tools)
        answer_format = self.value(source, row, names.response_format, _response_format)
        chat = names.messages in at and (names.prompt not in at or not _blank(row[at[names.messages]]))
        column = names.messages if chat else names.prompt
        cell = row[at[column]]
        try:
            request = make_request(
                None if chat else cells.prompt(cell),
                messages=cells.messages(cell) if chat else None,
                max_tokens=limit,
                task=task,
                tools=tools,
                response_format=answer_format,
            )
            if chat:
                cells.check_conversation(request)
            return request
        except CellError as bad:
            self.log.skip(source, column, bad.found, bad.expected)
            return None

    def when_and_group(self, source: Source, row: Cells) -> tuple[str | None, float]:
        """The row's group and time."""
        group = self.value(source, row, self.names.group, cells.label)
        time = self.value(source, row, self.names.timestamp, cells.seconds)
        return group, cells.NOT_OBSERVED if time is None else time

    def name(self, source: Source, row: Cells, column: str) -> str | None:
        """The tier named in a cell, or None when the row has to be skipped for lack of one."""
        cell = row[self.at[column]]
        try:
            name = cells.label(cell)
        except CellError as bad:
            self.log.skip(source, column, bad.found, "the name of a model or tier")
            return None
        if name is None:
            self.log.skip(source, column, kind(cell), "the name of a model or tier")
            return None
        return name.strip()

    def value(self, source: Source, row: Cells, column: str, parse: Callable[[Any], T]) -> T | None:
        """The value of an optional column; None where there is none or it is bad, which is logged."""
        place = self.at.get(column)
        if place is None or row[place] is None:
            return None
        try:
            return parse(row[place])
        except CellError as bad:
            self.log.ignore(source, column, bad.found, bad.expected)
            return None


def read_wide(file: str, rows: Iterable[RawRow], reader: RowReader, out: Collector) -> int:
    """``score__<tier>`` columns: one row a request. One without any score is a request all the same."""
    scored = [
        (reader.at[column], column, out.tier(tier, file, column))
        for tier, column in per_tier(list(reader.at), "score__").items()
    ]
    extras = _extras(file, reader, out)
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        if request is None:
            continue
        scores, bad = _scores(row, scored)
        if bad and not scores:
            column, cell = bad[0]
            reader.log.skip(source, column, cell.found, cell.expected)
            continue
        for column, cell in bad:
            reader.log.ignore(source, column, cell.found, cell.expected)
        number = out.add(request, source, *reader.when_and_group(source, row))
        for tier, score in scores:
            out.scores.put(number, tier, score)
        _read_extras(source, row, number, extras, reader, out)
        used += 1
    return used


def read_labelled(file: str, rows: Iterable[RawRow], reader: RowReader, out: Collector) -> int:
    """A ``tier`` column with the cheapest adequate one; scores are left to who knows the order of prices."""
    column = reader.names.tier
    extras = _extras(file, reader, out)
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        tier = None if request is None else reader.name(source, row, column)
        if request is None or tier is None:
            continue
        out.tier(tier, file, column)
        number = out.add(request, source, *reader.when_and_group(source, row), label=tier)
        _read_extras(source, row, number, extras, reader, out)
        used += 1
    return used


def read_long(file: str, rows: Iterable[RawRow], reader: RowReader, out: Collector) -> int:
    """One row a request and model."""
    names = reader.names
    extras: dict[str, list[_Extra]] = {}
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        model = None if request is None else reader.name(source, row, names.model)
        if request is None or model is None:
            continue
        cell = row[reader.at[names.score]]
        try:
            score = cells.score(cell)
        except CellError as bad:
            reader.log.skip(source, names.score, bad.found, bad.expected)
            continue
        if math.isnan(score):
            reader.log.skip(source, names.score, kind(cell) if _blank(cell) else shown(cell), "a number from 0 to 1")
            continue
        tier = out.tier(model, file, names.model)
        number = out.find_or_add(request, source, *reader.when_and_group(source, row))
        out.scores.put(number, tier, score)
        if model not in extras:
            measures = ((names.cost, out.costs), (TOKENS_OUT, out.tokens_out), (RESPONSE, None))
            extras[model] = [_Extra(column, tier, model, values) for column, values in measures if column in reader.at]
        _read_extras(source, row, number, extras[model], reader, out)
        used += 1
    return used


def read_pairwise(file: str, rows: Iterable[RawRow], reader: RowReader, out: Collector) -> int:
    """Two models a row and which of them won: the winner scores 1, the loser 0; a tie 1 and 1, both bad 0 and 0."""
    names = reader.names
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        first = None if request is None else reader.name(source, row, names.model_a)
        second = None if first is None else reader.name(source, row, names.model_b)
        if request is None or first is None or second is None:
            continue
        if first == second:
            reader.log.skip(source, names.model_b, f"{shown(second)} again", f"another model than {names.model_a} has")
            continue
        cell = row[reader.at[names.winner]]
        scores = _preference(cell, first, second)
        if scores is None:
            expected = "model_a, model_b, tie, both_bad or the name of one of the two models"
            reader.log.skip(source, names.winner, kind(cell) if _blank(cell) else shown(cell), expected)
            continue
        number = out.find_or_add(request, source, *reader.when_and_group(source, row))
        for model, column, score in zip((first, second), (names.model_a, names.model_b), scores, strict=True):
            out.scores.put(number, out.tier(model, file, column), score)
        used += 1
    return used


READERS: dict[Form, Reader] = {
    "wide": read_wide,
    "labelled": read_labelled,
    "long": read_long,
    "pairwise": read_pairwise,
}


@dataclass(frozen=True, slots=True)
class _Extra:
    """A column beside the score: numbers go to ``values``, and where that is None the cell is the tier's answer."""

    column: str
    tier: int
    name: str
    values: Observations | None


def _extras(file: str, reader: RowReader, out: Collector) -> list[_Extra]:
    """The per-tier columns other than scores."""
    targets = {"cost__": out.costs, "tokens_out__": out.tokens_out, "response__": None}
    return [
        _Extra(column, out.tier(tier, file, column), tier, values)
        for prefix, values in targets.items()
        for tier, column in per_tier(list(reader.at), prefix).items()
    ]


def _read_extras(
    source: Source, row: Cells, number: int, extras: Iterable[_Extra], reader: RowReader, out: Collector
) -> None:
    for extra in extras:
        if extra.values is None:
            text = reader.value(source, row, extra.column, cells.answer)
            if text is not None:
                out.answer(number, extra.name, text)
        else:
            value = reader.value(source, row, extra.column, cells.amount)
            if value is not None and not math.isnan(value):
                extra.values.put(number, extra.tier, value)


def _scores(
    row: Cells, scored: Iterable[tuple[int, str, int]]
) -> tuple[list[tuple[int, float]], list[tuple[str, CellError]]]:
    """Observed (tier, score) and bad (column, cell) of a wide row."""
    good, bad = [], []
    for place, column, tier in scored:
        try:
            score = cells.score(row[place])
        except CellError as cell:
            bad.append((column, cell))
            continue
        if not math.isnan(score):
            good.append((tier, score))
    return good, bad


def _preference(cell: Any, first: str, second: str) -> tuple[float, float] | None:
    """Scores of the two models, or None when the cell names no outcome."""
    if not isinstance(cell, str):
        return None
    said = cell.strip()
    if said in (first, second):
        return (1.0, 0.0) if said == first else (0.0, 1.0)
    said = said.lower()
    if said in _BOTH_GOOD:
        return 1.0, 1.0
    if said in _BOTH_BAD:
        return 0.0, 0.0
    side = _SIDES.get(said)
    return None if side is None else (1.0 - side, float(side))


def _blank(cell: Any) -> bool:
    return cell is None or cell == [] or (isinstance(cell, str) and (not cell or cell.isspace()))


def _tools(cell: Any) -> list[Any] | None:
    expected = "a list of tool definitions, as JSON text or native"
    value = cells.structure(cell, expected)
    if value is not None and not isinstance(value, list):
        raise CellError(kind(value), expected)
    return value


def _response_format(cell: Any) -> dict[str, Any] | None:
    expected = 'an object such as {"type": "json_object"}, as JSON text or native'
    value = cells.structure(cell, expected)
    if value is not None and not isinstance(value, dict):
        raise CellError(kind(value), expected)
    return value
