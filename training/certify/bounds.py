"""Finite-sample tests of the hypothesis that a router loses more than a target against the reference.

Within the target means E[reference - router] <= target or, for a relative target, E[router] >= (1 - target)
E[reference]. Both say that a paired value (`paired_values`) has no positive mean. Router and reference agree on most
rows, so what tells tests apart is how well they use a small variance; ``benchmarks/bounds.py`` compares these two
with others.

*Exact*, for pass/fail scores. A row where the reference is better, both pass, or the router is better has one of
three known values; for relative targets, rows where both fail are zero and are left out, which keeps the sign of the
mean. The counts of the three are multinomial, and on the hypothesis's edge, mean zero, one number about them is
unknown: the share of rows where the router is better. The statistic is the likelihood ratio, max over bets b of
sum(log(1 - b * value)), the dual of the empirical likelihood. It falls when a value rises, so no distribution with a
mean above zero gives large statistics a higher probability than one on the edge does. That probability is summed
exactly; its maximum over a confidence interval of the unknown share, plus the interval's error, is a p-value (Berger
and Boos, "P Values Maximized Over a Confidence Set for the Nuisance Parameter", JASA 89, 1994). Where a few scores
are fractional, each row's are rounded to pass/fail by one uniform number: this keeps every mean, and agreement too.

*Betting*, for graded scores. The capital prod(1 - bet * value), each bet set before its row is seen, is a nonnegative
supermartingale under the hypothesis, so the inverse of its maximum is a p-value by Ville's inequality (Waudby-Smith
and Ramdas, "Estimating Means of Bounded Random Variables by Betting", JRSS B 86, 2024). Bets are sized by the capital
still missing and the rows left (Voracek and Orabona, "STaR-Bets: Sequential Target-Recalculating Bets for Tighter
Confidence Intervals", NeurIPS 2025), which costs less than bets sized once for all.

Units may stand for different numbers of requests: a prompt that was asked often is one unit, and weighs as much as it
is asked. Betting then bets on weight times value, which is valid as it stands. For the exact test, a sum of unequal
parts varies more than one of equal parts, by the design effect (`design_effect`), and says as much as that many fewer
independent rows, to which the counts are scaled down (Rao and Scott, "The Analysis of Categorical Data from Complex
Sample Surveys", JASA 76, 1981). What that forgets is that heavy units alone may lose, and chance may keep them out of
sight; so units that could hide the loss allowed are taken as lost (`largest_provable`). Both are checked by simulation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

_SEED = 0
_ROUNDING = 1e-9

# The exact test: the error of the interval of the unknown share; points tried in it, and a margin for what lies
# between them (48 points missed at most 0.4% of the p-value); bets of the likelihood ratio, as shares of the largest.
_INTERVAL_ERROR = 1e-5
_INTERVAL_POINTS = 48
_MARGIN = 1.01
_NEGLIGIBLE = 1e-8
_BETS = special.expit(np.linspace(-8.0, 9.0, 69))

# Betting: the largest bet as a share of what ruins; the mean square of the values assumed at first, worth so many rows.
_LARGEST_BET = 0.9
_PRIOR_SQUARE = 0.08
_PRIOR_ROWS = 2


def paired_values(
    reference: NDArray[np.float64], router: NDArray[np.float64], target: float | NDArray[np.float64], *, relative: bool
) -> NDArray[np.float64]:
    """Values of at most ``1 - target`` whose mean is not positive where the router is within the target.

    Parameters
    ----------
    reference, router, target : scores in 0..1 and losses allowed, of one shape or broadcast.
    """
    return (1 - target) * reference - router if relative else reference - router - target


def design_effect(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,): how many times fewer independent rows n units of unequal weight are worth, for each of m columns of values.

    It is the larger of two: what the weights alone give, were the values the same for heavy and light units (Kish,
    "Survey Sampling", 1965), and what is seen, as the values of heavy units may be the larger ones.

    Parameters
    ----------
    weights : (n,) of mean 1.
    values : (n, m) paired values, of mean zero on the hypothesis's edge.
    """
    heavy = weights[:, None]
    seen = (heavy**2 * values**2).sum(axis=0) / np.maximum((heavy * values**2).sum(axis=0), _ROUNDING)
    effects: NDArray[np.float64] = np.maximum(seen, (weights**2).mean())
    return effects


def largest_provable(loss: float, rows: int, level: float) -> float:
    """The largest group of like rows, in rows, that may stand among those that certify.

    If groups of g rows alone lost something, the loss allowed would be that of ``loss`` * rows / g groups, and none of
    them would be seen with a probability of exp(-loss * rows / g), which must be at most ``level``. A row by itself is
    never too large.
    """
    return max(loss * rows / math.log(1 / level), 1.0)


