"""The linear learner: logistic quality heads and log-cost heads over terms, dense features and task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from classifier.features import CONTEXT_FROM, N_WORD_BUCKETS
from classifier.model import DENSE_CLIP, LinearWeights
from training.learners.amounts import log_amounts
from training.learners.matrix import FeatureMatrix
from training.learners.weights import effective

_COST_ALPHA = 10.0
_NO_SPREAD = 1e-9
_MAX_SHARE = 0.98
_MOST_TASKS = 200


@dataclass(frozen=True, slots=True)
class LinearLearner:
    """Fits one logistic regression a tier for quality and one ridge a tier for log cost.

    Attributes
    ----------
    C : inverse strength of the logistic's L2 penalty.
    dense_weight : standardised dense features are scaled by this beside terms of unit length, i.e. penalised more.
    task_weight : the same for the task's one-hot columns.
    min_rows : a term or task must occur in this many rows to be kept; of tasks, the most frequent 200 are.
    """

    C: float = 0.2
    dense_weight: float = 0.1
    task_weight: float = 1.0
    min_rows: int = 2

    def fit(
        self,
        matrix: FeatureMatrix,
        quality: NDArray[np.float64],
        costs: NDArray[np.float64],
        *,
        weights: NDArray[np.float64] | None = None,
        jobs: int = 1,
    ) -> LinearFit:
        """Fit on all rows of ``matrix``.

        Parameters
        ----------
        quality : (n, t), 0..1, NaN where not observed: a tier learns from the rows that observed it.
        costs : (n, t) USD, 0 or more.
        weights : (n, t) rows' worth of each quality; None: one each. Those of a tier are scaled to sum up to its
            effective rows, so that a few heavy ones are not believed more than they say.
        """
        space = Space.of(matrix, self)
        design = space.design(matrix)
        heads = Parallel(n_jobs=jobs)(
            delayed(_logistic)(design, scores, self.C, counts) for scores, counts in _columns(quality, weights)
        )
        heads += [_log_ridge(design, column) for column in costs.T]
        coefficients = np.stack([head[0] for head in heads], axis=1)
        return LinearFit(space, coefficients, np.array([head[1] for head in heads]))


@dataclass(frozen=True, slots=True)
class LinearFit:
    """A fitted linear model.

    Attributes
    ----------
    coefficients : (columns of the design, 2t).
    bias : (2t,).
    """

    space: Space
    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]

    def outputs(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """(n, 2t): quality logits and log costs in USD."""
        return np.asarray(self.space.design(matrix) @ self.coefficients + self.bias)

    @property
    def linear(self) -> LinearFit:
        """The linear part: all of it."""
        return self

    def tree_weights(self) -> None:
        """No trees: the linear model alone."""
        return None

    def weights(self) -> LinearWeights:
        """The same model in the runtime's form."""
        space, count = self.space, len(self.space.buckets)
        terms, dense, tasks = np.split(self.coefficients, [count, count + len(space.mean)])
        return LinearWeights(
            buckets=space.buckets.astype(np.uint32),
            terms=np.column_stack([terms * space.idf[:, None], space.idf**2]).astype(np.float32),
            dense_mean=space.mean,
            dense_scale=space.scale,
            dense=dense * space.dense_weight,
            tasks=np.vstack([tasks * space.task_weight, np.zeros((1, len(self.bias)))]),
            bias=self.bias,
        )


