"""LiteLLM: the proxy's table of spend logs (``LiteLLM_SpendLogs``), and the payloads that its loggers write.

The proxy scores nothing. What stands in a call's metadata, or in a column of that name, as ``score`` or ``scores`` is
read as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.calls import AskedRequest, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of, one_of, parsed
from training.imports.scores import number
from training.tables import Source

_SPEND = frozenset({"request_id", "call_type", "spend"})
_PAYLOAD = frozenset({"call_type", "response_cost", "messages"})
_OTHER_CALLS = ("embedding", "image", "speech", "transcription", "rerank", "moderation", "file", "batch")
_LOGGED = ("metadata", "requester_metadata", "spend_logs_metadata")


def _matches(content: Content) -> bool:
    return content.keys >= _SPEND or content.keys >= _PAYLOAD


def _read(content: Content) -> Iterator[Item]:
    for source, record in content.records():
        kind = str(at(record, "call_type"))
        if not any(other in kind for other in _OTHER_CALLS):
            yield _item(source, record)


def _item(source: Source, record: Any) -> Item:
    if at(record, "status") == "failure":
        return Unanswered(source)
    cached = str(at(record, "cache_hit")).lower() == "true"
    return ScoredCall(
        source,
        # The group is the name that callers use; the model behind it may differ from call to call.
        name_of(one_of(record, "model_group", "model")),
        _asked(record),
        _scores(record),
        cost=None if cached else one_of(record, "spend", "response_cost"),
        tokens_out=at(record, "completion_tokens"),
        response=answer_of(at(record, "response")),
        group=name_of(one_of(record, "session_id", "trace_id")),
        timestamp=at(record, "startTime"),
    )


def _asked(record: Any) -> AskedRequest:
    body = parsed(at(record, "proxy_server_request"))
    settings = first(at(record, "model_parameters"), body)
    request = asked(at(record, "messages"), settings)
    return request or asked(first(at(body, "body"), body), settings)


def _scores(record: Any) -> dict[str, Any]:
    metadata = parsed(at(record, "metadata"))
    places = [record, metadata, *(at(metadata, name) for name in _LOGGED)]
    scores: dict[str, Any] = {}
    for place in places:
        several = parsed(at(place, "scores"))
        if isinstance(several, dict):
            scores |= {name: value for name, value in several.items() if number(value) is not None}
        single = at(place, "score")
        if number(single) is not None:
            scores.setdefault("score", single)
    return scores


LITELLM = Tool("LiteLLM", _matches, _read, scoring='add a column "score" to it')
