"""A request as the router sees it: plain prompt or OpenAI-style chat messages, brought to one form.

A prompt ``p`` and ``messages=[{"role": "user", "content": p}]`` are the same request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

Message = Mapping[str, Any]

IMAGE_PART_TYPES = frozenset({"image_url", "image", "input_image"})
TEXT_PART_TYPES = frozenset({"text", "input_text", "output_text", "refusal"})
_SERIALISED_TOOLS = 16
_JSON_FORMATS = frozenset({"json_object", "json_schema"})
_MOST_TOKENS = 2**53  # beyond any model; whole numbers above cannot all be told apart as floats


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a request before it is answered.

    Attributes
    ----------
    text : all message texts in order, joined by newlines; the prompt itself for a plain prompt.
    max_tokens : limit on the answer's tokens, or None when the caller set none.
    task : the caller's label ("summarization"), or None.
    turns : number of messages that are not system or developer messages; 1 for a plain prompt.
    system_chars : characters in system and developer messages.
    tools : number of tool or function definitions offered.
    tool_chars : characters of their JSON definitions (extrapolated beyond the first 16 tools).
    tool_calls : number of tool calls and tool results already in the conversation.
    images : number of image parts.
    json_format : the answer must be JSON (``response_format`` asks for an object or a schema).
    json_schema : the answer must follow a JSON schema.
    """

    text: str
    max_tokens: int | None = None
    task: str | None = None
    turns: int = 1
    system_chars: int = 0
    tools: int = 0
    tool_chars: int = 0
    tool_calls: int = 0
    images: int = 0
    json_format: bool = False
    json_schema: bool = False


def make_request(
    prompt: str | None = None,
    *,
    messages: Sequence[Message] | None = None,
    max_tokens: int | None = None,
    task: str | None = None,
    tools: Sequence[Any] | None = None,
    response_format: Any = None,
) -> Request:
    """Bring the arguments of a chat-completions call to a `Request`.

    Raises
    ------
    TypeError : neither or both of ``prompt`` and ``messages`` were given. Odd content inside messages never raises:
        what is not text, image or tool call counts as nothing.
    """
    if (prompt is None) == (messages is None):
        raise TypeError("give either prompt or messages, not both or neither")
    kind = _format_type(response_format)
    limit = min(int(max_tokens), _MOST_TOKENS) if isinstance(max_tokens, Integral) and max_tokens > 0 else None
    if messages is None:
        assert prompt is not None
        if not tools and kind is None:
            return Request(prompt, limit, task)
        seen = _Conversation([prompt], turns=1)
    else:
        seen = _read_messages(messages)
    return Request(
        text=seen.texts[0] if len(seen.texts) == 1 else "\n".join(seen.texts),
        max_tokens=limit,
        task=task,
        turns=seen.turns,
        system_chars=seen.system_chars,
        tools=len(tools) if tools else 0,
        tool_chars=_tool_chars(tools) if tools else 0,
        tool_calls=seen.tool_calls,
        images=seen.images,
        json_format=kind in _JSON_FORMATS,
        json_schema=kind == "json_schema",
    )


@dataclass(slots=True)
class _Conversation:
    texts: list[str]
    turns: int = 0
    system_chars: int = 0
    tool_calls: int = 0
    images: int = 0


def _read_messages(messages: Sequence[Message]) -> _Conversation:
    seen = _Conversation([])
    for each in messages:
        message = _as_mapping(each)
        if message is None:
            continue
        before = len(seen.texts)
        _read_content(message.get("content"), seen)
        role = message.get("role")
        if role in ("system", "developer"):
            seen.system_chars += sum(map(len, seen.texts[before:]))
        else:
            seen.turns += 1
        calls = message.get("tool_calls")
        if isinstance(calls, Sequence) and not isinstance(calls, str):
            seen.tool_calls += len(calls)
        if role in ("tool", "function") or message.get("function_call"):
            seen.tool_calls += 1
    return seen


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A message or part as a mapping; the OpenAI client's own objects (pydantic models) are dumped."""
    if isinstance(value, Mapping):
        return value
    dump = getattr(value, "model_dump", None)
    dumped = dump() if callable(dump) and not isinstance(value, type) else None
    return dumped if isinstance(dumped, Mapping) else None


def _read_content(content: Any, seen: _Conversation) -> None:
    if isinstance(content, str):
        seen.texts.append(content)
        return
    if not isinstance(content, Sequence):
        return
    for each in content:
        if isinstance(each, str):
            seen.texts.append(each)
            continue
        part = _as_mapping(each)
        kind = part.get("type") if part is not None else None
        if part is None or not isinstance(kind, str | None):
            continue
        if kind in IMAGE_PART_TYPES:
            seen.images += 1
        elif kind in TEXT_PART_TYPES or kind is None:
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str):
                seen.texts.append(text)


def _tool_chars(tools: Sequence[Any]) -> int:
    head = tools[:_SERIALISED_TOOLS]
    try:
        chars = len(json.dumps(head, default=str))
    except (TypeError, ValueError, RecursionError):
        chars = 400 * len(head)
    return chars * len(tools) // max(1, len(head))


def _format_type(response_format: Any) -> str | None:
    """The type of an OpenAI ``response_format``; a class given as one (structured outputs) is a JSON schema."""
    if not response_format:  # the client's own "not given" is false, too
        return None
    if isinstance(response_format, Mapping):
        kind = response_format.get("type")
        return kind if isinstance(kind, str) else None
    return "json_schema"
