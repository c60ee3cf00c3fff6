"""A request as the router sees it: plain prompt or conversation, brought to one form.

What is asked is read apart from what stands around it: the system prompt, earlier turns, what a program put beside the
question or found since (reminders, tool calls, tool results), and the definitions of tools. A prompt ``p`` and
``messages=[{"role": "user", "content": p}]`` are the same request.

What it costs to read a request is bounded, see `classifier.messages` and `classifier.ask`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from classifier.ask import may_be_wrapped, split_message
from classifier.errors import InputError, UnreadableMessagesError
from classifier.fields import fields_of, json_chars
from classifier.messages import ASSISTANT, HUMAN, SYSTEM, TOOL, Conversation, Utterance, read_messages
from classifier.text import Excerpt, excerpt_of_many

Messages = Sequence[Any] | Mapping[str, Any] | str  # what `classifier.messages` reads

CONTEXT = ("system prompt", "earlier turns", "material", "definitions")
CONTEXT_HEAD = CONTEXT_TAIL = 512  # characters of each that are read closely
_CLIPPED_CHARS = 2**19  # of two long texts, kept at each end; of more, fewer
_CLIPPED_LEAST = 2**12
_SERIALISED_TOOLS = 16
_DESCRIBED_TOOLS = 32
_DESCRIPTION_CHARS = 60
_MESSAGES_SEARCHED = 16
_PATIENCE = 2**21  # characters of persons' messages in which blocks are followed to their ends
_JSON_FORMATS = frozenset({"json_object", "json_schema"})
_MOST_TOKENS = 2**53  # beyond any model; whole numbers above cannot all be told apart as floats
_NOTHING = Excerpt("", 0)
_UNREAD = '{"a": 12, "b": ["c", 3.5]}'  # whose tokens a character those of values are taken to have that nobody read
_CHARS_PER_FIELD = 100  # of a schema that is given as a class
_NO_REASONING = frozenset({"none", "off", "disabled"})


@dataclass(slots=True, unsafe_hash=True)  # nobody changes one, but frozen, making it would take three times as long
class Request:
    """What is known of a request before it is answered.

    Attributes
    ----------
    text : what is asked last: the prompt itself, or a person's last message without what a program put around it. Very
        long texts among others are represented by their beginnings and ends.
    max_tokens : limit on the answer's tokens, or None when the caller set none.
    task : the caller's label ("summarization"), or None.
    turns : number of messages that are not system or developer messages; 1 for a plain prompt.
    context : what is read of each of `CONTEXT`; empty for a plain prompt.
    tools : number of tool or function definitions offered.
    tool_chars : characters of their JSON definitions (extrapolated beyond the first 16 tools).
    tool_calls : number of tool calls and tool results already in the conversation.
    images, files, audio, video : number of such parts.
    media_tokens : tokens that these are taken to cost.
    json_format : the answer must be JSON (``response_format`` asks for an object or a schema).
    json_schema : the answer must follow a JSON schema.
    schema_chars : characters of that schema's JSON.
    reasoning : the caller asks the model to think before it answers.
    unread_chars : characters of what ``text`` leaves out.
    """

    text: str
    max_tokens: int | None = None
    task: str | None = None
    turns: int = 1
    context: tuple[Excerpt, ...] = ()
    tools: int = 0
    tool_chars: int = 0
    tool_calls: int = 0
    images: int = 0
    files: int = 0
    audio: int = 0
    video: int = 0
    media_tokens: float = 0.0
    json_format: bool = False
    json_schema: bool = False
    schema_chars: int = 0
    reasoning: bool = False
    unread_chars: int = 0

    @property
    def ask_chars(self) -> int:
        """Characters of what is asked."""
        return len(self.text) + self.unread_chars

    @property
    def chars(self) -> int:
        """Characters of all texts, definitions aside."""
        return self.ask_chars + sum([excerpt.chars for excerpt in self.context[:3]])

    @property
    def system_chars(self) -> int:
        """Characters in system and developer messages."""
        return self.context[0].chars if self.context else 0

    @property
    def history_chars(self) -> int:
        """Characters of earlier turns."""
        return self.context[1].chars if self.context else 0

    @property
    def material_chars(self) -> int:
        """Characters of what stands beside the question, and of what was done since."""
        return self.context[2].chars if self.context else 0

    @property
    def system(self) -> str:
        """What is read of the system prompt."""
        return self.context[0].window if self.context else ""

    @property
    def history(self) -> str:
        """What is read of earlier turns."""
        return self.context[1].window if self.context else ""

    @property
    def material(self) -> str:
        """What is read of what stands beside the question, and of what was done since."""
        return self.context[2].window if self.context else ""

    @property
    def whole(self) -> str:
        """All that is read of its texts: the system prompt, earlier turns, what is asked, and the material."""
        return "\n".join(filter(None, (self.system, self.history, self.text, self.material)))


# As many parameters as a call has that matter here.
def make_request(
    prompt: Any = None,
    *,
    messages: Any = None,
    max_tokens: Any = None,
    task: str | None = None,
    tools: Any = None,
    response_format: Any = None,
    reasoning: bool = False,
) -> Request:
    """Bring the arguments of a call to a `Request`.

    Parameters
    ----------
    prompt, messages : exactly one of the two. Messages may be in any form that `classifier.messages` names; a list
        given as the prompt is taken as messages.
    max_tokens : a whole number above 0; 0, None and the client's own "not given": no limit.

    Raises
    ------
    TypeError : neither or both of ``prompt`` and ``messages`` were given, or the prompt is neither text nor messages.
    UnreadableMessagesError : the messages hold nothing that is understood.
    InputError : the limit is no whole number.
    """
    if (prompt is None) == (messages is None):
        raise TypeError("give either prompt or messages, not both or neither")
    limit = None if max_tokens is None else _limit(max_tokens)
    if messages is None and not isinstance(prompt, str):
        if not isinstance(prompt, Sequence | Mapping) or isinstance(prompt, bytes | bytearray):
            raise TypeError(f"prompt is a value of type {type(prompt).__name__}, expected a text, or messages=[...]")
        messages = prompt
    if messages is None:
        if not (tools or response_format or (may_be_wrapped(prompt) and split_message([prompt]).around)):
            return Request(prompt, limit, task, reasoning=reasoning)
        seen = Conversation([(0, HUMAN, prompt)], turns=1)
    else:
        seen = read_messages(messages)
    return _request(seen, limit, task, _definitions(tools), response_format, reasoning)


def read_arguments(arguments: Mapping[str, Any], task: str | None = None) -> Request:
    """The request that the arguments of a call make: of ``chat.completions.create``, or of ``responses.create``.

    Raises
    ------
    InputError : as `make_request`; UnreadableMessagesError also where there are neither ``messages`` nor ``input``.
    """
    if isinstance(arguments.get("extra_body"), Mapping):  # sent as if they were the client's own
        arguments = {**arguments, **arguments["extra_body"]}
    effort = arguments.get("reasoning_effort") or arguments.get("reasoning") or arguments.get("thinking")
    if arguments.get("messages") is not None:
        messages, form = arguments["messages"], arguments.get("response_format")
    else:
        messages, form = _input(arguments), _text_format(arguments.get("text") or arguments.get("text_format"))
    limits = ("max_completion_tokens", "max_output_tokens", "max_tokens")
    return make_request(
        messages=messages,
        max_tokens=next((arguments[name] for name in limits if arguments.get(name)), None),
        task=task,
        tools=arguments.get("tools") or arguments.get("functions"),
        response_format=form,
        reasoning=wants_reasoning(effort),
    )


def _input(arguments: Mapping[str, Any]) -> Any:
    """The messages of a call of the Responses API."""
    given, instructions = arguments.get("input"), arguments.get("instructions")
    if given is None and not instructions:
        raise UnreadableMessagesError("messages: found none, expected messages=[...] or input=...")
    items = [] if given is None else [given] if isinstance(given, str | Mapping) else list(given)
    return [{"role": "system", "content": instructions}, *items] if isinstance(instructions, str) else items


def _text_format(text: Any) -> Any:
    """The response format within the Responses API's ``text``."""
    return text.get("format") if isinstance(text, Mapping) else text


