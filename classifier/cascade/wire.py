"""Calls as the openai clients take them, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion

from classifier.cascade.calls import Call
from classifier.catalog import Tier
from classifier.errors import MalformedAnswerError

_RESPONSE = "_tierwise_response"


def call_arguments(call: Call, client: OpenAI | AsyncOpenAI, *, count: bool = True) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``; ``count``: whether a stream's token counts are asked for."""
    arguments = {**call.arguments, "model": call.tier.model}
    if call.timeout is not None:
        arguments["timeout"] = _limits(client, call.timeout)
    options = arguments.pop("stream_options", None)
    if call.stream:
        arguments["stream"] = True
        if count or options:
            arguments["stream_options"] = {**(options or {}), **({"include_usage": True} if count else {})}
    return arguments


def _limits(client: OpenAI | AsyncOpenAI, seconds: float) -> openai.Timeout:
    """The client's own limits, none above ``seconds``."""
    own = client.timeout
    if not isinstance(own, openai.Timeout):
        own = openai.Timeout(own)
    connect, read, write, pool = (
        seconds if limit is None else min(limit, seconds) for limit in (own.connect, own.read, own.write, own.pool)
    )
    return openai.Timeout(connect=connect, read=read, write=write, pool=pool)


def may_not_count(error: openai.APIStatusError, call: Call) -> bool:
    """Whether a stream may have been refused for asking for token counts, which its caller did not ask for."""
    return error.status_code in (400, 422) and not wants_usage(call.arguments)


def wants_usage(arguments: Mapping[str, Any]) -> bool:
    """Whether a stream's last chunk, with the token counts, was asked for."""
    options = arguments.get("stream_options")
    return isinstance(options, Mapping) and bool(options.get("include_usage"))


def parse_completion(body: bytes | bytearray, response: Any, tier: Tier) -> ChatCompletion:
    """A completion as the client itself would make it; what the upstream sends beside the protocol is kept.

    Raises
    ------
    MalformedAnswerError : the body is no JSON object.
    """
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise MalformedAnswerError(f"{tier.name}: the upstream's answer is no JSON object; check its address")
    completion = ChatCompletion.construct(**data)
    completion._request_id = response.request_id
    object.__setattr__(completion, _RESPONSE, response.http_response)
    return completion


def http_response(completion: ChatCompletion) -> Any:
    """The response that a completion was read from; None for one of other origin."""
    return getattr(completion, _RESPONSE, None)


@contextmanager
def reading(response: Any) -> Iterator[None]:
    """Raise what goes wrong while a body is read as the client raises it: its own library's errors differ by version.

    Raises
    ------
    openai.APITimeoutError, openai.APIConnectionError : the upstream fell silent, or hung up.
    """
    try:
        yield
    except openai.OpenAIError:
        raise
    except Exception as error:
        if type(error).__name__.endswith("Timeout"):
            raise openai.APITimeoutError(request=response.http_request) from error
        raise openai.APIConnectionError(request=response.http_request) from error


def empty_stream(tier: Tier) -> MalformedAnswerError:
    """What to raise for a stream without chunks."""
    return MalformedAnswerError(f"{tier.name}: the upstream's stream ended before its first chunk; check its address")
