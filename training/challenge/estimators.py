"""What a policy would be worth on requests that another policy answered.

n logged requests, t tiers. A policy is (n, t): the probabilities with which it picks each tier for each request; a
router's are 0 and 1. Of a request, the values of some tiers are seen, each with a probability c ("chance") that is
known. With s = 1 where the value y is seen, m what a model expects of it, and w = policy * s / c:

    naive               sum(policy * s * y) / sum(policy * s)             the rows where log and policy agree
    ips                 mean(sum_t w * y)                                 Horvitz and Thompson, JASA 47, 1952
    clipped_ips         the same with 1 / c at most `clip`                Ionides, JCGS 17, 2008
    snips               sum(w * y) / sum(w)                               Swaminathan and Joachims, NIPS 2015
    direct              mean(sum_t policy * m)                            the model alone
    doubly_robust       mean(sum_t policy * m + w * (y - m))              Dudik, Langford and Li, ICML 2011
    normalised_dr       mean(sum_t policy * m) + sum(w * (y - m)) / sum(w)     Thomas and Brunskill, ICML 2016

All but `naive` and `direct` are right on average as the log grows, if every tier that the policy picks has a chance
above 0. ``doubly_robust`` with a good model has the smallest error; the model must not have learned from the row itself
(`cross_fitted_means`). ``naive`` takes what was tried for what might have been, ``direct`` the model for the truth.

**Intervals** hold with 95% confidence: value +- Student's t * sqrt(variance) / n, its degrees of freedom the effective
sample size - 1. The variance is the larger of two sums over the rows:

- what was seen: influence ** 2, a row's part in the estimate (delta method: its term of the mean, or of the linearised
  ratio, minus their mean);
- what could have been seen: the same with policy ** 2 / c * s2 in the place of the weighted residuals, for every pick
  whether or not its value is seen, where s2 is the mean square of all residuals that are. Rare picks with large weights
  that happened not to be drawn, or happened to agree, are counted by it as they should be.

The effective sample size is Kish's, sum(w)^2 / sum(w^2) over rows. Picks of a tier with chance 0 cannot be estimated:
their share ("uncovered") times the span of the values widens the interval. Ends outside the values' limits are cut off.
For ``naive`` and ``direct`` the interval covers the chance of drawing the rows, not their error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.learners.weights import effective_rows
from training.log.observed import Observed

CLIP = 20.0
_TAIL = 0.975

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """What n requests show of t tiers.

    Attributes
    ----------
    values : (n, t) quality (0..1) or cost (USD); NaN where not seen.
    chance : (n, t) probability that it is seen, 0..1, above 0 where it is.
    model : (n, t) expected values, all known; they are used for `direct` and the doubly robust estimators.
    limits : between which any value lies.

    Raises
    ------
    ValueError : shapes differ, a chance is out of range, or an expectation is unknown.
    """

    values: _Float
    chance: _Float
    model: _Float
    limits: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not self.values.shape == self.chance.shape == self.model.shape:
            raise ValueError(f"found shapes {self.values.shape}, {self.chance.shape}, {self.model.shape}; expected one")
        if np.isnan(self.model).any():
            raise ValueError("found NaN among the expected values, expected numbers")
        if not ((self.chance >= 0) & (self.chance <= 1 + 1e-9)).all() or not (self.chance[self.seen] > 0).all():
            raise ValueError("expected chances from 0 to 1, above 0 where a value is seen")

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n, t): whether a value is there."""
        return ~np.isnan(self.values)

    @property
    def residuals(self) -> _Float:
        """(n, t) seen values minus expected ones, 0 where not seen."""
        return np.where(self.seen, self.values - self.model, 0.0)

    @property
    def span(self) -> float:
        """How far apart two values can be, or where that is unlimited, are."""
        limited = self.limits[1] - self.limits[0]
        if np.isfinite(limited) or not self.seen.any():
            return limited
        return float(np.nanmax(self.values) - np.nanmin(self.values))

    def weights(self, policy: _Float, clip: float = np.inf) -> _Float:
        """(n, t) policy * min(1 / chance, clip) where a value is seen, else 0."""
        return np.where(self.seen, self.reach(policy, clip), 0.0)

    def reach(self, policy: _Float, clip: float = np.inf) -> _Float:
        """(n, t) the weights that the policy's picks have where they are seen; 0 where they never can be."""
        inverse = np.divide(1.0, self.chance, out=np.zeros(self.chance.shape), where=self.chance > 0)
        weights: _Float = policy * np.minimum(inverse, clip)
        return weights

    def without_model(self) -> Log:
        """The same with nothing expected."""
        return replace(self, model=np.zeros(self.model.shape))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval.

    Attributes
    ----------
    value, low, high : in the unit of the log's values.
    effective_rows : Kish's effective sample size.
    uncovered : share of the policy's picks that the log can say nothing of, 0..1.
    """

    value: float
    low: float
    high: float
    effective_rows: float
    uncovered: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g}; {self.effective_rows:.0f} effective rows)"


@dataclass(frozen=True, slots=True, eq=False)
class Valuation:
    """An estimate with what its interval, and its difference from another on the same log, are made of.

    Attributes
    ----------
    value : the estimate.
    influence : (n,) each row's part in it, mean 0.
    base : (n,) the part of the influence that does not depend on what was drawn.
    spread : (n, t) root of the mean square that each pick's weighted residual has.
    drawn : mean of the weighted residuals, as far as the estimate holds it.
    weights : (n,) of the rows.
    uncovered : (n,) share of the picks of each row that can never be seen.
    limits, span : of the values.
    """

    value: float
    influence: _Float
    base: _Float
    spread: _Float
    drawn: float
    weights: _Float
    uncovered: _Float
    limits: tuple[float, float]
    span: float

    def estimate(self) -> Estimate:
        """The value with its interval."""
        return _estimate(self)

    def minus(self, other: Valuation) -> Estimate:
        """By how much this is above another policy's value on the same log; rows are paired."""
        fewer = self if effective_rows(self.weights) <= effective_rows(other.weights) else other
        width = self.limits[1] - self.limits[0]
        return _estimate(
            Valuation(
                value=self.value - other.value,
                influence=self.influence - other.influence,
                base=self.base - other.base,
                spread=self.spread - other.spread,
                drawn=self.drawn - other.drawn,
                weights=fewer.weights,
                uncovered=np.abs(self.uncovered - other.uncovered),
                limits=(-width, width),
                span=max(self.span, other.span),
            )
        )


