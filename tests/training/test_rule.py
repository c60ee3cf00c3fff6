from __future__ import annotations

import numpy as np

from training.evaluate import Outcomes
from training.fit import Predictions
from training.rule import Target, apply_rule, choose_rule, never_chosen, order_rules, price_weights


def world(count: int, seed: int) -> tuple[Predictions, Outcomes]:
    """Two tiers; the cheap one is as good on the half of the requests that the model knows to be easy."""
    random = np.random.default_rng(seed)
    easy = random.random(count) < 0.5
    chance = np.column_stack([np.where(easy, 0.95, 0.2), np.full(count, 0.95)])
    costs = np.tile([1.0, 10.0], (count, 1))
    quality = (random.random((count, 2)) < chance).astype(float)
    rows = Outcomes(quality, costs, np.arange(count), np.ones(count, np.int64), (None,) * count, 1)
    return Predictions(chance, chance, costs), rows


def test_the_path_leaves_the_reference_little_by_little() -> None:
    expected, rows = world(2000, 0)
    path = order_rules(price_weights(expected.cost / 10.0), expected, 10.0, rows)
    left = [
        (np.argmax(expected.quality + np.array([0.0, bonus]) - weight * expected.cost / 10.0, axis=1) != 1).mean()
        for weight, bonus in path
    ]
    assert left[0] == 0.0
    assert left == sorted(left)
    assert left[-1] == 1.0


def test_the_easy_half_is_certified_and_the_hard_half_is_not() -> None:
    expected, rows = world(2000, 0)
    path = order_rules(price_weights(expected.cost / 10.0), expected, 10.0, rows)
    held, new = world(2000, 1)
    rule = choose_rule(path, held, 10.0, new, Target(), np.ones(2000, bool))
    assert rule.certified
    cheap = apply_rule(rule, held, 10.0, 1) == 0
    assert (cheap == (held.quality[:, 0] > 0.5)).all()


def test_rows_that_observed_nothing_prove_nothing() -> None:
    expected, rows = world(500, 0)
    path = order_rules(price_weights(expected.cost / 10.0), expected, 10.0, rows)
    rule = choose_rule(path, expected, 10.0, rows, Target(), np.zeros(500, bool))
    assert not rule.certified
    assert rule.rung.rows == 0


def test_a_tier_that_is_dearer_and_worse_is_never_chosen() -> None:
    count = 100
    quality, costs = np.tile([0.5, 0.9, 0.4], (count, 1)), np.tile([1.0, 2.0, 9.0], (count, 1))
    expected = Predictions(quality, quality, costs)
    assert never_chosen(price_weights(costs / 2.0), expected, 2.0, 1) == (2,)


def test_tiers_of_one_price_are_no_trouble() -> None:
    weights = price_weights(np.ones((10, 3)))
    assert np.isfinite(weights).all()
    assert (np.diff(weights) > 0).all()
