"""Observations -> labels to learn from: how adequate each tier's answer was, and how much that counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.feedback.gate_truth import GateTruth
from training.log.observed import Observed

UNKNOWN, VERDICT, AUDITED, JUDGED, IMPLIED, FILLED = range(6)

_DAY = 86_400.0

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How much a label counts.

    Attributes
    ----------
    half_life : days after which an outcome counts half; None: all count alike.
    clip : the largest inverse propensity; what is above is as rare as that. 1 switches the weights off.
    by_request : correct verdicts by what the artifact in use expected of each request, where it said; else alike for
        all of a tier's answers.
    """

    half_life: float | None = None
    clip: float = 20.0
    by_request: bool = True

    def __post_init__(self) -> None:
        if not self.clip >= 1 or (self.half_life is not None and not self.half_life > 0):
            raise ValueError(f"found clip {self.clip}, half_life {self.half_life}; expected 1 or more, and above 0")


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What to learn of n requests and t tiers.

    Attributes
    ----------
    values : (n, t) adequacy, 0..1; NaN where the tier was not tried or nothing is known of its answer.
    weights : (n, t) 0 where there is no label.
    source : (n, t) where it comes from: UNKNOWN, VERDICT (a gate's, corrected), AUDITED, JUDGED (by users), IMPLIED
        (`training.feedback.nesting`), FILLED (`training.feedback.completion`).
    clipped : share of the labels whose inverse propensity was above the clip.
    """

    values: _Float
    weights: _Float
    source: NDArray[np.int64]
    clipped: float

    @property
    def certain(self) -> _Float:
        """(n, t): labels by feedback or audits; NaN elsewhere."""
        return np.where(np.isin(self.source, (AUDITED, JUDGED)), self.values, np.nan)


def make_labels(
    observed: Observed, truth: GateTruth, options: LabelOptions | None = None, *, now: float | None = None
) -> Labels:
    """A label for every answer of which something is known.

    By the first of these that there is: feedback, the audit's score, the expected adequacy given the gate's verdict.
    The weight is min(clip, 1 / chance) * 0.5 ** (age / half_life).

    Parameters
    ----------
    now : seconds since 1970 from which ages are counted; None: the latest row's time.
    """
    options = options or LabelOptions()
    expected = observed.expected if options.by_request else None
    layers = (
        (VERDICT, truth.adequate(observed.verdict, expected)),
        (AUDITED, observed.audit),
        (JUDGED, observed.feedback),
    )
    values = np.full(observed.tried.shape, np.nan)
    source = np.full(observed.tried.shape, UNKNOWN)
    for kind, scores in layers:
        there = observed.tried & ~np.isnan(scores)
        values[there], source[there] = scores[there], kind
    known = source != UNKNOWN
    inverse = np.divide(1.0, observed.chance, out=np.zeros(known.shape), where=known)
    weights = np.minimum(inverse, options.clip) * faded(observed.time, options.half_life, now)[:, None]
    clipped = float((inverse[known] > options.clip).mean()) if known.any() else 0.0
    return Labels(values, weights, source, clipped)


def faded(time: _Float, half_life: float | None, now: float | None = None) -> _Float:
    """0.5 ** (age / half_life) of n rows, half_life in days; ones for None.

    Parameters
    ----------
    time : (n,) seconds since 1970. now : what ages are counted from; None: the latest row's time.
    """
    if half_life is None or not len(time):
        return np.ones(len(time))
    age = np.maximum((float(time.max()) if now is None else now) - time, 0.0)
    kept: _Float = 0.5 ** (age / (half_life * _DAY))
    return kept
