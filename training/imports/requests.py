"""What tools write down of a request, in any of the shapes that model providers and frameworks use -> one shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from training.imports.calls import AskedRequest

_TYPES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system", "tool": "tool"}
_ROLES = {
    "human": "user",
    "ai": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
}
_CLASSES = {
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "ChatMessage": "user",
}
_CHATS = ("messages", "contents", "history", "chat_history")
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "max_tokens_to_sample", "maxOutputTokens")
_MOST_DEPTH = 4
_DEEP = 32  # of schemas and arguments


def at(value: Any, *path: str | int) -> Any:
    """What lies at a path of keys and numbers; None where the path leads nowhere. JSON text on the way is read."""
    for step in path:
        if isinstance(value, str):
            value = parsed(value)
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def first(*values: Any) -> Any:
    """The first value that is there."""
    for value in values:
        if value is not None and value != "":
            return value
    return None


def one_of(record: Any, *names: str) -> Any:
    """The first of these keys that holds something."""
    record = parsed(record)
    return first(*map(record.get, names)) if isinstance(record, dict) else None


def text_of(value: Any) -> str | None:
    """A text that holds something, without half characters; None of all else."""
    if not isinstance(value, str) or not value.strip():
        return None
    return whole(value)


def name_of(value: Any) -> str | None:
    """A name: a text or a number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    text = text_of(value)
    return text.strip() if text else None


def whole(text: str) -> str:
    """The text with a replacement character for each half of a surrogate pair, which no file can hold."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parsed(value: Any) -> Any:
    """What a cell holds: the object or list that its JSON text says, or the value itself."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def shallow(value: Any, depth: int) -> Any:
    """The value without what is nested deeper."""
    if isinstance(value, dict):
        return {str(key): shallow(item, depth - 1) for key, item in value.items()} if depth else None
    if isinstance(value, list):
        return [shallow(item, depth - 1) for item in value] if depth else None
    return value


def asked(value: Any, settings: Any = None) -> AskedRequest:
    """The request that a value describes: text, messages, or an object that holds either, also as JSON text.

    ``settings`` may hold the limit of tokens; the value itself is looked into first.
    """
    body = parsed(value)
    messages = _chat(body, 0)
    limit = one_of(body, *_LIMITS) or one_of(settings, *_LIMITS)
    if messages is None:
        return AskedRequest(prompt=_plain(body, 0) or text_of(value), max_tokens=limit)
    tools, wanted = at(body, "tools"), at(body, "response_format")
    return AskedRequest(
        messages=messages,
        max_tokens=limit,
        tools=shallow(tools, _DEEP) if isinstance(tools, list) and tools else None,
        response_format=shallow(wanted, _DEEP) if isinstance(wanted, dict) else None,
    )


def asked_text(text: Any) -> AskedRequest:
    """The request that a prompt is: a chat where it is one as JSON, else the text as it stands."""
    messages = _chat(text, 0)
    return AskedRequest(prompt=text_of(text)) if messages is None else AskedRequest(messages=messages)


def answer_of(value: Any) -> str | None:
    """The text of an answer: text, a message, or a response of a provider."""
    return _answer(parsed(value), 0)


