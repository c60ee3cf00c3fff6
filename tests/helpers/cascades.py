"""Cascades over a local server, synchronous and asynchronous alike."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from openai import AsyncOpenAI, OpenAI

from classifier.cascade import AsyncCascade, Cascade, CascadeResult
from classifier.gates import Check
from tests.helpers.openai_server import Call, OpenAIServer, Reply

KEY = "sk-secret-key"
MESSAGES = [{"role": "user", "content": "spell thing1"}]
GOOD, BAD = "a good answer", "a bad answer"


def _http_library() -> Any:
    with OpenAI(api_key=KEY) as client:
        names = [each.__module__.partition(".")[0] for each in type(client._client).__mro__]
    return sys.modules[next(name for name in names if name in ("httpx", "httpx2"))]


http_library = _http_library()  # httpx or httpx2, whichever the client sends by


def good_gate() -> Check:
    """Passes what says "good"."""
    return Check(lambda answer: "good" in answer.text, name="good")


def ask(kind: str, server: OpenAIServer, options: dict[str, Any], **arguments: Any) -> CascadeResult:
    """One request through a cascade that begins at haiku unless told otherwise.

    ``servers`` among the options are those of tiers that have their own.
    """
    return with_cascade(kind, server, options, lambda cascade: cascade.run(**{"messages": MESSAGES, **arguments}))


def with_cascade(kind: str, server: OpenAIServer, options: dict[str, Any], use: Callable[[Any], Any]) -> Any:
    """What ``use`` makes of a cascade; awaited where it can be."""
    options = {"start": "haiku", "gate": good_gate(), "retries": 0, **options}
    servers = options.pop("servers", {})
    if kind == "sync":
        with ExitStack() as stack:
            client, *others = [
                stack.enter_context(OpenAI(base_url=each.base_url, api_key=KEY)) for each in (server, *servers.values())
            ]
            clients = dict(zip(servers, others, strict=True))
            return use(stack.enter_context(Cascade(client, clients=clients, **options)))

    async def run() -> Any:
        async with AsyncExitStack() as stack:
            client, *others = [
                await stack.enter_async_context(AsyncOpenAI(base_url=each.base_url, api_key=KEY))
                for each in (server, *servers.values())
            ]
            clients = dict(zip(servers, others, strict=True))
            cascade = await stack.enter_async_context(AsyncCascade(client, clients=clients, **options))
            found = use(cascade)
            return await found if inspect.isawaitable(found) else found

    return asyncio.run(run())


def read_stream(kind: str, server: OpenAIServer, options: dict[str, Any], **arguments: Any) -> tuple[Any, list[Any]]:
    """The stream that a request is answered with, and its chunks."""
    arguments = {"messages": MESSAGES, "stream": True, **arguments}

    def read(cascade: Cascade) -> tuple[Any, list[Any]]:
        stream = cascade.create(**arguments)
        return stream, list(stream)

    async def read_later(cascade: AsyncCascade) -> tuple[Any, list[Any]]:
        stream = await cascade.create(**arguments)
        return stream, [chunk async for chunk in stream]

    return with_cascade(kind, server, options, read if kind == "sync" else read_later)


def by_tier(**replies: Reply) -> Callable[[dict[str, Any]], Reply]:
    """A reply for each tier, by what its model's name holds; good ones from the others."""

    def respond(body: dict[str, Any]) -> Reply:
        return next((reply for tier, reply in replies.items() if tier in body["model"]), Reply(GOOD))

    return respond


def asked(calls: list[Call]) -> list[str]:
    """Which tiers were called, in order."""
    return [
        next(tier for tier in ("haiku", "sonnet", "opus", "gemini") if tier in call.body["model"]) for call in calls
    ]
