"""Which of an export's scores counts: the one that was named, the tool's main one, or the only one there is.

Tools score an answer in several ways at once: metrics, filters, scorers, graders, feedback keys. Where all say the same
of every answer, any of them will do. Where they differ, only the user knows which one is meant: a mean of them is none
of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from classifier.errors import TableError
from training.imports.calls import Duel, Item, ScoredCall, Unanswered
from training.tables.nearest import did_you_mean
from training.tables.numbers import Mark, written
from training.tables.problems import UnsureError
from training.tables.words import folded_word, word_scores

STANDARD = "score"
_MOST_NAMED = 12
_MOST_CHARS = 60


@dataclass(slots=True)
class Kinds:
    """The kinds of score of one task: in how many answers each was seen, and in how many they disagree."""

    seen: dict[str, int] = field(default_factory=dict)
    answers: int = 0
    differ: int = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Count one answer's scores."""
        self.answers += 1
        self.differ += len(set(values.values())) > 1
        for name in values:
            self.seen[name] = self.seen.get(name, 0) + 1

    @property
    def agree(self) -> bool:
        """Whether each answer has all of them, and all say the same."""
        return not self.differ and all(count == self.answers for count in self.seen.values())


@dataclass(slots=True)
class Survey:
    """What the exports of one tool hold, all files together.

    Attributes
    ----------
    kinds : task -> kinds of score.
    calls, models : of each file: answers with or without scores, and the models that gave them, as far as named.
    scored, odd : of each file: answers with a score, and comparisons; kinds of score that are no number.
    """

    kinds: dict[str | None, Kinds] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    models: dict[str, dict[str, None]] = field(default_factory=dict)
    scored: dict[str, int] = field(default_factory=dict)
    odd: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, file: str, items: Iterable[Item]) -> None:
        """Look through the items of one file."""
        self.calls[file] = self.scored[file] = 0
        models, odd = self.models.setdefault(file, {}), self.odd.setdefault(file, {})
        for item in items:
            if isinstance(item, Unanswered):
                continue
            self.calls[file] += 1
            if isinstance(item, Duel):
                self.scored[file] += 1
                continue
            if item.model is not None:
                models[item.model] = None
            values = numbers(item)
            if values:
                self.scored[file] += 1
                self.kinds.setdefault(item.task, Kinds()).add(values)
            elif len(odd) < _MOST_NAMED:
                odd.update((name[:_MOST_CHARS], None) for name, value in item.scores.items() if value is not None)

    @property
    def names(self) -> list[str]:
        """All kinds of score, in order of appearance."""
        return list(dict.fromkeys(name for kinds in self.kinds.values() for name in kinds.seen))


def meant(column: str, names: Iterable[str]) -> list[str]:
    """The kinds of score that a name of a column means.

    It is the name of one, or of several, parted by bars, one for each task; of a metric and filter, parted by a comma,
    each will do that says enough.
    """
    wanted, known = {column, *column.split("|")}, list(names)
    whole = [name for name in known if name in wanted]
    return whole or [name for name in known if wanted.intersection(name.split(","))]


def choose(survey: Survey, column: str, main: str | None, lenient: bool) -> dict[str | None, str]:
    """For each task the kind of score that counts.

    Parameters
    ----------
    column : the name that the user gives the column of the score; "score" where none was given.
    main : the tool's main kind of score.
    lenient : the user may have named a column of another file; a name that is not here counts as not given.

    Raises
    ------
    TableError : the kind that was named is nowhere. UnsureError : several kinds differ and none was named.
    """
    first, *others = survey.scored
    files = f"{first} and {len(others)} more" if others else first
    if column != STANDARD and not lenient and not meant(column, survey.names):
        raise TableError(
            f'{files}: found no score "{column[:_MOST_CHARS]}"{did_you_mean(column, survey.names)}, '
            f"expected one of: {_listed(survey.names)}"
        )
    return {task: _choose(kinds, task, column, main, files) for task, kinds in survey.kinds.items()}


def _choose(kinds: Kinds, task: str | None, column: str, main: str | None, files: str) -> str:
    named = meant(column, kinds.seen)
    names = named or [name for name in kinds.seen if name == main] or list(kinds.seen)
    if len(names) == 1 or kinds.agree:
        return names[0]
    where = f"{files}: task {task}" if task else files
    # A score that not every answer has would leave out the models that were scored otherwise.
    how = f"which differ on {kinds.differ:,}" if kinds.differ else "none of which all answers have, in all"
    raise UnsureError(
        f"{where}: found {len(names)} kinds of score ({_listed(names)}), {how} of {kinds.answers:,} answers, expected "
        "to know which one counts; name it as the column of the score",
        "column",
        f"{STANDARD}={names[0]}" if named or column == STANDARD else f"{STANDARD}={column}|{names[0]}",
    )


def numbers(call: ScoredCall) -> dict[str, float]:
    """The call's scores that are numbers, or words that say one."""
    graded = {name: number(value) for name, value in call.scores.items()}
    return {name: value for name, value in graded.items() if value is not None}


def number(value: Any) -> float | None:
    """The number that a score is or says; None of anything else."""
    if isinstance(value, str):
        word = folded_word(value)
        meaning = word_scores({word}).get(word)
        if meaning is not None:
            return None if math.isnan(meaning) else meaning
        found = written(value)
        value = None if found is None else found.value(Mark.POINT) / (found.of or 1.0)
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
    except OverflowError:
        return None


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:_MOST_CHARS] for name in names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "") if names else "none"
