"""Fitting the novelty score of `classifier.novelty` on the rows that the model was fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.model_selection import GroupKFold

from classifier.features import N_WORD_BUCKETS
from classifier.model import DENSE_CLIP, LinearWeights
from classifier.novelty import NoveltyScale
from training.learners.matrix import FeatureMatrix

_MOST_CENTRES = 32
_ROWS_PER_CENTRE = 25
_FOLDS = 4
_FITTED_ROWS = 20_000
# Dense where it matters, in the upper tail.
_LEVELS = np.concatenate([np.linspace(0, 0.95, 20), np.linspace(0.955, 0.995, 9), np.linspace(0.996, 1, 9)])


def fit_novelty(matrix: FeatureMatrix, groups: NDArray[np.int64], weights: LinearWeights) -> NoveltyScale:
    """Learn what is usual; each row's own unusualness is measured by what the rows of other groups know.

    Parameters
    ----------
    matrix : the rows that the model was fitted on; at most 20,000 of them, evenly spread, are looked at.
    groups : (n,) group numbers.
    weights : the model's, in the runtime's form.
    """
    if not matrix.terms.nnz and not np.ptp(matrix.dense, axis=0).any():
        return _nothing_to_tell_by()
    rows = np.unique(np.linspace(0, len(matrix) - 1, min(len(matrix), _FITTED_ROWS)).astype(np.int64))
    varied = np.flatnonzero(np.ptp(matrix.dense, axis=0) > 0).astype(np.int32)
    scaled = _scaled(matrix.dense[rows], weights, varied)
    distance = np.empty(len(rows))
    folds = min(_FOLDS, len(np.unique(groups[rows])))
    for kept, held in GroupKFold(folds).split(scaled, groups=groups[rows]):
        distance[held] = _distances(scaled[held], _centres(scaled[kept]))
    return NoveltyScale(
        varied,
        _centres(scaled),
        _LEVELS,
        np.quantile(_unknown_without_self(matrix, weights)[rows], _LEVELS, method="higher"),
        np.quantile(distance, _LEVELS, method="higher"),
    )


def _nothing_to_tell_by() -> NoveltyScale:
    """The scale by which nothing is novel: where of the training requests only their tasks are known."""
    levels = len(_LEVELS)
    return NoveltyScale(np.empty(0, np.int32), np.zeros((1, 0)), _LEVELS, np.ones(levels), np.zeros(levels))


def novelty_scores(matrix: FeatureMatrix, scale: NoveltyScale, weights: LinearWeights) -> NDArray[np.float64]:
    """(n,): what `classifier.novelty.Novelty.score` says of each row."""
    known = np.zeros(N_WORD_BUCKETS)
    known[_vocabulary(weights)] = 1.0
    words = matrix.terms[:, :N_WORD_BUCKETS]
    count = np.asarray(words.sum(axis=1)).ravel()
    unknown = np.where(count > 0, 1.0 - words @ known / np.maximum(count, 1.0), 0.0)
    distance = _distances(_scaled(matrix.dense, weights, scale.varied), scale.centres)
    usual = np.maximum(_level(scale, scale.unknown, unknown), _level(scale, scale.distance, distance))
    scores: NDArray[np.float64] = np.maximum(0.0, 1.0 - 2.0 * (1.0 - usual))
    return scores


def _level(scale: NoveltyScale, quantiles: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], scale.levels])[np.searchsorted(quantiles, values, side="left")]


def _vocabulary(weights: LinearWeights) -> NDArray[np.uint32]:
    return weights.buckets[weights.buckets < N_WORD_BUCKETS]


def _unknown_without_self(matrix: FeatureMatrix, weights: LinearWeights) -> NDArray[np.float64]:
    """(n,): share of a row's word n-grams that would not be known had the row not been there."""
    words = matrix.terms[:, :N_WORD_BUCKETS].tocsr()
    rows_with = np.bincount(words.indices, minlength=N_WORD_BUCKETS)
    vocabulary = _vocabulary(weights)
    known = np.zeros(N_WORD_BUCKETS)
    if len(vocabulary):
        # The rarest known term tells how many rows a term must occur in to be known.
        known[vocabulary] = rows_with[vocabulary] > rows_with[vocabulary].min()
    count = np.diff(words.indptr)
    unknown: NDArray[np.float64] = np.where(count > 0, 1.0 - words @ known / np.maximum(count, 1), 0.0)
    return unknown


def _scaled(dense: NDArray[np.float64], weights: LinearWeights, varied: NDArray[np.int32]) -> NDArray[np.float64]:
    standardised = (dense[:, varied] - weights.dense_mean[varied]) / weights.dense_scale[varied]
    scaled: NDArray[np.float64] = np.clip(standardised, -DENSE_CLIP, DENSE_CLIP)
    return scaled


def _centres(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    distinct = len(np.unique(scaled, axis=0))
    count = max(1, min(_MOST_CENTRES, distinct // _ROWS_PER_CENTRE))
    centres: NDArray[np.float64] = KMeans(count, n_init=1, random_state=0).fit(scaled).cluster_centers_
    return centres


def _distances(scaled: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,): squared distance to the nearest centre."""
    nearest = ((centres**2).sum(axis=1) - 2.0 * (scaled @ centres.T)).min(axis=1)
    distances: NDArray[np.float64] = nearest + (scaled**2).sum(axis=1)
    return distances
