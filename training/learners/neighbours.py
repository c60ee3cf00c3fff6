"""Nearest neighbours: the baseline that expects of a request what happened to the requests most like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learners.linear import LinearLearner, Space
from training.learners.matrix import FeatureMatrix
from training.learners.projection import TextView

_NEIGHBOURS = 60
_SHARPNESS = 6.0
_DIMENSIONS = 64
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Rows to be near to, in the representation that the forest sees.

    Attributes
    ----------
    unit : (n, p), rows of unit length.
    quality : (n, t), NaN where not observed.
    """

    view: TextView
    unit: NDArray[np.float32]
    quality: NDArray[np.float64]

    @classmethod
    def fit(cls, matrix: FeatureMatrix, quality: NDArray[np.float64]) -> Neighbours:
        """Remember all rows of ``matrix`` and their quality (n, t), NaN where not observed."""
        view = TextView.of(matrix, Space.of(matrix, LinearLearner()), quality, _DIMENSIONS)
        return cls(view, _unit(view.inputs(matrix)), quality)

    def predict(self, matrix: FeatureMatrix) -> NDArray[np.float64]:
        """Expected quality (m, t): means over the 60 nearest rows by cosine, nearer ones counting more."""
        wanted = _unit(self.view.inputs(matrix))
        return np.concatenate(
            [self._expected(wanted[start : start + _BLOCK]) for start in range(0, len(wanted), _BLOCK)]
        )

    def _expected(self, wanted: NDArray[np.float32]) -> NDArray[np.float64]:
        alike = wanted @ self.unit.T
        count = min(_NEIGHBOURS, len(self.unit))
        nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        weights = np.exp((np.take_along_axis(alike, nearest, axis=1) - 1.0) * _SHARPNESS)[:, :, None]
        seen = ~np.isnan(self.quality)
        held = (weights * seen[nearest]).sum(axis=1)
        total = (weights * np.where(seen, self.quality, 0.0)[nearest]).sum(axis=1)
        expected: NDArray[np.float64] = np.where(
            held > 0, total / np.where(held > 0, held, 1.0), self.view.task_means[-1]
        )
        return expected


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0), np.float32)
