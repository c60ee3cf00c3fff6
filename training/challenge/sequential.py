"""Whether a challenger may take the champion's place: a test that may be looked at as often as one likes.

Both are valued on the same rows, logged after the challenger was trained. A row's difference in quality is

    d = sum_t (challenger - champion) * (m + s * (y - m) / c),

in the notation of `training.challenge.estimators`. Where a weight 1 / c would be above ``clip``, or the chance is 0,
the row takes the challenger's pick for as bad, and the champion's for as good, as what is seen of it allows: m is 0 for
the one, 1 for the other, and the weight is ``clip``, or 0 where nothing is seen. That never favours the challenger. So
the mean of d is at most the true difference, and d is never below a known bound -b.

Against the hypothesis that the mean is at most x one bets: the capital prod(1 + bet * (d - x)), with bets from 0 to
1 / (b + x), is a nonnegative supermartingale, and so is the average over a grid of bets. By Ville's inequality it
reaches 1 / level at any time with probability `level` at most. All x that it has refuted make a lower confidence bound
that is right at all times at once (Waudby-Smith and Ramdas, "Estimating Means of Bounded Random Variables by Betting",
JRSS B 86, 2024; Waudby-Smith et al., "Anytime-Valid Off-Policy Inference for Contextual Bandits", 2022). Half of the
capital is bet with the largest weights that there are, half with a clip of 1, which hardly varies: it cannot lose more
than the rows where the two differ, and soon shows a small change to be a small risk.

The test is as right as its values. Corrected verdicts carry the doubt about the gate's rates, which is large while
audits are few: `cautious_values` turns it against the challenger.

Costs have no known bound. Their lower bound is an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy
and Ramdas, "Time-Uniform Central Limit Theory and Asymptotic Confidence Sequences", Annals of Statistics 52, 2024),
which is valid as rows become many. It decides about money only; quality rests on the exact one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.prices import plain_amount
from training.challenge.estimators import Log

_BETS = np.geomspace(3e-3, 0.95, 16)  # shares of the largest bet
_HALVINGS = 16  # to 3e-5
_GRID = np.geomspace(5e-4, 0.95, 40)
_TUNED_FOR = 1000.0  # rows at which the bound on costs is tightest
_ROUNDING = 1 - 1e-9  # a weight of the clip itself is not clipped
_FIRST_LOOK = 50  # rows before which a normal limit is not relied on

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """What a challenger has to show.

    Attributes
    ----------
    margin : quality that it may lose against the champion and still count as no worse, in points of 0..1.
    level : probability with which one that loses more may be promoted, whenever and however often one looks.
    clip : the largest inverse propensity that is believed; smaller ones are, where the log has no larger.
    """

    margin: float = 0.02
    level: float = 0.05
    clip: float = 1000.0

    def __post_init__(self) -> None:
        if not (0 <= self.margin < 1 and 0 < self.level < 0.5 and self.clip >= 1):
            raise ValueError("expected a margin from 0 to below 1, a level from 0 to 0.5, and a clip of 1 or more")


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of the test.

    Attributes
    ----------
    promote : the challenger may take over.
    reasons : one sentence each.
    quality, quality_low : challenger minus champion: what the rows show (its pessimistic estimate, see the module's
        first lines), and the lower bound, in points of 0..1.
    saving, saving_low : USD a request that the challenger saves, and the lower bound.
    rows, differing : that the test saw, and on how many of them the two differ.
    rows_needed : about how many would show the challenger to be no worse, were all like these; None: no number would,
        these do, or the rule of thumb says fewer than there are.
    unseen : share of the rows where the log is too thin to say anything of what they differ in.
    """

    promote: bool
    reasons: tuple[str, ...]
    quality: float
    quality_low: float
    saving: float
    saving_low: float
    rows: int
    differing: int
    rows_needed: int | None
    unseen: float


def judge_promotion(
    quality: Log, cost: _Float, challenger: _Float, champion: _Float, rule: PromotionRule | None = None
) -> Promotion:
    """Decide on a challenger by what the log shows up to now.

    Promoted is who is no worse in quality, by more than chance, and cheaper or better. The rows have to be in order of
    time and to begin with the first after the challenger's training, at every look the same ones and new ones; then
    over all looks together a challenger that is worse by more than the margin is promoted with probability `level` at
    most.

    Parameters
    ----------
    quality : of n rows; chances as the log has them, values and model within 0..1. The model must not have learned from
        these rows.
    cost : (n, t) USD of every tier for every request, expected or observed.
    challenger, champion : (n, t) the probabilities of their picks.
    """
    rule = rule or PromotionRule()
    clip = min(rule.clip, largest_weight(quality))
    terms, bounds = zip(
        *(pessimistic_difference(quality, challenger, champion, each) for each in (clip, 1.0)), strict=True
    )
    saved = ((champion - challenger) * cost).sum(axis=1)
    differs = challenger != champion
    differing, rows = int(differs.any(axis=1).sum()), len(saved)
    low = betting_lower_bound(np.array(terms), np.array(bounds), rule.level)
    saving_low = asymptotic_lower_bound(saved, rule.level)
    unseen = int((differs & (quality.chance * clip < _ROUNDING)).any(axis=1).sum()) / max(rows, 1)
    needed = None if low > -rule.margin else _rows_needed(terms[0], rule)
    if needed is not None and needed <= rows:
        needed = None
    return Promotion(
        promote=low > -rule.margin and (low > 0 or saving_low > 0),
        reasons=tuple(_reasons(low, saving_low, rule, differing, needed, unseen)),
        quality=float(terms[0].sum()) / max(rows, 1),
        quality_low=low,
        saving=float(saved.sum()) / max(rows, 1),
        saving_low=saving_low,
        rows=rows,
        differing=differing,
        rows_needed=needed,
        unseen=unseen,
    )


