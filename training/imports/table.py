"""An export as a table in the long or the pairwise form, which the tables' own readers take further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from classifier.errors import TableError
from training.imports.calls import AskedRequest, Duel, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content, NotReadableError, Together
from training.imports.scores import STANDARD, number
from training.tables import Source
from training.tables.files import RawRow, Tick
from training.tables.problems import ProblemLog
from training.tables.stored import Stored

_REQUEST = ("prompt", "messages", "max_tokens", "tools", "response_format", "task", "group", "timestamp")
LONG = ("model", "score", "cost", "tokens_out", "response", *_REQUEST)
_UNNAMED = "unnamed"
PAIRWISE = ("model_a", "model_b", "winner", *_REQUEST)


class SameRequests:
    """One wording for what several models were asked in their own words: a chat template of each model, say."""

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[AskedRequest, set[str]]]] = {}

    def asked(self, call: ScoredCall) -> AskedRequest:
        """The first wording of this request that was not another one of the same model."""
        if call.same is None or call.model is None:
            return call.asked
        known = self._known.setdefault(call.same, [])
        equal = (wording for wording in known if wording[0] == call.asked)
        other = (wording for wording in known if call.model not in wording[1])
        wording = next(equal, None) or next(other, None)
        if wording is None:
            wording = (call.asked, set())
            known.append(wording)
        wording[1].add(call.model)
        return wording[0]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the files of one tool are read.

    Attributes
    ----------
    tool, together : the tool, and its files.
    chosen : which kind of score counts, task by task; None: only the requests do.
    same : the wordings that the files share.
    """

    tool: Tool
    together: Together
    chosen: Mapping[str | None, str] | None
    same: SameRequests = field(default_factory=SameRequests)


class ImportedTable:
    """The rows of an export. ``score`` names the column of the score. `notes` are complete once the rows were read."""

    def __init__(self, stored: Stored, reading: Reading, score: str) -> None:
        self._stored, self._reading = stored, reading
        names = PAIRWISE if reading.tool.pairwise else LONG
        self.columns: tuple[str, ...] = tuple(score if name == STANDARD else name for name in names)
        self._left: Counter[str] = Counter()
        self._kinds: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was understood of the file beside its rows, a sentence each."""
        kinds = ", ".join(self._kinds)
        said = f"an export of {self._reading.tool.name}" + (f"; its score is {kinds}" if kinds else "")
        return (said, *(f"left out, {what}: {count:,}" for what, count in self._left.items()))

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `training.tables.files.RawTable`."""
        self._left.clear()
        self._kinds.clear()
        places = [self.columns.index(name) for name in wanted]
        content = Content(self._stored, partial(_skip, log), tick)
        content.together = self._reading.together
        for item in items_of(self._reading.tool, content):
            row = self._row(item, log)
            if row is not None:
                yield item.source, [row[place] for place in places]

    def _row(self, item: Item, log: ProblemLog) -> list[Any] | None:
        if isinstance(item, Unanswered):
            self._left[item.what] += 1
            return None
        if not item.asked:
            log.skip(item.source, None, "nothing that was asked", "a prompt or messages (export them, too)")
            return None
        if isinstance(item, Duel):
            return [item.model_a, item.model_b, item.winner, *_request(item.asked, item)]
        if self._reading.chosen is None:
            return [item.model or _UNNAMED, 0.0, None, None, None, *_request(item.asked, item)]
        kind = self._reading.chosen.get(item.task, "")
        score = item.scores.get(kind)
        if number(score) is None or item.model is None:
            self._left[
                "answers of a model that is not named" if item.model is None else "answers without that score"
            ] += 1
            return None
        self._kinds[kind] = None
        said = [item.model, score, item.cost, item.tokens_out, item.response]
        return [*said, *_request(self._reading.same.asked(item), item)]


def items_of(tool: Tool, content: Content) -> Iterator[Item]:
    """The items of an export.

    Raises
    ------
    TableError : the file is damaged, or nested too deeply.
    """
    try:
        yield from tool.read(content)
    except NotReadableError:
        raise TableError(f"{content.file}: found text that is not JSON, expected an export of {tool.name}") from None
    except RecursionError:
        raise TableError(
            f"{content.file}: found JSON nested too deeply, expected an export of {tool.name}; export it again"
        ) from None


def _skip(log: ProblemLog, source: Source, found: str, expected: str) -> None:
    log.skip(source, None, found, expected)


def _request(asked: AskedRequest, item: ScoredCall | Duel) -> list[Any]:
    request = [asked.prompt, asked.messages, asked.max_tokens, asked.tools, asked.response_format]
    return [*request, item.task, item.group, item.timestamp]
