"""Conversations, as clients and frameworks write them, brought to one form: who said what, and what else is sent.

Understood are the messages of chat completions, the input items of the Responses API, and those of Anthropic, Gemini,
LangChain, Pydantic AI and ShareGPT, as dictionaries or as objects. Everything that is sent counts: what is not
understood counts by its texts.

Reading is bounded. Of a list (messages, parts of a message) with more than 256 items, the first and the last 128 are
read, and 128 between them stand for all the others. Where none of the last 128 is a person's, the 4,096 before are
looked through for one that is. Of what has no known form, 4,096 values are looked into, and at least 32 of each
message; the rest counts by its size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from numbers import Real
from operator import itemgetter
from typing import Any

from classifier.errors import UnreadableMessagesError
from classifier.fields import fields_of, json_chars, sampled_chars
from classifier.media import data_kind, media_kind, media_tokens

SYSTEM, HUMAN, ASSISTANT, TOOL = range(4)
_ROLES = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "system-prompt": SYSTEM,
    "user": HUMAN,
    "human": HUMAN,
    "user-prompt": HUMAN,
    "chat": HUMAN,
    "assistant": ASSISTANT,
    "ai": ASSISTANT,
    "model": ASSISTANT,
    "gpt": ASSISTANT,
    "bot": ASSISTANT,
    "reasoning": ASSISTANT,
    "thinking": ASSISTANT,
    "tool": TOOL,
    "function": TOOL,
    "observation": TOOL,
    "ipython": TOOL,
    "retry-prompt": TOOL,
}
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "text-plain", ""})
_RESULTS = ("result", "output", "return", "response")
_AT_EACH_END = 128
_BETWEEN = 128
_LOOKED_THROUGH = 4096
_MOST_VALUES = 4096  # that are looked into, of a whole conversation
_LEAST_VALUES = 32  # of each message, whatever the others hold
_DEEPEST = 8
# What clients keep beside a message and never send, and names that stand for other messages.
_NOT_SENT = frozenset(
    [
        "role",
        "from",
        "type",
        "kind",
        "part_kind",
        "content",
        "parts",
        "value",
        "name",
        "id",
        "tool_call_id",
        "tool_use_id",
        "call_id",
        "status",
        "index",
        "timestamp",
        "cache_control",
        "response_metadata",
        "usage_metadata",
        "usage",
        "metadata",
        "provider_details",
        "provider_name",
        "provider_response_id",
        "vendor_details",
        "model_name",
        "model",
        "finish_reason",
        "run_id",
        "example",
        "logprobs",
        "invalid_tool_calls",
    ]
)
_EXPECTED = "expected a list of messages such as {'role': 'user', 'content': 'text'}"


Utterance = tuple[int, int, str]  # the message (counted from 0), who said it, and the text


@dataclass(slots=True)
class Conversation:
    """What some messages hold.

    Attributes
    ----------
    said : all texts, in order.
    unread : (message, role, characters) of texts that were not read.
    turns : messages that are not the system's.
    tool_calls : tool calls and tool results.
    media : how many images, files, audio and video parts there are, by kind.
    media_tokens : what these are taken to cost.
    """

    said: list[Utterance] = field(default_factory=list)
    unread: list[tuple[int, int, float]] = field(default_factory=list)
    turns: int = 0
    tool_calls: int = 0
    media: dict[str, int] = field(default_factory=dict)
    media_tokens: float = 0.0


def read_messages(messages: Any) -> Conversation:
    """Read a conversation.

    Parameters
    ----------
    messages : a list of messages, a single one, or a text, which is a person's.

    Raises
    ------
    UnreadableMessagesError : it is none of these, holds no message at all, or something in it is no message.
    """
    reader = _Reader()
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        messages = _as_list(messages)
    if not messages:
        raise UnreadableMessagesError(f"messages: found none, {_EXPECTED}")
    reader.read_all(messages, reader.read_message)
    found = reader.found
    last = len(messages) - _AT_EACH_END
    if last > _AT_EACH_END and all(role != HUMAN for place, role, _ in found.said if place >= last):
        reader.look_through(messages, last)
        found.said.sort(key=itemgetter(0))
    if not (found.said or found.media or found.tool_calls or found.unread):
        raise UnreadableMessagesError(f"messages: found no content in any, {_EXPECTED}")
    return found


def _as_list(messages: Any) -> Sequence[Any]:
    held = None if isinstance(messages, str) else fields_of(messages)
    inner = None if held is None or "role" in held else held.get("messages")
    if isinstance(inner, Sequence) and not isinstance(inner, str | bytes):  # a chain's input, a prompt of LangChain
        return inner
    if isinstance(messages, str) or (held is not None and not hasattr(messages, "__next__")):
        return [messages]
    if messages is None or isinstance(messages, bytes | int | float) or not hasattr(messages, "__iter__"):
        raise UnreadableMessagesError(f"messages: found {_named(messages)}, {_EXPECTED}")
    return list(messages)


def _named(value: Any) -> str:
    return f"a value of type {type(value).__name__}"


class _Reader:
    """Reads messages into a `Conversation`."""

    def __init__(self) -> None:
        self.found = Conversation()
        self._message = 0
        self._left = _MOST_VALUES

    def read_all(self, items: Sequence[Any], read: Callable[[int, Any], None]) -> None:
        """Read all items, or both ends and some of those between, which stand for all there."""
        between = len(items) - 2 * _AT_EACH_END
        if between <= 0:
            for place, item in enumerate(items):
                read(place, item)
            return
        for place in range(_AT_EACH_END):
            read(place, items[place])
        outer, self.found = self.found, Conversation()
        count = min(between, _BETWEEN)
        for each in range(count):
            place = _AT_EACH_END + each * between // count
            read(place, items[place])
        sampled, self.found = self.found, outer
        self._add(sampled, between / count)
        for place in range(len(items) - _AT_EACH_END, len(items)):
            read(place, items[place])

    def _add(self, sampled: Conversation, times: float) -> None:
        """Take in what some items hold that stand for so many times as many."""
        found = self.found
        found.said += sampled.said
        found.unread += [(number, role, chars * times) for number, role, chars in sampled.unread]
        if times > 1:
            found.unread += [(number, role, (len(text) + 1) * (times - 1)) for number, role, text in sampled.said]
        found.turns += round(sampled.turns * times)
        found.tool_calls += round(sampled.tool_calls * times)
        found.media_tokens += sampled.media_tokens * times
        for kind, count in sampled.media.items():
            found.media[kind] = found.media.get(kind, 0) + round(count * times)

    def look_through(self, messages: Sequence[Any], last: int) -> None:
        """Find the last person's message before those at the end, which begin at a place, and read it."""
        read = {place for place, role, _ in self.found.said if role == HUMAN}
        for place in range(last - 1, max(-1, last - 1 - _LOOKED_THROUGH), -1):
            message = fields_of(messages[place])
            if place in read:
                return
            if message is not None and _role(message) == HUMAN:
                before = len(self.found.said)
                self.read_message(place, message)
                if any(role == HUMAN for _, role, _ in self.found.said[before:]):
                    return

    def read_message(self, place: int, value: Any) -> None:
        """Read the message at a place of the list."""
        self._message = place
        if type(value) is dict:  # by far the most are plain
            name, content = value.get("role"), value.get("content")
            if type(name) is str and type(content) is str:
                role = _ROLES.get(name, -1)
                if role >= 0:
                    self.found.said.append((place, role, content))
                    if role != SYSTEM:
                        self.found.turns += 1
                        if role == TOOL:
                            self.found.tool_calls += 1
                    if len(value) > 2:
                        self._read_others(value, role)
                    return
        self._read_any(value)

    def _read_any(self, value: Any) -> None:
        self._left = max(self._left, _LEAST_VALUES)
        if isinstance(value, str):
            value = {"role": "user", "content": value}
        elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
            value = {"role": value[0], "content": value[1]}
        message = fields_of(value)
        if message is None:
            raise UnreadableMessagesError(f"messages: message {self._message + 1} is {_named(value)}, {_EXPECTED}")
        parts = message.get("parts")
        if message.get("kind") in ("request", "response") and isinstance(parts, Sequence):
            self._read_parts_as_messages(message, parts)
            return
        if message.get("role") is None and media_kind(_type(message) or _keys(message), message) is not None:
            self.found.turns += 1
            self._read_part(message, HUMAN, _DEEPEST)
            return
        role = _role(message)
        self.found.turns += role != SYSTEM
        self.found.tool_calls += role == TOOL or "call" in _type(message)
        content = next((message[name] for name in ("content", "parts", "value") if message.get(name) is not None), None)
        self._read_content(content, role)
        self._read_others(message, role)

    def _read_parts_as_messages(self, message: Mapping[str, Any], parts: Sequence[Any]) -> None:
        """Pydantic AI's: each part has a role of its own."""
        if isinstance(message.get("instructions"), str):
            self._say(SYSTEM, message["instructions"])
        if message["kind"] == "response":
            self._read_parts(parts, ASSISTANT, _DEEPEST)
            self.found.turns += 1
            return
        for part in parts[:_AT_EACH_END]:
            if fields_of(part) is not None:
                self._read_any(part)

    def _read_content(self, content: Any, role: int) -> None:
        if isinstance(content, str):
            self._say(role, content)
        elif isinstance(content, Sequence) and not isinstance(content, bytes | bytearray):
            self._read_parts(content, role, _DEEPEST)
        elif content is not None:
            self._read_part(content, role, _DEEPEST)

    def _read_others(self, message: Mapping[str, Any], role: int) -> None:
        """Read what stands beside the content: tool calls, reasoning, anything else that is sent."""
        self._left = max(self._left, _LEAST_VALUES)
        self._skip_from(message, _MOST_FIELDS, role)
        for name, value in islice(message.items(), _MOST_FIELDS):
            if not value or value is True or not isinstance(name, str):
                continue
            if name in _NOT_SENT and not (name == "name" and "call" in _type(message)):
                continue
            if name == "additional_kwargs" and message.get("tool_calls"):  # says them once more
                continue
            calls = self.found.tool_calls
            if name == "tool_calls" and isinstance(value, Sequence) and not isinstance(value, str):
                calls += len(value)
            elif name == "function_call":
                calls += 1
            self._walk(value, role, _DEEPEST)
            self.found.tool_calls = calls

    def _read_parts(self, parts: Sequence[Any], role: int, depth: int, read: _ReadPart | None = None) -> None:
        """Read parts, as long as there is patience with the conversation; what is left then counts by its size."""
        read = read or self._read_part

        def read_one(place: int, part: Any) -> None:
            if self._left > 0 or isinstance(part, str):
                read(part, role, depth)
            elif place:
                self._skip(part, role)

        if self._left > 0:
            self.read_all(parts, read_one)
        else:
            self._skip(parts, role)

    def _read_part(self, value: Any, role: int, depth: int) -> None:
        """Read one part of a message's content."""
        self._left -= 1
        part = None if isinstance(value, str) else fields_of(value)
        if part is None:
            self._walk(value, role, depth - 1)
            return
        name = _type(part)
        text = part.get("text")
        if name in _TEXT_PARTS and isinstance(text or part.get("refusal"), str):
            self._say(role, text or part["refusal"])
            return
        name = name or _keys(part)
        kind = media_kind(name, part)
        if kind is not None:
            self._see(kind, part)
            return
        if any(word in name for word in _RESULTS):
            self.found.tool_calls += 1
            role = TOOL
        elif "call" in name or "tool_use" in name:
            self.found.tool_calls += 1
            role = ASSISTANT
        self._skip_from(part, _MOST_FIELDS, role)
        fields = islice(part.items(), _MOST_FIELDS)
        self._walk_fields({key: each for key, each in fields if key not in _LABELS}, role, depth - 1)

    def _walk(self, value: Any, role: int, depth: int) -> None:
        """Read every text in a value whose form is not known."""
        self._left -= 1
        if isinstance(value, str):
            self._say(role, value)
        elif self._left < 0 or depth <= 0:
            self._skip(value, role)
        elif isinstance(value, Real):
            self._say(role, str(value) if not isinstance(value, int) or value.bit_length() < _LONG_NUMBER else "")
        elif isinstance(value, bytes | bytearray):
            self._see("file", {"data": value})
        elif isinstance(value, list | tuple):
            if value and isinstance(value[0], str | Real | list | tuple):  # no parts of content
                self.found.unread.append((self._message, role, 2.0 * len(value)))  # brackets, quotes and commas
            self._read_parts(value, role, depth - 1, self._walk)
        else:
            part = fields_of(value)
            if part is not None and _type(part):
                self._read_part(part, role, depth)
            elif part is not None:
                self._walk_fields(part, role, depth)

    def _walk_fields(self, part: Mapping[str, Any], role: int, depth: int) -> None:
        """Read every text in a dictionary, whatever order it was made in."""
        self._skip_from(part, _MOST_ITEMS, role)
        named = sorted(islice(part.items(), _MOST_ITEMS), key=lambda item: str(item[0]))
        names = sum([len(name) + 4 for name, each in named if isinstance(name, str) and _is_own_name(name, each)])
        if names:
            self.found.unread.append((self._message, role, names))
        self._read_parts([each for _, each in named], role, depth - 1, self._walk)

    def _skip(self, value: Any, role: int) -> None:
        """Count a value by its size."""
        if value is not None:
            size = json_chars(value) if self._left > 0 else sampled_chars(value, _HASTY)
            self._left -= _MEASURED
            self.found.unread.append((self._message, role, size))

    def _skip_from(self, part: Mapping[str, Any], first: int, role: int) -> None:
        """Count what a mapping holds beyond its first items by its size."""
        if len(part) > first:
            size = sampled_chars(dict(islice(part.items(), first, first + 64)), _HASTY)
            self.found.unread.append((self._message, role, size * (len(part) - first) / min(64, len(part) - first)))

    def _say(self, role: int, text: str) -> None:
        kind = data_kind(text)
        if kind is not None:
            self._see(kind, {"data": text})
        elif text:
            self.found.said.append((self._message, role, text))

    def _see(self, kind: str, part: Mapping[str, Any]) -> None:
        self.found.media[kind] = self.found.media.get(kind, 0) + 1
        self.found.media_tokens += media_tokens(kind, part)