def wants_reasoning(effort: Any) -> bool:
    """Whether a call asks for reasoning, by whichever argument says so."""
    if isinstance(effort, str):
        return effort.lower() not in _NO_REASONING
    found = fields_of(effort) if effort else None
    if found is None:
        return False
    said = found.get("effort") or found.get("type")
    return bool(found) and not (isinstance(said, str) and said.lower() in _NO_REASONING)


def _limit(value: Any) -> int | None:
    """A limit on tokens; what the client takes as not given is none."""
    if (isinstance(value, Integral) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    ):
        whole = int(value)
    elif value or value == 0.0 or isinstance(value, bool | str):
        whole = -1
    else:
        return None
    if whole >= 0:
        return min(whole, _MOST_TOKENS) or None
    shown = repr(value)[:40] if isinstance(value, str | Real) else f"a value of type {type(value).__name__}"
    raise InputError(f"max_tokens is {shown}, expected a whole number above 0")


@dataclass(frozen=True, slots=True)
class _Definitions:
    count: int = 0
    chars: int = 0
    texts: tuple[str, ...] = ()


def _definitions(tools: Any) -> _Definitions:
    """The tools offered: how many, how large, and the beginnings of what they are called and are for."""
    if not tools:
        return _Definitions()
    if isinstance(tools, Mapping) or not isinstance(tools, Sequence):
        tools = [tools] if isinstance(tools, Mapping) or not hasattr(tools, "__iter__") else list(tools)
    head = tools[:_SERIALISED_TOOLS]
    chars = json_chars(list(head)) * len(tools) // max(1, len(head))
    described = map(_description, tools[:_DESCRIBED_TOOLS])
    return _Definitions(len(tools), chars, tuple([text for text in described if text]))


