"""What an upstream says that a call took and cost. Anything may stand there; what is no count is unknown.

Counts are read in the forms of OpenAI (chat and responses), Anthropic, Gemini, Bedrock, DeepSeek, xAI and the proxies
in front of them. They differ in what is part of what:

- cached tokens are part of the prompt's (OpenAI, DeepSeek, Gemini) or beside them (Anthropic's own form);
- reasoning tokens are part of the answer's (OpenAI) or beside them (xAI, Gemini): the total tells.

A count of nothing at all is unknown, not free: some proxies send zeros in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from classifier.prices import UNKNOWN_USAGE, Usage

_MOST_TOKENS = 10**9  # of a call; more is a mistake
_MOST_COST = 1e6  # USD of a call
_WHOLE = re.compile(r"[0-9]{1,10}(?:\.0{1,10})?", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{0,10}\.?[0-9]{0,40}(?:[eE]-?[0-9]{1,2})?", re.ASCII)
_TICKS = 1e10  # of xAI, in a USD

_IN = ("prompt_tokens", "input_tokens", "prompt_token_count", "promptTokenCount", "inputTokens")
_OUT = ("completion_tokens", "output_tokens", "candidates_token_count", "candidatesTokenCount", "outputTokens")
_TOTAL = ("total_tokens", "total_token_count", "totalTokenCount", "totalTokens")
_IN_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_OUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_READ = ("cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount")
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cached_content_token_count", "cachedContentTokenCount")
_THOUGHT = ("thoughts_token_count", "thoughtsTokenCount")
_TOOL_PROMPT = ("tool_use_prompt_token_count", "toolUsePromptTokenCount")
_COSTS = ("cost", "total_cost", "cost_usd_total", "cost_usd", "estimated_cost")
_LITELLM, _LITELLM_COST = "x-litellm-", "x-litellm-response-cost"


@dataclass(frozen=True, slots=True)
class Bill:
    """What an upstream says of a call.

    Attributes
    ----------
    usage : tokens.
    stated : USD that the upstream itself names; None: it names none.
    """

    usage: Usage = UNKNOWN_USAGE
    stated: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether it says anything."""
        return self.stated is not None or self.usage.tokens_in is not None or self.usage.tokens_out is not None


UNKNOWN_BILL = Bill()


def read_bill(answer: Any, headers: Any = None) -> Bill:
    """What a completion, or a chunk of a stream, says of the call.

    Parameters
    ----------
    headers : of the response, by lower-case name; None: they say nothing of it. A proxy of LiteLLM, known by other
        headers of its own, names the cost there.
    """
    usage = _first(answer, ("usage", "usageMetadata", "usage_metadata"))
    if usage is None:
        usage = _get(_get(answer, "x_groq"), "usage")
    read = read_usage(usage, _first_of((answer, "service_tier"), (usage, "service_tier")))
    stated = _stated(usage, answer)
    if stated is None:
        stated = _in_headers(headers)
    if stated == 0 and read.tokens_in is None and read.tokens_out is None:
        stated = None
    return Bill(read, stated)


def read_usage(usage: Any, service: Any = None) -> Usage:
    """Tokens of a call, of a usage object in any of the forms; ``service`` : the level that served it."""
    into, out, total = (_count_of(usage, names) for names in (_IN, _OUT, _TOTAL))
    miss = _count(_get(usage, "prompt_cache_miss_tokens"))
    cached, written, hour = _cached(usage)
    if into is None and miss is not None:
        into = miss + cached
    thought = _count_of(usage, _THOUGHT)
    if out is None and into is not None and total is not None:  # the rest, in which what stands beside is
        out = max(total - into - (_count_of(usage, _TOOL_PROMPT) or 0) - (thought or 0), 0)
    if not (into or out or cached or written or hour):
        return UNKNOWN_USAGE
    if into is not None:
        into += _count_of(usage, _TOOL_PROMPT) or 0
    reasoning = _reasoning(usage)
    into = _with_caches(usage, into, out, total, (cached + written + hour, reasoning or 0))
    out, reasoning = _with_reasoning(usage, into, out, total, reasoning)
    whole, said = into or 0, out or 0
    cached = min(cached, whole)
    written = min(written, whole - cached)
    return Usage(
        tokens_in=into or None,
        tokens_out=out,
        cached=cached,
        cache_writes=written,
        hour_writes=min(hour, whole - cached - written),
        audio_in=min(_count(_get(_first(usage, _IN_DETAILS), "audio_tokens")) or 0, whole),
        audio_out=min(_count(_get(_first(usage, _OUT_DETAILS), "audio_tokens")) or 0, said),
        reasoning=None if reasoning is None else min(reasoning, said),
        service=service if isinstance(service, str) and len(service) <= 50 else None,
    )