_MOST_FIELDS = 64  # of a message or a part
_MOST_ITEMS = 2 * _AT_EACH_END  # of a dictionary whose form is not known
_MEASURED = 256  # values that it costs to measure one
_LONG_NUMBER = 10_000  # bits
_HASTY = 4  # levels that are looked into where there is no patience left
# Names that clients give to what models write and read, which have no such words.
_FRAMES = frozenset(
    [
        "args",
        "arguments",
        "content",
        "custom",
        "data",
        "function",
        "input",
        "name",
        "output",
        "parts",
        "reasoning",
        "response",
        "result",
        "results",
        "source",
        "summary",
        "text",
        "thinking",
        "tool_name",
    ]
)
_ReadPart = Callable[[Any, int, int], None]


def _is_own_name(name: str, value: Any) -> bool:
    """Whether a key is sent as the caller chose it, such as an argument's name."""
    return value is not None and name not in _FRAMES


def _keys(part: Mapping[str, Any]) -> str:
    """How a part without a type is named: by the keys that hold something."""
    return " ".join([str(name)[:100] for name, each in islice(part.items(), _MOST_FIELDS) if each is not None]).lower()


_LABELS = frozenset({"type", "kind", "part_kind", "id", "tool_use_id", "tool_call_id", "call_id", "cache_control"})


def _type(message: Mapping[str, Any]) -> str:
    """What a message or part says that it is; "" where it does not."""
    for name in ("type", "part_kind", "kind"):
        found = message.get(name)
        if isinstance(found, str):
            return found[:100].lower()
    return ""


def _role(message: Mapping[str, Any]) -> int:
    """Whose a message is; a person's where it does not say."""
    given = message.get("role") or message.get("from")
    if isinstance(given, str):
        return _ROLES.get(given.lower(), HUMAN)
    kind = _type(message).removesuffix("chunk").removesuffix("message")
    if kind in _ROLES:
        return _ROLES[kind]
    if any(word in kind for word in _RESULTS):
        return TOOL
    return ASSISTANT if "call" in kind else HUMAN
