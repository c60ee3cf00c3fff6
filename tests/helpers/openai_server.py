"""A local server that speaks the chat-completions and Responses protocols of OpenAI, for tests and benchmarks.

It answers as scripted: well, slowly, wrongly, not at all. It records every request, and whether the client went away
before it was answered.

    with OpenAIServer() as server:
        server.script(Reply("Paris"), Reply(status=429, retry_after=1))   # in this order
        client = openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0)
        ...
        assert [call.body["model"] for call in server.calls] == ["small", "large"]

    server.answer_with(lambda body: Reply(body["model"]))                 # or by a function of the request

The server runs an event loop in a thread of its own and keeps connections alive as real ones do.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

Body = dict[str, Any]


class Fault(StrEnum):
    """What goes wrong with a reply."""

    RESET = "the connection is reset before anything is sent"
    RESET_MIDWAY = "the connection is reset in the middle of the body or stream"
    TRUNCATED = "the connection is closed in the middle of the body or stream"
    ERROR_MIDWAY = "a stream ends in an error event; any other answer is a server error"
    NOT_JSON = "the body, or one event of the stream, is no JSON"
    NO_CHOICES = "the completion has no choices"
    WRONG_TYPE = "an HTML page with status 200, as from a proxy"
    HANG = "nothing is sent until the client goes away"


@dataclass(frozen=True, slots=True)
class Reply:
    """How one request is answered.

    Attributes
    ----------
    text, refusal : the message's content and refusal.
    tool_calls : name and arguments of each.
    finish_reason : by default "tool_calls" where there are any, else "stop"; "length" makes a response incomplete.
    thoughts : a summary of the model's reasoning, in a response.
    extra : fields beside those of the protocol, in a completion, each chunk or the response.
    failed : code of the error that a response says it failed with, though its HTTP status is 200.
    logprobs : those of the text's tokens (words), the last one repeated; sent where the request asks for them.
    tokens_in, tokens_out : usage; by default counted in words.
    usage : the whole usage object instead. headers : sent beside the usual ones, of an answer in one piece.
    status : HTTP status; from 400 the body is an error in OpenAI's form.
    error_code, error_message : what it says.
    retry_after : seconds, sent as a header.
    delay : seconds before the first byte.
    chunk_delay : seconds before each further event of a stream, or before the second half of a body.
    fault : what goes wrong.
    """

    text: str | None = "ok"
    refusal: str | None = None
    tool_calls: Sequence[tuple[str, str]] = ()
    finish_reason: str | None = None
    thoughts: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    failed: str | None = None
    logprobs: Sequence[float] = (-0.1,)
    tokens_in: int | None = None
    tokens_out: int | None = None
    usage: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    error_code: str | None = None
    error_message: str = "scripted error"
    retry_after: float | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    fault: Fault | None = None


@dataclass(slots=True)
class Call:
    """A request that the server got.

    Attributes
    ----------
    body : its JSON; {} where it had none.
    headers : by lower-case name; of ``authorization`` only the scheme.
    started, ended : `time.monotonic` when it was read, and when it was answered or given up; None until then.
    disconnected : the client went away before it was answered.
    over : set when it has ended, so that a test can wait for it.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Body
    started: float
    ended: float | None = None
    disconnected: bool = False
    over: threading.Event = field(default_factory=threading.Event, repr=False)


