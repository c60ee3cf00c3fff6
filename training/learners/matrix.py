"""Features of many requests as matrices: the training side of `classifier.features`, row by row the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import sparse

from classifier.features import N_BUCKETS, FeatureExtractor, Features
from classifier.keywords import KeywordGroups
from classifier.request import Request
from classifier.tokens import token_counter
from training.progress import Progress

_CHUNK = 500
_ROWS_WORTH_WORKERS = 20_000


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Features of n requests.

    Attributes
    ----------
    terms : (n, N_BUCKETS) sparse, 1.0 where a request has a term.
    dense : (n, d) float64.
    tasks : normalised task label of each request, or None.
    tokens : (n,) input tokens of each whole request.
    """

    terms: sparse.csr_matrix
    dense: NDArray[np.float64]
    tasks: tuple[str | None, ...]
    tokens: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.tasks)

    def rows(self, rows: NDArray[np.int64]) -> FeatureMatrix:
        """The features of some rows only."""
        return FeatureMatrix(
            self.terms[rows], self.dense[rows], tuple(self.tasks[row] for row in rows), self.tokens[rows]
        )


def build_matrix(
    requests: Sequence[Request],
    keywords: KeywordGroups,
    tokens: str,
    *,
    jobs: int = -1,
    progress: Progress | None = None,
) -> FeatureMatrix:
    """Extract the features of all requests, in parallel when there are many.

    Parameters
    ----------
    tokens : name of a token counter, as `classifier.tokens.token_counter` takes it.
    jobs : joblib workers (-1: one a core); the backend is joblib's, so a cluster may be plugged in there.
    progress : called with rows done and rows in all.
    """
    starts = range(0, len(requests), _CHUNK)
    workers = jobs if len(requests) >= _ROWS_WORTH_WORKERS else 1
    chunks = Parallel(n_jobs=workers, return_as="generator")(
        delayed(_extract_all)(requests[start : start + _CHUNK], keywords, tokens) for start in starts
    )
    features: list[Features] = []
    for chunk in chunks:
        features += chunk
        if progress is not None:
            progress(len(features), len(requests))
    return stack_features(features)


def stack_features(features: Sequence[Features]) -> FeatureMatrix:
    """Stack single requests' features into matrices."""
    ends = np.cumsum([0, *(len(each.terms) for each in features)])
    buckets = np.concatenate([each.terms for each in features]).astype(np.int32)
    terms = sparse.csr_matrix((np.ones(len(buckets)), buckets, ends), shape=(len(features), N_BUCKETS))
    return FeatureMatrix(
        terms,
        np.stack([each.dense for each in features]),
        tuple(each.task for each in features),
        np.array([each.tokens for each in features]),
    )


def joined(first: FeatureMatrix, second: FeatureMatrix) -> FeatureMatrix:
    """The rows of the one, then those of the other."""
    return FeatureMatrix(
        sparse.vstack([first.terms, second.terms], format="csr"),
        np.vstack([first.dense, second.dense]),
        first.tasks + second.tasks,
        np.concatenate([first.tokens, second.tokens]),
    )


def _extract_all(requests: Sequence[Request], keywords: KeywordGroups, tokens: str) -> list[Features]:
    counter = token_counter(tokens)
    extract = FeatureExtractor(keywords, counter)
    return [extract(request) for request in requests]
