"""A local upstream that does everything wrong that an upstream can do, for tests and benchmarks.

Which fault, and at which tiers, the request's ``user`` says: "slow_headers@haiku", or "slow_headers@*" for every tier;
any other request is answered well. Faults are of three kinds:

- `PLAIN`: a whole answer goes wrong, and a stream that was asked for with it;
- `OPENING`: a stream goes wrong before it says anything;
- `MIDWAY`: a stream goes wrong after its first word.

    with FaultyUpstream() as upstream:
        client = openai.OpenAI(base_url=upstream.base_url, api_key="any", max_retries=0)
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

Body = dict[str, Any]
Fault = Callable[[Body], AsyncIterator[bytes]]

WORDS = "words of an answer"
RESET = b"\0reset"  # in the place of bytes: reset the connection
TICK = 0.05  # seconds between two pieces of what trickles
BOMB = 64 * 2**20  # bytes, unpacked


def completion(**changes: Any) -> bytes:
    """A good completion, but for some fields."""
    message = {"role": "assistant", "content": WORDS}
    good = {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
    }
    return json.dumps({**good, **changes}).encode()


def event(delta: Any, finish: Any = None, **changes: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    frame = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
    return b"data: " + json.dumps({**frame, "choices": [choice], **changes}).encode() + b"\n\n"


def head(status: int = 200, kind: str = "application/json", length: int | None = None, more: str = "") -> bytes:
    """An HTTP head; of a body in chunks where its length is not given."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\n{framing}\r\n{more}\r\n".encode()


def chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _whole(data: bytes, **headers: Any) -> Fault:
    async def fault(body: Body) -> AsyncIterator[bytes]:
        yield head(length=len(data), **headers) + data

    return fault


def _message(**changes: Any) -> Fault:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "words"}}
    return _whole(completion(choices=[{**choice, **changes}]))


def _status(status: int, message: str = "scripted", more: str = "", **error: Any) -> Fault:
    content = json.dumps({"error": {"message": message, "type": "scripted", "param": None, "code": None, **error}})
    return _whole(content.encode(), status=status, more=more)


def _raw(*pieces: bytes, pause: float = 0.0, hang: bool = False) -> Fault:
    """Pieces as they stand; then the connection is closed, or stays silent."""

    async def fault(body: Body) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(pause)
        if hang:
            await asyncio.Event().wait()
        yield b""  # so that it is closed

    return fault


def _endless(start: bytes, piece: bytes, pause: float = TICK) -> Fault:
    async def fault(body: Body) -> AsyncIterator[bytes]:
        yield start
        while True:
            yield piece
            await asyncio.sleep(pause)

    return fault


def _letters(data: bytes) -> Fault:
    return _raw(*(bytes([each]) for each in data), pause=TICK, hang=True)


def _packed(pack: Callable[[], bytes], encoding: str, status: int = 200) -> Fault:
    """An answer in some encoding; packed when it is first asked for."""
    once = cache(pack)

    async def fault(body: Body) -> AsyncIterator[bytes]:
        data = await asyncio.to_thread(once)
        yield head(status, length=len(data), more=f"content-encoding: {encoding}\r\n") + data

    return fault


def _events(*events: bytes) -> Fault:
    """A stream of some events that is over then."""
    return _raw(EVENTS + b"".join(map(chunked, events)) + b"0\r\n\r\n")


def _zeros(size: int) -> bytes:
    """JSON that packs well."""
    return b'{"x": "' + b"0" * size + b'"}'


def _message_list(where: str, item: str, number: int = 150_000) -> Fault:
    """A completion with a long list: it costs the client far more time to read than the upstream to send."""
    many = f"[{','.join([item] * number)}]"
    if where == "choices":
        return _whole(f'{{"choices": {many}}}'.encode())
    message = f'{{"content": "words", "tool_calls": {many}}}' if where == "tools" else '{"content": "words"}'
    logprobs = f'{{"content": {many}}}' if where == "logprobs" else "null"
    return _whole(f'{{"choices": [{{"index": 0, "message": {message}, "logprobs": {logprobs}}}]}}'.encode())


