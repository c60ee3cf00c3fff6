"""Calls as the openai clients take them, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from classifier.cascade.calls import Call
from classifier.catalog import Tier
from classifier.errors import MalformedAnswerError


def call_arguments(call: Call) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``; of a stream the token counts are always asked for."""
    arguments = {**call.arguments, "model": call.tier.model}
    if call.timeout is not None:
        arguments["timeout"] = call.timeout
    options = arguments.pop("stream_options", None)
    if call.stream:
        arguments["stream"] = True
        arguments["stream_options"] = {**(options or {}), "include_usage": True}
    return arguments


def wants_usage(arguments: Mapping[str, Any]) -> bool:
    """Whether a stream's last chunk, with the token counts, was asked for."""
    options = arguments.get("stream_options")
    return isinstance(options, Mapping) and bool(options.get("include_usage"))


def parse_completion(body: bytes | bytearray, request_id: str | None, tier: Tier) -> ChatCompletion:
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
    completion._request_id = request_id
    return completion


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
