from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from classifier.trees import DEPTH, ObliviousTrees


def random_trees(count: int, inputs: int, outputs: int, seed: int) -> ObliviousTrees:
    random = np.random.default_rng(seed)
    return ObliviousTrees(
        features=random.integers(inputs, size=(count, DEPTH)).astype(np.int32),
        thresholds=random.normal(size=(count, DEPTH)).astype(np.float32),
        leaves=random.normal(size=(count << DEPTH, outputs)).astype(np.float32),
        base=random.normal(size=outputs),
    )


def walked(trees: ObliviousTrees, row: NDArray[np.float32]) -> NDArray[np.float64]:
    """The sum of trees by its definition: question by question, tree by tree."""
    total = trees.base.copy()
    for tree, (features, thresholds) in enumerate(zip(trees.features, trees.thresholds, strict=True)):
        leaf = 0
        for feature, threshold in zip(features, thresholds, strict=True):
            leaf = leaf * 2 + int(row[feature] > threshold)
        total += trees.leaves[(tree << DEPTH) + leaf]
    return total


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    arrays.arrays(np.float32, (3, 5), elements=st.floats(-5, 5, width=32)),
    st.integers(0, 2**16),
)
def test_one_row_many_rows_and_the_definition_agree(
    count: int, outputs: int, rows: NDArray[np.float32], seed: int
) -> None:
    trees = random_trees(count, 5, outputs, seed)
    together = trees.predict_many(rows)
    for row, many in zip(rows, together, strict=True):
        np.testing.assert_allclose(trees.predict(row), walked(trees, row), atol=1e-5)
        np.testing.assert_allclose(many, walked(trees, row), atol=1e-5)


def test_without_trees_the_base_remains() -> None:
    trees = random_trees(0, 5, 2, 0)
    np.testing.assert_array_equal(trees.predict(np.zeros(5, np.float32)), trees.base)
    np.testing.assert_array_equal(trees.predict_many(np.zeros((3, 5), np.float32)), np.tile(trees.base, (3, 1)))
