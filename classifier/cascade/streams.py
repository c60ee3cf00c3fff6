"""Streamed answers: watched while the caller reads them, or replayed from an answer that a gate has passed.

All are the client's own `Stream` or `AsyncStream` of `ChatCompletionChunk`, so code that reads one need not change.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openai import AsyncStream, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade.wire import http_response
from classifier.gates import Answer, ToolCall
from classifier.gates.answer import text_of
from classifier.request import Request

Ended = Callable[["Collected", BaseException | None], None]
Abandoned = Callable[["Collected"], None]


@dataclass(slots=True)
class Collected:
    """What the first choice of a stream has said so far.

    Attributes
    ----------
    tools : index of a tool call -> its name and arguments so far.
    usage_shown : the caller asked for the last chunk with the token counts.
    """

    usage_shown: bool
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tools: dict[int, tuple[str, str]] = field(default_factory=dict)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None

    def add(self, chunk: ChatCompletionChunk) -> bool:
        """Take a chunk in; whether the caller is to see it."""
        if chunk.usage is not None:
            self.tokens_in, self.tokens_out = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._add_choice(choice)
        return bool(chunk.choices) or chunk.usage is None or self.usage_shown

    def _add_choice(self, choice: Any) -> None:
        delta = choice.delta
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        if choice.logprobs is not None and choice.logprobs.content:
            self.logprobs += [token.logprob for token in choice.logprobs.content]
        if delta is None:
            return
        if delta.content:
            self.text.append(text_of(delta.content))
        if delta.refusal:
            self.refusal.append(delta.refusal)
        for call in delta.tool_calls or ():
            name, arguments = self.tools.setdefault(call.index, ("", ""))
            function = call.function
            if function is not None:
                self.tools[call.index] = name + (function.name or ""), arguments + (function.arguments or "")

    def answer(self, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """The answer as a gate sees it."""
        return Answer(
            text="".join(self.text),
            tier=tier,
            model=model,
            finish_reason=self.finish_reason,
            tool_calls=tuple(ToolCall(name, given) for _, (name, given) in sorted(self.tools.items())),
            refusal="".join(self.refusal) or None,
            token_logprobs=tuple(self.logprobs) or None,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            request=request,
            arguments=arguments,
        )


class Watch:
    """What a stream has said, and whom to tell once it has ended."""

    def __init__(self, usage_shown: bool) -> None:
        self.collected = Collected(usage_shown)
        self._ended: Ended | None = None
        self._abandoned: Abandoned | None = None

    def when_ended(self, ended: Ended, abandoned: Abandoned) -> None:
        """Call one of the two at the end: with what was collected, and with what went wrong if anybody still reads."""
        self._ended, self._abandoned = ended, abandoned

    def add(self, chunk: ChatCompletionChunk) -> bool:
        """Take a chunk in; whether the caller is to see it. One of odd form is handed on without a look."""
        try:
            return self.collected.add(chunk)
        except Exception:
            return True

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


class WatchedStream(Stream[ChatCompletionChunk]):
    """An upstream's stream, handed on chunk by chunk.

    Attributes
    ----------
    watch : tells when it has ended, in whichever way.
    """

    def __init__(self, stream: Stream[ChatCompletionChunk], usage_shown: bool) -> None:
        """Read the first chunk, so that a call which fails at once can be answered elsewhere.

        Raises
        ------
        StopIteration : there is none.
        """
        self.watch, self._inner, self.response = Watch(usage_shown), stream, stream.response
        self._read = [next(stream)]

    def __next__(self) -> ChatCompletionChunk:
        try:
            while True:
                chunk = self._read.pop() if self._read else next(self._inner)
                if self.watch.add(chunk):
                    return chunk
        except BaseException as error:
            self.watch.end(None if isinstance(error, StopIteration) else error)
            raise

    def __iter__(self) -> Iterator[ChatCompletionChunk]:
        return self

    def close(self) -> None:
        """Close the upstream's stream and release the connection."""
        self._inner.close()
        self.watch.close()

    def __del__(self) -> None:
        if hasattr(self, "_read"):  # else there was no first chunk
            self.watch.abandon()


class AsyncWatchedStream(AsyncStream[ChatCompletionChunk]):
    """`WatchedStream` over an asynchronous stream.

    Attributes
    ----------
    watch : tells when it has ended, in whichever way.
    """

    def __init__(self, stream: AsyncStream[ChatCompletionChunk], first: ChatCompletionChunk, usage_shown: bool) -> None:
        self.watch, self._inner, self.response = Watch(usage_shown), stream, stream.response
        self._read = [first]

    async def __anext__(self) -> ChatCompletionChunk:
        try:
            while True:
                chunk = self._read.pop() if self._read else await anext(self._inner)
                if self.watch.add(chunk):
                    return chunk
        except BaseException as error:
            self.watch.end(None if isinstance(error, StopAsyncIteration) else error)
            raise

    async def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
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


class ReplayedStream(Stream[ChatCompletionChunk]):
    """An answer that is there already, as a stream."""

    def __init__(self, completion: ChatCompletion, usage_shown: bool) -> None:
        self._chunks = iter(chunks(completion, usage_shown))
        self.response = http_response(completion)

    def __next__(self) -> ChatCompletionChunk:
        return next(self._chunks)

    def __iter__(self) -> Iterator[ChatCompletionChunk]:
        return self

    def close(self) -> None:
        """Nothing is open."""


class AsyncReplayedStream(AsyncStream[ChatCompletionChunk]):
    """`ReplayedStream` to be read asynchronously."""

    def __init__(self, completion: ChatCompletion, usage_shown: bool) -> None:
        self._chunks = iter(chunks(completion, usage_shown))
        self.response = http_response(completion)

    async def __anext__(self) -> ChatCompletionChunk:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None

    async def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        for chunk in self._chunks:
            yield chunk

    async def close(self) -> None:
        """Nothing is open."""


def chunks(completion: ChatCompletion, usage_shown: bool) -> list[ChatCompletionChunk]:
    """A completion as chunks that add up to it: for each choice what it says, then how it ends; usage last."""
    found = []
    for choice in completion.choices:
        if choice.message is None:
            continue
        message = choice.message.model_dump(exclude_none=True, warnings=False)
        calls = message.pop("tool_calls", None)
        if calls:
            message["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
        logprobs = choice.logprobs.model_dump(warnings=False) if choice.logprobs else None
        found += [
            {"index": choice.index, "delta": message, "logprobs": logprobs, "finish_reason": None},
            {"index": choice.index, "delta": {}, "finish_reason": choice.finish_reason},
        ]
    frame = {
        "id": completion.id,
        "created": completion.created,
        "model": completion.model,
        "object": "chat.completion.chunk",
        "system_fingerprint": completion.system_fingerprint,
        "service_tier": completion.service_tier,
    }
    bodies: list[dict[str, Any]] = [{**frame, "choices": [choice]} for choice in found]
    if usage_shown and completion.usage is not None:
        bodies.append({**frame, "choices": [], "usage": completion.usage.model_dump(warnings=False)})
    return [ChatCompletionChunk.construct(**body) for body in bodies]
