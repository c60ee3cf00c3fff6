from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from classifier.errors import InputError
from training.prepare.adequacy import Adequacy, expand_labels, judge, pick_reference

NAN = np.nan
NAMES = ("a", "b", "c", "d", "e", "f")
scores_or_unknown = arrays.arrays(
    np.float64, (8, 3), elements=st.one_of(st.just(np.nan), st.integers(0, 20).map(lambda score: score / 20))
)
hundredths = st.integers(0, 100).map(lambda value: value / 100)


def test_a_label_means_adequate_from_that_tier_upward() -> None:
    scores = np.full((4, 3), NAN)
    scores[3] = [0.5, NAN, 1.0]
    expanded = expand_labels(scores, ["small", "medium", "large", None], ("small", "medium", "large"))
    np.testing.assert_array_equal(expanded, [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0.5, NAN, 1.0]])
    assert np.isnan(scores[:3]).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(2, 6))
def test_the_label_is_the_cheapest_tier_that_is_adequate(labels: list[int], tiers: int) -> None:
    labels = [label % tiers for label in labels]
    expanded = expand_labels(np.full((len(labels), tiers), NAN), [NAMES[label] for label in labels], NAMES[:tiers])
    adequate, quality = judge(expanded, pick_reference(expanded, NAMES[:tiers], None), Adequacy())
    assert np.argmax(quality > 0, axis=1).tolist() == labels
    assert (np.diff(quality, axis=1) >= 0).all()
    # The dearest tier that a label names answers everything, so that no worse than it is being right.
    np.testing.assert_array_equal(adequate, quality)


def test_a_table_without_labels_stays_as_it_is() -> None:
    scores = np.array([[0.1, NAN]])
    assert expand_labels(scores, [None], ("a", "b")) is scores


def test_the_reference_is_the_best_and_of_equals_the_cheapest() -> None:
    assert pick_reference(np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), ("a", "b", "c"), None) == 1
    assert pick_reference(np.array([[0.0, 1.0, NAN], [1.0, 0.0, 1.0]]), ("a", "b", "c"), None) == 2
    assert pick_reference(np.array([[0.0, 1.0]]), ("a", "b"), "a") == 0


@given(arrays.arrays(np.float64, (12, 4), elements=hundredths))
def test_of_tiers_seen_on_every_row_the_best_mean_is_the_reference(scores: np.ndarray) -> None:
    assert pick_reference(scores, NAMES[:4], None) == int(np.argmax(np.round(scores.mean(axis=0), 10)))


def test_scores_that_differ_in_their_last_bits_are_equal() -> None:
    scores = np.array([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2], [0.5, 0.5]])
    assert pick_reference(scores, ("a", "b"), None) == 0
    assert pick_reference(scores[:, ::-1], ("a", "b"), None) == 0


@pytest.mark.parametrize("seen", [1, 2, 3])
def test_a_tier_right_on_a_handful_of_rows_is_no_reference(seen: int) -> None:
    scores = np.full((400, 2), NAN)
    scores[:, 0] = np.arange(400) % 10 < 7
    scores[:seen, 1] = 1.0
    assert pick_reference(scores, ("a", "b"), None) == 0


def test_a_tier_seen_on_fewer_rows_yet_enough_may_be_the_reference() -> None:
    scores = np.full((400, 2), NAN)
    scores[:, 0] = np.arange(400) % 10 < 7
    scores[:100, 1] = np.arange(100) % 10 < 9
    assert pick_reference(scores, ("a", "b"), None) == 1


def test_a_tier_that_was_never_seen_is_no_reference() -> None:
    assert pick_reference(np.array([[NAN, 0.4], [NAN, 0.2]]), ("a", "b"), None) == 1


def test_a_reference_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"'z'.*a, b"):
        pick_reference(np.zeros((1, 2)), ("a", "b"), "z")


@given(scores_or_unknown, hundredths)
def test_by_threshold_quality_is_adequacy(scores: np.ndarray, at: float) -> None:
    adequate, quality = judge(scores, 2, Adequacy(at=at))
    assert adequate is quality
    known = ~np.isnan(scores)
    np.testing.assert_array_equal(adequate[known], scores[known] >= at)
    assert np.isnan(adequate[~known]).all()


def test_a_mean_that_is_the_threshold_but_for_its_last_bit_reaches_it() -> None:
    mean = np.mean([0.7, 0.8, 0.9])
    assert mean < 0.8
    adequate, _ = judge(np.array([[mean, 1.0]]), 1, Adequacy(at=0.8))
    assert adequate.tolist() == [[1.0, 1.0]]


@given(scores_or_unknown, hundredths)
def test_against_the_reference_only_what_both_answered_is_judged(scores: np.ndarray, tolerance: float) -> None:
    adequate, quality = judge(scores, 2, Adequacy(tolerance=tolerance))
    assert quality is scores
    for row, judged in zip(scores, adequate, strict=True):
        for score, verdict in zip(row, judged, strict=True):
            if np.isnan(score) or np.isnan(row[2]):
                assert np.isnan(verdict)
            else:
                # In whole hundredths there is no rounding to argue about.
                assert verdict == (round(score * 100) >= round(row[2] * 100) - round(tolerance * 100))


def test_the_reference_is_adequate_wherever_it_was_seen() -> None:
    scores = np.array([[0.0, 0.0], [1.0, NAN], [0.3, 0.2]])
    np.testing.assert_array_equal(judge(scores, 1, Adequacy())[0], [[1, 1], [NAN, NAN], [1, 1]])


def test_rules_read_well() -> None:
    assert str(Adequacy(at=0.8)) == "score at least 0.8"
    assert str(Adequacy()) == "no worse than the reference's answer"
    assert str(Adequacy(tolerance=0.1)) == "no worse than the reference's answer (tolerance 0.1)"
