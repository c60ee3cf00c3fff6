"""What whole cascades, and the answers they begin with, are worth for two ways of beginning them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.challenge.estimators import ESTIMATORS, Estimate, Log, cascade_values, log_of_starts
from training.challenge.sequential import cautious_values
from training.feedback.gate_truth import GateTruth
from training.feedback.labels import make_labels
from training.log.observed import Observed

SHOWN = ("SNDR", "SNIPS", "DR")
UNLIMITED = (0.0, np.inf)

_PRIOR_ROWS = 5.0
_USUAL_QUALITY = 0.7

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of both, by one estimator.

    Attributes
    ----------
    estimator : a name of `training.challenge.estimators.ESTIMATORS`.
    champion, challenger : quality 0..1, or USD a request.
    difference : challenger minus champion, on paired rows.
    """

    estimator: str
    champion: Estimate
    challenger: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Values:
    """What both are worth; one entry for each estimator of `SHOWN`.

    Attributes
    ----------
    quality : of the answers that whole cascades give.
    cost : USD of all their calls.
    start_quality : of the first tier's own answers, whether or not a gate passed them.
    """

    quality: tuple[Compared, ...]
    cost: tuple[Compared, ...]
    start_quality: tuple[Compared, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the promotion test is given.

    Attributes
    ----------
    quality : of whole cascades, with every doubt about the gate turned against the challenger.
    cost : (n, t) USD of a cascade from each tier: what was expected, corrected by what was seen.
    """

    quality: Log
    cost: _Float


def value(observed: Observed, truth: GateTruth, challenger: _Float, champion: _Float) -> Values:
    """Estimates for people: the models behind them learn from the same rows, each from the other folds.

    Intervals of quality reach from where the gate's verdicts are worth the least to where they are worth the most, so
    that they hold the doubt about the gate as well.

    Parameters
    ----------
    challenger, champion : (n, t) the probabilities of their starts.
    """
    answers = [make_labels(observed, each).values for each in (*truth.bounds(), truth)]
    given = [cascade_values(observed, values)[0] for values in answers]
    spent = cascade_values(observed, answers[-1])[1]
    return Values(
        quality=_qualities(observed, given, challenger, champion),
        cost=_compared(log_of_starts(observed, spent, limits=UNLIMITED), challenger, champion),
        start_quality=_qualities(observed, answers, challenger, champion),
    )


def evidence(
    observed: Observed, truth: GateTruth, challenger: _Float, champion: _Float, expected_cost: _Float
) -> Evidence:
    """Values for the test: of a row, nothing is expected but what rows before it tell, so that looks can be repeated.

    Parameters
    ----------
    expected_cost : (n, t) USD of a call, by an artifact that did not learn from these rows; NaN where it says nothing.
    """
    low, high = (cascade_values(observed, make_labels(observed, end).values)[0] for end in truth.bounds())
    cautious = cautious_values(low, high, challenger, champion)
    quality = _foreseen(observed, cautious, np.ones(cautious.shape), _USUAL_QUALITY, (0.0, 1.0))
    spent = cascade_values(observed, cautious)[1]
    cost = _foreseen(observed, spent, _filled(expected_cost), 1.0, UNLIMITED)
    return Evidence(quality, cost.model + cost.weights(np.ones(spent.shape)) * cost.residuals)


def walking_means(log: Log, groups: Sequence[str | None], scale: _Float, usual: float) -> _Float:
    """(n, t) expected values by what earlier rows show: weighted means of value / scale by group and tier, times scale.

    A group's mean is shrunk towards its tier's, and that towards ``usual``, with what five rows weigh each.

    Parameters
    ----------
    groups : of the n rows. scale : (n, t), known before the values are, above 0.
    """
    weights = log.weights(np.ones(log.values.shape))
    seen = np.where(log.seen, log.values, 0.0) * weights
    scaled = scale * weights
    prior = _PRIOR_ROWS * _ratio(_before(scaled), _before((weights > 0).astype(np.float64)), scale)
    tier = (prior * usual + _before(seen)) / (prior + _before(scaled))
    model = np.zeros(log.values.shape)
    labels = np.array([group or "" for group in groups])
    for label in np.unique(labels):
        rows = labels == label
        model[rows] = (prior[rows] * tier[rows] + _before(seen[rows])) / (prior[rows] + _before(scaled[rows]))
    return model * scale


def _foreseen(observed: Observed, values: _Float, scale: _Float, usual: float, limits: tuple[float, float]) -> Log:
    log = log_of_starts(observed, values, np.zeros(values.shape), limits)
    return replace(log, model=walking_means(log, observed.asked.tasks, scale, usual))


def _filled(expected: _Float) -> _Float:
    """Expected costs with the mean of what is known where nothing is."""
    known = expected[~np.isnan(expected) & (expected > 0)]
    usual = float(known.mean()) if len(known) else 1.0
    return np.where(np.isnan(expected) | (expected <= 0), usual, expected)


def _before(values: _Float) -> _Float:
    """(n, t) sums over the rows before each."""
    total: _Float = values.cumsum(axis=0) - values
    return total


def _ratio(sums: _Float, counts: _Float, otherwise: _Float) -> _Float:
    return np.divide(sums, counts, out=otherwise.copy(), where=counts > 0)


def _qualities(
    observed: Observed, values: Sequence[_Float], challenger: _Float, champion: _Float
) -> tuple[Compared, ...]:
    """What both are worth by the likeliest values, the last of three; between the ends by the least and the most."""
    low, high, likeliest = values
    sides = (
        low,
        high,
        cautious_values(low, high, challenger, champion),
        cautious_values(high, low, challenger, champion),
    )
    least, most, worst, best = (_compared(log_of_starts(observed, each), challenger, champion) for each in sides)
    return tuple(
        Compared(
            each.estimator,
            _between(each.champion, least[place].champion, most[place].champion),
            _between(each.challenger, least[place].challenger, most[place].challenger),
            _between(each.difference, worst[place].difference, best[place].difference),
        )
        for place, each in enumerate(_compared(log_of_starts(observed, likeliest), challenger, champion))
    )


def _between(estimate: Estimate, least: Estimate, most: Estimate) -> Estimate:
    return replace(estimate, low=min(estimate.low, least.low), high=max(estimate.high, most.high))


def _compared(log: Log, challenger: _Float, champion: _Float) -> tuple[Compared, ...]:
    found = []
    for name in SHOWN:
        new, old = (ESTIMATORS[name](log, policy) for policy in (challenger, champion))
        found.append(Compared(name, old.estimate(), new.estimate(), new.minus(old)))
    return tuple(found)
