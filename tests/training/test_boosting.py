from __future__ import annotations

import numpy as np

from training.boosting import ObliviousBoosting


def interaction(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two outputs that no sum of single-feature terms can express, and noise features."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 6)).astype(np.float32)
    both = (inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)
    return inputs, np.stack([both.astype(float), 1.0 - 0.5 * both], axis=1)


def test_learns_an_interaction_and_generalises() -> None:
    inputs, targets = interaction(1500, 0)
    new, truth = interaction(500, 1)
    trees = ObliviousBoosting(trees=150).fit(inputs, targets)
    error = ((trees.predict_many(new) - truth) ** 2).mean(axis=0)
    assert (error < 0.3 * truth.var(axis=0)).all()


def test_more_trees_fit_better() -> None:
    inputs, targets = interaction(600, 0)
    errors = [
        float(((ObliviousBoosting(trees=count).fit(inputs, targets).predict_many(inputs) - targets) ** 2).mean())
        for count in (1, 20, 100)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_a_seed_repeats_the_trees() -> None:
    inputs, targets = interaction(200, 0)
    one, two = (ObliviousBoosting(trees=5, seed=3).fit(inputs, targets) for _ in range(2))
    np.testing.assert_array_equal(one.leaves, two.leaves)
    np.testing.assert_array_equal(one.thresholds, two.thresholds)
    other = ObliviousBoosting(trees=5, seed=4).fit(inputs, targets)
    assert not np.array_equal(one.thresholds, other.thresholds)


def test_inputs_that_never_vary_give_the_mean() -> None:
    targets = np.array([[0.0], [1.0], [0.5]])
    trees = ObliviousBoosting(trees=5).fit(np.ones((3, 4), np.float32), targets)
    np.testing.assert_allclose(trees.predict(np.zeros(4, np.float32)), [0.5])


def test_two_rows_are_enough_to_run() -> None:
    trees = ObliviousBoosting(trees=5).fit(np.array([[0.0], [1.0]], np.float32), np.array([[0.0], [1.0]]))
    low, high = trees.predict_many(np.array([[0.0], [1.0]], np.float32)).ravel()
    assert low < high