class OpenAIServer:
    """The server; a context manager. Attributes and methods may be used from any thread."""

    def __init__(self) -> None:
        """Prepare; `start` or ``with`` runs it."""
        self.calls: list[Call] = []
        self.base_url = ""
        self._respond: Callable[[Body], Reply] = lambda body: Reply()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="openai-server", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def script(self, *replies: Reply) -> None:
        """Answer the next requests with these, in order; further ones are server errors that say so."""
        queue = deque(replies)
        spent = Reply(status=500, error_message="the script has no more replies")
        self._respond = lambda body: queue.popleft() if queue else spent

    def answer_with(self, respond: Callable[[Body], Reply]) -> None:
        """Answer every request by a function of its JSON."""
        self._respond = respond

    def start(self) -> OpenAIServer:
        """Listen on a free port of 127.0.0.1."""
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the server did not start")
        return self

    def close(self) -> None:
        """Stop, and drop every connection; once is enough."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def __enter__(self) -> OpenAIServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        handlers: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handler = asyncio.ensure_future(self._converse(reader, writer))
            handlers.add(handler)
            handler.add_done_callback(handlers.discard)

        listener = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1024)
        self.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._stop.wait()
        listener.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports close

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, request after request."""
        ahead = b""  # what was read while the reply before was being sent
        try:
            while (call := await _read_call(reader, ahead)) is not None:
                self.calls.append(call)
                ahead = await self._answer(call, reader, writer)
                if call.disconnected or writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Answer one request, unless its client goes away; returns what was read meanwhile."""
        reply = asyncio.ensure_future(self._reply(call, writer))
        watch = asyncio.ensure_future(reader.read(1))  # comes back only when the client leaves, or sends the next one
        try:
            await asyncio.wait({reply, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not reply.done() and not _left(watch):
                await reply
            call.disconnected = not reply.done() or isinstance(reply.exception(), ConnectionError)
            if reply.done() and not call.disconnected:
                reply.result()
            return watch.result() if watch.done() and not _left(watch) else b""
        finally:
            for task in (reply, watch):
                task.cancel()
            await asyncio.gather(reply, watch, return_exceptions=True)
            call.ended = time.monotonic()
            call.over.set()

    def _scripted(self, body: Body) -> Reply:
        try:
            return self._respond(body)
        except Exception as error:
            return Reply(status=500, error_message=f"the script raised {type(error).__name__}: {error}")

    async def _reply(self, call: Call, writer: asyncio.StreamWriter) -> None:
        if call.method == "GET" and call.path.startswith("/v1/responses/"):
            reply = self._scripted({"model": "", "input": ""})
            call.body = {"input": "", "stream": "stream=true" in call.path}
        elif call.method != "POST" or call.path not in ("/v1/chat/completions", "/v1/responses"):
            reply = Reply(status=404, error_code="unknown_url", error_message="no such path")
        else:
            reply = self._scripted(call.body)
        await asyncio.sleep(reply.delay)
        if reply.fault is Fault.HANG:
            await asyncio.Event().wait()
        if reply.fault is Fault.RESET:
            _reset(writer)
            return
        parts = _stream(call.body, reply) if _streams(call.body, reply) else _whole(call.body, reply)
        head = f"x-request-id: req_{len(self.calls)}\r\n"
        if reply.retry_after is not None:
            head += f"retry-after: {reply.retry_after:g}\r\n"
        async for part in parts:
            writer.write(part.replace(b"\r\n\r\n", f"\r\n{head}\r\n".encode(), 1) if head else part)
            head = ""
            await writer.drain()
        if reply.fault is Fault.RESET_MIDWAY:
            _reset(writer)
        elif reply.fault is Fault.TRUNCATED:
            writer.close()


def _left(watch: asyncio.Task[bytes]) -> bool:
    """Whether a client that was watched has gone away."""
    return watch.done() and (watch.exception() is not None or watch.result() == b"")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Send a TCP reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read_call(reader: asyncio.StreamReader, ahead: bytes) -> Call | None:
    """The next request of a connection; None at its end."""
    try:
        head = ahead + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    if "authorization" in headers:
        headers["authorization"] = headers["authorization"].partition(" ")[0]
    return Call(method, path, headers, json.loads(content) if content else {}, time.monotonic())


# What is sent: an HTTP head first, then pieces of the body


def _streams(body: Body, reply: Reply) -> bool:
    return bool(body.get("stream")) and reply.status < 400 and reply.fault is not Fault.WRONG_TYPE


async def _whole(body: Body, reply: Reply) -> AsyncIterator[bytes]:
    """A reply in one piece, or two where it is slow or interrupted."""
    kind, status = "application/json", reply.status
    if reply.fault is Fault.WRONG_TYPE:
        kind, content = "text/html", "<html><body>Bad gateway</body></html>"
    elif reply.fault is Fault.ERROR_MIDWAY:
        status, content = 500, json.dumps(_error(reply))
    else:
        make = _response if "messages" not in body else _completion
        content = json.dumps(_error(reply) if status >= 400 else make(body, reply))
    data = content.encode()
    if reply.fault is Fault.NOT_JSON:
        data = data[:-1] + b"]"
    reason = HTTPStatus(status).phrase
    more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    yield f"HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n{more}\r\n".encode()
    yield data[: len(data) // 2]
    if reply.fault not in (Fault.RESET_MIDWAY, Fault.TRUNCATED):
        await asyncio.sleep(reply.chunk_delay)
        yield data[len(data) // 2 :]


async def _stream(body: Body, reply: Reply) -> AsyncIterator[bytes]:
    """A reply as server-sent events."""
    yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    events = [json.dumps(each) for each in (_chunks if "messages" in body else _events)(body, reply)]
    middle = len(events) // 2
    if reply.fault in (Fault.RESET_MIDWAY, Fault.TRUNCATED, Fault.ERROR_MIDWAY):
        del events[middle:]
    if reply.fault is Fault.ERROR_MIDWAY:
        events.append(json.dumps(_error(reply)))
    if reply.fault is Fault.NOT_JSON:
        events[middle] = "{]"
    for place, event in enumerate(events):
        if place:
            await asyncio.sleep(reply.chunk_delay)
        yield _chunked(f"data: {event}\n\n".encode())
    if reply.fault not in (Fault.RESET_MIDWAY, Fault.TRUNCATED):
        yield (_chunked(b"data: [DONE]\n\n") if "messages" in body else b"") + b"0\r\n\r\n"


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


# The protocol's objects


def _completion(body: Body, reply: Reply) -> Body:
    message: Body = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(*call, place) for place, call in enumerate(reply.tool_calls)]
    choice = {"message": message, "finish_reason": _finish_reason(reply), "logprobs": _logprobs(body, reply)}
    return {
        **_frame("chat.completion", body),
        "choices": [] if reply.fault is Fault.NO_CHOICES else [{"index": n, **choice} for n in range(_choices(body))],
        "usage": _usage(body, reply),
        **reply.extra,
    }


def _chunks(body: Body, reply: Reply) -> list[Body]:
    """A stream's objects: the role, the text word by word, the tool calls, the end, and usage where asked for."""
    options = body.get("stream_options") or {}
    frame = {
        **_frame("chat.completion.chunk", body),
        **reply.extra,
        **({"usage": None} if options.get("include_usage") else {}),
    }
    words = _words(reply.text)
    deltas: list[Body] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    if reply.refusal is not None:
        deltas.append({"refusal": reply.refusal})
    for place, (name, arguments) in enumerate(reply.tool_calls):
        half = len(arguments) // 2
        opening = {"index": place, **_tool_call(name, arguments[:half], place)}
        deltas.append({"tool_calls": [opening]})
        deltas.append({"tool_calls": [{"index": place, "function": {"arguments": arguments[half:]}}]})
    logprobs = (_logprobs(body, reply) or {}).get("content", [])
    chunks = []
    for place, delta in enumerate(deltas):
        known = logprobs[place - 1 : place] if 0 < place <= len(words) else []
        chunks += _chunk_of_each(frame, body, {"delta": delta, "logprobs": {"content": known} if known else None})
    chunks += _chunk_of_each(frame, body, {"delta": {}, "finish_reason": _finish_reason(reply)})
    if reply.fault is Fault.NO_CHOICES:
        chunks = [{**frame, "choices": []}]
    if options.get("include_usage"):
        chunks.append({**frame, "choices": [], "usage": _usage(body, reply)})
    return chunks


