"""Chats as people keep them -> the messages of a request.

OpenAI's messages, ShareGPT's turns (``from`` and ``value``), Gemini's (``parts``), LangChain's (``type``); native, as
JSON text, or as Python writes a list. Turns of the assistant at the end are the answer, which a request does not have:
learned from, they would tell what they are asked to foresee.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifier.request import Request
from training.tables import cells
from training.tables.cells import CellError
from training.tables.problems import kind

_EXPECTED = 'a list of messages such as [{"role": "user", "content": "..."}], as JSON text or native'
_ROLES: Mapping[str, str] = {
    **dict.fromkeys(("user", "human", "prompter", "customer"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "ai", "model", "bot", "chatgpt", "chatbot", "claude", "bing", "bard"), "assistant"
    ),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "function_response", "tool_result"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "assistant"),
}
_INSIDE = ("messages", "conversation", "conversations", "turns")
_LONGEST_PYTHON = 1_000_000


@dataclass(frozen=True, slots=True)
class ReadChat:
    """A request's messages.

    Attributes
    ----------
    messages : in OpenAI's form, up to the last one that is not the assistant's.
    answers : how many turns of the assistant at the end were left out.
    """

    messages: list[dict[str, Any]]
    answers: int


def read_chat(cell: Any) -> ReadChat:
    """The messages in a cell.

    Raises
    ------
    CellError : there are none, or none but answers.
    """
    value = _native(cell)
    if isinstance(value, dict):
        value = next((value[name] for name in _INSIDE if isinstance(value.get(name), list)), value)
    if not isinstance(value, list) or not value:
        raise CellError("an empty list" if value == [] else kind(value), _EXPECTED)
    odd = next((item for item in value if not isinstance(item, dict)), value)
    if odd is not value:
        raise CellError(f"a list with {kind(odd)} in it", _EXPECTED)
    messages = [_message(turn) for turn in value]
    end = len(messages)
    while end and messages[end - 1].get("role") == "assistant":
        end -= 1
    if not end:
        raise CellError("nothing but turns of the assistant", "a message of the user's, whose answer is scored")
    return ReadChat(messages[:end], len(messages) - end)


def is_chat_text(cell: Any) -> bool:
    """Whether a prompt's cell holds messages as text, not a prompt."""
    if not isinstance(cell, str):
        return False
    head = cell.lstrip()[:200]
    if not head.startswith("[") or not any(f"{mark}{key}{mark}" in head for key in ("role", "from") for mark in "\"'"):
        return False
    try:
        return bool(read_chat(cell).messages)
    except CellError:
        return False


def check_conversation(request: Request) -> None:
    """Refuse messages that hold neither text nor image, or text that is not Unicode."""
    if not (request.whole.strip() or request.images or request.files or request.audio or request.video):
        raise CellError("no text and no image", "text in at least one message")
    cells.encodable(request.whole, "text in at least one message")


def _native(cell: Any) -> Any:
    try:
        return cells.structure(cell, _EXPECTED)
    except CellError:
        value = _python_list(cell) if isinstance(cell, str) else None
        if value is None:
            raise
        return value


def _python_list(text: str) -> Any:
    """A list as Python writes it, which is what data frames make of one in CSV; None: it is none."""
    if not text.lstrip().startswith(("[{", "{")) or len(text) > _LONGEST_PYTHON:
        return None
    try:
        value = ast.literal_eval(text.strip())
        json.dumps(value)  # bytes, sets and complex numbers are no part of a message
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value


def _message(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn in OpenAI's form; one that is so already stays as it is."""
    if "role" in turn and "content" in turn:
        role = turn["role"]
        known = _ROLES.get(role.strip().lower(), role) if isinstance(role, str) else role
        return turn if known == role or role == "developer" else {**turn, "role": known}
    inner = turn.get("data")
    if isinstance(inner, dict) and "content" in inner:  # LangChain, written out whole
        turn = {**turn, "content": inner["content"]}
    role = next((turn[key] for key in ("role", "from", "type", "speaker") if isinstance(turn.get(key), str)), "user")
    content = next((turn[key] for key in ("content", "value", "parts", "text") if key in turn), None)
    if "role" in turn and content is None:
        return turn  # calls of tools may come without content
    return {**_rest(turn), "role": _ROLES.get(role.strip().lower(), role), "content": content}


def _rest(turn: dict[str, Any]) -> dict[str, Any]:
    return {key: turn[key] for key in ("tool_calls", "name", "tool_call_id") if key in turn}
