"""Extremely randomised trees, grown by scikit-learn and put into the runtime's form.

Source: Geurts et al., "Extremely Randomized Trees", Machine Learning 63, 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from classifier.trees import Forest

_NOT_ABOVE = np.finfo(np.float32).max


@dataclass(frozen=True, slots=True)
class ForestLearner:
    """Grows a forest.

    Attributes
    ----------
    trees : how many.
    depth : of the deepest leaf; it bounds both what the artifact weighs and the time of a decision.
    min_leaf : rows that a leaf must hold.
    max_features : share of the inputs that a split may choose from.
    most_rows : drawn for each tree, with replacement, at most.
    seed : of the random generator.
    """

    trees: int = 100
    depth: int = 12
    min_leaf: int = 4
    max_features: float = 0.3
    most_rows: int = 20_000
    seed: int = 0

    def fit(
        self, inputs: NDArray[np.float32], quality: NDArray[np.float64], *, jobs: int = 1
    ) -> tuple[Forest, NDArray[np.float64]]:
        """Fit on rows of inputs (n, p) and quality (n, t), both complete.

        Returns
        -------
        The forest, whose sum is the mean of its trees, and what trees that did not see a row expect of it, (n, t); the
        overall mean where every tree saw it.
        """
        grown: Any = ExtraTreesRegressor(
            self.trees,
            min_samples_leaf=self.min_leaf,
            max_depth=self.depth,
            max_features=self.max_features,
            bootstrap=True,
            max_samples=min(len(inputs), self.most_rows),
            random_state=self.seed,
            n_jobs=jobs,
        ).fit(inputs, quality)
        forest = _flattened([each.tree_ for each in grown.estimators_])
        return forest, _out_of_bag(grown, inputs, quality)


def _out_of_bag(
    grown: ExtraTreesRegressor, inputs: NDArray[np.float32], quality: NDArray[np.float64]
) -> NDArray[np.float64]:
    total, unseen = np.zeros_like(quality), np.zeros(len(inputs))
    for tree, seen in zip(grown.estimators_, grown.estimators_samples_, strict=True):
        rows = np.setdiff1d(np.arange(len(inputs)), seen)
        if len(rows):
            total[rows] += tree.predict(inputs[rows]).reshape(len(rows), -1)
            unseen[rows] += 1
    return np.where(unseen[:, None] > 0, total / np.maximum(unseen, 1)[:, None], quality.mean(axis=0))


def _flattened(trees: list[Any]) -> Forest:
    """scikit-learn's trees in one numbering, siblings side by side, and a last node that nothing leads to."""
    features, thresholds, children, values = zip(*(_siblings_adjacent(tree) for tree in trees), strict=True)
    ends = np.cumsum([0, *(len(part) for part in features)])
    moved = [part + start for part, start in zip(children, ends[:-1], strict=True)]
    return Forest(
        features=np.append(np.concatenate(features), 0).astype(np.int32),
        thresholds=np.append(np.concatenate(thresholds), _NOT_ABOVE),
        children=np.append(np.concatenate(moved), 0).astype(np.int32),
        values=np.pad(np.concatenate(values) / len(trees), ((0, 1), (0, 0))).astype(np.float32),
        roots=ends[:-1].astype(np.int32),
        depth=max(tree.max_depth for tree in trees),
    )


def _siblings_adjacent(
    tree: Any,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """A tree's features, thresholds, children and values, node by node, level after level."""
    levels = [np.zeros(1, np.int64)]
    while len(levels[-1]):
        inner = levels[-1][tree.children_left[levels[-1]] >= 0]
        levels.append(np.stack([tree.children_left[inner], tree.children_right[inner]], axis=1).ravel())
    order = np.concatenate(levels)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    leaf = tree.children_left[order] < 0
    thresholds = tree.threshold[order].astype(np.float32)
    # scikit-learn compares float32 inputs with float64 thresholds: the next float32 below decides alike.
    thresholds = np.where(thresholds > tree.threshold[order], np.nextafter(thresholds, np.float32(-np.inf)), thresholds)
    return (
        np.where(leaf, 0, tree.feature[order]),
        np.where(leaf, _NOT_ABOVE, thresholds),
        np.where(leaf, place[order], place[tree.children_left[order]]),
        tree.value[order, :, 0],
    )
