"""What can go wrong with a call, in a few words, and whether it is worth asking the same tier again.

The policy: whatever fails at one tier is tried at the next (dearer ones first), since another model may have room, be
up, or take the request. Only when no tier is left, an answer that a gate turned down is given after all, and only when
there is none, the upstream's own exception is raised.
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
_LONGEST_WISH = 60.0  # seconds to wait that an upstream may ask for, as in the client


def failure(error: BaseException) -> str:
    """What went wrong, without the message, which may quote the request."""
    if isinstance(error, GeneratorExit | asyncio.CancelledError):
        return CANCELLED
    if isinstance(error, openai.APITimeoutError | TimeoutError | asyncio.TimeoutError):
        return TIMEOUT
    if isinstance(error, openai.APIStatusError):
        if error.code in _CONTEXT_CODES or (error.status_code == 400 and _CONTEXT_WORDS.search(error.message)):
            return CONTEXT_OVERFLOW
        return f"http {error.status_code}"
    if isinstance(error, openai.APIResponseValidationError | MalformedAnswerError | json.JSONDecodeError):
        return MALFORMED
    if isinstance(error, openai.APIConnectionError):
        return "connection"
    return type(error).__name__


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
