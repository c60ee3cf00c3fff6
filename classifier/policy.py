"""From predictions and prices to a tier: hard constraints first, then the trade-off between quality and cost.

The rule picks the tier with the greatest

    expected quality - price_weight * expected cost / reference cost

``price_weight`` (the Lagrange multiplier of a budget on mean cost) says how much quality one reference call is worth;
it is chosen on rows held out from fitting. Quality is the expected score (or P(adequate) under a threshold), not P(no
worse than the reference): on the tables this was measured on, the latter forgets the requests that a cheaper tier
answers better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from classifier import token_estimate
from classifier.catalog import Tier
from classifier.errors import NoFeasibleTierError
from classifier.prices import Usage
from classifier.request import Request

MARGIN = 1.0 / (1.0 - token_estimate.MARGIN)  # what the exact count of tokens may be, at most, of the estimate
LEAST_MARGIN = 0.6  # and at least: scripts that a tier's tokenizer has many tokens for are estimated too high
MEDIA = ("images", "files", "audio", "video")
ANSWER_ROOM = 1024  # tokens, or a quarter of a small window, left for an answer that the caller does not limit
USUAL_TOKENS = 500  # of an answer, where nothing is known of it


def why_unfit(tier: Tier, request: Request, tokens: float, margin: float = MARGIN) -> str | None:
    """Why ``tier`` cannot serve the request, in words, or None when it can.

    Parameters
    ----------
    tokens : input tokens of the request, messages, tools and images included.
    margin : what these are multiplied by before they are held against a context window.
    """
    limit = request.max_tokens or 0
    window = tier.context_window
    if tier.max_output_tokens is not None and limit > tier.max_output_tokens:
        return f"max_tokens is {limit:,}, its limit is {tier.max_output_tokens:,}"
    if window is not None and tokens * margin + (limit or min(ANSWER_ROOM, window // 4)) > window:
        most = f", maybe {tokens * margin:,.0f}," if margin > 1 else ""
        return f"needs about {tokens:,.0f} tokens{most} and room for the answer; its context window is {window:,}"
    if (request.tools or request.tool_calls) and not tier.tools:
        return "takes no tools"
    if request.json_schema and not tier.json_schema:
        return "takes no JSON schema"
    if request.reasoning and not tier.reasoning:
        return "cannot be asked to reason"
    return next(
        (f"takes no {kind}" for kind in MEDIA if getattr(request, kind) and not getattr(tier, kind)),
        None,
    )


def listed_cost(tier: Tier, tokens_in: float, limit: int | None) -> float | None:
    """USD of a call at the tier's prices, of an answer as long as allowed, or as usual; None where it has no prices."""
    return call_price(tier, round(tokens_in), limit or USUAL_TOKENS)


def call_price(tier: Tier, tokens_in: int, tokens_out: int) -> float | None:
    """USD of a call of so many tokens at the tier's prices; None where it has no prices."""
    return None if tier.prices is None else tier.prices.cost(Usage(tokens_in, tokens_out, service=tier.service))


def least_able(tiers: Sequence[Tier]) -> Tier:
    """A tier that can serve just what every one of ``tiers`` can."""
    return replace(
        tiers[0],
        context_window=min((tier.context_window for tier in tiers if tier.context_window is not None), default=None),
        max_output_tokens=min(
            (tier.max_output_tokens for tier in tiers if tier.max_output_tokens is not None), default=None
        ),
        images=all(tier.images for tier in tiers),
        files=all(tier.files for tier in tiers),
        audio=all(tier.audio for tier in tiers),
        video=all(tier.video for tier in tiers),
        tools=all(tier.tools for tier in tiers),
        json_schema=all(tier.json_schema for tier in tiers),
        reasoning=all(tier.reasoning for tier in tiers),
    )


def feasible_tiers(tiers: Sequence[Tier], request: Request, tokens: float) -> list[int]:
    """Positions of the tiers that can serve the request, in order.

    Raises
    ------
    NoFeasibleTierError : none can; the message says for each tier why.
    """
    for margin in (MARGIN, LEAST_MARGIN):  # rather one that may be too small than none
        fit = [position for position, tier in enumerate(tiers) if why_unfit(tier, request, tokens, margin) is None]
        if fit:
            return fit
    reasons = "; ".join(f"{tier.name}: {why_unfit(tier, request, tokens, LEAST_MARGIN)}" for tier in tiers)
    raise NoFeasibleTierError(f"no tier of the menu can serve this request ({reasons})")


def supported(places: Sequence[int], unsupported: Sequence[int]) -> Sequence[int]:
    """``places`` without those of ``unsupported``, unless nothing else is left."""
    return [place for place in places if place not in unsupported] or places


def choose(
    quality: Sequence[float],
    cost: Sequence[float],
    price_weight: float,
    allowed: Sequence[int],
    reference: int = -1,
    bonus: float = 0.0,
) -> int:
    """Position of the tier that the rule picks among ``allowed``; of equals, the first (the cheapest).

    Parameters
    ----------
    quality : (t,) expected quality, tiers in price order.
    cost : (t,) expected cost, in the unit that ``price_weight`` is by.
    bonus : quality that is added to that of tier ``reference``.
    """
    chosen, most = allowed[0], -inf
    for position in allowed:
        worth = quality[position] - price_weight * cost[position]
        if position == reference:
            worth += bonus
        if worth > most:
            chosen, most = position, worth
    return chosen


def choose_many(
    quality: NDArray[np.float64],
    cost: NDArray[np.float64],
    price_weight: float | NDArray[np.float64],
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """`choose` for n requests, (n,).

    Parameters
    ----------
    quality : (n, t) expected quality, any bonus included.
    cost : (n, t).
    price_weight : one, or (n,).
    allowed : (n, t), a row without any gets 0; None: every tier.
    """
    worth = quality - np.reshape(price_weight, (-1, 1)) * cost
    if allowed is not None:
        worth = np.where(allowed, worth, -inf)
    picked: NDArray[np.int64] = np.argmax(worth, axis=1)
    return picked
