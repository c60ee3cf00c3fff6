"""What counts as good enough: the reference tier, adequacy and the quality that the router is trained to keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.errors import InputError
from training.tables.nearest import did_you_mean

# Scores are often means of others; equal ones may part in their last bits.
_ROUNDING = 1e-12
_Z = 1.96
_SOME = 0.1
_GOOD = 0.8


@dataclass(frozen=True, slots=True)
class Adequacy:
    """The rule by which an answer is adequate.

    Attributes
    ----------
    at : an answer is adequate when its score is at least this; None for the relative rule.
    tolerance : relative rule: an answer is adequate when its score is at least the reference's minus this.
    """

    at: float | None = None
    tolerance: float = 0.0

    def __str__(self) -> str:
        if self.at is not None:
            return f"score at least {self.at:g}"
        slack = f" (tolerance {self.tolerance:g})" if self.tolerance else ""
        return f"no worse than the reference's answer{slack}"


def expand_labels(scores: NDArray[np.float64], labels: list[str | None], tiers: tuple[str, ...]) -> NDArray[np.float64]:
    """Scores of labelled rows: 1 from the cheapest adequate tier upward, 0 below it.

    Parameters
    ----------
    scores : (n, t) with tiers in price order; rows that carry a label are overwritten.
    labels : the cheapest adequate tier of each row, None where the row has scores instead.
    tiers : tier names as the labels spell them, in price order.
    """
    if not any(labels):
        return scores
    expanded = scores.copy()
    rank = {name: position for position, name in enumerate(tiers)}
    for row, label in enumerate(labels):
        if label is not None:
            expanded[row] = np.arange(len(tiers)) >= rank[label]
    return expanded


def pick_reference(scores: NDArray[np.float64], tiers: tuple[str, ...], wanted: str | None) -> int:
    """Position of the reference tier: ``wanted``, else the best mean score (of equals, the cheapest).

    Tiers are compared on the rows that observed them, since missing scores are missing, by the lower bound of Wilson's
    score interval ("Probable Inference", JASA 22, 1927): of tiers seen equally often the best mean wins, and none wins
    by luck on a handful of rows.

    Parameters
    ----------
    scores : (n, t) with tiers in price order, NaN where not observed.

    Raises
    ------
    InputError : ``wanted`` is not among ``tiers``.
    """
    if wanted is not None:
        if wanted not in tiers:
            raise InputError(
                f"the reference '{wanted}' is not a tier of the data{did_you_mean(wanted, tiers)}; "
                f"expected one of: {', '.join(tiers)}"
            )
        return tiers.index(wanted)
    rows, total = (~np.isnan(scores)).sum(axis=0), np.nansum(scores, axis=0)
    half = _Z * np.sqrt(total * (rows - total) / np.maximum(rows, 1) + _Z**2 / 4)
    return int(np.argmax(np.round((total + _Z**2 / 2 - half) / (rows + _Z**2), 12)))


def judge(
    scores: NDArray[np.float64], reference: int, rule: Adequacy
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Adequacy and quality of every observed answer.

    Parameters
    ----------
    scores : (n, t), NaN where not observed.

    Returns
    -------
    adequate : (n, t), 1 or 0, NaN where unknown: the tier was not observed or, under the relative rule, the reference.
    quality : (n, t), what a lost point of quality means: adequacy itself under a threshold, else the score.
    """
    unknown = np.isnan(scores)
    if rule.at is not None:
        adequate = np.where(unknown, np.nan, (scores >= rule.at - _ROUNDING).astype(np.float64))
        return adequate, adequate
    against = scores[:, [reference]]
    unknown = unknown | np.isnan(against)
    adequate = np.where(unknown, np.nan, (scores >= against - rule.tolerance - _ROUNDING).astype(np.float64))
    return adequate, scores


@dataclass(frozen=True, slots=True)
class AdequacyEffect:
    """What a rule of adequacy comes to.

    Attributes
    ----------
    adequate : (t,) shares of the observed answers that are adequate; NaN for the reference under a relative rule.
    saving : share of the reference's cost that is saved where each request goes to its cheapest adequate tier: the most
        that any router can save under this rule.
    """

    rule: Adequacy
    adequate: tuple[float, ...]
    saving: float


def adequacy_effects(
    scores: NDArray[np.float64], costs: NDArray[np.float64], reference: int, chosen: Adequacy
) -> list[AdequacyEffect]:
    """The rule that was chosen among three that differ.

    Parameters
    ----------
    scores : (n, t), NaN where not observed. costs : (n, t) USD, complete.
    """
    usual = (Adequacy(), Adequacy(tolerance=_SOME), Adequacy(at=_GOOD), Adequacy(tolerance=2 * _SOME))
    rules = [chosen, *(rule for rule in usual if rule != chosen)][:3]
    order = {rule: place for place, rule in enumerate(usual)}
    return [_effect(scores, costs, reference, rule) for rule in sorted(rules, key=lambda rule: order.get(rule, -1))]


def _effect(scores: NDArray[np.float64], costs: NDArray[np.float64], reference: int, rule: Adequacy) -> AdequacyEffect:
    adequate, _ = judge(scores, reference, rule)
    known = ~np.isnan(adequate)
    shares = np.where(known.any(axis=0), np.nansum(adequate, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)
    good = adequate == 1
    if rule.at is None:
        good[:, reference] = True
    # Where no answer is good enough, none is better than the cheapest.
    spent = np.where(good.any(axis=1), np.where(good, costs, np.inf).min(axis=1), costs.min(axis=1))
    return AdequacyEffect(rule, tuple(shares.tolist()), 1 - float(spent.sum() / costs[:, reference].sum()))