def _description(tool: Any) -> str:
    found = fields_of(tool) or {}
    inner = found.get("function") or found.get("custom")
    found = (fields_of(inner) if inner is not None else None) or found
    texts = [found.get(name) for name in ("name", "type", "description")]
    return " ".join([text[:_DESCRIPTION_CHARS] for text in texts if isinstance(text, str)])


def _request(
    seen: Conversation, limit: int | None, task: str | None, tools: _Definitions, response_format: Any, reasoning: bool
) -> Request:
    kind, schema = _format(response_format)
    ask, others = _parted(seen)
    text, clipped = _joined(ask)
    unread = [0.0, 0.0, 0.0]
    for message, role, chars in seen.unread:
        unread[_group(role, message < others.message)] += chars
    groups = (others.system, others.history, others.material)
    context = (*map(_excerpt, groups, map(round, unread)), _excerpt(tools.texts, 0))
    media = seen.media
    return Request(
        text=text,
        max_tokens=limit,
        task=task,
        turns=seen.turns,
        context=context if any(excerpt.chars for excerpt in context) else (),
        tools=tools.count,
        tool_chars=tools.chars,
        tool_calls=seen.tool_calls,
        images=media.get("image", 0),
        files=media.get("file", 0),
        audio=media.get("audio", 0),
        video=media.get("video", 0),
        media_tokens=seen.media_tokens,
        json_format=kind in _JSON_FORMATS,
        json_schema=kind == "json_schema",
        schema_chars=schema,
        reasoning=reasoning,
        unread_chars=clipped,
    )


@dataclass(slots=True)
class _Others:
    """Texts beside what is asked, and the message that asks."""

    message: int
    system: list[str]
    history: list[str]
    material: list[str]


def _parted(seen: Conversation) -> tuple[list[str], _Others]:
    """What is asked, and the texts beside it."""
    message, ask, around = _asked(seen.said)
    groups: tuple[list[str], list[str], list[str]] = ([], [], around)
    asks = _spokesman(seen.said, message)
    for place, role, text in seen.said:
        if place != message or role != asks:
            groups[_group(role, place < message)].append(text)
    return ask, _Others(message, *groups)


def _spokesman(said: Sequence[Utterance], message: int) -> int:
    """Whose words count as the question in the message that asks: a person's where there are any."""
    roles = {role for place, role, _ in said if place == message}
    return next((role for role in (HUMAN, TOOL, ASSISTANT, SYSTEM) if role in roles), HUMAN)


def _group(role: int, before: bool) -> int:
    """Where in `CONTEXT` a text belongs that does not ask."""
    return 0 if role == SYSTEM else 1 if before else 2


def _asked(said: Sequence[Utterance]) -> tuple[int, list[str], list[str]]:
    """The message that asks, its question, and what stands around that in it."""
    place, searched, patience = len(said) - 1, 0, _PATIENCE
    fallback: int | None = None
    while place >= 0 and searched < _MESSAGES_SEARCHED:
        message, role, _ = said[place]
        if role != HUMAN:
            place -= 1
            continue
        searched += 1
        fallback = message if fallback is None else fallback
        texts: list[str] = []
        while place >= 0 and said[place][0] == message:
            _, role, text = said[place]
            if role == HUMAN:
                texts.append(text)
            place -= 1
        ask, around = split_message(texts[::-1], patience)
        patience = max(0, patience - sum(map(len, texts)))
        if ask:
            return message, ask, around
    if fallback is None:
        fallback = next((number for number, role, _ in reversed(said) if role != SYSTEM), said[-1][0] if said else 0)
    asks = _spokesman(said, fallback)
    return fallback, [text for number, role, text in said if number == fallback and role == asks], []


def _excerpt(texts: Sequence[str], unread: int) -> Excerpt:
    if texts:
        return excerpt_of_many(texts, CONTEXT_HEAD, CONTEXT_TAIL, unread)
    return Excerpt("", unread, _UNREAD, unread) if unread else _NOTHING


def _joined(texts: Sequence[str]) -> tuple[str, int]:
    """The texts joined by newlines, very long ones clipped in the middle; and how many characters that left out."""
    if len(texts) == 1:
        return texts[0], 0
    kept = max(_CLIPPED_LEAST, 2 * _CLIPPED_CHARS // len(texts)) if texts else 0
    clipped = [text if len(text) <= 2 * kept else text[:kept] + text[-kept:] for text in texts]
    return "\n".join(clipped), sum(map(len, texts)) - sum(map(len, clipped))


def _format(response_format: Any) -> tuple[str | None, int]:
    """The type of a ``response_format`` and its JSON's size; a class given as one (structured outputs) is a schema."""
    if not response_format:  # the client's own "not given" is false, too
        return None, 0
    if not isinstance(response_format, Mapping):
        return "json_schema", _CHARS_PER_FIELD * len(getattr(response_format, "model_fields", ()))
    kind = response_format.get("type")
    if not isinstance(kind, str):
        return None, 0
    return kind, json_chars(response_format) if kind == "json_schema" else 0