def _chunk_of_each(frame: Body, body: Body, choice: Body) -> list[Body]:
    """The same chunk for each of the ``n`` choices."""
    full = {"finish_reason": None, **choice}
    return [{**frame, "choices": [{"index": place, **full}]} for place in range(_choices(body))]


def _frame(kind: str, body: Body) -> Body:
    return {"id": "chatcmpl-test", "object": kind, "created": 1_700_000_000, "model": body.get("model", "")}


def _choices(body: Body) -> int:
    return body.get("n") or 1


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _tool_call(name: str, arguments: str, place: int) -> Body:
    return {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _words(text: str | None) -> list[str]:
    """A text in pieces that end with their spaces."""
    pieces = (text or "").split(" ")
    return [f"{piece} " for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _logprobs(body: Body, reply: Reply) -> Body | None:
    if not body.get("logprobs") or not reply.logprobs:
        return None
    known = list(reply.logprobs)
    words = _words(reply.text)
    values = known + known[-1:] * len(words)
    return {
        "content": [
            {"token": word, "logprob": value, "bytes": None, "top_logprobs": []}
            for word, value in zip(words, values, strict=False)
        ],
        "refusal": None,
    }


def _usage(body: Body, reply: Reply) -> Body:
    if reply.usage is not None:
        return reply.usage
    asked = sum(len(str(message.get("content") or "").split()) for message in body.get("messages", []))
    tokens_in = asked if reply.tokens_in is None else reply.tokens_in
    tokens_out = len(_words(reply.text)) * _choices(body) if reply.tokens_out is None else reply.tokens_out
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def _response(body: Body, reply: Reply) -> Body:
    """A response: reasoning, the message, the calls; queued where it is to be made in the background."""
    status = "failed" if reply.failed else "incomplete" if reply.finish_reason == "length" else "completed"
    usage = _usage({**body, "messages": _asked(body)}, reply)
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    made: Body = {
        "id": f"resp_{body.get('model', '')}",
        "object": "response",
        "created_at": 1_700_000_000.0,
        "model": body.get("model", ""),
        "status": status,
        "error": {"code": reply.failed, "message": "the model failed"} if reply.failed else None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "output": [] if reply.failed or reply.fault is Fault.NO_CHOICES else _output(body, reply),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
            **details,
        },
        **reply.extra,
    }
    return {**made, "status": "queued", "output": [], "usage": None} if body.get("background") else made


def _asked(body: Body) -> list[Body]:
    asked = body.get("input") or ""
    return [{"content": asked}] if isinstance(asked, str) else asked


def _output(body: Body, reply: Reply) -> list[Body]:
    items: list[Body] = []
    if reply.thoughts is not None:
        items.append({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": reply.thoughts}]})
    parts: list[Body] = []
    if reply.text is not None:
        wanted = "message.output_text.logprobs" in (body.get("include") or [])
        known = _logprobs({"logprobs": wanted}, reply) or {"content": []}
        parts.append({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": known["content"]})
    if reply.refusal is not None:
        parts.append({"type": "refusal", "refusal": reply.refusal})
    if parts:
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts})
    for place, (name, arguments) in enumerate(reply.tool_calls):
        call = {"id": f"fc_{place}", "call_id": f"call_{place}", "name": name, "arguments": arguments}
        items.append({"type": "function_call", "status": "completed", **call})
    return items


def _events(body: Body, reply: Reply) -> list[Body]:
    """A stream's events: the text word by word, calls in two halves, and the whole response last."""
    whole = _response(body, reply)
    started = {**whole, "status": "in_progress", "output": [], "usage": None}
    found: list[Body] = [{"type": f"response.{kind}", "response": started} for kind in ("created", "in_progress")]
    for place, item in enumerate(whole["output"]):
        at = {"item_id": item["id"], "output_index": place}
        hollow = {"message": {"content": []}, "function_call": {"arguments": ""}, "reasoning": {"summary": []}}
        started = {**item, **hollow[item["type"]]}
        found.append({"type": "response.output_item.added", "output_index": place, "item": started})
        found += _item_events(item, at)
        found.append({"type": "response.output_item.done", "output_index": place, "item": item})
    found.append({"type": f"response.{whole['status']}", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(found)]


def _item_events(item: Body, at: Body) -> list[Body]:
    found: list[Body] = []
    for index, part in enumerate(item.get("content") or item.get("summary") or []):
        where = {**at, "content_index": index}
        kind, name = {
            "output_text": ("text", "output_text"),
            "refusal": ("refusal", "refusal"),
            "summary_text": ("text", "reasoning_summary_text"),
        }[part["type"]]
        if name == "reasoning_summary_text":
            where = {**at, "summary_index": index}
            begun = "response.reasoning_summary_part.added"
        else:
            begun = "response.content_part.added"
        found.append({"type": begun, **where, "part": {**part, kind: ""}})
        found += [
            {"type": f"response.{name}.delta", **where, "delta": word, "logprobs": []} for word in _words(part[kind])
        ]
        found.append({"type": f"response.{name}.done", **where, kind: part[kind], "logprobs": []})
        found.append({"type": begun.replace("added", "done"), **where, "part": part})
    if item["type"] == "function_call":
        said, half = item["arguments"], len(item["arguments"]) // 2
        name = "response.function_call_arguments"
        found += [{"type": f"{name}.delta", **at, "delta": each} for each in (said[:half], said[half:])]
        found.append({"type": f"{name}.done", **at, "arguments": said})
    return found


def _error(reply: Reply) -> Body:
    kind = "server_error" if reply.status >= 500 or reply.status < 400 else "invalid_request_error"
    return {"error": {"message": reply.error_message, "type": kind, "param": None, "code": reply.error_code}}


def rate_limited(retry_after: float | None = None) -> Reply:
    """A 429."""
    return Reply(status=429, error_code="rate_limit_exceeded", retry_after=retry_after)


def context_too_long() -> Reply:
    """A 400 that says that the messages are too long for the model."""
    return Reply(status=400, error_code="context_length_exceeded", error_message="maximum context length exceeded")
