"""An export as a table in the long or the pairwise form, which the tables' own readers take further."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from training.imports.calls import AskedRequest, Duel, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.scores import number
from training.tables import Source
from training.tables.files import RawRow, Tick
from training.tables.problems import ProblemLog

_REQUEST = ("prompt", "messages", "max_tokens", "tools", "response_format", "task", "group", "timestamp")
LONG = ("model", "score", "cost", "tokens_out", "response", *_REQUEST)
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


class ImportedTable:
    """The rows of an export.

    Parameters
    ----------
    chosen : which kind of score counts, task by task.
    same : the wordings that the files of a run share.
    score : the name of the column of the score.
    beside : files of the tool that have no rows of their own.
    """

    def __init__(
        self,
        path: Path,
        tool: Tool,
        chosen: Mapping[str | None, str],
        same: SameRequests,
        score: str,
        beside: Sequence[Path],
    ) -> None:
        self._path, self._tool, self._chosen, self._same, self._beside = path, tool, chosen, same, beside
        self.columns = PAIRWISE if tool.pairwise else tuple(score if name == "score" else name for name in LONG)
        self._unanswered = self._unscored = 0
        self._kinds: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was understood of the file beside its rows, a sentence each."""
        kinds = ", ".join(self._kinds)
        said = [f"an export of {self._tool.name}" + (f"; its score is {kinds}" if kinds else "")]
        if self._unanswered:
            said.append(f"left out, calls that failed or did not run: {self._unanswered:,}")
        if self._unscored:
            said.append(f"left out, answers without that score: {self._unscored:,}")
        return tuple(said)

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `training.tables.files.RawTable`."""
        self._unanswered = self._unscored = 0
        self._kinds = {}
        places = [self.columns.index(name) for name in wanted]
        content = Content(self._path, partial(_skip, log), tick, self._beside)
        for item in self._tool.read(content):
            row = self._row(item, log)
            if row is not None:
                yield item.source, [row[place] for place in places]

    def _row(self, item: Item, log: ProblemLog) -> list[Any] | None:
        if isinstance(item, Unanswered):
            self._unanswered += 1
            return None
        if not item.asked:
            log.skip(item.source, None, "nothing that was asked", "a prompt or messages (export them, too)")
            return None
        if isinstance(item, Duel):
            return [item.model_a, item.model_b, item.winner, *_request(item.asked, item)]
        kind = self._chosen.get(item.task, "")
        score = number(item.scores.get(kind))
        if score is None:
            self._unscored += 1
            return None
        self._kinds[kind] = None
        said = [item.model, score, item.cost, item.tokens_out, item.response]
        return [*said, *_request(self._same.asked(item), item)]


def _skip(log: ProblemLog, source: Source, found: str, expected: str) -> None:
    log.skip(source, None, found, expected)


def _request(asked: AskedRequest, item: ScoredCall | Duel) -> list[Any]:
    request = [asked.prompt, asked.messages, asked.max_tokens, asked.tools, asked.response_format]
    return [*request, item.task, item.group, item.timestamp]