Estimator = Callable[[Log, _Float], Valuation]


def naive(log: Log, policy: _Float) -> Valuation:
    """Mean of the values seen where the log tried what the policy picks; see the module's first lines."""
    return _ratio(replace(log, chance=np.where(log.chance > 0, 1.0, 0.0)).without_model(), policy)


def ips(log: Log, policy: _Float, clip: float = np.inf) -> Valuation:
    """Inverse propensity weighting; unbiased.

    Parameters
    ----------
    clip : the largest 1 / chance.
    """
    return _mean(log.without_model(), policy, clip)


def clipped_ips(log: Log, policy: _Float) -> Valuation:
    """Inverse propensity weighting with 1 / chance at most 20; too low where chances are small."""
    return ips(log, policy, CLIP)


def snips(log: Log, policy: _Float) -> Valuation:
    """Self-normalised inverse propensity weighting; a constant added to all values is added to the estimate."""
    return _ratio(log.without_model(), policy)


def direct(log: Log, policy: _Float) -> Valuation:
    """The model's expectations alone."""
    return replace(_mean(replace(log, values=np.full(log.values.shape, np.nan)), policy), span=log.span)


def doubly_robust(log: Log, policy: _Float) -> Valuation:
    """The model, corrected by weighted residuals; right if either the chances or the model are."""
    return _mean(log, policy)


def normalised_dr(log: Log, policy: _Float) -> Valuation:
    """Doubly robust with self-normalised weights: calmer where some are large."""
    return _ratio(log, policy)


ESTIMATORS: dict[str, Estimator] = {
    "naive": naive,
    "IPS": ips,
    "clipped IPS": clipped_ips,
    "SNIPS": snips,
    "direct": direct,
    "DR": doubly_robust,
    "SNDR": normalised_dr,
}


def log_of_starts(
    observed: Observed, values: _Float, model: _Float | None = None, limits: tuple[float, float] = (0.0, 1.0)
) -> Log:
    """The log of the tiers that routes began with: their chances are the logged propensities, whatever a gate said.

    Where nothing is known of some of a tier's answers, its chances are lowered to the share of which something is:
    right where what is missing is like the rest.

    Parameters
    ----------
    values : (n, t) known values of the tiers' answers, NaN where there are none, such as `Labels.values`, or of the
        cascades that began there (`cascade_values`).
    model : (n, t) expected values, such as ``observed.expected``; where it is NaN, and for None, `cross_fitted_means`
        by task stand in.
    """
    begun = observed.start[:, None] == np.arange(len(observed.tiers))
    known = observed.started & ~np.isnan(values)
    share = known.sum(axis=0) / np.maximum(begun.sum(axis=0), 1)
    expected = np.full(values.shape, np.nan) if model is None else model
    log = Log(np.where(known, values, np.nan), observed.start_chance * share, np.zeros(values.shape), limits)
    if np.isnan(expected).any():
        tasks = np.unique([task or "" for task in observed.asked.tasks], return_inverse=True)[1]
        expected = np.where(np.isnan(expected), cross_fitted_means(log, tasks), expected)
    return replace(log, model=expected)


