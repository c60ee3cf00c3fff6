"""Learning where each tier was observed: the training side of `classifier.support`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.support import Support
from training.learners.fit import FitRows, FittedModel, fit_model
from training.learners.linear import LinearLearner
from training.learners.matrix import FeatureMatrix

NOVEL_SHARE = 0.01
_RARELY = 0.5


@dataclass(frozen=True, slots=True)
class SupportFit:
    """What was learned, and what it says of the rows.

    Attributes
    ----------
    model : its quality is P(observed), an output for each of ``tiers``.
    tiers : places of the tiers with gaps.
    least : (k,) the least such probability at which a tier may be picked.
    unsupported : (n, t) tiers that must not be picked, for all rows; those fitted on were judged cross-fitted.
    """

    model: FittedModel
    tiers: tuple[int, ...]
    least: tuple[float, ...]
    unsupported: NDArray[np.bool_]

    def judge(self, matrix: FeatureMatrix, tiers: int) -> NDArray[np.bool_]:
        """(m, tiers): those that must not be picked, of rows that were not fitted on."""
        return _below(self.model.predict(matrix).quality, self.tiers, self.least, tiers)

    def runtime(self) -> Support:
        """The same in the runtime's form."""
        return Support(self.model.runtime(), self.tiers, self.least)


def fit_support(
    matrix: FeatureMatrix,
    observed: NDArray[np.bool_],
    fit: NDArray[np.int64],
    groups: NDArray[np.int64],
    tiers: tuple[int, ...],
    *,
    logged: bool,
    jobs: int = 1,
) -> SupportFit:
    """Learn on the rows ``fit`` where tiers were observed, and bound it on those that observed them, cross-fitted.

    One in a hundred requests like those observed is told to be unlike them. In a table, a tier that was observed less
    than half as often as on the whole is not picked either: what was not observed there would count as lost.

    Parameters
    ----------
    matrix : all n rows.
    observed : (n, t).
    groups : (n,) group numbers.
    tiers : places of the tiers with gaps, at least one.
    logged : whether a router in use observed rows; it observes a tier as rarely as it explores.
    """
    shares = observed[:, tiers].astype(np.float64)
    model, expected = fit_model(
        {"linear": LinearLearner()},
        FitRows(matrix.rows(fit), np.ones(shares[fit].shape), groups[fit], 0),
        shares[fit],
        shares[fit],
        jobs=jobs,
    )
    least = tuple(
        _least(probabilities[seen > 0], 0.0 if logged else _RARELY * float(seen.mean()))
        for probabilities, seen in zip(expected.quality.T, shares[fit].T, strict=True)
    )
    probabilities = model.predict(matrix).quality
    probabilities[fit] = expected.quality
    return SupportFit(model, tiers, least, _below(probabilities, tiers, least, observed.shape[1]))


def _below(
    probabilities: NDArray[np.float64], tiers: tuple[int, ...], least: tuple[float, ...], count: int
) -> NDArray[np.bool_]:
    """(n, count): whether P(the tier is observed) is below its bound; False for tiers without gaps."""
    below = np.zeros((len(probabilities), count), bool)
    below[:, tiers] = probabilities < np.array(least)
    return below


def _least(probabilities: NDArray[np.float64], floor: float) -> float:
    """The bound: above all probabilities where the tier was never observed."""
    if not len(probabilities):
        return 1.0
    return max(float(np.quantile(probabilities, NOVEL_SHARE, method="lower")), floor)
