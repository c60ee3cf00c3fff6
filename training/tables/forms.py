"""Raw rows -> outcomes, form by form. Each reader returns how many rows it used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from classifier.errors import UnreadableMessagesError
from classifier.request import Request, make_request
from training.tables import cells
from training.tables.cells import CellError
from training.tables.chats import check_conversation, is_chat_text, read_chat
from training.tables.columns import RESPONSE, TOKENS_OUT, Form, Layout
from training.tables.files import RawRow
from training.tables.measured import NumberCells
from training.tables.names import Measure
from training.tables.outcomes import FileCells
from training.tables.problems import ProblemLog, Source, kind, shown
from training.tables.times import NumericDate, read_time
from training.tables.words import ABSENT

T = TypeVar("T")
Cells = Sequence[Any]
Reader = Callable[[Iterable[RawRow], "RowReader", FileCells], int]

_BOTH_GOOD = frozenset(("tie", "ties", "tied", "draw", "equal", "same", "both", "both good", "both_good", "a=b"))
_BOTH_BAD = frozenset(("tie (bothbad)", "tie(bothbad)", "both_bad", "bothbad", "both bad", "neither", "neither good"))
_FIRST = ("model_a", "model a", "a", "left", "first", "response_a", "answer_a", "assistant_a", "a>b", "a>>b")
_SECOND = ("model_b", "model b", "b", "right", "second", "response_b", "answer_b", "assistant_b", "b>a", "b>>a")
_SIDES = dict.fromkeys(_FIRST, 0) | dict.fromkeys(_SECOND, 1)
_TRUE = frozenset(("1", "1.0", "true", "yes"))


class RowReader:
    """Takes from a row what all forms share; bad cells go to the log.

    ``used`` are the columns of the rows, in their order.
    """

    def __init__(self, used: Sequence[str], layout: Layout, log: ProblemLog) -> None:
        self.layout = layout
        self.log = log
        self.counts: Counter[str] = Counter()
        at = {column: place for place, column in enumerate(used)}
        self.at: Mapping[str, int] = {role: at[column] for role, column in layout.roles.items()}
        self.measures: Mapping[Measure, Mapping[str, int]] = {
            measure: {tier: at[column] for tier, column in tiers.items()} for measure, tiers in layout.measures.items()
        }
        self.one_hot = {at[column]: scores for column, scores in layout.one_hot.items()}

    def request(self, source: Source, row: Cells) -> Request | None:
        """The row's request, or None when the row has to be skipped for lack of one."""
        at = self.at
        role = "messages" if "messages" in at and ("prompt" not in at or not _blank(row[at["messages"]])) else "prompt"
        cell = row[at[role]]
        try:
            asked = self._asked(role, cell)
            request = make_request(
                **asked,
                max_tokens=self.value(source, row, "max_tokens", cells.whole),
                task=self.value(source, row, "task", cells.label),
                tools=self.value(source, row, "tools", _tools),
                response_format=self.value(source, row, "response_format", _response_format),
            )
            if "messages" in asked:
                check_conversation(request)
            return request
        except CellError as bad:
            self.log.skip(source, self.layout.roles[role], bad.found, bad.expected)
        except UnreadableMessagesError:
            self.log.skip(source, self.layout.roles[role], "messages without content", "text in at least one message")
        return None

    def _asked(self, role: str, cell: Any) -> dict[str, Any]:
        """The prompt, or the messages, that a cell holds."""
        if role == "prompt" and isinstance(cell, str) and not is_chat_text(cell):
            return {"prompt": cells.prompt(cell)}
        return {"messages": self._messages(role, cell)}

    def _messages(self, role: str, cell: Any) -> list[dict[str, Any]]:
        if role == "prompt":
            if not (isinstance(cell, str) or (isinstance(cell, list) and cell and isinstance(cell[0], dict))):
                raise CellError(kind(cell), "the text of a prompt")
            self.counts["chats"] += 1
        chat = read_chat(cell)
        self.counts["answers"] += chat.answers
        self.counts["answered"] += bool(chat.answers)
        return chat.messages

    def group(self, source: Source, row: Cells) -> str | None:
        """The row's group."""
        return self.value(source, row, "group", cells.label)

    def time(self, source: Source, row: Cells) -> float | NumericDate:
        """The row's time; NaN where it is not known."""
        time = self.value(source, row, "timestamp", read_time)
        return cells.NOT_OBSERVED if time is None else time

    def name(self, source: Source, row: Cells, role: str) -> str | None:
        """The tier named in a cell, or None when the row has to be skipped for lack of one."""
        cell = row[self.at[role]]
        try:
            name = cells.label(cell)
        except CellError as bad:
            self.log.skip(source, self.layout.roles[role], bad.found, "the name of a model or tier")
            return None
        if name is None:
            self.log.skip(source, self.layout.roles[role], kind(cell), "the name of a model or tier")
            return None
        return name.strip()

    def value(self, source: Source, row: Cells, role: str, parse: Callable[[Any], T]) -> T | None:
        """The value of an optional column; None where there is none or it is bad, which is logged."""
        place = self.at.get(role)
        if place is None or row[place] is None:
            return None
        return self.parsed(source, self.layout.roles[role], row[place], parse)

    def parsed(self, source: Source, column: str, cell: Any, parse: Callable[[Any], T]) -> T | None:
        """The value of a cell; None where it is bad, which is logged."""
        try:
            return parse(cell)
        except CellError as bad:
            self.log.ignore(source, column, bad.found, bad.expected)
            return None


