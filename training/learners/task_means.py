"""The floor: a learner that knows nothing of a request but its task, for others to be measured against.

It does not compete with them: all requests of a task would change tier at once, which leaves a certificate no step
between none of them and all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.model import logit
from training.learners.amounts import log_amounts
from training.learners.linear import LinearFit, LinearLearner, Space
from training.learners.matrix import FeatureMatrix
from training.learners.projection import task_means


@dataclass(frozen=True, slots=True)
class TaskMeansLearner:
    """Expects of each request its task's mean quality and cost; of an unknown task, the overall means."""

    linear: LinearLearner

    def fit(
        self,
        matrix: FeatureMatrix,
        quality: NDArray[np.float64],
        costs: NDArray[np.float64],
        *,
        weights: NDArray[np.float64] | None = None,
        jobs: int = 1,
    ) -> LinearFit:
        """Fit on all rows of ``matrix``; see `LinearLearner.fit` for the parameters."""
        space = Space.of(matrix, self.linear)
        logs = [log_amounts(column) for column in task_means(matrix, space, costs).T]
        means = np.column_stack([logit(task_means(matrix, space, quality, weights)), *logs])
        others = np.zeros((len(space.buckets) + len(space.mean), means.shape[1]))
        return LinearFit(space, np.vstack([others, (means[:-1] - means[-1]) / space.task_weight]), means[-1])