def cascade_values(observed: Observed, values: _Float) -> tuple[_Float, _Float]:
    """What the whole cascade gave, put down to the tier where it began: quality of the answer given, USD of its calls.

    With these `log_of_starts` values policies of where to begin, under the log's own gate and routes. Two (n, t)
    arrays, NaN where a cascade did not begin or the answer's value is unknown.
    """
    rows = np.arange(len(observed))
    given = np.where(observed.answered >= 0, values[rows, observed.answered], np.nan)
    return np.where(observed.started, given[:, None], np.nan), np.where(
        observed.started, observed.spent[:, None], np.nan
    )


def picks(chosen: NDArray[np.int64], tiers: int) -> _Float:
    """(n, t) policy of a router that picks these places, (n,)."""
    policy: _Float = (chosen[:, None] == np.arange(tiers)).astype(np.float64)
    return policy


def cross_fitted_means(
    log: Log, groups: NDArray[np.int64] | None = None, *, folds: int = 5, prior_rows: float = 5.0, seed: int = 0
) -> _Float:
    """(n, t) a plain model of the values that no row has a part in itself: weighted means by group and tier.

    Rows are dealt to folds; each fold's means come from the others (Chernozhukov et al., "Double/Debiased Machine
    Learning", Econometrics Journal 21, 2018). A group's mean is shrunk towards the tier's, worth ``prior_rows``.

    Parameters
    ----------
    groups : (n,) numbers, such as of tasks; None: one group.
    """
    rows, tiers = log.values.shape
    group = np.zeros(rows, np.int64) if groups is None else groups
    fold = np.random.default_rng(seed).permutation(rows) % folds
    weights, values = log.weights(np.ones(log.values.shape)), np.where(log.seen, log.values, 0.0)
    model = np.zeros((rows, tiers))
    overall = float(values[log.seen].mean()) if log.seen.any() else 0.0
    for each in range(folds):
        learned = np.where((fold != each)[:, None], weights, 0.0)
        total = learned.sum(axis=0)
        usual = np.where(total > 0, (learned * values).sum(axis=0) / np.maximum(total, 1e-300), overall)
        scale = total / np.maximum((learned > 0).sum(axis=0), 1)  # a prior row weighs as much as a seen one
        sums, counts = np.zeros((group.max() + 1, tiers)), np.zeros((group.max() + 1, tiers))
        np.add.at(sums, group, learned * values)
        np.add.at(counts, group, learned)
        prior = prior_rows * np.maximum(scale, 1e-300)
        own = fold == each
        model[own] = ((sums + prior * usual) / (counts + prior))[group[own]]
    return model


def _mean(log: Log, policy: _Float, clip: float = np.inf) -> Valuation:
    base, weights = (policy * log.model).sum(axis=1), log.weights(policy, clip)
    drawn = (weights * log.residuals).sum(axis=1)
    value = float((base + drawn).mean())
    influence = base + drawn - value
    return Valuation(value, influence, base - base.mean(), **_common(log, policy, clip, 0.0), drawn=float(drawn.mean()))


def _ratio(log: Log, policy: _Float) -> Valuation:
    base, weights = (policy * log.model).sum(axis=1), log.weights(policy)
    total = float(weights.sum())
    error = float((weights * log.residuals).sum()) / total if total > 0 else 0.0
    drawn = (weights * (log.residuals - error)).sum(axis=1) * (len(base) / total if total > 0 else 0.0)
    centred = base - base.mean()
    return Valuation(
        float(base.mean()) + error, centred + drawn, centred, **_common(log, policy, np.inf, error), drawn=0.0
    )


def _common(log: Log, policy: _Float, clip: float, centre: float) -> dict[str, Any]:
    errors = log.residuals[log.seen] - centre
    scale = float(np.sqrt((errors**2).mean())) if len(errors) else 0.0
    weights = log.weights(policy, clip)
    return {
        "spread": log.reach(policy, clip) * np.sqrt(log.chance) * scale,
        "weights": weights.sum(axis=1) if log.seen.any() else policy.sum(axis=1),
        "uncovered": np.where(log.chance > 0, 0.0, policy).sum(axis=1),
        "limits": log.limits,
        "span": log.span,
    }


def _estimate(valuation: Valuation) -> Estimate:
    rows, count = effective_rows(valuation.weights), len(valuation.influence)
    uncovered = float(valuation.uncovered.mean())
    seen = float((valuation.influence**2).sum())
    possible = float((valuation.base**2).sum() + (valuation.spread**2).sum()) - count * valuation.drawn**2
    error = math.sqrt(max(seen, possible)) / count
    reach = uncovered * valuation.span if uncovered > 0 else 0.0
    if error > 0:
        reach += error * float(stats.t.ppf(_TAIL, max(rows - 1.0, 1.0))) if rows > 0 else math.inf
    low, high = (float(np.clip(valuation.value + side * reach, *valuation.limits)) for side in (-1, 1))
    return Estimate(valuation.value, low, high, rows, uncovered)
