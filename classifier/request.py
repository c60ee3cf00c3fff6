"""A request as the router sees it: plain prompt or OpenAI-style chat messages, brought to one form.

A prompt ``p`` and ``messages=[{"role": "user", "content": p}]`` are the same request.

What it costs to read a request is bounded. Of a list (messages, parts of a message) with more than 256 items, the first
and the last 128 are read, and 128 between them stand for all the others. Tool definitions too large to be written out
are measured from samples in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from numbers import Integral
from typing import Any

Message = Mapping[str, Any]

IMAGE_PART_TYPES = frozenset({"image_url", "image", "input_image"})
TEXT_PART_TYPES = frozenset({"text", "input_text", "output_text", "refusal"})
_SERIALISED_TOOLS = 16
_READ_AT_EACH_END = 128
_READ_BETWEEN = 128
_CLIPPED_CHARS = 2**15  # of a long text among others, kept at each end; more than is ever read closely
_SMALL = 2**13  # values, and 64 characters each, that are written out as JSON to be measured
_SAMPLED_ITEMS = 2
_SAMPLED_DEPTH = 8
_JSON_FORMATS = frozenset({"json_object", "json_schema"})
_MOST_TOKENS = 2**53  # beyond any model; whole numbers above cannot all be told apart as floats


@dataclass(slots=True, unsafe_hash=True)  # nobody changes one, but frozen, making it would take three times as long
class Request:
    """What is known of a request before it is answered.

    Attributes
    ----------
    text : all message texts in order, joined by newlines; the prompt itself for a plain prompt. Very many messages, and
        very long ones among others, are represented by their beginnings and ends.
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
    unread_chars : characters of what ``text`` leaves out.
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
    unread_chars: int = 0

    @property
    def chars(self) -> int:
        """Characters of the whole text."""
        return len(self.text) + self.unread_chars


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
        seen = _Seen([prompt], turns=1)
    else:
        seen = _read_each(messages, _read_message)
    text, clipped = _joined(seen.texts)
    return Request(
        text=text,
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
        unread_chars=seen.unread_chars + clipped,
    )


@dataclass(slots=True)
class _Seen:
    """What some messages, or parts of one, hold."""

    texts: list[str] = field(default_factory=list)
    turns: int = 0
    system_chars: int = 0
    tool_calls: int = 0
    images: int = 0
    unread_chars: int = 0

    @property
    def chars(self) -> int:
        return sum(map(len, self.texts)) + self.unread_chars

    def add(self, other: _Seen) -> None:
        self.texts += other.texts
        self.add_unread(other, 1.0)
        self.unread_chars += other.unread_chars

    def add_unread(self, other: _Seen, times: float) -> None:
        """Count everything but the texts, as if ``other`` had been seen so many times."""
        self.turns += round(other.turns * times)
        self.system_chars += round(other.system_chars * times)
        self.tool_calls += round(other.tool_calls * times)
        self.images += round(other.images * times)


