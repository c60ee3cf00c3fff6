"""The default learner: the linear model and boosted oblivious trees, blended.

The trees see the dense features, a low-rank picture of the words and the task's mean quality. They are grown on a mix
of the observed quality and what the teacher (`training.teacher`) expects: the teacher is less noisy than single
outcomes, the outcomes keep what it smooths away (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from sklearn.utils.extmath import randomized_svd

from classifier.model import TreeWeights, blend_logits, sigmoid
from classifier.trees import ObliviousTrees
from training.boosting import ObliviousBoosting
from training.linear import LinearFit, LinearLearner
from training.matrix import FeatureMatrix
from training.teacher import forest_expectations, neighbour_expectations, stack

_FOLDS = 3
_TASK_PRIOR_ROWS = 20.0
_SVD_ITERATIONS = 3
_PROJECTED_ROWS = 5
_NO_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class BlendLearner:
    """Fits a linear model and trees.

    Attributes
    ----------
    dimensions : of the low-rank picture of the words.
    teacher_share : of the teacher in what the trees are grown on; the rest is the observed quality.
    """

    linear: LinearLearner = field(default_factory=LinearLearner)
    boosting: ObliviousBoosting = field(default_factory=ObliviousBoosting)
    dimensions: int = 32
    teacher_share: float = 0.6

    def fit(
        self,
        matrix: FeatureMatrix,
        quality: NDArray[np.float64],
        costs: NDArray[np.float64],
        *,
        jobs: int = 1,
    ) -> BlendFit:
        """Fit on all rows of ``matrix``; see `LinearLearner.fit` for the parameters."""
        linear = self.linear.fit(matrix, quality, costs, jobs=jobs)
        expected = _out_of_fold(self.linear, matrix, quality, costs, jobs)
        complete = np.where(np.isnan(quality), expected, quality)
        view = TreeView.of(matrix, linear, complete, self.dimensions)
        inputs = view.inputs(matrix)
        members = [
            expected,
            forest_expectations(inputs, complete, jobs=jobs),
            neighbour_expectations(inputs, complete),
        ]
        share = self.teacher_share
        target = share * stack(members, complete) + (1 - share) * complete
        return BlendFit(linear, view, self.boosting.fit(inputs, target))


@dataclass(frozen=True, slots=True)
class TreeView:
    """What the trees see of a request: standardised dense features, projected words, the task's mean quality.

    Attributes
    ----------
    linear : the linear model, whose standardised features these are.
    frequent : (q,) bool over the linear model's word terms: those in rows enough to be placed.
    projection : (q kept, k), from a truncated SVD of the rows' word vectors, scaled to unit variance.
    shift : (k,), subtracted after projecting.
    task_means : (tasks + 1, t); the last row is for any other task, or none.
    """

    linear: LinearFit
    frequent: NDArray[np.bool_]
    projection: NDArray[np.float64]
    shift: NDArray[np.float64]
    task_means: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: FeatureMatrix, linear: LinearFit, quality: NDArray[np.float64], dimensions: int) -> TreeView:
        """Learn the projection and the task means from rows with complete quality (n, t)."""
        every = linear.space.words(matrix)
        frequent = np.bincount(every.indices, minlength=every.shape[1]) >= _PROJECTED_ROWS
        words = every[:, frequent]
        size = min(dimensions, min(words.shape) - 1)
        projection = np.zeros((words.shape[1], 0))
        if size >= 1:
            projection = randomized_svd(words, size, n_iter=_SVD_ITERATIONS, random_state=0)[2].T
        seen = words @ projection
        spread = seen.std(axis=0)
        scale = np.where(spread < _NO_SPREAD, 1.0, spread)
        tasks = linear.space.one_hot(matrix)
        overall = quality.mean(axis=0)
        # Means of rare tasks are drawn towards the overall mean.
        sums = tasks.T @ quality + _TASK_PRIOR_ROWS * overall
        means = sums / (tasks.sum(axis=0)[:, None] + _TASK_PRIOR_ROWS)
        return cls(linear, frequent, projection / scale, seen.mean(axis=0) / scale, np.vstack([means, overall]))

    def inputs(self, matrix: FeatureMatrix) -> NDArray[np.float32]:
        """(n, dense + k + t) float32."""
        space = self.linear.space
        tasks = space.one_hot(matrix)
        known = tasks.any(axis=1)
        means = self.task_means[np.where(known, tasks.argmax(axis=1) if tasks.shape[1] else -1, -1)]
        projected = space.words(matrix)[:, self.frequent] @ self.projection - self.shift
        return np.hstack([space.standardised(matrix), projected, means]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class BlendFit:
    """A fitted blend; see `BlendLearner`."""

    linear: LinearFit
    view: TreeView
    trees: ObliviousTrees

    def outputs(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """(n, 2t): quality logits and log costs in USD."""
        outputs = self.linear.outputs(matrix)
        tiers = outputs.shape[1] // 2
        grown = self.trees.predict_many(self.view.inputs(matrix))
        outputs[:, :tiers] = blend_logits(outputs[:, :tiers], grown)
        return outputs

    def tree_weights(self) -> TreeWeights:
        """The trees in the runtime's form."""
        view, space = self.view, self.linear.space
        words = np.flatnonzero(view.frequent)
        return TreeWeights(
            trees=self.trees,
            buckets=space.buckets[words].astype(np.uint32),
            projection=(view.projection * space.idf[words, None]).astype(np.float32),
            shift=view.shift,
            task_means=view.task_means,
        )


def _out_of_fold(
    learner: LinearLearner,
    matrix: FeatureMatrix,
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    jobs: int,
) -> NDArray[np.float64]:
    """The linear model's expectations (n, t) of rows that it did not see."""
    tiers = quality.shape[1]
    parts = list(KFold(_FOLDS, shuffle=True, random_state=0).split(quality))
    fits = Parallel(n_jobs=jobs)(
        delayed(learner.fit)(matrix.rows(kept), quality[kept], costs[kept]) for kept, _ in parts
    )
    expected = np.empty_like(quality)
    for (_, held), fitted in zip(parts, fits, strict=True):
        expected[held] = sigmoid(fitted.outputs(matrix.rows(held))[:, :tiers])
    return expected
