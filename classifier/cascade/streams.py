"""Streamed answers: watched while the caller reads them, or replayed from an answer that a gate has passed.

All are the client's own `Stream` or `AsyncStream`, so code that reads one need not change.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from openai import AsyncStream, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta
from pydantic import BaseModel

from classifier.cascade.calls import EventCollector
from classifier.cascade.usage import UNKNOWN_BILL, Bill, read_bill
from classifier.cascade.wire import waiting
from classifier.gates import Answer, ToolCall
from classifier.gates.answer import shown_text, text_of
from classifier.request import Request

_MOST_SILENT = 1024  # chunks
# Names of what says nothing by itself.
_NO_WORDS = frozenset(
    {"role", "id", "type", "index", "object", "format", "expires_at", "channel", "obfuscation", "status"}
)
_FRAME = ("id", "created", "model", "system_fingerprint", "service_tier")  # of every chunk
_CHUNK = "chat.completion.chunk"

Ended = Callable[[EventCollector, BaseException | None], None]
Abandoned = Callable[[EventCollector], None]


@dataclass(slots=True)
class Collected:
    """What the first choice of a stream of chat completion chunks has said so far.

    Attributes
    ----------
    spoken : what the transcript of its audio says so far.
    media : whether there is sound, or an image.
    tools : index of a tool call -> its name and arguments so far, in pieces.
    bill : what the upstream says that the call took and cost, as far as it has said so.
    usage_shown : the caller asked for the last chunk with the token counts.
    """

    usage_shown: bool
    text: list[str] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    media: bool = False
    refusal: list[str] = field(default_factory=list)
    tools: dict[int, tuple[list[str], list[str]]] = field(default_factory=dict)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str | None = None
    id: str | None = None
    bill: Bill = UNKNOWN_BILL

    def says(self, chunk: ChatCompletionChunk) -> bool:
        """Whether a chunk is part of an answer."""
        return says_something(chunk)

    def readable(self, chunk: ChatCompletionChunk) -> ChatCompletionChunk:
        """The chunk as callers can read it."""
        return readable(chunk)

    def add(self, chunk: ChatCompletionChunk) -> bool:
        """Take a chunk in; whether the caller is to see it. What is of an unknown form says nothing."""
        usage = _get(chunk, "usage")
        if usage is not None or getattr(chunk, "model_extra", None):  # other chunks say nothing of it
            bill = read_bill(chunk)
            self.bill = bill if bill.is_known else self.bill
        choices = _get(chunk, "choices")
        for choice in _items(choices):
            index = _get(choice, "index")
            if index == 0 or not isinstance(index, int):
                self._add_choice(choice)
        return bool(choices) or usage is None or self.usage_shown

    def _add_choice(self, choice: Any) -> None:
        delta = _get(choice, "delta")
        self.finish_reason = _string(_get(choice, "finish_reason")) or self.finish_reason
        for token in _items(_get(_get(choice, "logprobs"), "content")):
            logprob = _get(token, "logprob")
            if isinstance(logprob, int | float) and isfinite(logprob):
                self.logprobs.append(logprob)
        self.text.append(text_of(_get(delta, "content")))
        self.refusal.append(_string(_get(delta, "refusal")))
        audio = _get(delta, "audio")
        self.spoken.append(_string(_get(audio, "transcript")))
        self.media = self.media or bool(_get(audio, "data")) or bool(_items(_get(delta, "images")))
        for call in _items(_get(delta, "tool_calls")):
            index, function = _get(call, "index"), _get(call, "function")
            names, arguments = self.tools.setdefault(index if isinstance(index, int) else 0, ([], []))
            names.append(_string(_get(function, "name")))
            arguments.append(_string(_get(function, "arguments")))

    def answer(self, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """The answer as a gate sees it."""
        return Answer(
            text=shown_text("".join(self.text), "".join(self.spoken)),
            tier=tier,
            model=model,
            finish_reason=self.finish_reason,
            tool_calls=tuple(ToolCall("".join(name), "".join(said)) for _, (name, said) in sorted(self.tools.items())),
            refusal="".join(self.refusal) or None,
            token_logprobs=tuple(self.logprobs) or None,
            tokens_in=self.bill.usage.tokens_in,
            tokens_out=self.bill.usage.tokens_out,
            request=request,
            arguments=arguments,
            media=self.media,
        )


def _get(value: Any, name: str) -> Any:
    """An attribute of one of the client's objects, or a key of what it left as a dictionary."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def readable(chunk: ChatCompletionChunk) -> ChatCompletionChunk:
    """The chunk without choices that are none, and with an empty delta where one has none: callers read on."""
    choices = _get(chunk, "choices")
    if isinstance(choices, list) and all(isinstance(_get(choice, "delta"), ChoiceDelta) for choice in choices):
        return chunk
    chunk.choices = [choice for choice in _items(choices) if isinstance(choice, Choice)]
    for choice in chunk.choices:
        if not isinstance(choice.delta, ChoiceDelta):
            choice.delta = ChoiceDelta.construct()
    return chunk