@dataclass(frozen=True, slots=True)
class Space:
    """What turns features into the design matrix, learned from the fitted rows only."""

    buckets: NDArray[np.int64]
    idf: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    dense_weight: float
    tasks: tuple[str, ...]
    task_weight: float

    @classmethod
    def of(cls, matrix: FeatureMatrix, learner: LinearLearner) -> Space:
        """Learn from all rows of ``matrix`` what is known and how it is scaled."""
        rows = len(matrix)
        frequency = np.bincount(matrix.terms.indices, minlength=matrix.terms.shape[1])
        # Terms of nearly every row (instructions around each question) tell nothing apart.
        buckets = np.flatnonzero((frequency >= min(learner.min_rows, rows)) & (frequency <= max(1, _MAX_SHARE * rows)))
        spread = matrix.dense.std(axis=0)
        return cls(
            buckets=buckets,
            idf=np.log((1 + rows) / (1 + frequency[buckets])) + _is_word(buckets),
            mean=matrix.dense.mean(axis=0),
            # A feature that never varied here must not speak at run time either.
            scale=np.where(spread < _NO_SPREAD, 1.0 / _NO_SPREAD, spread),
            dense_weight=learner.dense_weight,
            tasks=_common_tasks(matrix.tasks, learner.min_rows),
            task_weight=learner.task_weight,
        )

    def design(self, matrix: FeatureMatrix) -> sparse.csr_matrix:
        """(n, terms + dense + tasks) sparse."""
        first, last = self.word_count, int(np.searchsorted(self.buckets, CONTEXT_FROM))
        grams, context = slice(first, last), slice(last, None)
        return sparse.hstack(
            [
                self.words(matrix),
                _unit_rows(matrix.terms[:, self.buckets[grams]], self.idf[grams]),
                _unit_rows(matrix.terms[:, self.buckets[context]], self.idf[context]),
                sparse.csr_matrix(self.standardised(matrix) * self.dense_weight),
                sparse.csr_matrix(self.one_hot(matrix) * self.task_weight),
            ],
            format="csr",
        )

    @property
    def word_count(self) -> int:
        """How many of the buckets, from the first, are word n-grams."""
        return int(np.searchsorted(self.buckets, N_WORD_BUCKETS))

    def words(self, matrix: FeatureMatrix) -> sparse.csr_matrix:
        """(n, word n-grams): idf weights, each row of unit length."""
        split = self.word_count
        return _unit_rows(matrix.terms[:, self.buckets[:split]], self.idf[:split])

    def standardised(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """(n, d): dense features in standard deviations from the mean, clipped."""
        scaled: NDArray[np.float64] = np.clip((matrix.dense - self.mean) / self.scale, -DENSE_CLIP, DENSE_CLIP)
        return scaled

    def task_rows(self, matrix: FeatureMatrix) -> NDArray[np.int64]:
        """(n,): place of each row's task among the known ones; -1 for any other, or none."""
        place = {label: row for row, label in enumerate(self.tasks)}
        return np.array([-1 if task is None else place.get(task, -1) for task in matrix.tasks], np.int64)

    def one_hot(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """(n, tasks): 1.0 where a row has a known task."""
        rows = self.task_rows(matrix)
        known = np.flatnonzero(rows >= 0)
        hot = np.zeros((len(matrix), len(self.tasks)))
        hot[known, rows[known]] = 1.0
        return hot


def _is_word(buckets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which terms are words or pairs of them; the others are byte n-grams, of which those of many rows say little."""
    return (buckets < N_WORD_BUCKETS) | (buckets >= CONTEXT_FROM)


def _common_tasks(tasks: Sequence[str | None], min_rows: int) -> tuple[str, ...]:
    """Tasks with rows enough to be learned from, sorted; free text may give nearly every row a task of its own."""
    counts = Counter(task for task in tasks if task is not None)
    common = sorted((task for task, rows in counts.items() if rows >= min_rows), key=lambda task: (-counts[task], task))
    return tuple(sorted(common[:_MOST_TASKS]))


def _unit_rows(terms: sparse.csr_matrix, idf: NDArray[np.float64]) -> sparse.csr_matrix:
    """Binary term rows weighted by idf, each scaled to unit length."""
    weighted = sparse.csr_matrix(terms.multiply(idf))
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1.0 / np.where(lengths > 0, lengths, 1.0)) @ weighted)


def _columns(
    quality: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Each tier's quality and weights, (n,) both."""
    counts = np.ones(quality.shape) if weights is None else weights
    return [(scores, effective(scores, count)) for scores, count in zip(quality.T, counts.T, strict=True)]


def _logistic(
    design: sparse.csr_matrix, quality: NDArray[np.float64], C: float, counts: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], float]:
    """Logistic regression on scores in 0..1: a score s counts as s of a success and 1 - s of a failure.

    Parameters
    ----------
    counts : (n,) weights of the scores; None: one each.
    """
    counts = np.ones(len(quality)) if counts is None else counts
    seen = np.flatnonzero(~np.isnan(quality) & (counts > 0))
    scores = quality[seen]
    rows = np.concatenate([seen[scores > 0], seen[scores < 1]])
    target = np.concatenate([np.ones((scores > 0).sum()), np.zeros((scores < 1).sum())])
    weight = np.concatenate([scores[scores > 0], 1 - scores[scores < 1]]) * counts[rows]
    if len(np.unique(target)) < 2:
        # One class only: its smoothed log odds (rule of succession) and no slopes.
        return np.zeros(design.shape[1]), float(
            np.log((weight[target == 1].sum() + 1) / (weight[target == 0].sum() + 1))
        )
    # The dual suits rows far fewer than terms; a larger intercept_scaling leaves the intercept all but unpenalised.
    solver: Any = LogisticRegression(
        C=C, solver="liblinear", dual=True, intercept_scaling=10.0, tol=1e-2, max_iter=1000, random_state=0
    )
    fitted = solver.fit(design[rows], target, sample_weight=weight)
    return fitted.coef_[0], float(fitted.intercept_[0])


def _log_ridge(design: sparse.csr_matrix, costs: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Ridge on log costs, smeared back so that exp(output) is a mean (Duan, "Smearing Estimate", JASA 78, 1983)."""
    logs = log_amounts(costs)
    if np.ptp(logs) < _NO_SPREAD:
        return np.zeros(design.shape[1]), float(logs[0])
    fitted: Any = Ridge(alpha=_COST_ALPHA, solver="lsqr", tol=1e-4).fit(design, logs)
    residuals = logs - fitted.predict(design)
    return fitted.coef_, float(fitted.intercept_ + np.log(np.mean(np.exp(residuals))))