def exact_p_value(
    reference: NDArray[np.float64],
    router: NDArray[np.float64],
    target: float,
    *,
    relative: bool,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """P-value of one rule for pass/fail scores; others are rounded to these at random, by a fixed seed.

    Parameters
    ----------
    reference, router : (n,) scores in 0..1 of independent units.
    target : below 1; negative asks whether the router is better by so much.
    weights : (n,) of mean 1, how many requests each unit stands for; None: one each.
    """
    uniform = np.random.default_rng(_SEED).random(len(reference))
    base, routed = uniform < reference, uniform < router
    worth = np.ones(len(base))
    if weights is not None:
        passed = np.stack([base, routed]).astype(np.float64)[:, :, None]
        values = paired_values(passed[0], passed[1], target, relative=relative)
        worth = weights / design_effect(weights, values)[0]
    counted = base | routed if relative else np.ones(len(base), bool)
    rows, worse, better = (float(worth[kind].sum()) for kind in (counted, base & ~routed, routed & ~base))
    lost, won = math.ceil(worse - _ROUNDING), math.floor(better + _ROUNDING)
    same = max(math.floor(rows + _ROUNDING) - lost - won, 0)
    return _multinomial_p_value(lost, same, won, target, gain=1 - target if relative else 1.0)


def betting_p_values(
    values: NDArray[np.float64],
    largest: float | NDArray[np.float64],
    level: float,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """P-values of the hypotheses E[values] >= 0, one a column.

    Parameters
    ----------
    values : (n, m), rows independent; they are taken in an order drawn by a fixed seed.
    largest : the most that a value can be, above 0; one for all columns or (m,).
    level : bets are sized to reach this p-value, if possible; the p-values are valid whatever it is.
    weights : (n,) of mean 1, how many requests each row stands for; None: one each.
    """
    if weights is not None:
        values, largest = values * weights[:, None], largest * float(weights.max())
    rows, columns = values.shape
    goal = math.log(1 / level)
    capital, most = np.zeros(columns), np.zeros(columns)
    squares = np.full(columns, _PRIOR_ROWS * _PRIOR_SQUARE)
    for row, value in enumerate(values[np.random.default_rng(_SEED).permutation(rows)]):
        mean_square = squares / (_PRIOR_ROWS + row)
        bets = np.sqrt(2 * np.maximum(goal - capital, 0.0) / (mean_square * (rows - row)))
        capital += np.log1p(-np.minimum(bets, _LARGEST_BET / largest) * value)
        squares += value**2
        np.maximum(most, capital, out=most)
    return np.exp(-most)


def _multinomial_p_value(worse: int, equal: int, better: int, target: float, *, gain: float) -> float:
    """P-value of P(worse) >= target + gain * P(better), from the counts of independent rows.

    Paired values are 1 - target (worse), -target (equal) and -target - gain (better).
    """
    rows = worse + equal + better
    log_worse, log_equal, log_better = (
        np.log1p(-_BETS * value / (1 - target)) for value in (1 - target, -target, -target - gain)
    )
    ratio = float((worse * log_worse + equal * log_equal + better * log_better).max()) - 1e-9
    if ratio <= 0:
        return 1.0
    low, high = _share_interval(better, rows)
    high = min(high, (1 - target) / (1 + gain))
    if low > high:
        return _INTERVAL_ERROR
    shares = np.linspace(math.sqrt(low), math.sqrt(high), _INTERVAL_POINTS)[:, None] ** 2
    counts = np.arange(stats.binom.ppf(_NEGLIGIBLE, rows, low), stats.binom.isf(_NEGLIGIBLE, rows, high) + 1)
    # The statistic is at least the observed one when, for so many better rows, there are at most so many worse ones.
    reach = (rows * log_equal + counts[:, None] * (log_better - log_equal) - ratio) / (log_equal - log_worse)
    most = np.minimum(np.floor(reach.max(axis=1)), rows - counts)
    # Given how many rows are better, the number of worse ones is binomial.
    worse_shares = np.clip((target + gain * shares) / np.maximum(1 - shares, 1e-300), 0.0, 1.0)
    as_few = np.where(most >= 0, stats.binom.cdf(np.maximum(most, 0), rows - counts, worse_shares), 0.0)
    probability = (_binomial(counts, rows, shares) * as_few).sum(axis=1)
    return min(1.0, _MARGIN * float(probability.max()) + _INTERVAL_ERROR)


def _binomial(counts: NDArray[np.float64], rows: int, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Binomial probabilities, (s, 1) shares and (c,) counts to (s, c); several times as fast as scipy.stats."""
    ways = special.gammaln(rows + 1) - special.gammaln(counts + 1) - special.gammaln(rows - counts + 1)
    logarithm = ways + special.xlogy(counts, shares) + special.xlog1py(rows - counts, -shares)
    probabilities: NDArray[np.float64] = np.exp(logarithm)
    return probabilities


def _share_interval(wins: int, rows: int) -> tuple[float, float]:
    """Confidence interval of a share (Clopper and Pearson, Biometrika 26, 1934)."""
    low = float(special.betaincinv(wins, rows - wins + 1, _INTERVAL_ERROR / 2)) if wins else 0.0
    high = float(special.betaincinv(wins + 1, rows - wins, 1 - _INTERVAL_ERROR / 2)) if wins < rows else 1.0
    return low, high
