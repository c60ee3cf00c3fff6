"""Choosing the decision rule: the price weight, on rows that no weight was fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.policy import choose_many
from training.certify import Rung, certify_ladder
from training.evaluate import Outcomes
from training.fit import Predictions

_STEPS = 150
_LEAST_WEIGHT = 1e-3


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
    """A price weight and what is promised of it.

    Attributes
    ----------
    price_weight : None where no weight could be certified: then only the reference keeps the promise.
    rung : the certificate.
    """

    price_weight: float | None
    rung: Rung


def price_weights(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Price weights to try, from quality at any price to the cheapest tier for nearly everything.

    Parameters
    ----------
    costs : (n, t) expected costs as shares of the reference's mean cost, of rows that the model was fitted on.
    """
    means = np.sort(costs.mean(axis=0))
    gaps = np.diff(means)[np.diff(means) > 1e-9]
    most = 2.0 / gaps.min() if len(gaps) else 1.0
    return np.concatenate([[0.0], np.geomspace(_LEAST_WEIGHT, max(most, 2 * _LEAST_WEIGHT), _STEPS)])


def order_rules(
    weights: NDArray[np.float64], expected: Predictions, reference_cost: float, rows: Outcomes
) -> NDArray[np.float64]:
    """The price weights worth testing, safest first, by rows that the test itself does not use.

    A weight is worth testing when no other one is both cheaper and better on these rows, and it costs no more than the
    reference. The sequence of tests is thereby fixed before the rows that it runs on are seen, as Learn then Test asks.

    Parameters
    ----------
    weights : from `price_weights`.
    expected : cross-fitted expectations of the rows that the model was fitted on.
    rows : what happened on these rows.
    """
    chosen = _choices(weights, expected, reference_cost)
    cost = np.take_along_axis(rows.costs, chosen, axis=1).mean(axis=0)
    quality = np.take_along_axis(rows.quality, chosen, axis=1).mean(axis=0)
    kept: list[int] = []
    for place in np.lexsort((-quality, cost)):
        if cost[place] <= rows.costs[:, rows.reference].mean() and (not kept or quality[place] > quality[kept[-1]]):
            kept.append(int(place))
    return weights[kept[::-1]]


def choose_rule(
    weights: NDArray[np.float64], predicted: Predictions, reference_cost: float, rows: Outcomes, target: Target
) -> ChosenRule:
    """The cheapest price weight certified on ``rows``.

    Parameters
    ----------
    weights : (w,) from `order_rules`, safest first.
    predicted : what the model expects of ``rows``, which it was not fitted on.
    reference_cost : mean USD of a reference call.
    """
    chosen = _choices(weights, predicted, reference_cost)
    (rung,) = certify_ladder(
        rows.quality[:, rows.reference],
        np.take_along_axis(rows.quality, chosen, axis=1),
        targets=(target.loss,),
        confidence=target.confidence,
        relative=target.relative,
        groups=rows.groups,
    )
    return ChosenRule(None if rung.rule is None else float(weights[rung.rule]), rung)


def never_chosen(weights: NDArray[np.float64], predicted: Predictions, reference_cost: float) -> tuple[int, ...]:
    """Positions of tiers that no price weight picks for any row: they are never worth their price."""
    used = set(np.unique(_choices(weights, predicted, reference_cost)).tolist())
    return tuple(tier for tier in range(predicted.quality.shape[1]) if tier not in used)


def _choices(weights: NDArray[np.float64], predicted: Predictions, reference_cost: float) -> NDArray[np.int64]:
    """(n, w): the tier that each price weight picks for each row."""
    share = predicted.cost / reference_cost
    return np.stack([choose_many(predicted.quality, share, weight) for weight in weights], axis=1)
