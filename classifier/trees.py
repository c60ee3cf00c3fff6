"""A forest of regression trees as flat arrays: data to follow, no objects to walk.

All trees are descended at once, one level a step, by a handful of array operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from classifier.compiled import _forward

MAX_DEPTH = 32
MAX_TREES = 1_000


@dataclass(frozen=True, slots=True)
class Forest:
    """A sum of trees with t outputs over p inputs; k nodes in all.

    Attributes
    ----------
    features : (k,) int32, the input that a node looks at.
    thresholds : (k,) float32; a leaf's is the greatest there is.
    children : (k,) int32, at most k - 2: where to go from a node when its input is at most the threshold; the node
        after that one is where to go when it is above. A leaf's child is the leaf itself.
    values : (k, t) float32, what a node adds to the outputs when the descent ends there.
    roots : (trees,) int32, at most `MAX_TREES`.
    depth : steps from a root, at most `MAX_DEPTH`.
    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    children: NDArray[np.int32]
    values: NDArray[np.float32]
    roots: NDArray[np.int32]
    depth: int

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs (t,) for one row of inputs (p,)."""
        at = self.roots
        for _ in range(self.depth):
            above = inputs.take(self.features.take(at)) > self.thresholds.take(at)
            at = self.children.take(at) + above
        total: NDArray[np.float64] = self.values.take(at, axis=0).sum(axis=0, dtype=np.float64)
        return total

    def compiled(self) -> _forward.Forest:
        """`predict`, compiled."""
        from classifier.compiled import _forward

        return _forward.Forest(self.features, self.thresholds, self.children, self.values, self.roots, self.depth)

    def predict_many(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs (n, t) for rows of inputs (n, p)."""
        total = np.zeros((len(inputs), self.values.shape[1]))
        rows = np.arange(len(inputs))
        for root in self.roots:
            at = np.full(len(inputs), root)
            for _ in range(self.depth):
                at = self.children[at] + (inputs[rows, self.features[at]] > self.thresholds[at])
            total += self.values[at]
        return total
