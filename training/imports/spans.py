"""Traces: spans of which one holds the score and another one the call of the model -> calls with their scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from training.imports.calls import Item, ScoredCall
from training.imports.scores import number, numbers

_MOST_WAITING = 2**16


@dataclass(frozen=True, slots=True)
class Span:
    """A span: what it holds as a call, whose model is None where it called none itself, and the trace it is part of."""

    trace: str | None
    call: ScoredCall


def calls_of(spans: Iterable[Item | Span]) -> Iterator[Item]:
    """The calls of traces; what is no span is passed on.

    A score that stands at a span without a model is one of the trace's one call. Of several calls to one model
    together it is a score, too: they become one call, of what the scored span was asked. Calls to several models share
    no score. A trace is taken to be whole when 65,536 later ones have begun.
    """
    waiting: dict[str, list[ScoredCall]] = {}  # traces, which are written near together
    for span in spans:
        if len(waiting) > _MOST_WAITING:
            yield from _joined(waiting.pop(next(iter(waiting))))
        if not isinstance(span, Span):
            yield span
        elif span.call.model is not None and (numbers(span.call) or span.trace is None):
            yield span.call
        elif span.trace is not None and (span.call.model is not None or numbers(span.call)):
            waiting.setdefault(span.trace, []).append(span.call)
    for calls in waiting.values():
        yield from _joined(calls)


def _joined(spans: list[ScoredCall]) -> Iterator[ScoredCall]:
    calls = [span for span in spans if span.model is not None]
    holders = [span for span in spans if span.model is None]
    if not calls:
        yield from holders
        return
    if not holders or len({call.model for call in calls}) != 1:
        yield from calls
        return
    scores = {name: value for holder in holders for name, value in holder.scores.items()}
    if len(calls) == 1:
        yield replace(calls[0], scores=scores)
        return
    holder = next((holder for holder in holders if holder.asked), holders[0])
    yield replace(
        calls[0],
        asked=holder.asked or calls[0].asked,
        scores=scores,
        cost=_sum(call.cost for call in calls),
        tokens_out=_sum(call.tokens_out for call in calls),
        response=holder.response or calls[-1].response,
    )


def _sum(values: Iterable[Any]) -> float | None:
    """The sum, where all are known."""
    known = [number(value) for value in values]
    return None if None in known else sum(value for value in known if value is not None)


def mean(values: Any) -> Any:
    """The mean of several values of one score; one alone as it stands, so that words stay words."""
    if not isinstance(values, list):
        return values
    if len(values) == 1:
        return values[0]
    known = [value for value in map(number, values) if value is not None]
    return sum(known) / len(known) if known else None