def read_wide(rows: Iterable[RawRow], reader: RowReader, out: FileCells) -> int:
    """A column of scores a tier: one row a request. One without any score is a request all the same."""
    scored = [(place, out.tier(tier)) for tier, place in reader.measures["score"].items()]
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        if request is None:
            continue
        number = out.add(request, source, reader.group(source, row), reader.time(source, row))
        for place, tier in scored:
            out.scores.put(number, tier, source, row[place])
        _read_measures(source, row, number, reader, out)
        used += 1
    return used


def read_labelled(rows: Iterable[RawRow], reader: RowReader, out: FileCells) -> int:
    """A ``tier`` column with the cheapest adequate one; scores are left to who knows the order of prices."""
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        tier = None if request is None else reader.name(source, row, "tier")
        if request is None or tier is None:
            continue
        out.tier(tier)
        number = out.add(request, source, reader.group(source, row), reader.time(source, row), label=tier)
        _read_measures(source, row, number, reader, out)
        used += 1
    return used


def read_long(rows: Iterable[RawRow], reader: RowReader, out: FileCells) -> int:
    """One row a request and model."""
    used = 0
    measures: list[tuple[str, NumberCells]] = [("cost", out.costs), (TOKENS_OUT, out.tokens_out)]
    for source, row in rows:
        request = reader.request(source, row)
        model = None if request is None else reader.name(source, row, "model")
        if request is None or model is None:
            continue
        cell = row[reader.at["score"]]
        if _blank(cell) or cell != cell or (isinstance(cell, str) and cell.strip().casefold() in ABSENT):
            found = kind(cell) if _blank(cell) else shown(cell)
            reader.log.skip(source, reader.layout.roles["score"], found, "a number from 0 to 1", is_fault=False)
            continue
        tier = out.tier(model)
        number = out.find_or_add(request, source, reader.group(source, row), reader.time(source, row))
        out.scores.put(number, tier, source, cell)
        for role, values in measures:
            if role in reader.at:
                values.put(number, tier, source, row[reader.at[role]])
        if RESPONSE in reader.at:
            _read_answer(source, reader.layout.roles[RESPONSE], row[reader.at[RESPONSE]], (number, model), reader, out)
        used += 1
    return used