async def _redirect_to_itself(body: Body) -> AsyncIterator[bytes]:
    yield head(307, length=0, more="location: /v1/chat/completions\r\n")


EVENTS = head(kind="text/event-stream")
WORD, ROLE, DONE = event({"content": "words "}), event({"role": "assistant", "content": ""}), b"data: [DONE]\n\n"
COMMENT = chunked(b": still at work\n\n")
GOOD = completion()
ODD_USAGE = {
    "null": None,
    "empty": {},
    "words": {"prompt_tokens": "five", "completion_tokens": "four"},
    "negative": {"prompt_tokens": -5, "completion_tokens": -4},
    "fractions": {"prompt_tokens": 5.5, "completion_tokens": 4.5},
    "enormous": {"prompt_tokens": 10**40, "completion_tokens": 10**40},
    "booleans": {"prompt_tokens": True, "completion_tokens": False},
    "nulls": {"prompt_tokens": None, "completion_tokens": None},
    "list": [5, 4],
    "number": 5,
    "word": "five",
    "nested": {"prompt_tokens": {"of": 5}, "completion_tokens": [4], "prompt_tokens_details": 7},
}

PLAIN: dict[str, Fault] = {
    "silent": _raw(hang=True),
    "slow_headers": _letters(head(length=10**6)),
    "endless_headers": _endless(b"HTTP/1.1 200 OK\r\n", b"x-more: 1\r\n"),
    "endless_continue": _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "slow_body": _raw(head(length=len(GOOD)), *(bytes([each]) for each in GOOD), pause=TICK),
    "endless_blanks": _endless(head(), chunked(b" ")),
    "body_never_ends": _raw(head(length=len(GOOD)) + GOOD[:-1], hang=True),
    "error_body_never_ends": _raw(head(500, length=100) + b"{", hang=True),
    "reset": _raw(RESET),
    "reset_midway": _raw(head(length=len(GOOD)) + GOOD[:40], RESET, pause=TICK),
    "closed": _raw(),
    "cut": _raw(head(length=len(GOOD)) + GOOD[:40]),
    "cut_in_chunks": _raw(head() + chunked(GOOD[:40])),
    "bad_chunk": _raw(head() + b"zz\r\nabc\r\n"),
    "no_http": _raw(b"220 mail ready\r\n\r\n"),
    "large_headers": _raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 10**6 + b"\r\n\r\n"),
    "many_headers": _whole(GOOD, more="".join(f"x-{n}: {'y' * 60}\r\n" for n in range(1100))),
    **{f"status_{status}": _status(status) for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529)},
    "status_204": _raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "odd_error": _status(400, message="x", code=["a"], type={"b": 1}, param=5),
    "retry_nan": _status(429, more="retry-after: nan\r\n"),
    "context": _status(400, code="context_length_exceeded"),
    "no_model": _status(400, message="this model does not support images"),
    "redirect_loop": _redirect_to_itself,
    "redirect_elsewhere": _status(307),  # with the address of another port, which the server fills in
    "redirect_file": _whole(b"", status=307, more="location: file:///etc/hostname\r\n"),
    "no_json": _whole(GOOD[:-1] + b"]"),
    "page": _whole(b"<html>Bad gateway</html>", kind="text/html"),
    "nothing": _whole(b""),
    "null": _whole(b"null"),
    "list": _whole(b"[]"),
    "latin": _whole(GOOD.replace(b"words", b"w\xf6rter")),
    "utf_16": _whole(GOOD.decode().encode("utf-16")),
    "surrogate": _whole(GOOD.replace(b"words", rb"\ud83d words")),
    "deep": _whole(b'{"choices": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "deep_objects": _whole(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "many_values": _whole(b'{"choices": [' + b"{}," * 2_000_000 + b"{}]}"),
    "long_number": _whole(GOOD.replace(b"1700000000", b"9" * 5000)),
    "infinite_usage": _whole(GOOD.replace(b": 5,", b": 1e999,")),
    **{f"usage_{name}": _whole(completion(usage=usage)) for name, usage in ODD_USAGE.items()},
    "many_choices": _message_list("choices", '{"message": {}}'),
    "many_tools": _message_list("tools", "{}"),
    "many_logprobs": _message_list("logprobs", "{}"),
    "no_choices": _whole(completion(choices=[])),
    **{f"choices_{name}": _whole(completion(choices=value)) for name, value in {"null": None, "word": "abc"}.items()},
    "odd_choices": _whole(completion(choices=[None, 5, "x", {}, {"message": "hello"}, {"message": None}])),
    "message_is_word": _message(message="hello"),
    "content_number": _message(message={"content": 42}),
    "odd_tools": _message(message={"tool_calls": [None, "x", {"id": 1}, {"function": {"name": 5, "arguments": {}}}]}),
    "odd_logprobs": _message(logprobs={"content": [{"logprob": "x"}, 5, None]}),
    "logprobs_list": _message(logprobs=[1, 2]),
    "odd_finish": _message(finish_reason={"a": 1}),
    "odd_names": _whole(completion(_fields_set=5, model_dump=1, __class__="x", self=2, _request_id=3)),
    "events_unasked": _events(WORD, DONE),
    "bomb": _packed(lambda: gzip.compress(_zeros(BOMB), 6), "gzip"),
    "bomb_twice": _packed(lambda: gzip.compress(gzip.compress(_zeros(BOMB), 6)), "gzip, gzip"),
    "bomb_deflate": _packed(lambda: zlib.compress(_zeros(BOMB), 6), "deflate"),
    "bomb_error": _packed(lambda: gzip.compress(_zeros(BOMB), 6), "gzip", status=500),
    "large_error": _whole(b'{"error": [' + b"{}," * 5_000_000 + b"{}]}", status=400),
    "long_message": _status(400, message="invalid " * 100_000),
    "deep_error": _whole(b'{"error": ' + b"[" * 50_000, status=400),
    "deep_cut": _whole(b'{"choices": ' + b"[" * 50_000),
    "bad_packing": _packed(lambda: b"no gzip at all", "gzip"),
    "odd_packing": _packed(lambda: GOOD, "br"),
    "large": _endless(head(), chunked(b"0" * 2**20), pause=0.0),
}

OPENING: dict[str, Fault] = {
    "comments": _endless(EVENTS, COMMENT),
    "blank_lines": _endless(EVENTS, chunked(b"\n\n")),
    "roles": _endless(EVENTS, chunked(ROLE)),
    "role_then_silence": _raw(EVENTS + chunked(ROLE), hang=True),
    "role_then_reset": _raw(EVENTS + chunked(ROLE), RESET, pause=TICK),
    "endless_line": _endless(EVENTS, chunked(b"data" * 2**14), pause=0.0),
    "endless_event": _endless(EVENTS, chunked(b"data: x\n" * 2**12), pause=0.0),
    "no_events": _events(),
    "only_done": _events(DONE),
    "first_no_json": _events(b"data: {]\n\n"),
    "first_latin": _events(b"data: \xff\n\n"),
    "first_null": _events(b"data: null\n\n"),
    "first_list": _events(b"data: [1]\n\n"),
    "first_deep": _events(b"data: " + b"[" * 50_000 + b"]" * 50_000 + b"\n\n"),
    "first_error": _events(b'data: {"error": {"message": "overloaded"}}\n\n'),
    "error_event": _events(b'event: error\ndata: {"type": "error"}\n\n'),
    "many_in_event": _events(event({"tool_calls": [{}] * 150_000})),
    "whole_for_stream": _whole(GOOD),
    "packed_events": _packed(lambda: gzip.compress(b": " + b"x" * BOMB, 6), "gzip"),
}

MIDWAY: dict[str, Fault] = {
    "then_reset": _raw(EVENTS + chunked(WORD), RESET, pause=TICK),
    "then_cut": _raw(EVENTS + chunked(WORD)),
    "then_silence": _raw(EVENTS + chunked(WORD), hang=True),
    "then_comments": _endless(EVENTS + chunked(WORD), COMMENT),
    "then_no_json": _events(WORD, b"data: {]\n\n"),
    "then_latin": _events(WORD, b"data: \xff\n\n"),
    "then_error": _events(WORD, b'data: {"error": {"message": "x"}}\n\n'),
    "then_endless_line": _endless(EVENTS + chunked(WORD), chunked(b"data" * 2**14), pause=0.0),
    "then_nothing": _events(WORD),
    "odd_chunks": _events(
        WORD,
        event({"content": 5, "tool_calls": [{"index": None, "function": 5}, None, {"index": "x"}]}, usage={"a": 1}),
        event("no delta"),
        event(None, finish=["stop"], choices="abc"),
        event({"tool_calls": [{"index": 1, "function": {"name": {"a": 1}}}]}, usage=[1]),
        event({}, "stop", usage={"prompt_tokens": "x"}),
        DONE,
    ),
}
FAULTS = {**PLAIN, **OPENING, **MIDWAY}
LARGE = [name for name in FAULTS if name.startswith(("bomb", "large", "many", "endless", "packed", "deep"))]


class FaultyUpstream:
    """The server, with an event loop in a thread of its own; a context manager.

    Attributes
    ----------
    base_url : where it is reached.
    asked : tier and user of each request, in order.
    strayed : requests that were sent to another port, where a redirect led.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.asked: list[tuple[str, str]] = []
        self.strayed: list[bytes] = []
        self._elsewhere = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="faulty-upstream", daemon=True)

    def __enter__(self) -> FaultyUpstream:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        handlers: set[asyncio.Task[None]] = set()

        def accept(converse: Any) -> Any:
            def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                handler = self._loop.create_task(converse(reader, writer))
                handlers.add(handler)
                handler.add_done_callback(handlers.discard)

            return accepted

        main = await asyncio.start_server(accept(self._converse), "127.0.0.1", 0, backlog=1024)
        other = await asyncio.start_server(accept(self._stray), "127.0.0.1", 0)
        self._elsewhere = other.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{main.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._stop.wait()
        main.close()
        other.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                body = json.loads(await _content(reader) or b"{}")
                tier = next((each for each in ("haiku", "sonnet", "opus") if each in body.get("model", "")), "gemini")
                name, _, tiers = body.get("user", "").partition("@")
                self.asked.append((tier, body.get("user", "")))
                fault = self._fault(name) if tiers in ("*", tier) else None
                if not await _answer(fault, body, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _fault(self, name: str) -> Fault:
        return self._redirect if name == "redirect_elsewhere" else FAULTS[name]

    async def _redirect(self, body: Body) -> AsyncIterator[bytes]:
        yield head(307, length=0, more=f"location: http://127.0.0.1:{self._elsewhere}/v1/chat/completions\r\n")

    async def _stray(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer well where nobody should ask."""
        try:
            self.strayed.append(await _content(reader))
            writer.write(head(length=len(GOOD)) + GOOD)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def _content(reader: asyncio.StreamReader) -> bytes:
    """The body of the next request."""
    header = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    _, _, length = header.partition("content-length:")
    return await reader.readexactly(int(length.split("\r\n")[0]) if length else 0)


async def _answer(fault: Fault | None, body: Body, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; whether the connection may be used again."""
    async for piece in (fault or _good)(body):
        if piece == RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        writer.write(piece)
        await writer.drain()
    return fault is None


async def _good(body: Body) -> AsyncIterator[bytes]:
    if not body.get("stream"):
        yield head(length=len(GOOD)) + GOOD
        return
    usage = event({}, choices=[], usage={"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9})
    for each in (ROLE, *(event({"content": f"{word} "}) for word in WORDS.split()), event({}, "stop"), usage, DONE):
        yield (EVENTS if each is ROLE else b"") + chunked(each)
    yield b"0\r\n\r\n"
