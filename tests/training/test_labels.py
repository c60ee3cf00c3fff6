from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from classifier.errors import InputError
from training.labels import Adequacy, expand_labels, judge, pick_reference

NAN = np.nan
scores_or_unknown = arrays.arrays(
    np.float64, (8, 3), elements=st.one_of(st.just(np.nan), st.floats(0, 1, allow_nan=False))
)


def test_a_label_means_adequate_from_that_tier_upward() -> None:
    scores = np.full((4, 3), NAN)
    scores[3] = [0.5, NAN, 1.0]
    expanded = expand_labels(scores, ["small", "medium", "large", None], ("small", "medium", "large"))
    np.testing.assert_array_equal(expanded, [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0.5, NAN, 1.0]])


def test_the_reference_is_the_best_and_of_equals_the_cheapest() -> None:
    assert pick_reference(np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), ("a", "b", "c"), None) == 1
    assert pick_reference(np.array([[0.0, 1.0, NAN], [1.0, 0.0, 1.0]]), ("a", "b", "c"), None) == 2
    assert pick_reference(np.array([[0.0, 1.0]]), ("a", "b"), "a") == 0


def test_a_reference_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"'z'.*a, b"):
        pick_reference(np.zeros((1, 2)), ("a", "b"), "z")


@given(scores_or_unknown, st.floats(0, 1))
def test_by_threshold_quality_is_adequacy(scores: np.ndarray, at: float) -> None:
    adequate, quality = judge(scores, 2, Adequacy(at=at))
    assert adequate is quality
    known = ~np.isnan(scores)
    np.testing.assert_array_equal(adequate[known], scores[known] >= at)
    assert np.isnan(adequate[~known]).all()


@given(scores_or_unknown, st.floats(0, 1))
def test_against_the_reference_only_what_both_answered_is_judged(scores: np.ndarray, tolerance: float) -> None:
    adequate, quality = judge(scores, 2, Adequacy(tolerance=tolerance))
    assert quality is scores
    for row, judged in zip(scores, adequate, strict=True):
        for score, verdict in zip(row, judged, strict=True):
            if np.isnan(score) or np.isnan(row[2]):
                assert np.isnan(verdict)
            else:
                assert verdict == (score >= row[2] - tolerance - 1e-12)
