"""How unlike the training requests a request is, as a calibrated score.

Two measures: the share of its word n-grams that training did not know, and the squared distance of its standardised
dense features to the nearest centre of the training requests (k-means). Each is turned into the share of training
requests, held out from what measures them, that are at least as unusual: a conformal p-value (Bates et al., "Testing
for Outliers with Conformal p-values", Annals of Statistics 51, 2023). The score is one minus twice the smaller
(Bonferroni), so of requests like the training's about one in a hundred scores above 0.99.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import Artifact, expect_at_most, require, require_weights, unfit
from classifier.compiled import COMPILED
from classifier.compiled.pool import Pool
from classifier.features import N_WORD_BUCKETS, FeatureRows, Features
from classifier.model import DENSE_CLIP, LinearWeights

if TYPE_CHECKING:
    from classifier.compiled import _forward

NOVEL = 0.99
MAX_CENTRES = 256
MAX_LEVELS = 1_024


@dataclass(frozen=True, slots=True)
class NoveltyScale:
    """What novelty is measured by.

    Attributes
    ----------
    varied : (v,) int32, the dense features that differ between training requests. The others taught the model nothing,
        and a table that never mentions them (a limit on tokens, tools) should not make every live request novel.
    centres : (k, v) float64, in the linear model's standardised features.
    levels : (s,) float64, shares of the training requests, rising from 0 to 1.
    unknown, distance : (s,) float64, the two measures' quantiles at these levels.
    """

    varied: NDArray[np.int32]
    centres: NDArray[np.float64]
    levels: NDArray[np.float64]
    unknown: NDArray[np.float64]
    distance: NDArray[np.float64]


class Novelty:
    """Scores requests; threads may share it.

    Attributes
    ----------
    quantiles : (3, s), the scale's levels, unknown and distance.
    """

    def __init__(self, scale: NoveltyScale, weights: LinearWeights, *, compiled: bool = COMPILED) -> None:
        """Index what is known; ``weights`` are the model's, whose vocabulary and standardisation are used."""
        self._known = np.zeros(N_WORD_BUCKETS, np.float32)
        self._known[weights.buckets[: np.searchsorted(weights.buckets, N_WORD_BUCKETS)]] = 1.0
        self._varied = scale.varied
        self._mean, self._scale = weights.dense_mean[scale.varied], weights.dense_scale[scale.varied]
        self._centres, self._squares = scale.centres, (scale.centres**2).sum(axis=1)
        self.quantiles = np.stack([scale.levels, scale.unknown, scale.distance])
        self._compiled = self._compile() if compiled else None
        self._measures = Pool(self.measures)

    @property
    def compiled(self) -> bool:
        """Whether `measures` may be called."""
        return self._compiled is not None

    def score(self, features: Features) -> float:
        """0 (as usual as can be) to 1 (unlike all training requests); above `NOVEL` it is novel."""
        levels, unknown, distance = self.quantiles
        usual = max(
            _level(unknown, levels, self._unknown_share(features)),
            _level(distance, levels, self._nearest(features)),
        )
        return max(0.0, 1.0 - 2.0 * (1.0 - usual))

    def score_many(self, rows: FeatureRows) -> NDArray[np.float64]:
        """`score` of n requests, (n,)."""
        if self._compiled is None:
            return np.array([self.score(features) for features in rows], np.float64)
        known, nearest = measures = self._measures.take()
        shares = known.shares(rows.terms, rows.ends, rows.word_terms)
        unknown, distance = np.where(rows.word_terms > 0, 1.0 - shares, 0.0), nearest.distances(rows.dense)
        self._measures.give(measures)
        levels, *quantiles = self.quantiles
        below = np.concatenate([[0.0], levels])
        usual = np.maximum(*map(below.take, map(np.searchsorted, quantiles, (unknown, distance))))
        scores: NDArray[np.float64] = np.maximum(0.0, 1.0 - 2.0 * (1.0 - usual))
        return scores

    def measures(self) -> tuple[_forward.Vocabulary, _forward.Nearest]:
        """What counts known word n-grams and what measures the distance, compiled; for one thread at a time."""
        assert self._compiled is not None
        known, nearest = self._compiled
        return known, nearest.twin()

    def _compile(self) -> tuple[_forward.Vocabulary, _forward.Nearest]:
        from classifier.compiled import _forward

        words = np.flatnonzero(self._known).astype(np.uint32)
        scaler = _forward.Scaler(self._mean, self._scale)
        return _forward.Vocabulary(words, N_WORD_BUCKETS), _forward.Nearest(self._varied, scaler, self._centres)

    def _unknown_share(self, features: Features) -> float:
        words = features.word_terms
        return 1.0 - float(self._known.take(features.terms[:words]).sum()) / words if words else 0.0

    def _nearest(self, features: Features) -> float:
        scaled = (features.dense.take(self._varied) - self._mean) / self._scale
        np.clip(scaled, -DENSE_CLIP, DENSE_CLIP, out=scaled)
        return float((self._squares - 2.0 * (self._centres @ scaled)).min() + scaled @ scaled)


def _level(quantiles: NDArray[np.float64], levels: NDArray[np.float64], value: float) -> float:
    """The share of training requests that are surely less unusual than ``value``."""
    place = int(np.searchsorted(quantiles, value))
    return float(levels[place - 1]) if place else 0.0


def dump_novelty(scale: NoveltyScale) -> dict[str, NDArray[np.generic]]:
    """Tensors for `classifier.artifact.write_artifact`."""
    return {
        "novelty_varied": scale.varied,
        "novelty_centres": scale.centres,
        "novelty_quantiles": np.stack([scale.levels, scale.unknown, scale.distance]),
    }


def load_novelty(artifact: Artifact, weights: LinearWeights) -> Novelty:
    """The novelty score of an artifact.

    Raises
    ------
    ArtifactError : a tensor is missing or does not fit the model.
    """
    varied = require(artifact, "novelty_varied", np.int32, (None,))
    known = len(weights.dense_mean)
    if len(varied) and not (varied[0] >= 0 and varied[-1] < known and (varied[1:] > varied[:-1]).all()):
        raise unfit(
            artifact, "tensor 'novelty_varied'", "is no list of features", f"rising numbers from 0 below {known}"
        )
    centres = require_weights(artifact, "novelty_centres", np.float64, (None, len(varied)))
    expect_at_most(artifact, "tensor 'novelty_centres'", len(centres), MAX_CENTRES)
    if not len(centres):
        raise unfit(artifact, "tensor 'novelty_centres'", "is empty", "at least one centre")
    quantiles = require(artifact, "novelty_quantiles", np.float64, (3, None))
    levels = quantiles[0]
    expect_at_most(artifact, "the last axis of tensor 'novelty_quantiles'", len(levels), MAX_LEVELS)
    rising = len(levels) > 0 and (quantiles[:, 1:] >= quantiles[:, :-1]).all() and levels[0] >= 0 and levels[-1] <= 1
    if not rising:
        raise unfit(artifact, "tensor 'novelty_quantiles'", "does not rise", "rising rows, the first from 0 to 1")
    return Novelty(NoveltyScale(varied, centres, *quantiles), weights)