def cautious_values(low: _Float, high: _Float, challenger: _Float, champion: _Float) -> _Float:
    """(n, t) values that turn a doubt about labels against the challenger: low for its own picks, else high.

    Parameters
    ----------
    low, high : (n, t) the least and the most that the tiers' answers may be worth, such as the values of labels made
        with `GateTruth.bounds`.
    """
    return np.where(challenger > champion, low, high)


def largest_weight(log: Log) -> float:
    """The largest inverse propensity of what a log shows: it tells how the log explores, not what came of it."""
    return float((1 / log.chance[log.seen]).max()) if log.seen.any() else 1.0


def pessimistic_difference(log: Log, challenger: _Float, champion: _Float, clip: float) -> tuple[_Float, float]:
    """(n,) terms whose mean is at most the challenger's gain in quality, and b: none can be below -b.

    See the module's first lines. Values and model are within 0..1.
    """
    change = challenger - champion
    clipped = log.chance * clip < _ROUNDING
    model = np.where(clipped, (change < 0).astype(np.float64), np.clip(log.model, 0.0, 1.0))
    inverse = np.divide(1.0, log.chance, out=np.zeros(change.shape), where=log.chance > 0)
    weights = np.where(log.seen, np.minimum(inverse, clip), 0.0)
    residual = np.where(log.seen, np.nan_to_num(log.values) - model, 0.0)
    terms: _Float = (change * (model + weights * residual)).sum(axis=1)
    # At worst the challenger's pick is seen and bad, m * (1 - w), or the champion's seen and good, m + w * (1 - m); and
    # both at once only in a log that shows several tiers of a request.
    alone = bool((log.seen.sum(axis=1) <= 1).all())
    return terms, clip if alone else 2 * clip - 1


def betting_lower_bound(values: _Float, bounds: _Float, level: float) -> float:
    """A lower bound of a mean that is right at all times with probability 1 - level, whenever and however often asked.

    At any look it is the best that the rows up to then have given.

    Parameters
    ----------
    values : (k, n) k ways to measure the same in n independent rows in order of time, all with at most the mean in
        question, which is from -1 to 1.
    bounds : (k,) none of a way's values is below minus this, 1 or more.
    """
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if values.size and _log_capital(values, bounds, middle).max() >= -math.log(level):
            low = middle
        else:
            high = middle
    return low


def lower_bound_path(values: _Float, bounds: _Float, level: float, ends: Sequence[int]) -> _Float:
    """(k,) what `betting_lower_bound` was at each of k looks, rounded down to a grid that is fine near 0.

    Parameters
    ----------
    ends : how many rows each look saw.
    """
    path = np.full(len(ends), -1.0)
    for mean in (*-_GRID[::-1], 0.0, *_GRID):
        refuted = _log_capital(values, bounds, mean) >= -math.log(level)
        if not refuted.any():
            break
        path[np.asarray(ends) > int(np.argmax(refuted))] = mean
    return path


def _log_capital(values: _Float, bounds: _Float, mean: float) -> _Float:
    """(n,) logarithm of what bets against "the mean is at most this" are worth after each row, from 1."""
    grown = [
        np.cumsum(np.log1p(np.outer(_BETS / (bound + mean), way - mean)), axis=1)
        for way, bound in zip(values, bounds, strict=True)
    ]
    capital = np.concatenate(grown)
    most = capital.max(axis=0)
    logarithm: _Float = most + np.log(np.exp(capital - most).mean(axis=0))
    return logarithm


def asymptotic_lower_bound(values: _Float, level: float) -> float:
    """A lower bound of the mean of independent values, right at all times with probability 1 - level as rows grow many.

    It is mean - sd * sqrt(2 (n r + 1) / (n^2 r) * log(1 + sqrt(n r + 1) / (2 level))), the one-sided sequence, with r
    such that it is tightest at 1,000 rows; minus infinity before 50 rows.

    Parameters
    ----------
    values : (n,). level : below 0.5.
    """
    rows = len(values)
    if rows < _FIRST_LOOK:
        return -math.inf
    surprise = -2 * math.log(2 * level)
    ratio = (surprise + math.log(surprise + 1)) / _TUNED_FOR
    grown = rows * ratio + 1
    width = math.sqrt(2 * grown / (rows**2 * ratio) * math.log(1 + math.sqrt(grown) / (2 * level)))
    return float(values.mean() - values.std() * width)


def _rows_needed(terms: _Float, rule: PromotionRule) -> int | None:
    """When the best bet on terms like these has grown to 1 / level: 2 var log(1 / level) / (mean + margin)^2."""
    gap = float(terms.mean()) + rule.margin if len(terms) else 0.0
    return math.ceil(2 * float(terms.var()) * -math.log(rule.level) / gap**2) if gap > 0 else None


def _reasons(
    low: float, saving_low: float, rule: PromotionRule, differing: int, needed: int | None, unseen: float
) -> Iterator[str]:
    found = (
        f"{low:+.4f} points of quality at least, where -{rule.margin:g} is allowed ({1 - rule.level:.0%} confidence)"
    )
    if not differing:
        yield "challenger and champion agree on every row"
    yield f"{'at least as good' if low > -rule.margin else 'not proven at least as good'}: {found}"
    if needed is not None:
        yield f"about {needed:,} rows like these would show it"
    if low > 0:
        yield "better in quality"
    if saving_low > 0:
        yield f"cheaper: it saves ${plain_amount(saving_low, 3)} a request at least"
    elif low <= 0:
        yield "shown to be neither cheaper nor better"
    if unseen > 0:
        yield (
            f"on {unseen:.1%} of the rows the log never, or hardly, tried what the two differ in, which counts against "
            "the challenger; explore more"
        )