def _answer(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return text_of(value)
    if depth > _MOST_DEPTH:
        return None
    if isinstance(value, list):
        return _answer(value[-1], depth + 1) if value else None
    if not isinstance(value, dict):
        return None
    kwargs = at(value, "kwargs", "content")
    if kwargs is not None:
        return _parts(kwargs)
    if at(value, "role") is not None or at(value, "parts") is not None:
        return _parts(first(at(value, "content"), at(value, "parts")))
    for key in ("choices", "message", "delta", "content", "output_text", "output", "generations", "text", "completion"):
        inner = parsed(value.get(key))
        if inner is not None and (found := _parts(inner) if key == "content" else _answer(inner, depth + 1)):
            return found
    return None


def _chat(value: Any, depth: int) -> list[dict[str, Any]] | None:
    """Messages, without what follows the last one that was not the model's own; None where there are none."""
    value = parsed(value)
    if isinstance(value, dict):
        return _chat_of_object(value, depth)
    if not isinstance(value, list) or not value or depth > _MOST_DEPTH:
        return None
    if isinstance(value[0], list):
        return _chat(value[0], depth + 1)
    messages = [message for message in map(_message, value) if message is not None]
    while messages and messages[-1]["role"] == "assistant":
        messages.pop()
    return messages or None


def _chat_of_object(value: Mapping[str, Any], depth: int) -> list[dict[str, Any]] | None:
    for key in _CHATS:
        messages = _chat(value[key], depth + 1) if isinstance(parsed(value.get(key)), list) else None
        if messages:
            system = first(value.get("system"), at(value, "systemInstruction"), at(value, "system_instruction"))
            before = _parts(at(system, "parts") if isinstance(system, dict) else system)
            return [{"role": "system", "content": before}, *messages] if before else messages
    if _message(value) is not None:
        return _chat([value], depth + 1)
    inner = value.get("input")  # a list of messages in the Responses API; text is plain
    return _chat(inner, depth + 1) if depth < _MOST_DEPTH and isinstance(parsed(inner), list | dict) else None


def _message(value: Any) -> dict[str, Any] | None:
    """One message with its role and content; None of what is none."""
    value = parsed(value)
    if not isinstance(value, dict):
        return None
    inner = first(value.get("kwargs"), value.get("data"))
    if isinstance(inner, dict):  # LangChain's two ways of writing messages
        role = _CLASSES.get(str(at(value, "id", -1))) or _TYPES.get(str(first(inner.get("type"), value.get("type"))))
        content = inner.get("content")
    else:
        role = _role(first(value.get("role"), value.get("from"), _TYPES.get(str(value.get("type")))))
        content = first(value.get("content"), value.get("value"), value.get("parts"))
    if role is None or (content is None and not value.get("tool_calls")):
        return None
    message: dict[str, Any] = {"role": role, "content": _content(content)}
    calls = value.get("tool_calls")
    return {**message, "tool_calls": shallow(calls, _DEEP)} if isinstance(calls, list) and calls else message


def _role(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    return _ROLES.get(value, value)


def _content(value: Any) -> Any:
    """Text, or a list of parts of which images are kept as they are."""
    if isinstance(value, str):
        return whole(value)
    if not isinstance(value, list):
        return "" if value is None else _lines(value)
    return [part for part in map(_part, value) if part is not None]


def _part(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        return {"type": "text", "text": whole(value)}
    if not isinstance(value, dict):
        return None
    text = first(value.get("text"), value.get("content"))
    return {"type": "text", "text": whole(text)} if isinstance(text, str) else shallow(value, _MOST_DEPTH)


def _parts(value: Any) -> str | None:
    """The text of a message's content."""
    if isinstance(value, str):
        return text_of(value)
    if not isinstance(value, list):
        return None
    texts = [part["text"] for part in map(_part, value) if part is not None and isinstance(part.get("text"), str)]
    return text_of("\n".join(texts))


def _plain(value: Any, depth: int) -> str | None:
    """A prompt without roles: a text, the one text of an object, or an object's texts line by line."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        return text_of("\n".join(texts)) if texts and len(texts) == len(value) else _parts(value)
    if not isinstance(value, dict) or depth > _MOST_DEPTH:
        return None
    held = {key: item for key, item in value.items() if item is not None and item != ""}
    if len(held) == 1:
        return _plain(next(iter(held.values())), depth + 1)
    said = [item for item in held.values() if isinstance(item, str | list | dict)]
    if len(said) == 1:  # beside numbers, which are settings
        return _plain(said[0], depth + 1)
    return text_of(_lines(held))


def _lines(value: Any) -> str:
    """An object as lines of "name: text", so that the same one always becomes the same prompt."""
    if not isinstance(value, dict):
        return whole(json_text(value))
    return whole(
        "\n".join(f"{key}: {item if isinstance(item, str) else json_text(item)}" for key, item in value.items())
    )


def json_text(value: Any) -> str:
    """The value as JSON, the same for equal values; empty where it is nested too deeply."""
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    except (ValueError, TypeError, RecursionError):
        return ""
