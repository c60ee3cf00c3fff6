"""What can go wrong with a call, in a few words, and whether it is worth asking the same tier again.

The policy: whatever fails at one tier is tried at the next (dearer ones first), since another model may have room, be
up, or take the request. A bad request (400, 422) is the exception. Where the error names a part of the request and
nothing that another model may be able to do, every tier would say the same, and no other is asked. Where it names
nothing at all, one more is. Only when no tier is left, an answer that a gate turned down is given after all, and only
when there is none, the upstream's own exception is raised.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import openai

from classifier.gates import MalformedAnswerError

CANCELLED, CONTEXT_OVERFLOW, MALFORMED, TIMEOUT = "cancelled", "context overflow", "malformed answer", "timeout"
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})


# How upstreams without a code of their own say it.
_CONTEXT_WORDS = re.compile(
    r"prompt is too long|maximum context length|context (?:window|length) exceeded", re.IGNORECASE
)
# What another model may be able to do: it exists, takes this argument, image, tool or schema, or has another policy.
_MODEL_WORDS = re.compile(
    r"\bmodels?\b(?!_)|deployment|unsupported|not support|does ?n[o']t support|not available|not allowed|"
    r"not permitted|not enabled|context|too (?:long|large|many)|token|exceed|at most|maximum|content_filter|"
    r"content management|moderation|safety|unrecognized|unknown (?:parameter|argument|field)|"
    r"extra (?:inputs|fields|_forbidden)|unexpected (?:keyword|parameter)|region|quota|billing|credit|upgrade|"
    r"provider returned|upstream|internal|temporar|try again|must alternate|alternate user|developer|first message|"
    r"input should be 'user'|thinking|reasoning|signature|encrypted|flagged|violat|polic(?:y|ies)|inappropriate|unsafe|"
    r"sensitive|harm|blocked|failed_generation|tool_use_failed|json_validate_failed|"
    r"failed to (?:call|validate|generate)",
    re.IGNORECASE,
)
# What is wrong with a request whoever is asked.
_REQUEST_CODES = frozenset(
    {
        "invalid_type", "missing_required_parameter", "invalid_json", "empty_array", "invalid_function_parameters",
        "invalid_base64", "invalid_image_url", "invalid_image", "invalid_image_format", "empty_string",
    }
)  # fmt: skip
_REQUEST_WORDS = re.compile(
    r"invalid (?:type|value|json|body|['\"]?messages)|field required|is required|required property|missing required|"
    r"input should be a valid|could not parse|valid json|malformed|is too short|is not of type|none is not|"
    r"must (?:be followed by|be a response to|contain the word|not be empty|be non-?empty|be an? (?:array|list|object|"
    r"string|integer|number|boolean|dict)|have|match|start with)|invalid schema|invalid (?:image|base64|url|uri)|"
    r"tool_call_ids?|tool_use_ids?|did not have response|does not match|expected an? (?:array|list|object|string|"
    r"integer|number|boolean)|empty (?:array|string)|duplicate",
    re.IGNORECASE,
)
# A part of the request, as errors name it: messages[1].content, tools.0.function, body -> messages.
_PART_NAMED = re.compile(
    r"\b(?:messages?|tools?|functions?|response_format|tool_choice|content|role)\b(?:['\"`\])]|[\[.]\w)|"
    r"['\"`](?:messages|tools|functions|response_format|tool_choice|content|role)\b",
    re.IGNORECASE,
)
# Of what all models want in the same range; others set narrower ones, within which another may take it.
_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "n": (1, 128),
    "max_tokens": (0, float("inf")),
    "max_completion_tokens": (0, float("inf")),
    "top_logprobs": (0, 20),
}
_REQUEST_PARTS = frozenset(
    {
        "",
        "body",
        "messages",
        "tools",
        "functions",
        "response_format",
        "tool_choice",
        "function_call",
        "metadata",
        "user",
    }
)  # other arguments differ by model
_OF_PROXY = re.compile(r"\bReceived Model Group=.*", re.DOTALL)  # which LiteLLM adds to every error
_NAME = re.compile(r"\w{1,100}")
_MOST_READ = 4000  # characters of an error's message
_MOST_DETAILS = 16  # that are read of an error
_LONGEST_WISH = 60.0  # seconds to wait that an upstream may ask for, as in the client


class UnreadableAnswerError(MalformedAnswerError, openai.OpenAIError):
    """`MalformedAnswerError` as callers of a cascade see it: what catches the client's errors catches it, too."""


def for_caller(error: Exception) -> Exception:
    """An upstream's error as callers see it."""
    return UnreadableAnswerError(str(error)) if type(error) is MalformedAnswerError else error


