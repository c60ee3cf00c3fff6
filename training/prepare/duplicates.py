"""Near-duplicate prompts, found so that they never stand on two sides of a split.

Prompts are compared by the sets of their word 1- and 2-grams (MinHash signatures and banding: Broder, "On the
Resemblance and Containment of Documents", 1997, by the library rensa; candidates are then checked exactly). N-grams
that many prompts share are left out first: the instructions around every question of a task make no two alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash, RMinHashLSH
from scipy import sparse

from classifier.features import N_WORD_BUCKETS

SIMILARITY = 0.6
_COMMON_ROWS = 10
_COMMON_SHARE = 0.01
_LEAST_TERMS = 5
_PERMUTATIONS = 128
_BANDS = 32
_SEED = 42


def near_duplicates(terms: sparse.csr_matrix, similarity: float = SIMILARITY) -> list[tuple[int, int]]:
    """Pairs of rows whose distinctive word n-grams have a Jaccard similarity of at least ``similarity``.

    Parameters
    ----------
    terms : (n, N_BUCKETS) sparse, from `training.learners.matrix`; a row's term buckets.

    Returns
    -------
    (lower row, higher row) pairs. Rows with fewer than 5 distinctive n-grams are in none. MinHash may miss pairs close
    to the bound, and never adds one.
    """
    sets = _distinctive(terms)
    signatures = RMinHash.from_token_sets([[str(term) for term in kept] for kept in sets], _PERMUTATIONS, _SEED)
    index = RMinHashLSH(similarity, _PERMUTATIONS, _BANDS)
    index.insert_pairs(list(enumerate(signatures)))
    found = index.query_all(signatures)
    return [
        (row, other)
        for row, others in enumerate(found)
        for other in others
        if other > row and _alike(sets[row], sets[other], similarity)
    ]


def _distinctive(terms: sparse.csr_matrix) -> list[frozenset[int]]:
    words = terms[:, :N_WORD_BUCKETS].tocsr()
    frequency = np.bincount(words.indices, minlength=N_WORD_BUCKETS)
    rare: NDArray[np.bool_] = frequency <= max(_COMMON_ROWS, _COMMON_SHARE * words.shape[0])
    rows = (words.indices[start:end] for start, end in zip(words.indptr, words.indptr[1:], strict=False))
    return [frozenset(row[rare[row]].tolist()) for row in rows]


def _alike(one: frozenset[int], other: frozenset[int], similarity: float) -> bool:
    if min(len(one), len(other)) < _LEAST_TERMS:
        return False
    shared = len(one & other)
    return shared >= similarity * (len(one) + len(other) - shared)
