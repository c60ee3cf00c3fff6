"""Gradient boosting of randomised oblivious trees, for several outputs at once.

Least-squares boosting (Friedman, "Greedy Function Approximation", Annals of Statistics 29, 2001) of oblivious trees
(Prokhorenkova et al., "CatBoost", NeurIPS 2018), each level the best of a few questions drawn at random, as extremely
randomised trees do (Geurts et al., Machine Learning 63, 2006). scikit-learn's trees are as good, but a request would
have to walk each of them level by level; these are evaluated all at once (`classifier.trees`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.trees import DEPTH, ObliviousTrees

_LEAVES = 1 << DEPTH


@dataclass(frozen=True, slots=True)
class ObliviousBoosting:
    """Fits `ObliviousTrees`.

    Attributes
    ----------
    trees : how many.
    rate : shrinkage of each tree.
    questions : random questions tried a level.
    sample : share of the rows that a tree is grown on.
    ridge : rows of residual zero added to each leaf.
    seed : of the random generator.
    """

    trees: int = 300
    rate: float = 0.06
    questions: int = 24
    sample: float = 0.6
    ridge: float = 6.0
    seed: int = 0

    def fit(self, inputs: NDArray[np.float32], targets: NDArray[np.float64]) -> ObliviousTrees:
        """Fit on rows of inputs (n, p) and targets (n, t), both complete."""
        random = np.random.default_rng(self.seed)
        columns = np.ascontiguousarray(inputs.T, np.float32)
        varied = np.flatnonzero(np.ptp(columns, axis=1) > 0)
        base = targets.mean(axis=0)
        if not len(varied):
            return _no_trees(base)
        residuals = targets - base
        grown = []
        for _ in range(self.trees):
            rows = np.flatnonzero(random.random(len(inputs)) < self.sample)
            if len(rows) < 2:
                rows = np.arange(len(inputs))
            features, thresholds = self._grow(columns, residuals, rows, varied, random)
            leaf = np.packbits(columns[features] > thresholds[:, None], axis=0).ravel()
            leaves = self._leaf_values(leaf[rows], residuals[rows])
            residuals -= leaves[leaf]
            grown.append((features, thresholds, leaves))
        return ObliviousTrees(
            features=np.stack([tree[0] for tree in grown]).astype(np.int32),
            thresholds=np.stack([tree[1] for tree in grown]),
            leaves=np.concatenate([tree[2] for tree in grown]).astype(np.float32),
            base=base,
        )

    def _grow(
        self,
        columns: NDArray[np.float32],
        residuals: NDArray[np.float64],
        rows: NDArray[np.int64],
        varied: NDArray[np.int64],
        random: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """One tree's questions (DEPTH,): at each level the drawn one that leaves the least squared residual."""
        features, thresholds = np.empty(DEPTH, np.int64), np.empty(DEPTH, np.float32)
        leaf = np.zeros(len(rows), np.int64)
        sampled = residuals[rows]
        for level in range(DEPTH):
            drawn = random.choice(varied, self.questions)
            one, other = rows[random.integers(len(rows), size=(2, self.questions))]
            # A threshold half-way between two rows falls where rows are.
            cuts = (columns[drawn, one] + columns[drawn, other]) / 2
            above = columns[drawn][:, rows] > cuts[:, None]
            best = int(np.argmax(self._gains(leaf, above, sampled, 2 << level)))
            features[level], thresholds[level] = drawn[best], cuts[best]
            leaf = leaf * 2 + above[best]
        return features, thresholds

    def _gains(
        self,
        leaf: NDArray[np.int64],
        above: NDArray[np.bool_],
        residuals: NDArray[np.float64],
        leaves: int,
    ) -> NDArray[np.float64]:
        """Squared residual that each question (q,) would explain after the leaves so far; above is (q, n)."""
        count = len(above)
        codes = (leaf * 2 + above + (np.arange(count) * leaves)[:, None]).ravel()
        size = count * leaves
        held = np.bincount(codes, minlength=size) + self.ridge
        gains = np.zeros(size)
        for column in residuals.T:
            gains += np.bincount(codes, weights=np.tile(column, count), minlength=size) ** 2
        summed: NDArray[np.float64] = (gains / held).reshape(count, leaves).sum(axis=1)
        return summed

    def _leaf_values(self, leaf: NDArray[np.uint8], residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        held = np.bincount(leaf, minlength=_LEAVES) + self.ridge
        sums = np.stack([np.bincount(leaf, weights=column, minlength=_LEAVES) for column in residuals.T], axis=1)
        values: NDArray[np.float64] = self.rate * sums / held[:, None]
        return values


def _no_trees(base: NDArray[np.float64]) -> ObliviousTrees:
    return ObliviousTrees(
        np.empty((0, DEPTH), np.int32), np.empty((0, DEPTH), np.float32), np.empty((0, len(base)), np.float32), base
    )
