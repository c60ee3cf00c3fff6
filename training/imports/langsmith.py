"""LangSmith: runs (the SDK's ``list_runs``, bulk export) and experiments (``to_pandas().to_csv``, download as CSV).

A run's feedback is its scores. Feedback at a chain's run counts for the model that the chain called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.calls import Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of, one_of, parsed
from training.imports.spans import Span, calls_of
from training.tables import Source

_RUN = frozenset({"run_type", "inputs"})
_INPUTS, _OUTPUTS, _FEEDBACK = ("inputs.", "input."), ("outputs.", "output."), "feedback."
_TOLD = ("ls_model_name", "model_name", "model")


def _matches(content: Content) -> bool:
    keys = content.keys
    experiment = any(key.startswith(_FEEDBACK) for key in keys) and any(key.startswith(_INPUTS) for key in keys)
    return keys >= _RUN or experiment


def _read(content: Content) -> Iterator[Item]:
    yield from calls_of(_spans(content))


def _spans(content: Content) -> Iterator[Span | Item]:
    for source, record in content.records():
        if "run_type" not in record:
            yield _experiment_row(source, record, content)
        elif at(record, "error"):
            yield Unanswered(source)
        else:
            yield Span(name_of(first(at(record, "trace_id"), at(record, "id"))), _run(source, record))


def _run(source: Source, record: Any) -> ScoredCall:
    called = at(record, "run_type") == "llm"
    group = first(at(record, "extra", "metadata", "session_id"), at(record, "extra", "metadata", "thread_id"))
    return ScoredCall(
        source,
        _model(record) if called else None,
        asked(at(record, "inputs"), at(record, "extra", "invocation_params")),
        _feedback(record),
        cost=at(record, "total_cost"),
        tokens_out=at(record, "completion_tokens"),
        response=answer_of(at(record, "outputs")),
        group=name_of(group),
        timestamp=at(record, "start_time"),
    )


def _model(record: Any) -> str | None:
    """The model, as LangChain's own metadata or the call's arguments name it."""
    extra, outputs = at(record, "extra"), at(record, "outputs")
    told = (
        one_of(at(extra, "metadata"), *_TOLD),
        one_of(at(extra, "invocation_params"), *_TOLD),
        one_of(at(outputs, "llm_output"), *_TOLD),
        one_of(at(record, "metadata"), *_TOLD),
        at(outputs, "model"),
        at(record, "name"),
    )
    return name_of(first(*told))


def _feedback(record: Any) -> dict[str, Any]:
    stats = parsed(at(record, "feedback_stats"))
    scores = {key: at(value, "avg") for key, value in stats.items()} if isinstance(stats, dict) else {}
    listed = parsed(at(record, "feedback"))
    for each in listed if isinstance(listed, list) else []:
        key = name_of(at(each, "key"))
        if key is not None:
            scores[key] = first(at(each, "score"), at(each, "value"))
    return scores


def _experiment_row(source: Source, record: Any, content: Content) -> Item:
    """A row of an experiment; its model stands in a column of metadata, else the file is named after it."""
    if at(record, "error"):
        return Unanswered(source)
    model = one_of(record, "model", "metadata.model", "metadata.model_name", "metadata.ls_model_name", "experiment")
    return ScoredCall(
        source,
        name_of(model) or content.stem,
        asked(_under(record, _INPUTS)),
        _under(record, (_FEEDBACK,)),
        cost=first(at(record, "total_cost"), at(record, "cost")),
        tokens_out=at(record, "completion_tokens"),
        response=answer_of(next(iter(_under(record, _OUTPUTS).values()), None)),
    )


def _under(record: Any, prefixes: tuple[str, ...]) -> dict[str, Any]:
    """The columns with one of these prefixes, without it."""
    found = {}
    for key, value in record.items():
        prefix = next((prefix for prefix in prefixes if key.startswith(prefix)), None)
        if prefix is not None:
            found[key.removeprefix(prefix)] = value
    return found


LANGSMITH = Tool("LangSmith", _matches, _read, scoring="evaluate the runs, or give feedback, and export them again")
