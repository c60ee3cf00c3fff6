from __future__ import annotations

import numpy as np

from training.learners.stacking import fit_stack


def noisy(quality: np.ndarray, scale: float, seed: int) -> np.ndarray:
    return quality + np.random.default_rng(seed).normal(scale=scale, size=quality.shape)


def error(expected: np.ndarray, quality: np.ndarray) -> float:
    return float(((expected - quality) ** 2).mean())


def test_the_stack_prefers_the_member_that_is_right() -> None:
    quality, useless = (np.random.default_rng(seed).random((400, 3)) for seed in (0, 1))
    members = [noisy(quality, 0.05, 2), useless]
    assert error(fit_stack(members, quality).predict(members), quality) < 0.2 * error(useless, quality)


def test_two_members_that_err_apart_are_better_together() -> None:
    quality = np.random.default_rng(0).random((400, 2))
    members = [noisy(quality, 0.3, seed) for seed in (1, 2)]
    stacked = fit_stack(members, quality).predict(members)
    assert error(stacked, quality) < 0.7 * min(error(member, quality) for member in members)


def test_gains_have_weights_of_their_own() -> None:
    # One member knows the cheap tier's quality, the other how much the dear one gains.
    random = np.random.default_rng(0)
    cheap, gain = random.random(500), random.random(500)
    quality = np.stack([cheap, cheap + gain], axis=1)
    knows_level = np.stack([cheap, cheap + random.random(500)], axis=1)
    other = random.random(500)
    knows_gain = np.stack([other, other + gain], axis=1)
    members = [knows_level, knows_gain]
    assert error(fit_stack(members, quality).predict(members), quality) < 0.02


def test_rows_that_did_not_observe_a_tier_have_no_say() -> None:
    quality = np.random.default_rng(0).random((300, 2))
    members = [noisy(quality, 0.2, 1), noisy(quality, 0.4, 2)]
    hidden, spoilt = quality.copy(), [member.copy() for member in members]
    hidden[200:, 1] = np.nan
    for member in spoilt:
        member[200:, 1] = 9.0
    np.testing.assert_allclose(fit_stack(spoilt, hidden).shares, fit_stack(members, hidden).shares)
    np.testing.assert_allclose(fit_stack(spoilt, hidden).constant, fit_stack(members, hidden).constant)


def test_where_nothing_was_observed_the_members_count_alike() -> None:
    members = [np.full((4, 2), 0.2), np.full((4, 2), 0.4)]
    np.testing.assert_allclose(fit_stack(members, np.full((4, 2), np.nan)).predict(members), 0.3)


def test_members_without_spread_leave_the_mean() -> None:
    quality = np.array([[0.0, 1.0], [1.0, 1.0], [0.5, 1.0]])
    members = [np.full_like(quality, 0.3)] * 2
    expected = fit_stack(members, quality).predict(members)
    np.testing.assert_allclose(expected, np.tile(quality.mean(axis=0), (3, 1)))
