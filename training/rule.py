"""Choosing the decision rule: the price weight, on rows that no weight was fitted on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.policy import choose_many
from training.certify import Rung, certify_ladder
from training.evaluate import Outcomes
from training.fit import Predictions

_WEIGHTS = 400
_LEAST_WEIGHT = 1e-3
_BONUSES = (0.5, 0.35, 0.25, 0.18, 0.13, 0.09, 0.06, 0.04, 0.02, 0.01, 0.0)
_COST_STEP = 0.02
_SAME_COST = 1e-3


@dataclass(frozen=True, slots=True)
class Target:
    """The promise asked for: quality lost against the reference is at most ``loss``, with this confidence.

    Attributes
    ----------
    loss : relative to the reference's mean quality, or in points of quality where ``relative`` is false.
    """

    loss: float = 0.02
    confidence: float = 0.95
    relative: bool = True


@dataclass(frozen=True, slots=True)
class ChosenRule:
    """The learned rule's parameters and what is promised of it.

    Attributes
    ----------
    price_weight : quality points that one reference call's cost is worth.
    reference_bonus : quality points that another tier must win by before the reference is left.
    certified : whether the promise holds; else these are the safest rule's parameters.
    rung : the certificate.
    """

    price_weight: float
    reference_bonus: float
    certified: bool
    rung: Rung


def price_weights(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Price weights to try, (w,), from quality at any price to the cheapest tier for nearly everything.

    Parameters
    ----------
    costs : (n, t) expected costs as shares of the reference's mean cost, of rows that the model was fitted on.
    """
    gaps = np.diff(np.sort(costs.mean(axis=0)))
    # Tiers that cost the same need no weight to be told apart.
    most = 2.0 / float(gaps[gaps > _SAME_COST].min()) if (gaps > _SAME_COST).any() else 1.0
    return np.concatenate([[0.0], np.geomspace(_LEAST_WEIGHT, max(most, 2 * _LEAST_WEIGHT), _WEIGHTS)])


def order_rules(
    weights: NDArray[np.float64], expected: Predictions, reference_cost: float, rows: Outcomes
) -> NDArray[np.float64]:
    """The rules to test, (k, 2), safest first, by rows that the test itself does not use.

    They are one path of pairs (price weight, reference bonus) along which requests leave the reference one after
    another: from a large bonus down to none at the price weight that is best for quality, then up the price weights.
    The sequence of tests is thereby fixed before the rows that it runs on are seen, as Learn then Test asks, its first
    rules pass easily, and neighbours hardly differ, so that the test that ends it is seldom a fluke.

    Parameters
    ----------
    weights : from `price_weights`.
    expected : cross-fitted expectations of the rows that the model was fitted on.
    rows : what happened on these rows.
    """
    reached = [_reached((weight, 0.0), expected, reference_cost, rows) for weight in weights]
    cost = np.array([row_costs.mean() for row_costs, _ in reached])
    quality = np.array([row_quality.mean() for _, row_quality in reached])
    # A rule dearer than the reference is none; the dearest tier may be neither the best nor the reference.
    affordable = cost <= rows.costs[:, rows.reference].mean()
    best = int(np.argmax(np.where(affordable, quality, -np.inf))) if affordable.any() else len(weights) - 1
    path = [(weights[best], bonus) for bonus in _BONUSES]
    last = cost[best]
    for place in range(best + 1, len(weights)):
        if cost[place] <= last - _COST_STEP * reference_cost:
            path.append((weights[place], 0.0))
            last = cost[place]
    return np.array(path)


def choose_rule(
    rules: NDArray[np.float64],
    predicted: Predictions,
    reference_cost: float,
    rows: Outcomes,
    target: Target,
    complete: NDArray[np.bool_],
) -> ChosenRule:
    """The cheapest rule certified on ``rows``.

    Parameters
    ----------
    rules : (k, 2) from `order_rules`, safest first.
    predicted : what the model expects of ``rows``, which it was not fitted on.
    reference_cost : mean USD of a reference call.
    complete : (n,) rows on which every tier was observed; only they count, for an expectation proves nothing.
    """
    reached = np.stack([_reached(rule, predicted, reference_cost, rows)[1] for rule in rules], axis=1)
    if not complete.any():
        weight, bonus = rules[0]
        return ChosenRule(float(weight), float(bonus), certified=False, rung=_nothing_observed(target))
    (rung,) = certify_ladder(
        rows.quality[complete, rows.reference],
        reached[complete],
        targets=(target.loss,),
        confidence=target.confidence,
        relative=target.relative,
        groups=rows.groups[complete],
    )
    weight, bonus = rules[rung.rule or 0]
    return ChosenRule(float(weight), float(bonus), rung.rule is not None, rung)


def apply_rule(rule: ChosenRule, predicted: Predictions, reference_cost: float, reference: int) -> NDArray[np.int64]:
    """(n,): the tier that the rule picks for each row."""
    return _choices((rule.price_weight, rule.reference_bonus), predicted, reference_cost, reference)


def never_chosen(
    weights: NDArray[np.float64], predicted: Predictions, reference_cost: float, reference: int
) -> tuple[int, ...]:
    """Positions of tiers that no price weight picks for any row: they are never worth their price."""
    used: set[int] = {reference}
    for weight in weights:
        used.update(np.unique(_choices((weight, 0.0), predicted, reference_cost, reference)).tolist())
    return tuple(tier for tier in range(predicted.quality.shape[1]) if tier not in used)


def _nothing_observed(target: Target) -> Rung:
    return Rung(
        target=target.loss,
        relative=target.relative,
        confidence=target.confidence,
        rule=None,
        p_value=1.0,
        loss=0.0,
        upper_bound=1.0,
        rows=0,
        rows_needed=None,
        method="exact",
    )


def _reached(
    rule: Iterable[float], predicted: Predictions, reference_cost: float, rows: Outcomes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cost and quality (n,) of what a rule picks."""
    chosen = _choices(rule, predicted, reference_cost, rows.reference)[:, None]
    return np.take_along_axis(rows.costs, chosen, axis=1)[:, 0], np.take_along_axis(rows.quality, chosen, axis=1)[:, 0]


def _choices(rule: Iterable[float], predicted: Predictions, reference_cost: float, reference: int) -> NDArray[np.int64]:
    weight, bonus = rule
    quality = predicted.quality.copy()
    quality[:, reference] += bonus
    return choose_many(quality, predicted.cost / reference_cost, weight)
