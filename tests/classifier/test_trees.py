from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from classifier.trees import Forest

INF, LEAF = np.inf, np.finfo(np.float32).max
# Two trees: one asks of input 0, then, where that is above 0.5, of input 1; the other is a leaf.
FOREST = Forest(
    features=np.array([0, 0, 1, 0, 0, 0, 0], np.int32),
    thresholds=np.array([0.5, LEAF, -1.0, LEAF, LEAF, LEAF, LEAF], np.float32),
    children=np.array([1, 1, 3, 3, 4, 5, 0], np.int32),
    values=np.array([[9, 9], [1, 10], [9, 9], [2, 20], [3, 30], [100, 0], [9, 9]], np.float32),
    roots=np.array([0, 5], np.int32),
    depth=2,
)


def walked(row: NDArray[np.float32]) -> list[float]:
    if row[0] <= 0.5:
        return [101, 10]
    return [102, 20] if row[1] <= -1.0 else [103, 30]


@given(arrays.arrays(np.float32, (4, 2), elements=st.sampled_from([-2.0, -1.0, 0.0, 0.5, 0.75, 1e38])))
def test_one_row_many_rows_and_the_definition_agree(rows: NDArray[np.float32]) -> None:
    expected = [walked(row) for row in rows]
    np.testing.assert_array_equal(FOREST.predict_many(rows), expected)
    np.testing.assert_array_equal([FOREST.predict(row) for row in rows], expected)


def test_what_is_no_number_is_above_nothing() -> None:
    np.testing.assert_array_equal(FOREST.predict(np.full(2, np.nan, np.float32)), [101, 10])


def test_what_is_infinite_stays_among_the_nodes() -> None:
    assert np.isfinite(FOREST.predict(np.full(2, INF, np.float32))).all()