def read_pairwise(rows: Iterable[RawRow], reader: RowReader, out: FileCells) -> int:
    """Two models a row, and which of them won or what they scored.

    The winner scores 1, the loser 0; a tie 1 and 1, both bad 0 and 0.
    """
    used = 0
    for source, row in rows:
        request = reader.request(source, row)
        first = None if request is None else reader.name(source, row, "model_a")
        second = None if first is None else reader.name(source, row, "model_b")
        if request is None or first is None or second is None:
            continue
        if first == second:
            expected = f"another model than {reader.layout.roles['model_a']} has"
            reader.log.skip(source, reader.layout.roles["model_b"], f"{shown(second)} again", expected)
            continue
        scores = _pair_scores(source, row, (first, second), reader)
        if scores is None:
            continue
        number = out.find_or_add(request, source, reader.group(source, row), reader.time(source, row))
        tiers = dict(zip(("model_a", "model_b"), (first, second), strict=True))
        for side, score in zip(tiers, scores, strict=True):
            out.scores.put(number, out.tier(tiers[side]), source, score)
        _read_measures(source, row, number, reader, out, tiers)
        used += 1
    return used


READERS: dict[Form, Reader] = {
    "wide": read_wide,
    "labelled": read_labelled,
    "long": read_long,
    "pairwise": read_pairwise,
}


def _read_measures(
    source: Source, row: Cells, number: int, reader: RowReader, out: FileCells, names: Mapping[str, str] | None = None
) -> None:
    """Costs, counts of tokens and answers of each tier; ``names`` are the tiers that columns stand for."""
    targets: dict[Measure, NumberCells] = {"cost": out.costs, "tokens_out": out.tokens_out}
    for measure, values in targets.items():
        for tier, place in reader.measures.get(measure, {}).items():
            if row[place] is not None:
                values.put(number, out.tier(names[tier] if names else tier), source, row[place])
    for tier, place in reader.measures.get("response", {}).items():
        column = reader.layout.measures["response"][tier]
        _read_answer(source, column, row[place], (number, names[tier] if names else tier), reader, out)


def _read_answer(
    source: Source, column: str, cell: Any, place: tuple[int, str], reader: RowReader, out: FileCells
) -> None:
    """Keep a tier's answer to a row; ``place`` is the row and the tier."""
    text = None if cell is None else reader.parsed(source, column, cell, cells.answer)
    if text is not None:
        out.answer(*place, text)


def _pair_scores(source: Source, row: Cells, models: tuple[str, str], reader: RowReader) -> tuple[Any, Any] | None:
    """Scores of the two models, or None when the row has to be skipped for lack of them."""
    layout = reader.layout
    if "winner" in reader.at:
        cell, column = row[reader.at["winner"]], layout.roles["winner"]
        scores = _preference(cell, *models)
        expected = "model_a, model_b, tie, both_bad or the name of one of the two models"
        found = kind(cell) if _blank(cell) else shown(cell)
    elif layout.one_hot:
        hot = [scores for place, scores in reader.one_hot.items() if str(row[place]).strip().lower() in _TRUE]
        column = next(iter(layout.one_hot))
        scores, found, expected = hot[0] if len(hot) == 1 else None, f"{len(hot)} columns that hold 1", "one of them"
    else:
        columns = reader.measures["score"]
        return row[columns["model_a"]], row[columns["model_b"]]
    if scores is None:
        reader.log.skip(source, column, found, expected)
    return scores


def _preference(cell: Any, first: str, second: str) -> tuple[float, float] | None:
    """Scores of the two models, or None when the cell names no outcome."""
    if not isinstance(cell, str):
        return None
    said = cell.strip()
    if said in (first, second):
        return (1.0, 0.0) if said == first else (0.0, 1.0)
    said = said.strip("[]").casefold()
    if said in (first.casefold(), second.casefold()) and first.casefold() != second.casefold():
        return (1.0, 0.0) if said == first.casefold() else (0.0, 1.0)
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
