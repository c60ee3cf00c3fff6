"""What settings of a rule spend, as tokens: what is needed to say what they would cost at other prices.

A call's cost is split in two. What its prompt costs at the tier's input price, by the length that features count, is
the input's part; all else is the output's, whatever it was: an answer, reasoning, or a prompt that was counted
otherwise. A call that cost less than its prompt would (cached, say) is all input. Divided by the tier's prices, the
parts are tokens that cost at these prices just what the call did. Prices that change are taken to change for all tokens
of a direction alike: steps, cached and spoken tokens with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Tier

Floats = NDArray[np.float64]


def priced_tokens(costs: Floats, tokens_in: Floats, tiers: Sequence[Tier]) -> Floats:
    """(n, t, 2) tokens in and out that cost what each call did; NaN for tiers whose prices are unknown.

    Parameters
    ----------
    costs : (n, t) USD. tokens_in : (n,) of the requests.
    """
    found = np.full((*costs.shape, 2), np.nan)
    for column, tier in enumerate(tiers):
        if tier.prices is None:
            continue
        into, out = tier.prices.rates(tier.service)
        prompt = np.minimum(tier.prices.usual(tokens_in, np.zeros_like(tokens_in), tier.service), costs[:, column])
        rest = costs[:, column] - prompt
        found[:, column, 0] = prompt / into if into > 0 else tokens_in
        found[:, column, 1] = rest / out if out > 0 else np.where(rest > 0, np.nan, 0.0)
    return found


def mean_spending(tokens: Floats, chosen: NDArray[np.int64]) -> list[list[list[float] | None]]:
    """For each setting and tier, the mean tokens of a request that it sends there; None where prices are unknown.

    Parameters
    ----------
    tokens : (n, t, 2) from `priced_tokens`. chosen : (n, k) the tier that each of k settings picks.
    """
    rows, tiers = np.arange(len(tokens)), tokens.shape[1]
    unknown = [bool(np.isnan(tokens[:, tier]).any()) for tier in range(tiers)]
    means = []
    for picked in chosen.T:
        spent = np.nan_to_num(tokens[rows, picked])
        sums = np.stack([np.bincount(picked, spent[:, way], tiers) for way in range(2)], axis=1) / len(rows)
        means.append([_pair(pair, not no) for pair, no in zip(sums, unknown, strict=True)])
    return means


def mean_tokens(tokens: Floats) -> list[list[float] | None]:
    """For each tier, the mean tokens of a request, were all sent there; None where prices are unknown."""
    return [_pair(pair, not np.isnan(pair).any()) for pair in tokens.mean(axis=0)]


def _pair(tokens: Floats, known: bool) -> list[float] | None:
    return [float(f"{each:.9g}") for each in tokens] if known else None


def spending_header(tokens: Floats, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """What an artifact's header says of it: ``settings`` (k, t, 2), ``tiers`` (t, 2), of so many ``rows``."""
    return {"rows": len(tokens), "settings": mean_spending(tokens, chosen), "tiers": mean_tokens(tokens)}
