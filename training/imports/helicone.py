"""Helicone: requests as JSON, JSONL or CSV: ``npx @helicone/export --include-body``, its API, or its pages' export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.calls import AskedRequest, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of, one_of, parsed, text_of
from training.imports.scores import number
from training.tables import Source

_REQUEST = ("request_created_at", "request_body", "request_path", "request_id")
_PAGE = frozenset({"requestText", "responseText"})
_MODELS = ("request_model", "model_override", "model", "response_model")
_COSTS = ("cost", "cost_usd", "costUSD", "costUsd", "total_cost")
_GIVEN = {"helicone-score-feedback": "feedback"}
_FEEDBACK = ("feedback_rating", "helicone_feedback", "feedback")


def _matches(content: Content) -> bool:
    records = _rows(content)[:8] or content.head[:8]
    return any(_is_request(record) for record in records)


def _is_request(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    named = sum(name in record for name in _REQUEST) >= 2 and ("request_body" in record or "request_path" in record)
    return named or record.keys() >= _PAGE


def _rows(content: Content) -> list[Any]:
    page = at(content.document, "data")
    return page if isinstance(page, list) else []


def _read(content: Content) -> Iterator[Item]:
    rows = _rows(content)
    if rows:
        for row, record in enumerate(rows, 1):
            yield _item(Source(content.file, row), record)
        return
    for source, record in content.records():
        yield _item(source, record)


def _item(source: Source, record: Any) -> Item:
    status = number(first(at(record, "response_status"), at(record, "status", "code"), at(record, "status")))
    if status is not None and (status >= 400 or status < 0):
        return Unanswered(source)
    body = _body(at(record, "request_body"))
    return ScoredCall(
        source,
        name_of(first(at(body, "model"), one_of(record, *_MODELS))),
        _asked(record, body),
        _scores(record),
        cost=None if _is_cached(record) else one_of(record, *_COSTS),
        tokens_out=one_of(record, "completion_tokens", "completionTokens", "response_tokens"),
        response=first(answer_of(at(record, "response_body")), text_of(at(record, "responseText"))),
        group=name_of(first(at(record, "session_id"), _property(record, "Helicone-Session-Id"))),
        timestamp=one_of(record, "request_created_at", "created_at", "createdAt"),
    )


def _asked(record: Any, body: Any) -> AskedRequest:
    request = asked(body) if isinstance(body, dict) else AskedRequest()
    return request or asked(at(record, "requestText"))


def _body(cell: Any) -> Any:
    """A body; the export tool writes each quote of one twice in CSV, before it is quoted as a cell."""
    body = parsed(cell)
    return parsed(body.replace('""', '"')) if isinstance(body, str) else body


def _is_cached(record: Any) -> bool:
    return str(first(at(record, "cache_enabled"), at(record, "cached"))).lower() == "true" and (
        at(record, "cache_reference_id") is not None or at(record, "cached") is not None
    )


def _property(record: Any, name: str) -> Any:
    return first(at(record, "request_properties", name), at(record, "properties", name))


def _scores(record: Any) -> dict[str, Any]:
    held = parsed(at(record, "scores"))
    scores = {}
    for name, value in held.items() if isinstance(held, dict) else ():
        plain = _GIVEN.get(name, name.removesuffix("-hcone-bool"))
        scores[plain] = at(value, "value") if isinstance(value, dict) else value
    feedback = one_of(record, *_FEEDBACK)
    rating = at(feedback, "rating") if isinstance(parsed(feedback), dict) else feedback
    return {**scores, "feedback": rating} if number(rating) is not None else scores


HELICONE = Tool("Helicone", _matches, _read, scoring="send scores or feedback for the requests and export them again")
