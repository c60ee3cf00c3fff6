"""Braintrust: experiments and logs, downloaded as JSON or CSV, fetched by its API or SDK, or results of ``Eval``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from training.imports.calls import Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of, one_of, parsed
from training.imports.spans import Span, calls_of
from training.tables import Source

_SPAN = frozenset({"root_span_id", "input", "output"})
_ROW = frozenset({"input", "output", "expected"})
_LISTS = ("events", "rows", "results", "data")
_SCORES, _METADATA, _METRICS = "scores.", "metadata.", "metrics."
_SPENT = ("estimated_cost", "cost", "total_cost")


def _matches(content: Content) -> bool:
    return any(map(_is_row, (_listed(content) or content.head)[:8]))


def _is_row(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    scored = "scores" in record or any(str(key).startswith(_SCORES) for key in record)
    return record.keys() >= _SPAN or (record.keys() >= _ROW and scored)


def _listed(content: Content) -> list[Any]:
    """The list in a document that holds the rows."""
    found = (at(content.document, name) for name in _LISTS)
    return next((rows for rows in found if isinstance(rows, list) and any(map(_is_row, rows[:8]))), [])


def _read(content: Content) -> Iterator[Item]:
    """An experiment that names no model is one of the model that its file is named after."""
    name = content.stem
    for item in calls_of(_spans(content)):
        unnamed = isinstance(item, ScoredCall) and item.model is None
        yield replace(item, model=name) if unnamed and isinstance(item, ScoredCall) else item


def _spans(content: Content) -> Iterator[Span | Item]:
    listed = _listed(content)
    rows = ((Source(content.file, row), record) for row, record in enumerate(listed, 1))
    experiment = name_of(at(content.document, "summary", "experimentName"))
    experiment = experiment or name_of(at(content.document, "summary", "experiment_name"))
    for source, record in rows if listed else content.records():
        if at(record, "error"):
            yield Unanswered(source)
        elif isinstance(record, dict):
            call = _call(source, record, experiment)
            yield Span(name_of(at(record, "root_span_id")), call) if "root_span_id" in record else call


def _call(source: Source, record: Mapping[str, Any], experiment: str | None) -> ScoredCall:
    metadata, metrics = _part(record, _METADATA), _part(record, _METRICS)
    return ScoredCall(
        source,
        first(name_of(one_of(metadata, "model", "model_name")), name_of(at(record, "model")), experiment),
        asked(at(record, "input"), metadata),
        _part(record, _SCORES),
        cost=first(one_of(metrics, *_SPENT), at(record, "estimated_cost")),
        tokens_out=at(metrics, "completion_tokens"),
        response=answer_of(at(record, "output")),
        group=name_of(one_of(metadata, "session_id", "thread_id")),
        timestamp=at(record, "created"),
    )


def _part(record: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """An object of a row, which CSV may have in columns of its own: ``scores`` or ``scores.NAME``."""
    whole = parsed(record.get(prefix.removesuffix(".")))
    columns = {key.removeprefix(prefix): value for key, value in record.items() if key.startswith(prefix)}
    return {**(whole if isinstance(whole, dict) else {}), **columns}


BRAINTRUST = Tool("Braintrust", _matches, _read, scoring="run an Eval with scores and export it")
