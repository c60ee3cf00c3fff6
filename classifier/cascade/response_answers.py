"""What a `Response` says: to gates, to the budget, and as an error where it says that it failed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

import openai

from classifier.cascade.usage import read_usage
from classifier.errors import MalformedAnswerError
from classifier.gates import Answer, ToolCall
from classifier.request import Request

FAILED = ("failed", "cancelled")  # statuses
_MOST_ITEMS = 1024
_MOST_PARTS = 4096
_MOST_CALLS = 64
_MOST_LOGPROBS = 65_536
_LEAST_LOGPROB = -9999.0
_REASONS = {"max_output_tokens": "length", "max_tokens": "length"}  # why it ended, as chat completions say it
_STATUS_OF = {"rate_limit_exceeded": 429}
_OF_REQUEST = ("invalid", "image", "unsupported", "content")  # what codes begin with that speak of the request


def read_response(response: Any, *, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
    """A `Response` as an `Answer`, read as `classifier.gates.read_answer` reads a completion.

    Its text is that of all messages, without those that only comment on what the model is doing, where there are
    others.

    Raises
    ------
    MalformedAnswerError : it says that it is complete, and there is nothing in it.
    """
    items, status = _items(get(response, "output")), get(response, "status")
    if not items and status in (None, "completed"):
        raise MalformedAnswerError(
            f"{tier}: the upstream's response has no output, expected at least one item; "
            "check that its address speaks the Responses protocol"
        )
    parts = list(islice(_said(items), _MOST_PARTS))
    calls = tuple(islice(_calls(items), _MOST_CALLS))
    usage = read_usage(get(response, "usage"))
    return Answer(
        text="".join(_string(get(part, "text")) for part in parts if get(part, "type") == "output_text"),
        tier=tier,
        model=model,
        finish_reason=finish_reason(response, called=bool(calls)),
        tool_calls=calls,
        refusal="".join(_string(get(part, "refusal")) for part in parts) or None,
        token_logprobs=tuple(islice(_logprobs(parts), _MOST_LOGPROBS)) or None,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        request=request,
        arguments=arguments,
    )


def finish_reason(response: Any, *, called: bool) -> str | None:
    """Why a response ended, in the words of chat completions; its status where it has not."""
    status = get(response, "status")
    if status == "incomplete":
        reason = _string(get(get(response, "incomplete_details"), "reason"))
        return _REASONS.get(reason, reason or status)
    if status == "completed":
        return "tool_calls" if called else "stop"
    if status in FAILED:
        return "error"
    return _string(status) or None


def failed(error: Any) -> openai.APIStatusError:
    """A failure that came as a response or an event, as the error that it would have been otherwise."""
    code, said = _string(get(error, "code")), _string(get(error, "message"))
    status = _STATUS_OF.get(code, 400 if code.startswith(_OF_REQUEST) else 500)
    library = sys.modules[openai.Timeout.__init__.__module__.partition(".")[0]]  # httpx or httpx2, as the client has it
    response = library.Response(status, request=library.Request("POST", "https://upstream.invalid/responses"))
    kinds = {400: openai.BadRequestError, 429: openai.RateLimitError, 500: openai.InternalServerError}
    body = {"code": code or None, "message": said or None, "param": _string(get(error, "param")) or None}
    return kinds[status](said or "the response failed", response=response, body=body)


def readable_items(output: Any) -> list[Any]:
    """The items of a response's output that the client can read, without what it would stumble over."""
    found = [_readable(item) for item in _items(output)[:_MOST_ITEMS]]
    return [item for item in found if item is not None]


def _readable(item: Any) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        return None
    if any(len(each) > _MOST_ITEMS for each in item.values() if isinstance(each, list)):
        return None
    if item["type"] != "message":
        return item
    return {**item, "content": [part for part in _items(item.get("content")) if _is_part(part)]}


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    return part["type"] != "output_text" or isinstance(part.get("text"), str)


def get(value: Any, name: str) -> Any:
    """An attribute of one of the client's objects, or a key of what it left as a dictionary."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _said(items: Sequence[Any]) -> Iterator[Any]:
    """The parts of the messages that answer."""
    messages = [item for item in items if get(item, "type") == "message"]
    final = [item for item in messages if get(item, "phase") != "commentary"]
    for message in final or messages:
        yield from _items(get(message, "content"))


def _calls(items: Sequence[Any]) -> Iterator[ToolCall]:
    for item in items:
        kind = get(item, "type")
        if kind == "function_call":
            yield ToolCall(_string(get(item, "name")), _string(get(item, "arguments")))
        elif kind == "custom_tool_call":
            yield ToolCall(_string(get(item, "name")), _string(get(item, "input")), custom=True)


def _logprobs(parts: Sequence[Any]) -> Iterator[float]:
    for part in parts:
        for token in _items(get(part, "logprobs")):
            logprob = get(token, "logprob")
            if isinstance(logprob, int | float) and isfinite(logprob):
                yield min(0.0, max(_LEAST_LOGPROB, logprob))


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
