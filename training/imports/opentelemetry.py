"""OpenTelemetry: spans with the GenAI attributes, as OTLP JSON (one document, or one a line) or as the SDK prints them.

Also read are the attributes of older conventions and of OpenLLMetry and OpenInference. Scores are events
``gen_ai.evaluation.result`` of the span, or of another one in its trace; events may also be records of a file of logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from training.imports.calls import AskedRequest, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of, one_of, parsed
from training.imports.scores import number
from training.imports.spans import Span, calls_of
from training.tables import Source

_Events = dict[tuple[str | None, str | None], list[dict[str, Any]]]

_LOGS = ("resourceLogs", "resource_logs")
_RESOURCES = ("resourceSpans", "resource_spans")
_MODELS = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name")
_TOKENS = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
_COSTS = ("gen_ai.usage.cost", "gen_ai.cost.total", "llm.cost.total", "gen_ai.usage.total_cost")
_PROMPTS = ("gen_ai.input.messages", "gen_ai.prompt", "llm.prompts", "traceloop.entity.input", "input.value")
_ANSWERS = ("gen_ai.output.messages", "gen_ai.completion", "traceloop.entity.output", "output.value")
_NUMBERED = re.compile(r"(gen_ai\.prompt|llm\.input_messages|gen_ai\.completion|llm\.output_messages)\.(\d{1,4})\.(.+)")
_SESSIONS = ("gen_ai.conversation.id", "session.id")
_OTHER_CALLS = frozenset({"embeddings", "execute_tool", "create_agent"})
_EVALUATION = "gen_ai.evaluation."
_KINDS = ("gen_ai.", "llm.")
_MOST_DEPTH = 16


def _matches(content: Content) -> bool:
    return any(_is_otlp(record) or _is_printed(record) for record in content.head)


def _is_otlp(record: Any) -> bool:
    return any(isinstance(at(record, name), list) for name in _RESOURCES)


def _is_printed(record: Any) -> bool:
    attributes = at(record, "attributes")
    return (
        at(record, "context", "trace_id") is not None
        and isinstance(attributes, dict)
        and any(str(key).startswith(_KINDS) for key in attributes)
    )


def _is_logs(content: Content) -> bool:
    return any(isinstance(one_of(record, *_LOGS), list) for record in content.head)


def _read(content: Content) -> Iterator[Item]:
    yield from calls_of(_spans(content))


def _spans(content: Content) -> Iterator[Span | Item]:
    row, events = 0, _events_beside(content)
    for place, record in content.records():
        for span in _of_otlp(record) if _is_otlp(record) else [record]:
            row += 1
            yield from _span(Source(content.file, row, place.line), span, events)


def _of_otlp(record: Any) -> Iterator[Any]:
    for resource in _list(one_of(record, *_RESOURCES)):
        for scope in _list(one_of(resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans")):
            yield from _list(at(scope, "spans"))


def _events_beside(content: Content) -> _Events:
    """The results of evaluations in files of logs, by the span that they are about."""
    found: _Events = {}
    for stored in content.together.beside:
        for _, record in Content(stored).records():
            for resource in _list(one_of(record, *_LOGS)):
                for scope in _list(one_of(resource, "scopeLogs", "scope_logs")):
                    for each in _list(one_of(scope, "logRecords", "log_records")):
                        found.setdefault(_about(each), []).append(_attributes(at(each, "attributes")))
    return found


def _about(span: Any) -> tuple[str | None, str | None]:
    """The trace and the span's own name."""
    trace = first(one_of(span, "traceId", "trace_id"), at(span, "context", "trace_id"))
    return name_of(trace), name_of(first(one_of(span, "spanId", "span_id"), at(span, "context", "span_id")))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _span(source: Source, span: Any, others: _Events) -> Iterator[Span | Item]:
    attributes = _attributes(at(span, "attributes"))
    if str(attributes.get("gen_ai.operation.name")) in _OTHER_CALLS:
        return
    model = name_of(first(*(attributes.get(name) for name in _MODELS)))
    if model is not None and _failed(span, attributes):
        yield Unanswered(source)
        return
    events = [(name_of(at(event, "name")), _attributes(at(event, "attributes"))) for event in _list(at(span, "events"))]
    held = dict(attributes)
    for _, inside in events:
        for key, value in inside.items():
            held.setdefault(key, value)
    about = _about(span)
    yield Span(
        about[0],
        ScoredCall(
            source,
            model,
            _asked(held, events),
            _scores([attributes, *(inside for _, inside in events), *others.get(about, ())]),
            cost=first(*(held.get(name) for name in _COSTS)),
            tokens_out=first(*(held.get(name) for name in _TOKENS)),
            response=_answer(held, events),
            group=name_of(first(*(held.get(name) for name in _SESSIONS))),
            timestamp=_time(one_of(span, "startTimeUnixNano", "start_time_unix_nano", "start_time")),
        ),
    )


