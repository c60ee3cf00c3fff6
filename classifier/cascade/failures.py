"""What can go wrong with a call, in a few words, and whether it is worth asking the same tier again.

The policy: whatever fails at one tier is tried at the next (dearer ones first), since another model may have room, be
up, or take the request. A bad request (400, 422) is the exception: where the error says that the request itself is
wrong, no other tier is asked; where it does not say whose fault it is, one more is. Only when no tier is left, an
answer that a gate turned down is given after all, and only when there is none, the upstream's own exception is raised.
"""

from __future__ import annotations

import asyncio
import json
import re

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
    r"model|deployment|unsupported|not support|does ?n[o']t support|not available|not allowed|not permitted|"
    r"context|too (?:long|large|many)|token|exceed|maximum|content_filter|content management|moderation|safety|"
    r"unrecognized|unknown (?:parameter|argument|field)|extra (?:inputs|fields)|region|quota|billing|credit",
    re.IGNORECASE,
)
# What is wrong with a request whoever is asked.
_REQUEST_CODES = frozenset({"invalid_type", "missing_required_parameter", "invalid_json", "empty_array"})
_REQUEST_WORDS = re.compile(
    r"invalid (?:type|value|json|body|['\"]?messages)|field required|is required|required property|missing required|"
    r"input should be a valid|could not parse|valid json|malformed",
    re.IGNORECASE,
)
_REQUEST_PARTS = frozenset({"", "body", "messages", "tools", "functions"})  # other arguments differ by model
_MOST_READ = 4000  # characters of an error's message
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
        error.status_code in (400, 413, 422) and _CONTEXT_WORDS.search(_said(error)) is not None
    )


def is_bad_request(error: BaseException) -> bool:
    """Whether a request was refused (400, 422), and not for what another model may be able to do."""
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 422) or _is_context(error):
        return False
    part = re.split(r"[^a-z_]", _word(error.param), maxsplit=1)[0]
    return part in _REQUEST_PARTS and _MODEL_WORDS.search(f"{_word(error.code)} {_said(error)}") is None


def blames_request(error: Exception) -> bool:
    """Whether a bad request's error says that the request itself is wrong."""
    return isinstance(error, openai.APIStatusError) and (
        _word(error.code) in _REQUEST_CODES or _REQUEST_WORDS.search(_said(error)) is not None
    )


def _said(error: openai.APIStatusError) -> str:
    """What an error says; the beginning of a long one tells."""
    return error.message[:_MOST_READ]


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
