"""Oblivious regression trees: every level of a tree asks one question, so a leaf's number is the answers' bits.

All trees are evaluated at once by a handful of array operations, whatever the request.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEPTH = 8  # a tree's answers make one byte


@dataclass(frozen=True, slots=True)
class ObliviousTrees:
    """A sum of k trees with t outputs.

    Attributes
    ----------
    features : (k, DEPTH) int32, the input that each level looks at.
    thresholds : (k, DEPTH) float32; the answer is 1 where the input is above it. The first level is the highest bit.
    leaves : (k * 2**DEPTH, t) float32, tree by tree.
    base : (t,) float64, what the trees add to.
    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.float32]
    base: NDArray[np.float64]

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs (t,) for one row of inputs (p,)."""
        above = inputs.take(self.features) > self.thresholds
        leaf = np.packbits(above, axis=1).ravel() + self._offsets()
        total: NDArray[np.float64] = self.leaves.take(leaf, axis=0).sum(axis=0, dtype=np.float64) + self.base
        return total

    def predict_many(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs (n, t) for rows of inputs (n, p)."""
        total = np.tile(self.base, (len(inputs), 1))
        for tree, offset in enumerate(self._offsets()):
            above = inputs[:, self.features[tree]] > self.thresholds[tree]
            total += self.leaves[offset + np.packbits(above, axis=1).ravel().astype(np.int64)]
        return total

    def _offsets(self) -> NDArray[np.int64]:
        return np.arange(len(self.features), dtype=np.int64) << DEPTH
