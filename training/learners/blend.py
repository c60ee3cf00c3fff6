"""The default learner: the linear model and a forest of extremely randomised trees, stacked.

The forest finds what depends on several features at once and the linear model what single words say. How much each is
worth is learned from what both expect of rows that they did not see.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from classifier.model import TreeWeights, blend_logits, sigmoid
from classifier.trees import Forest
from training.learners.forest import ForestLearner
from training.learners.linear import LinearFit, LinearLearner
from training.learners.matrix import FeatureMatrix
from training.learners.projection import TextView
from training.learners.stacking import fit_stack
from training.learners.weights import known_weights

_FOLDS = 3


@dataclass(frozen=True, slots=True)
class BlendLearner:
    """Fits a linear model and a forest.

    Attributes
    ----------
    dimensions : of the low-rank picture of the words.
    """

    linear: LinearLearner = field(default_factory=LinearLearner)
    forest: ForestLearner = field(default_factory=ForestLearner)
    dimensions: int = 32

    def fit(
        self,
        matrix: FeatureMatrix,
        quality: NDArray[np.float64],
        costs: NDArray[np.float64],
        *,
        weights: NDArray[np.float64] | None = None,
        jobs: int = 1,
    ) -> BlendFit:
        """Fit on all rows of ``matrix``; see `LinearLearner.fit` for the parameters."""
        linear = self.linear.fit(matrix, quality, costs, weights=weights, jobs=jobs)
        expected = _out_of_fold(self.linear, matrix, quality, costs, weights, jobs)
        view = TextView.of(matrix, linear.space, quality, self.dimensions, weights)
        # The forest needs every outcome: unobserved ones are the linear model's expectations, towards which what counts
        # for less than a row is drawn.
        told = known_weights(quality, weights)
        complete = np.where(told >= 1.0, quality, expected + told * (np.nan_to_num(quality) - expected))
        forest, unseen = self.forest.fit(view.inputs(matrix), complete, jobs=jobs)
        stack = fit_stack([expected, unseen], quality, weights)
        # The forest's share and the constant go into its leaves.
        values = forest.values @ stack.shares[1] + stack.constant / len(forest.roots)
        return BlendFit(linear, view, replace(forest, values=values.astype(np.float32)), stack.shares[0])


@dataclass(frozen=True, slots=True)
class BlendFit:
    """A fitted blend; see `BlendLearner`.

    Attributes
    ----------
    share : (t, t), of the linear model's expectations in the blend's; the forest's outputs are added.
    """

    linear: LinearFit
    view: TextView
    forest: Forest
    share: NDArray[np.float64]

    def outputs(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """(n, 2t): quality logits and log costs in USD."""
        outputs = self.linear.outputs(matrix)
        tiers = len(self.share)
        grown = self.forest.predict_many(self.view.inputs(matrix))
        outputs[:, :tiers] = blend_logits(outputs[:, :tiers], self.share, grown)
        return outputs

    def tree_weights(self) -> TreeWeights:
        """The trees in the runtime's form."""
        view = self.view
        words = np.flatnonzero(view.frequent)
        return TreeWeights(
            forest=self.forest,
            share=self.share,
            buckets=view.space.buckets[words].astype(np.uint32),
            projection=(view.projection * view.space.idf[words, None]).astype(np.float32),
            shift=view.shift,
            task_means=view.task_means,
        )


def _out_of_fold(
    learner: LinearLearner,
    matrix: FeatureMatrix,
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    jobs: int,
) -> NDArray[np.float64]:
    """The linear model's expectations (n, t) of rows that it did not see."""
    tiers = quality.shape[1]
    parts = list(KFold(_FOLDS, shuffle=True, random_state=0).split(quality))
    fits = Parallel(n_jobs=jobs)(
        delayed(learner.fit)(
            matrix.rows(kept), quality[kept], costs[kept], weights=None if weights is None else weights[kept]
        )
        for kept, _ in parts
    )
    expected = np.empty_like(quality)
    for (_, held), fitted in zip(parts, fits, strict=True):
        expected[held] = sigmoid(fitted.outputs(matrix.rows(held))[:, :tiers])
    return expected
