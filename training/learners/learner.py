"""What every learner is: something that fits features to quality and cost, and can be put into an artifact."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.model import TreeWeights
from training.learners.linear import LinearFit
from training.learners.matrix import FeatureMatrix


class Fitted(Protocol):
    """A fitted learner."""

    @property
    def linear(self) -> LinearFit:
        """The linear part."""

    def outputs(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """(n, 2t): uncalibrated quality logits, and log costs in USD."""

    def tree_weights(self) -> TreeWeights | None:
        """The trees in the runtime's form, where there are any."""


class Learner(Protocol):
    """Fits on all rows of a matrix.

    Quality (n, t) is in 0..1, NaN where not observed; costs (n, t) are in USD, positive. ``weights`` (n, t) say how
    many rows' worth a quality counts; None: one each.
    """

    def fit(
        self,
        matrix: FeatureMatrix,
        quality: NDArray[np.float64],
        costs: NDArray[np.float64],
        *,
        weights: NDArray[np.float64] | None = None,
        jobs: int = 1,
    ) -> Fitted:
        """Fit, with up to ``jobs`` workers."""