def _read_each(items: Sequence[Any], read: Callable[[Any, _Seen], None]) -> _Seen:
    """Read all items, or both ends and a sample of those between."""
    seen = _Seen()
    between = len(items) - 2 * _READ_AT_EACH_END
    if between <= 0:
        for item in items:
            read(item, seen)
        return seen
    for place in range(_READ_AT_EACH_END):
        read(items[place], seen)
    sample = _Seen()
    count = min(between, _READ_BETWEEN)
    for each in range(count):
        read(items[_READ_AT_EACH_END + each * between // count], sample)
    times = between / count
    seen.add_unread(sample, times)
    seen.unread_chars += round((sample.chars + len(sample.texts)) * times)  # with a newline each
    for place in range(len(items) - _READ_AT_EACH_END, len(items)):
        read(items[place], seen)
    return seen


def _joined(texts: Sequence[str]) -> tuple[str, int]:
    """The texts joined by newlines, long ones clipped in the middle; and how many characters that left out."""
    if len(texts) == 1:
        return texts[0], 0
    clipped = [
        text if len(text) <= 2 * _CLIPPED_CHARS else text[:_CLIPPED_CHARS] + text[-_CLIPPED_CHARS:] for text in texts
    ]
    return "\n".join(clipped), sum(map(len, texts)) - sum(map(len, clipped))


def _read_message(value: Any, seen: _Seen) -> None:
    message = _as_mapping(value)
    if message is None:
        return
    content, role, calls = message.get("content"), message.get("role"), message.get("tool_calls")
    if isinstance(content, str):
        seen.texts.append(content)
        chars = len(content)
    else:
        parts = _read_each(content, _read_part) if isinstance(content, Sequence) else _Seen()
        seen.add(parts)
        chars = parts.chars
    if role in ("system", "developer"):
        seen.system_chars += chars
    else:
        seen.turns += 1
    if calls and isinstance(calls, Sequence) and not isinstance(calls, str):
        seen.tool_calls += len(calls)
    if role in ("tool", "function") or message.get("function_call"):
        seen.tool_calls += 1


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A message or part as a mapping; the OpenAI client's own objects (pydantic models) are dumped."""
    if isinstance(value, (dict, Mapping)):  # a dictionary is told apart at once
        return value
    dump = getattr(value, "model_dump", None)
    dumped = dump() if callable(dump) and not isinstance(value, type) else None
    return dumped if isinstance(dumped, Mapping) else None


def _read_part(value: Any, seen: _Seen) -> None:
    if isinstance(value, str):
        seen.texts.append(value)
        return
    part = _as_mapping(value)
    kind = part.get("type") if part is not None else None
    if part is None or not isinstance(kind, str | None):
        return
    if kind in IMAGE_PART_TYPES:
        seen.images += 1
    elif kind in TEXT_PART_TYPES or kind is None:
        text = part.get("text") or part.get("refusal")
        if isinstance(text, str):
            seen.texts.append(text)


def _tool_chars(tools: Sequence[Any]) -> int:
    head = tools[:_SERIALISED_TOOLS]
    if _is_small(head):
        try:
            chars = len(json.dumps(head, default=str))
        except (TypeError, ValueError, RecursionError):
            chars = 400 * len(head)
    else:
        chars = _sampled_chars(head, _SAMPLED_DEPTH)
    return chars * len(tools) // max(1, len(head))


def _is_small(value: Any) -> bool:
    """Whether a value can be written out as JSON at little cost; looks at no more than it takes to know."""
    left, waiting = _SMALL, [value]
    while waiting and left > 0:
        item = waiting.pop()
        if isinstance(item, str):
            left -= len(item) // 64
        elif isinstance(item, (dict, list, tuple)):
            left -= len(item)
            if left > 0:
                waiting += [*item, *item.values()] if isinstance(item, dict) else item
    return left > 0


def _sampled_chars(value: Any, depth: int) -> int:
    """Characters of a value's JSON, about: a container's from a few of its items, spread over it."""
    if isinstance(value, str):
        return len(value) + 2
    if not isinstance(value, (dict, list, tuple)) or not value or not depth:
        return 8
    if isinstance(value, dict):
        sample = [part for item in islice(value.items(), _SAMPLED_ITEMS) for part in item]
    else:
        sample = list(value[:_SAMPLED_ITEMS])
    chars = sum(_sampled_chars(part, depth - 1) + 2 for part in sample)
    return chars * len(value) // min(len(value), _SAMPLED_ITEMS)


def _format_type(response_format: Any) -> str | None:
    """The type of an OpenAI ``response_format``; a class given as one (structured outputs) is a JSON schema."""
    if not response_format:  # the client's own "not given" is false, too
        return None
    if isinstance(response_format, Mapping):
        kind = response_format.get("type")
        return kind if isinstance(kind, str) else None
    return "json_schema"
