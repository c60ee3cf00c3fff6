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
    never_chosen : positions of tiers that no price weight picks for any row: they are never worth their price.
    """

    price_weight: float | None
    rung: Rung
    never_chosen: tuple[int, ...]


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


def choose_rule(
    weights: NDArray[np.float64], predicted: Predictions, reference_cost: float, rows: Outcomes, target: Target
) -> ChosenRule:
    """The cheapest price weight certified on ``rows``.

    Parameters
    ----------
    weights : (w,) increasing, from `price_weights`.
    predicted : what the model expects of ``rows``, which it was not fitted on.
    reference_cost : mean USD of a reference call.
    """
    share = predicted.cost / reference_cost
    chosen = np.stack([choose_many(predicted.quality, share, weight) for weight in weights], axis=1)
    reached = np.take_along_axis(rows.quality, chosen, axis=1)
    (rung,) = certify_ladder(
        rows.quality[:, rows.reference],
        reached,
        targets=(target.loss,),
        confidence=target.confidence,
        relative=target.relative,
        groups=rows.groups,
    )
    used = set(np.unique(chosen).tolist())
    never = tuple(tier for tier in range(rows.quality.shape[1]) if tier not in used)
    return ChosenRule(None if rung.rule is None else float(weights[rung.rule]), rung, never)
