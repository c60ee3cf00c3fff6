from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from training.learners.forest import ForestLearner, _flattened


def interaction(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two outputs that no sum of single-feature terms can express, and noise features."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 6)).astype(np.float32)
    both = (inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)
    return inputs, np.stack([both.astype(float), 1.0 - 0.5 * both], axis=1)


@pytest.mark.parametrize("depth", [1, 4, 20])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_arrays_predict_what_scikit_learn_predicts(depth: int, outputs: int) -> None:
    random = np.random.default_rng(depth)
    # Few distinct values, so that thresholds lie among them and not only between.
    inputs = random.integers(5, size=(400, 4)).astype(np.float32)
    quality = random.random((400, outputs))
    grown = ExtraTreesRegressor(15, max_depth=depth, random_state=0).fit(inputs, quality.squeeze())
    forest = _flattened([each.tree_ for each in grown.estimators_])
    assert forest.depth == depth if depth < 20 else forest.depth <= depth
    new = random.uniform(-1, 6, size=(200, 4)).astype(np.float32)
    for rows in (inputs, new):
        np.testing.assert_allclose(forest.predict_many(rows), grown.predict(rows).reshape(-1, outputs), atol=1e-5)


def test_an_input_equal_to_a_threshold_goes_where_scikit_learn_sends_it() -> None:
    inputs = np.array([[0.1], [np.nextafter(np.float32(0.1), np.float32(1))]], np.float32)
    quality = np.array([0.0, 1.0])
    for seed in range(20):
        grown = ExtraTreesRegressor(1, random_state=seed).fit(inputs, quality)
        forest = _flattened([each.tree_ for each in grown.estimators_])
        np.testing.assert_array_equal(forest.predict_many(inputs).ravel(), grown.predict(inputs))


def test_learns_an_interaction_and_generalises() -> None:
    inputs, quality = interaction(1500, 0)
    new, truth = interaction(500, 1)
    forest, unseen = ForestLearner(trees=100, max_features=1.0).fit(inputs, quality)
    assert (((forest.predict_many(new) - truth) ** 2).mean(axis=0) < 0.5 * truth.var(axis=0)).all()
    assert (((unseen - quality) ** 2).mean(axis=0) < 0.5 * quality.var(axis=0)).all()


def test_expectations_of_unseen_rows_do_not_repeat_noise() -> None:
    random = np.random.default_rng(0)
    inputs, noise = random.normal(size=(300, 5)).astype(np.float32), random.integers(2, size=(300, 2)).astype(float)
    forest, unseen = ForestLearner(trees=100, max_features=1.0).fit(inputs, noise)
    assert abs(np.corrcoef(unseen.ravel(), noise.ravel())[0, 1]) < 0.25
    assert np.corrcoef(forest.predict_many(inputs).ravel(), noise.ravel())[0, 1] > 0.5


def test_a_row_that_every_tree_saw_is_expected_to_be_average() -> None:
    inputs, quality = np.array([[0.0], [1.0]], np.float32), np.array([[0.0, 1.0], [1.0, 0.0]])
    # One tree over two rows: unless it drew the same row twice, it saw both.
    found = [ForestLearner(trees=1, seed=seed).fit(inputs, quality)[1] for seed in range(20)]
    assert any((each == 0.5).all() for each in found)
    assert np.isfinite(found).all()


def test_settings_bound_the_forest() -> None:
    inputs, quality = interaction(400, 0)
    forest, _ = ForestLearner(trees=7, depth=3).fit(inputs, quality)
    assert len(forest.roots) == 7
    assert forest.depth == 3
    few, _ = ForestLearner(trees=7, most_rows=20).fit(inputs, quality)
    assert len(few.features) < 7 * 2 * 20 / 4


def test_a_seed_repeats_the_trees() -> None:
    inputs, quality = interaction(200, 0)
    one, two, other = (ForestLearner(trees=5, seed=seed).fit(inputs, quality)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.thresholds, two.thresholds)
    assert not np.array_equal(one.predict_many(inputs), other.predict_many(inputs))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_inputs_that_never_vary_give_the_mean(count: int) -> None:
    quality = np.random.default_rng(0).random((count, 2))
    forest, unseen = ForestLearner(trees=400).fit(np.ones((count, 4), np.float32), quality)
    np.testing.assert_allclose(forest.predict(np.zeros(4, np.float32)), quality.mean(axis=0), atol=0.1)
    assert unseen.shape == quality.shape