def failure(error: BaseException) -> str:
    """What went wrong, without the message, which may quote the request."""
    if isinstance(error, GeneratorExit | asyncio.CancelledError):
        return CANCELLED
    if isinstance(error, openai.APITimeoutError | TimeoutError | asyncio.TimeoutError):
        return TIMEOUT
    if isinstance(error, openai.APIStatusError):
        if _is_context(error):
            return CONTEXT_OVERFLOW
        return f"http {error.status_code}"
    if isinstance(error, openai.APIResponseValidationError | MalformedAnswerError | json.JSONDecodeError):
        return MALFORMED
    if isinstance(error, openai.APIConnectionError):
        return "connection"
    return type(error).__name__


def _is_context(error: openai.APIStatusError) -> bool:
    return _word(error.code) in _CONTEXT_CODES or (
        error.status_code in (400, 413, 422) and _CONTEXT_WORDS.search(said(error)) is not None
    )


def is_bad_request(error: BaseException, arguments: Mapping[str, Any]) -> bool:
    """Whether a request was refused (400, 422), and not for what another model may be able to do.

    Parameters
    ----------
    arguments : of the request.
    """
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 422) or _is_context(error):
        return False
    if _word(error.code) in _REQUEST_CODES or _out_of_range(error, arguments):
        return True
    part = re.split(r"[^a-z_]", _word(error.param), maxsplit=1)[0]
    return part in _REQUEST_PARTS and _MODEL_WORDS.search(f"{_word(error.code)} {said(error)}") is None


def blames_request(error: Exception, arguments: Mapping[str, Any]) -> bool:
    """Whether a bad request's error says what is wrong with the request itself."""
    if not isinstance(error, openai.APIStatusError):
        return False
    named = bool(_word(error.param)) or _PART_NAMED.search(said(error)) is not None
    return named or _is_of_request(error) or _out_of_range(error, arguments)


def is_about_something_else(error: openai.APIStatusError) -> bool:
    """Whether an error has a reason of its own, which no argument that could be left out would change."""
    return (
        _is_context(error) or _word(error.code) == "content_filter" or bool(_word(error.param)) or _is_of_request(error)
    )


def _is_of_request(error: openai.APIStatusError) -> bool:
    return _word(error.code) in _REQUEST_CODES or _REQUEST_WORDS.search(said(error)) is not None


def _out_of_range(error: openai.APIStatusError, arguments: Mapping[str, Any]) -> bool:
    """Whether an error is about a number that no model takes."""
    for name, (least, most) in _RANGES.items():
        value = arguments.get(name)
        if isinstance(value, int | float) and not least <= value <= most and names(error, name):
            return True
    return False


def names(error: openai.APIStatusError, name: str) -> bool:
    """Whether an error is about an argument."""
    return _word(error.param) == name or name in _NAME.findall(said(error))


def said(error: openai.APIStatusError) -> str:
    """What an error says; the beginning of a long one tells."""
    body = error.body
    own = body.get("message") if isinstance(body, Mapping) else None
    # Older clients write the whole body, names and all, into their own message.
    message = own if isinstance(own, str) and own else error.message
    text = f"{message[:_MOST_READ]}\n{_beside_message(body)[:_MOST_READ]}"
    return _OF_PROXY.sub("", text.rstrip())


def _beside_message(body: object) -> str:
    """What stands where the client looks for no message: a plain text, or the details that FastAPI's servers send.

    Of these only places and messages are read; what they quote of the request may say anything.
    """
    detail = body.get("detail") if isinstance(body, Mapping) else body
    if isinstance(detail, str):
        return detail
    found = [each for each in detail[:_MOST_DETAILS] if isinstance(each, Mapping)] if isinstance(detail, list) else []
    return "\n".join(f"{_place(each.get('loc'))}: {_text(each.get('type'))} {_text(each.get('msg'))}" for each in found)


def _place(found: object) -> str:
    """Where something is in a request, such as "messages.0.content"."""
    parts = found if isinstance(found, list) else []
    return ".".join(str(part)[:100] for part in parts[:_MOST_DETAILS] if isinstance(part, str | int) and part != "body")


def _text(found: object) -> str:
    return found[:_MOST_READ] if isinstance(found, str) else ""


def _word(value: object) -> str:
    """What an upstream sent as a word; it may be anything."""
    return value.lower() if isinstance(value, str) else ""


def is_passing(error: BaseException) -> bool:
    """Whether the same call may well work a moment later: rate limits, overload, lost connections."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def retry_after(error: BaseException) -> float | None:
    """Seconds that the upstream asks to wait, where it says so and they are at most a minute."""
    if not isinstance(error, openai.APIStatusError):
        return None
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _LONGEST_WISH else None
