"""Langfuse: observations or traces exported from its tables (CSV, JSON), by its API, or to blob storage.

Scores stand in a column of their own, in one column for each, or in a list of objects; the same score given several
times is averaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from training.imports.calls import AskedRequest, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of, one_of, parsed
from training.imports.spans import Span, calls_of, mean
from training.tables import Source

_Scores = dict[tuple[str | None, str | None], dict[str, list[Any]]]

_LOOKED_AT = 8
_OBSERVATION = ("observationId", "observation_id")
_TRACE, _START = ("traceId", "trace_id"), ("startTime", "start_time")
_MODELS = ("model", "providedModelName", "provided_model_name")
_COSTS = ("totalCost", "calculatedTotalCost", "total_cost")
_TOKENS = ("outputTokens", "completionTokens", "outputUsage", "output_tokens", "completion_tokens", "output_usage")
_SESSION = ("sessionId", "session_id")
_SETTINGS = ("modelParameters", "model_parameters")
_SCORE = frozenset({"name", "value"})
# Lists that are no scores, beside which each score may have a column of its own, with a list of values.
_LISTS = frozenset({"tags", "input", "output", "observations", "scores", "traceTags", "trace_tags"})


def _matches(content: Content) -> bool:
    return any(_is_observation(record) or _is_trace(record) for record in _first_records(content))


def _is_observation(record: Any) -> bool:
    return _has(record, _TRACE) and _has(record, _START) and {"input", "output"} <= record.keys()


def _is_trace(record: Any) -> bool:
    return {"input", "output", "timestamp"} <= record.keys() and _has(record, _SESSION) and "scores" in record


def _has(record: Any, names: tuple[str, ...]) -> bool:
    return any(name in record for name in names)


def _first_records(content: Content) -> list[Any]:
    """The first records; the API sends them in pages with a list "data"."""
    page = at(content.document, "data")
    records = page if isinstance(page, list) else content.head
    return [record for record in records[:_LOOKED_AT] if isinstance(record, dict)]


def _is_scores(content: Content) -> bool:
    return any(_is_score(record) for record in _first_records(content))


def _is_score(record: Any) -> bool:
    return record.keys() >= _SCORE and _has(record, _TRACE) and not {"input", "output"} & record.keys()


def _read(content: Content) -> Iterator[Item]:
    yield from calls_of(_spans(content))


def _rows(content: Content) -> Iterator[tuple[Source, Any]]:
    page = at(content.document, "data")
    if isinstance(page, list):
        yield from ((Source(content.file, row), record) for row, record in enumerate(page, 1))
    else:
        yield from content.records()


def _spans(content: Content) -> Iterator[Span | Item]:
    scores = _scores_beside(content)
    for source, record in _rows(content):
        if not isinstance(record, dict):
            continue
        inner = parsed(at(record, "observations"))
        is_trace = isinstance(inner, list) and any(isinstance(each, dict) for each in inner)
        trace = name_of(at(record, "id") if is_trace else one_of(record, *_TRACE))
        given = scores.pop((trace, None), {})
        if given:
            averaged = {name: mean(values) for name, values in given.items()}
            yield Span(trace, ScoredCall(source, None, AskedRequest(), averaged))
        if is_trace:
            yield Span(trace, _call(source, record))
        for each in inner if is_trace else [record]:
            yield _span(source, each, trace, record, scores)


def _span(source: Source, record: Any, trace: str | None, whole: Any, scores: _Scores) -> Span | Item:
    if at(record, "level") == "ERROR":
        return Unanswered(source)
    call, name = _call(source, record, whole), name_of(at(record, "id"))
    own = {key: mean(values) for key, values in scores.get((trace, name), {}).items()}
    return Span(trace or name, replace(call, scores={**call.scores, **own}) if own else call)


def _scores_beside(content: Content) -> _Scores:
    """Scores that were exported to a file of their own, by the trace and the observation that they are about."""
    found: _Scores = {}
    for stored in content.together.beside:
        for _, record in _rows(Content(stored)):
            name = name_of(at(record, "name"))
            if name is not None:
                about = (name_of(one_of(record, *_TRACE)), name_of(one_of(record, *_OBSERVATION)))
                value = first(at(record, "value"), one_of(record, "stringValue", "string_value"))
                found.setdefault(about, {}).setdefault(name, []).append(value)
    return found


def _call(source: Source, record: Any, whole: Any = None) -> ScoredCall:
    usage = first(at(record, "usageDetails"), at(record, "usage_details"), at(record, "usage"))
    cost = first(at(record, "costDetails", "total"), at(record, "cost_details", "total"))
    settings = one_of(record, *_SETTINGS)
    return ScoredCall(
        source,
        name_of(one_of(record, *_MODELS)),
        asked(at(record, "input"), settings),
        _scores(record),
        cost=first(one_of(record, *_COSTS), cost),
        tokens_out=first(one_of(record, *_TOKENS), at(usage, "output"), at(usage, "completionTokens")),
        response=answer_of(at(record, "output")),
        task=name_of(first(at(record, "traceName"), at(record, "trace_name"))),
        group=name_of(first(one_of(record, *_SESSION), one_of(whole, *_SESSION), one_of(record, *_TRACE))),
        timestamp=first(one_of(record, *_START), at(record, "timestamp")),
    )


def _scores(record: Any) -> dict[str, Any]:
    held = parsed(at(record, "scores"))
    if isinstance(held, dict):
        return {name: mean(value) for name, value in held.items()}
    listed: dict[str, list[Any]] = {}
    for score in held if isinstance(held, list) else []:
        name = name_of(at(score, "name"))
        if name is not None:
            listed.setdefault(name, []).append(first(at(score, "value"), at(score, "stringValue")))
    scores = {name: mean(values) for name, values in listed.items()}
    return scores or {
        name: mean(parsed(value))
        for name, value in (record.items() if isinstance(record, dict) else ())
        if name not in _LISTS and isinstance(parsed(value), list)
    }


LANGFUSE = Tool(
    "Langfuse",
    _matches,
    _read,
    companion=_is_scores,
    scoring="score the observations (an evaluator, or annotation) and export them again, or name their scores, too",
)
