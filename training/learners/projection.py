"""What the forest sees of a request: standardised dense features, projected words, the task's mean quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from training.learners.linear import Space
from training.learners.matrix import FeatureMatrix
from training.learners.weights import known_weights, weighted_mean

_TASK_PRIOR_ROWS = 20.0
_SVD_ITERATIONS = 3
_PROJECTED_ROWS = 5
_NO_SPREAD = 1e-9
_NOTHING_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class TextView:
    """A low-rank picture of requests.

    Attributes
    ----------
    space : the linear model's, whose standardised features and word weights these are.
    frequent : (q,) bool over the space's word terms: those in rows enough to be placed.
    projection : (q kept, k), from a truncated SVD of the rows' word vectors, scaled to unit variance.
    shift : (k,), subtracted after projecting.
    task_means : (tasks + 1, t); the last row is for any other task, or none.
    """

    space: Space
    frequent: NDArray[np.bool_]
    projection: NDArray[np.float64]
    shift: NDArray[np.float64]
    task_means: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        matrix: FeatureMatrix,
        space: Space,
        quality: NDArray[np.float64],
        dimensions: int,
        weights: NDArray[np.float64] | None = None,
    ) -> TextView:
        """Learn the projection from all rows and the task means from their quality; both as `task_means` takes them."""
        every = space.words(matrix)
        frequent = np.bincount(every.indices, minlength=every.shape[1]) >= _PROJECTED_ROWS
        words = every[:, frequent]
        size = min(dimensions, min(words.shape) - 1)
        projection = np.zeros((words.shape[1], 0))
        if size >= 1:
            projection = randomized_svd(words, size, n_iter=_SVD_ITERATIONS, random_state=0)[2].T
        placed = words @ projection
        spread = placed.std(axis=0)
        scale = np.where(spread < _NO_SPREAD, 1.0, spread)
        return cls(
            space,
            frequent,
            projection / scale,
            placed.mean(axis=0) / scale,
            task_means(matrix, space, quality, weights),
        )

    def inputs(self, matrix: FeatureMatrix) -> NDArray[np.float32]:
        """(n, dense + k + t) float32."""
        projected = self.space.words(matrix)[:, self.frequent] @ self.projection - self.shift
        means = self.task_means[self.space.task_rows(matrix)]
        return np.hstack([self.space.standardised(matrix), projected, means]).astype(np.float32)


def task_means(
    matrix: FeatureMatrix, space: Space, quality: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Mean of each task (tasks, t), those of rare tasks drawn towards the overall mean (t,), which is the last row.

    Parameters
    ----------
    quality : (n, t), NaN where not observed.
    weights : (n, t) rows' worth of each; None: one each.
    """
    overall = weighted_mean(quality, weights, _NOTHING_KNOWN)
    counts = known_weights(quality, weights)
    hot = space.one_hot(matrix)
    means = (hot.T @ (counts * np.nan_to_num(quality)) + _TASK_PRIOR_ROWS * overall) / (
        hot.T @ counts + _TASK_PRIOR_ROWS
    )
    return np.vstack([means, overall])
