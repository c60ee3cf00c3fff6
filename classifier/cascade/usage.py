"""What an upstream counts. Anything may stand there; what is no count is unknown, and never costs an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_TOKENS = 10**9  # of a call; more is a mistake


def token_counts(usage: Any) -> tuple[int | None, int | None]:
    """Tokens of the request and of the answer; None: unknown."""
    return _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None