def _cached(usage: Any) -> tuple[int, int, int]:
    """Tokens read from a cache, written to one, and written to one that lasts an hour."""
    details = _first(usage, _IN_DETAILS)
    cached = max(_count_of(usage, _READ) or 0, _count_of(usage, _CACHED) or 0, _count_of(details, _CACHED) or 0)
    named = _count_of(details, ("cache_write_tokens", "cache_creation_tokens"))
    written = max(_count_of(usage, _WRITTEN) or 0, named or 0)
    lasting = _count(_get(_get(usage, "cache_creation"), "ephemeral_1h_input_tokens")) or 0
    hour = min(lasting, written)
    return cached, written - hour, hour


def _with_caches(
    usage: Any, into: int | None, out: int | None, total: int | None, parts: tuple[int, int]
) -> int | None:
    """Tokens of the request with the cached ones that stand beside them; ``parts`` : cached and reasoning tokens."""
    beside, reasoning = parts
    if into is None or not beside:
        return into
    own_form = _first(usage, _IN[:1]) is None and _first(usage, (*_READ, *_WRITTEN)) is not None
    excess = None if total is None else total - into - (out or 0)
    if beside > into or own_form or excess in (beside, beside + reasoning):
        return into + beside
    return into


def _with_reasoning(
    usage: Any, into: int | None, out: int | None, total: int | None, reasoning: int | None
) -> tuple[int | None, int | None]:
    """Tokens of the answer with the reasoning ones that stand beside them, and these."""
    if out is None or into is None:
        return out, reasoning
    excess = 0 if total is None else max(total - into - out, 0)
    if excess:
        return out + excess, excess if reasoning is None else reasoning
    if reasoning is not None and (reasoning > out or _first(usage, _THOUGHT) is not None):
        return out + reasoning, reasoning
    return out, reasoning


def _reasoning(usage: Any) -> int | None:
    known = _count(_get(_first(usage, _OUT_DETAILS), "reasoning_tokens"))
    return _count_of(usage, ("reasoning_tokens", *_THOUGHT)) if known is None else known


def _stated(usage: Any, answer: Any) -> float | None:
    """The cost that the upstream names in its answer."""
    for place, names in ((usage, _COSTS), (answer, ("cost", "response_cost"))):
        for name in names:
            value = _get(place, name)
            cost = _amount(_first(value, ("total_cost", "total")) if _is_object(value) else value)
            if cost is not None:
                return cost + _paid_upstream(usage)
    ticks = _amount(_get(usage, "cost_in_usd_ticks"), most=_MOST_COST * _TICKS)
    return None if ticks is None else ticks / _TICKS


def _paid_upstream(usage: Any) -> float:
    """What OpenRouter has another account pay: its own figure is its fee alone there."""
    paid = _amount(_get(_get(usage, "cost_details"), "upstream_inference_cost"))
    return paid if paid is not None and _get(usage, "is_byok") is True else 0.0


def _in_headers(headers: Any) -> float | None:
    """The cost in the headers of LiteLLM's proxy, which sends others beside it; its zero says that it has no price."""
    if headers is None or _LITELLM_COST not in headers:
        return None
    others = any(name.startswith(_LITELLM) and name != _LITELLM_COST for name in map(str.lower, headers))
    return (_amount(headers[_LITELLM_COST]) or None) if others else None


def _get(value: Any, name: str) -> Any:
    """An attribute of one of the client's objects, or a key of what it left as a dictionary."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _is_object(value: Any) -> bool:
    return value is not None and not isinstance(value, str | int | float | list)


def _first(value: Any, names: tuple[str, ...]) -> Any:
    return _first_of(*((value, name) for name in names))


def _first_of(*places: tuple[Any, str]) -> Any:
    return next((found for value, name in places if (found := _get(value, name)) is not None), None)


def _count_of(value: Any, names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := _count(_get(value, name))) is not None), None)


def _count(value: Any) -> int | None:
    """A whole number, also one that is written as text or as a float."""
    if isinstance(value, str):
        value = float(value) if _WHOLE.fullmatch(value.strip()) else None
    if type(value) not in (int, float) or not 0 <= value <= _MOST_TOKENS or value != int(value):
        return None
    return int(value)


def _amount(value: Any, most: float = _MOST_COST) -> float | None:
    """USD, also written as text."""
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if any(map(str.isdigit, text)) and _DECIMAL.fullmatch(text) else None
    if type(value) not in (int, float) or not 0 <= value <= most or not isfinite(value):
        return None
    return float(value)
