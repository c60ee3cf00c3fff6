"""LMSYS arena: human preferences between two models, as published on Kaggle and Hugging Face.

Columns differ: ``winner`` or one column for each outcome; prompts as lists of turns, or whole conversations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.calls import AskedRequest, Duel, Item, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import asked, at, first, name_of, parsed, text_of
from training.imports.scores import number

_ONE_HOT = frozenset({"winner_model_a", "winner_model_b"})
_MODELS = frozenset({"model_a", "model_b"})
_CONVERSATION = "conversation_a"


def _matches(content: Content) -> bool:
    keys = content.keys
    conversations = {"winner", _CONVERSATION} <= keys
    return keys >= _MODELS and (keys >= _ONE_HOT or conversations)


def _read(content: Content) -> Iterator[Item]:
    for source, record in content.records():
        winner = _winner(record)
        if winner is None:
            yield Unanswered(source, "comparisons without a winner")
            continue
        yield Duel(
            source,
            _asked(record),
            name_of(at(record, "model_a")),
            name_of(at(record, "model_b")),
            winner,
            group=name_of(at(record, "evaluation_session_id")),
            timestamp=first(at(record, "tstamp"), at(record, "timestamp")),
        )


def _winner(record: Any) -> str | None:
    """The outcome in words; of several columns the one that holds 1."""
    said = at(record, "winner")
    if said is not None:
        return said if isinstance(said, str) else None
    columns = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie", "tie": "tie"}
    won = [outcome for column, outcome in columns.items() if number(at(record, column)) == 1.0]
    return won[0] if len(won) == 1 else None


def _asked(record: Any) -> AskedRequest:
    """The user's turns; what the models said between them differs, and no request holds both."""
    turns = parsed(at(record, "prompt"))
    if turns is None:
        turns = _user_turns(parsed(at(record, _CONVERSATION)))
    texts = [text for text in map(text_of, turns if isinstance(turns, list) else [turns]) if text]
    if len(texts) == 1:
        return AskedRequest(prompt=texts[0])
    return AskedRequest(messages=[{"role": "user", "content": text} for text in texts] or None)


def _user_turns(conversation: Any) -> list[str | None]:
    turns = conversation if isinstance(conversation, list) else []
    chat = (asked([turn]) for turn in turns if at(turn, "role") == "user")
    return [_text(message) for each in chat for message in each.messages or []]


def _text(message: dict[str, Any]) -> str | None:
    content = message["content"]
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content if isinstance(at(part, "text"), str))
    return text_of(content)


ARENA = Tool("LMSYS arena", _matches, _read, pairwise=True)