def says_something(chunk: ChatCompletionChunk) -> bool:
    """Whether a chunk is part of an answer: not only who speaks, space, marks, or what was counted.

    Reasoning that is passed on counts, since the caller may show it, and so does the end of an answer without words;
    an end by an error does not.
    """
    return any(_says(choice) for choice in _items(_get(chunk, "choices")))


def _says(choice: Any) -> bool:
    delta = _get(choice, "delta")
    known = delta if isinstance(delta, Mapping) else getattr(delta, "__dict__", {})
    others = getattr(delta, "model_extra", None) or {}
    if any(_shows(value) for name, value in [*known.items(), *others.items()] if name not in _NO_WORDS):
        return True
    return _get(choice, "finish_reason") not in (None, "", "error")


def _shows(value: Any, depth: int = 8) -> bool:
    """Whether there is something to see or to hear in a part of a delta."""
    if isinstance(value, str):
        return not value.isspace() and value != ""
    if isinstance(value, BaseModel):
        value = {**vars(value), **(value.model_extra or {})}
    if not depth:
        return bool(value)
    if isinstance(value, Mapping):
        return any(_shows(part, depth - 1) for name, part in value.items() if name not in _NO_WORDS)
    return isinstance(value, list) and any(_shows(part, depth - 1) for part in value)


def _has_space(chunk: Any) -> bool:
    """Whether a chunk of chat completions is of blanks; events of other forms never are."""
    return any(text_of(_get(_get(choice, "delta"), "content")) for choice in _items(_get(chunk, "choices")))


class Opening:
    """The chunks of a stream until it says something."""

    def __init__(self, collected: EventCollector) -> None:
        self.chunks: list[Any] = []
        self._says = collected.says

    def take(self, chunk: Any) -> bool:
        """Take a chunk in; whether it says something.

        Of very many that say nothing only the first are kept; space beyond those counts as said.
        """
        full = len(self.chunks) >= _MOST_SILENT
        said = self._says(chunk) or (full and _has_space(chunk))
        if said or not full:
            self.chunks.append(chunk)
        return said


class Watch:
    """What a stream has said, and whom to tell once it has ended."""

    def __init__(self, collected: EventCollector) -> None:
        self.collected = collected
        self._ended: Ended | None = None
        self._abandoned: Abandoned | None = None

    def when_ended(self, ended: Ended, abandoned: Abandoned) -> None:
        """Call one of the two at the end: with what was collected, and with what went wrong if anybody still reads."""
        self._ended, self._abandoned = ended, abandoned

    def end(self, error: BaseException | None) -> None:
        """Tell of the end, the first time."""
        ended, self._ended, self._abandoned = self._ended, None, None
        if ended is not None:
            ended(self.collected, error)

    def close(self) -> None:
        """Tell of the end, where the reader has had enough."""
        self.end(None if self.collected.finish_reason else GeneratorExit())

    def abandon(self) -> None:
        """Tell of the end, where nobody can wait for anything any more."""
        abandoned, self._ended, self._abandoned = self._abandoned, None, None
        if abandoned is not None:
            abandoned(self.collected)


class WatchedStream(Stream[Any]):
    """An upstream's stream, handed on chunk by chunk.

    Attributes
    ----------
    watch : tells when it has ended, in whichever way.
    """

    def __init__(self, stream: Stream[Any], collected: EventCollector, gap: float | None) -> None:
        """Read until something is said, so that a call which fails before can be answered elsewhere.

        Parameters
        ----------
        gap : seconds from one chunk to the next, at most; None: the client's own limit.

        Raises
        ------
        StopIteration : nothing is said.
        """
        self.watch, self._inner, self._gap, self.response = Watch(collected), stream, gap, stream.response
        opening = Opening(collected)
        while not opening.take(next(stream)):
            pass
        self._read = deque(opening.chunks)

    def __next__(self) -> Any:
        try:
            while True:
                chunk = self._read.popleft() if self._read else self._next()
                if self.watch.collected.add(chunk):
                    return self.watch.collected.readable(chunk)
        except BaseException as error:
            self.watch.end(None if isinstance(error, StopIteration) else error)
            raise

    def _next(self) -> Any:
        with waiting(self._gap):
            return next(self._inner)

    def __iter__(self) -> Iterator[Any]:
        return self

    def close(self) -> None:
        """Close the upstream's stream and release the connection."""
        self._inner.close()
        self.watch.close()

    def __del__(self) -> None:
        if hasattr(self, "_read"):  # else nothing was said
            self.watch.abandon()