def _failed(span: Any, attributes: Mapping[str, Any]) -> bool:
    status = one_of(at(span, "status"), "code", "status_code")
    return "error.type" in attributes or str(status).upper() in ("2", "ERROR", "STATUS_CODE_ERROR")


def _time(value: Any) -> Any:
    """Nanoseconds stand in JSON as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 25 else value


def _attributes(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {str(at(item, "key")): _value(at(item, "value"), 0) for item in _list(value)}


def _value(value: Any, depth: int) -> Any:
    """A typed value of OTLP."""
    if not isinstance(value, dict) or depth > _MOST_DEPTH:
        return None
    array, pairs = one_of(value, "arrayValue", "array_value"), one_of(value, "kvlistValue", "kvlist_value")
    if array is not None:
        return [_value(item, depth + 1) for item in _list(at(array, "values"))]
    if pairs is not None:
        return {str(at(item, "key")): _value(at(item, "value"), depth + 1) for item in _list(at(pairs, "values"))}
    plain = first(*value.values())
    return int(plain) if "intValue" in value and isinstance(plain, str) and plain.lstrip("-").isdecimal() else plain


def _asked(held: Mapping[str, Any], events: list[tuple[str | None, dict[str, Any]]]) -> AskedRequest:
    numbered = _numbered(held, ("gen_ai.prompt", "llm.input_messages"))
    spoken = [_spoken(name, inside) for name, inside in events if name and name.startswith("gen_ai.")]
    messages = numbered or [message for message in spoken if message is not None]
    whole = parsed(first(*(held.get(name) for name in _PROMPTS)))
    request = asked(messages or whole, {"max_tokens": held.get("gen_ai.request.max_tokens")})
    system = answer_of([{"role": "system", "content": parsed(held.get("gen_ai.system_instructions"))}])
    if system and request.messages and request.messages[0]["role"] != "system":
        return AskedRequest(
            messages=[{"role": "system", "content": system}, *request.messages], max_tokens=request.max_tokens
        )
    return request


def _spoken(name: str, inside: Mapping[str, Any]) -> dict[str, Any] | None:
    """The message of an event such as ``gen_ai.user.message``."""
    role = name.removeprefix("gen_ai.").removesuffix(".message")
    if not name.endswith(".message") or "content" not in inside:
        return None
    return {"role": first(inside.get("role"), role), "content": inside["content"]}


def _numbered(held: Mapping[str, Any], kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Messages of which each key is an attribute: ``gen_ai.prompt.0.content``."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in held.items():
        part = _NUMBERED.fullmatch(key)
        if part and part[1] in kinds:
            found.setdefault(int(part[2]), {})[part[3].removeprefix("message.")] = value
    return [found[place] for place in sorted(found)]


def _answer(held: Mapping[str, Any], events: list[tuple[str | None, dict[str, Any]]]) -> str | None:
    numbered = _numbered(held, ("gen_ai.completion", "llm.output_messages"))
    choices = [at(inside.get("message"), "content") for name, inside in events if name == "gen_ai.choice"]
    return answer_of(first(numbered or None, *(held.get(name) for name in _ANSWERS), *choices))


def _scores(places: list[dict[str, Any]]) -> dict[str, Any]:
    scores = {}
    for held in places:
        value = first(held.get(f"{_EVALUATION}score.value"), held.get(f"{_EVALUATION}score.label"))
        if number(value) is not None:
            scores[name_of(held.get(f"{_EVALUATION}name")) or "score"] = value
    return scores


OPENTELEMETRY = Tool(
    "OpenTelemetry",
    _matches,
    _read,
    companion=_is_logs,
    scoring="record the evaluation's results as gen_ai.evaluation.result events",
)
