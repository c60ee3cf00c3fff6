"""What exports hold: calls of models with their scores, and comparisons of two answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from training.imports.content import Content
from training.tables import Source


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """What a model was asked: a prompt or chat messages, and what else the request said."""

    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: Any = None
    tools: Any = None
    response_format: Any = None

    def __bool__(self) -> bool:
        return bool(self.prompt) or bool(self.messages)


@dataclass(frozen=True, slots=True)
class ScoredCall:
    """One answer of one model to one request.

    Attributes
    ----------
    source : where it stands.
    model : the name that the tool gives the model.
    asked : the request.
    scores : kind of score -> value as it stands; empty where the answer was not scored.
    cost, tokens_out, response, task, group, timestamp : as in the columns of a table; None where unknown.
    same : calls of different models with the same value here are about the same request, however it was worded for
        each of them.
    """

    source: Source
    model: str | None
    asked: AskedRequest
    scores: Mapping[str, Any] = field(default_factory=dict)
    cost: Any = None
    tokens_out: Any = None
    response: str | None = None
    task: str | None = None
    group: str | None = None
    timestamp: Any = None
    same: Hashable = None


@dataclass(frozen=True, slots=True)
class Duel:
    """Two answers to one request and which of them was preferred ("model_a", "model_b", "tie", "both_bad")."""

    source: Source
    asked: AskedRequest
    model_a: str | None
    model_b: str | None
    winner: Any
    task: str | None = None
    group: str | None = None
    timestamp: Any = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A call that brought no answer: an error, or a test that did not run. It says nothing about quality.

    ``what`` : such calls, in words.
    """

    source: Source
    what: str = "calls that failed or did not run"


Item = ScoredCall | Duel | Unanswered


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool whose exports can be read.

    Attributes
    ----------
    name : as its makers write it.
    matches : whether the content is an export of it.
    read : the items of an export.
    main : the kind of score that counts where nobody named one; None: there is none.
    pairwise : whether its items are comparisons.
    companion : whether the content is a file of the tool that has no rows, and only goes with one that has.
    scoring : what to do in the tool so that its export has scores.
    """

    name: str
    matches: Callable[[Content], bool]
    read: Callable[[Content], Iterator[Item]]
    main: str | None = None
    pairwise: bool = False
    companion: Callable[[Content], bool] = lambda _: False
    scoring: str = ""