class AsyncWatchedStream(AsyncStream[Any]):
    """`WatchedStream` over an asynchronous stream.

    Attributes
    ----------
    watch : tells when it has ended, in whichever way.
    """

    def __init__(
        self,
        stream: AsyncStream[Any],
        opening: list[Any],
        collected: EventCollector,
        gap: float | None,
    ) -> None:
        self.watch, self._inner, self._gap, self.response = Watch(collected), stream, gap, stream.response
        self._read = deque(opening)

    @classmethod
    async def begin(cls, stream: AsyncStream[Any], collected: EventCollector, gap: float | None) -> AsyncWatchedStream:
        """Read until something is said; see `WatchedStream`.

        Raises
        ------
        StopAsyncIteration : nothing is said.
        """
        opening = Opening(collected)
        while not opening.take(await anext(stream)):
            pass
        return cls(stream, opening.chunks, collected, gap)

    async def __anext__(self) -> Any:
        try:
            while True:
                chunk = self._read.popleft() if self._read else await self._next()
                if self.watch.collected.add(chunk):
                    return self.watch.collected.readable(chunk)
        except BaseException as error:
            self.watch.end(None if isinstance(error, StopAsyncIteration) else error)
            raise

    async def _next(self) -> Any:
        with waiting(self._gap):
            async with asyncio.timeout(self._gap):
                return await anext(self._inner)

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while True:
                try:
                    chunk = await anext(self)
                except StopAsyncIteration:
                    return
                yield chunk
        finally:  # a loop that is left early is not come back to
            await self.close()

    async def close(self) -> None:
        """Close the upstream's stream and release the connection."""
        await self._inner.close()
        self.watch.close()

    def __del__(self) -> None:
        self.watch.abandon()


class ReplayedStream(Stream[Any]):
    """An answer that is there already, as a stream."""

    def __init__(self, events: Sequence[Any], response: Any) -> None:
        """Make one; ``response``: the HTTP response that the answer was read from."""
        self._chunks, self.response = iter(events), response

    def __next__(self) -> Any:
        return next(self._chunks)

    def __iter__(self) -> Iterator[Any]:
        return self

    def close(self) -> None:
        """Nothing is open."""


class AsyncReplayedStream(AsyncStream[Any]):
    """`ReplayedStream` to be read asynchronously."""

    def __init__(self, events: Sequence[Any], response: Any) -> None:
        """Make one; see `ReplayedStream`."""
        self._chunks, self.response = iter(events), response

    async def __anext__(self) -> Any:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None

    async def __aiter__(self) -> AsyncIterator[Any]:
        for chunk in self._chunks:
            yield chunk

    async def close(self) -> None:
        """Nothing is open."""


def chunks(completion: ChatCompletion, usage_shown: bool) -> list[ChatCompletionChunk]:
    """A completion as chunks that add up to it: for each choice what it says, then how it ends; usage last.

    What an upstream puts beside the protocol stays where it is: beside the choices in every chunk, beside a choice's
    finish reason, in the message and its tool calls.
    """
    found = []
    for choice in completion.choices:
        fields = _fields(choice)
        message = fields.pop("message", None)
        if not isinstance(message, dict):
            continue
        index, logprobs = fields.get("index"), fields.pop("logprobs", None)
        found += [
            {"index": index, "delta": _delta(message), "logprobs": logprobs, "finish_reason": None},
            {"finish_reason": None, **fields, "delta": {}},
        ]
    frame = {**dict.fromkeys(_FRAME), **_fields(completion, but=("choices", "usage")), "object": _CHUNK}
    bodies: list[dict[str, Any]] = [{**frame, "choices": [choice]} for choice in found]
    usage = plain(_get(completion, "usage"))
    if usage_shown and usage is not None:
        bodies.append({**frame, "choices": [], "usage": usage})
    return [ChatCompletionChunk.construct(**body) for body in bodies]


def _delta(message: dict[str, Any]) -> dict[str, Any]:
    """What a message says, as one delta."""
    said = {name: value for name, value in message.items() if value is not None}
    calls = said.pop("tool_calls", None)
    if calls:
        known = [call for call in _items(calls) if isinstance(call, dict)]
        said["tool_calls"] = [{**call, "index": place} for place, call in enumerate(known)]
    return said


def _fields(value: Any, but: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of one of the client's objects that were given, as JSON; {} for anything else."""
    if not isinstance(value, BaseModel):
        return {}
    given = {name: part for name, part in vars(value).items() if name in value.model_fields_set}
    return {name: plain(part) for name, part in {**given, **(value.model_extra or {})}.items() if name not in but}


def plain(value: Any) -> Any:
    """One of the client's objects as JSON, with the fields that were given; anything else as it is."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    if not isinstance(value, BaseModel):
        return value
    try:
        return value.model_dump(by_alias=True, exclude_unset=True, warnings=False)
    except (TypeError, ValueError):  # of older versions of pydantic, where a part has another type than it should
        return {name: plain(part) for name, part in {**vars(value), **(value.model_extra or {})}.items()}
