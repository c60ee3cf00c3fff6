"""What a gate sees: one answer of one tier, read from a chat completion."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from classifier.errors import MalformedAnswerError
from classifier.gates.thinking import visible_text
from classifier.request import Request

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

_MOST_PARTS = 4096
_MOST_CHOICES = 64
_OF_THOUGHT = ("thinking", "reasoning", "thought")  # in the types of parts
_MOST_CALLS = 64
_MOST_LOGPROBS = 65_536
_LEAST_LOGPROB = -9999.0  # by which OpenAI's protocol says that a token was all but impossible


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the answer asks for.

    Attributes
    ----------
    name : the tool's name.
    arguments : as the model wrote them: JSON for a function, free text for a custom tool.
    custom : the tool is a custom one, whose arguments need not be JSON.
    """

    name: str
    arguments: str = field(repr=False)
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and what it answers; nothing that is not known at run time.

    Attributes
    ----------
    text : what the user is shown: the content without thinking in it (`visible_text`), or what is spoken; "" for none.
    tier, model : who gave it.
    finish_reason : why it ended, in the upstream's words; None where it gave no reason.
    tool_calls : the calls it asks for.
    refusal : what a refusing model said in its own field, or None.
    token_logprobs : natural logarithms of the probabilities of its tokens, -9999..0, or None where the upstream gave
        none.
    tokens_in, tokens_out : as the upstream counted them, or None.
    request : what was asked.
    arguments : the arguments of the chat-completions call: messages, tools, response_format and so on.
    media : whether it shows images, or speaks.
    """

    text: str = field(repr=False)
    tier: str
    model: str
    finish_reason: str | None
    tool_calls: tuple[ToolCall, ...]
    refusal: str | None = field(repr=False)
    token_logprobs: tuple[float, ...] | None = field(repr=False)
    tokens_in: int | None
    tokens_out: int | None
    request: Request = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)
    media: bool = False


def read_answer(
    completion: ChatCompletion, *, tier: str, model: str, request: Request, arguments: Mapping[str, Any]
) -> Answer:
    """The first usable choice of a completion as an `Answer`.

    The client does not check what an upstream sends, so anything may be missing or of another type: what cannot be
    used counts as not given. A choice is usable when it has a message. Of tool calls the first 64 are read, of
    log-probabilities those of the first 65,536 tokens.

    Raises
    ------
    MalformedAnswerError : there is no usable choice.
    """
    given = islice(_items(_get(completion, "choices")), _MOST_CHOICES)
    choice = next((choice for choice in given if _get(choice, "message") is not None), None)
    if choice is None:
        raise MalformedAnswerError(
            f"{tier}: the upstream's completion has no choice with a message, expected at least one; "
            "check that its address speaks the chat-completions protocol"
        )
    message = _get(choice, "message")
    content, audio = _get(message, "content"), _get(message, "audio")
    usage = _get(completion, "usage")
    return Answer(
        text=shown_text(text_of(content), text_of(_get(audio, "transcript"))),
        tier=tier,
        model=model,
        finish_reason=_string(_get(choice, "finish_reason")),
        tool_calls=tuple(islice(_tool_calls(message), _MOST_CALLS)),
        refusal=_string(_get(message, "refusal")) or refusal_of(content),
        token_logprobs=_logprobs(choice),
        tokens_in=_count(_get(usage, "prompt_tokens")),
        tokens_out=_count(_get(usage, "completion_tokens")),
        request=request,
        arguments=arguments,
        media=bool(_get(audio, "data")) or bool(_items(_get(message, "images"))),
    )


def _get(value: Any, name: str) -> Any:
    """An attribute of one of the client's objects, or a key of what it left as a dictionary."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def text_of(content: Any) -> str:
    """Content as text; some upstreams send a list of parts, of which thoughts are none of the answer's."""
    if isinstance(content, str):
        return content
    parts = [
        part if isinstance(part, str) else _get(part, "text")
        for part in islice(_items(content), _MOST_PARTS)
        if not _is_thought(part)
    ]
    return "".join(part for part in parts if isinstance(part, str))


def _is_thought(part: Any) -> bool:
    kind = _string(_get(part, "type")) or ""
    return _get(part, "thought") is True or any(word in kind for word in _OF_THOUGHT)


def refusal_of(content: Any) -> str | None:
    """What a part of the content says that is a refusal by its type."""
    parts = (_string(_get(part, "refusal")) for part in islice(_items(content), _MOST_PARTS))
    return next((part for part in parts if part), None)


def shown_text(content: str, transcript: str) -> str:
    """What the user is shown of a message: its text without thinking, or else what is spoken."""
    text = visible_text(content)
    return text if text.strip() else transcript or text


def _tool_calls(message: Any) -> Iterable[ToolCall]:
    for call in _items(_get(message, "tool_calls")):
        custom = _get(call, "custom")
        if custom is not None:
            yield ToolCall(_string(_get(custom, "name")) or "", _string(_get(custom, "input")) or "", custom=True)
        else:
            yield _function_call(_get(call, "function"))
    former = _get(message, "function_call")
    if former is not None:
        yield _function_call(former)


def _function_call(function: Any) -> ToolCall:
    return ToolCall(_string(_get(function, "name")) or "", _string(_get(function, "arguments")) or "")


def _logprobs(choice: Any) -> tuple[float, ...] | None:
    tokens = _items(_get(_get(choice, "logprobs"), "content"))
    found = [_get(token, "logprob") for token in islice(tokens, _MOST_LOGPROBS)]
    numbers = [each for each in found if isinstance(each, (int, float)) and math.isfinite(each)]
    return tuple(min(0.0, max(_LEAST_LOGPROB, each)) for each in numbers) or None
