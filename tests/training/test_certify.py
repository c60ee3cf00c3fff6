"""Certificates hold as often as they promise, and are as large as the data allow."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from training.certify.certify import LADDER, certify_ladder, certify_tasks, p_value, upper_bound

Scores = NDArray[np.float64]


def population(rows: int, rules: int, seed: int = 0, *, graded: bool = False) -> tuple[Scores, Scores]:
    """Reference and rules over rows of rising difficulty: each rule sends more of them to a weaker tier."""
    random = np.random.default_rng(seed)
    difficulty = random.normal(size=rows)
    margin = 1.0 - difficulty[:, None] + random.normal(scale=[0.5, 0.6], size=(rows, 2)) - [0.0, 0.3]
    score = np.clip(np.round(2 * margin + 2) / 4, 0, 1) if graded else (margin > 0).astype(np.float64)
    looks = difficulty + random.normal(scale=0.7, size=rows)
    sent = looks[:, None] < np.quantile(looks, np.linspace(0.05, 0.95, rules))
    return score[:, 0], np.where(sent, score[:, 1:], score[:, :1])


def violations(draws: int, size: int, *, graded: bool, relative: bool) -> int:
    """How often any rung of the ladder is wrong, drawing rows from a population that is known."""
    reference, router = population(20_000, 8, graded=graded)
    losses = (reference[:, None] - router).mean(axis=0) / (reference.mean() if relative else 1)
    targets = (0.02, 0.05, float(losses[3]) - 1e-9, float(losses[6]) - 1e-9)
    random, wrong = np.random.default_rng(1), 0
    for _ in range(draws):
        rows = random.integers(len(reference), size=size)
        rungs = certify_ladder(reference[rows], router[rows], targets=targets, relative=relative, bounds=False)
        wrong += any(rung.rule is not None and losses[rung.rule] > rung.target for rung in rungs)
    return wrong


@pytest.mark.parametrize("relative", [True, False])
def test_the_ladder_holds_as_a_whole(relative: bool) -> None:
    assert violations(25, 250, graded=False, relative=relative) <= stats.binom.ppf(0.999, 25, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("relative", [True, False])
def test_the_ladder_holds_as_a_whole_over_many_draws(graded: bool, relative: bool) -> None:
    assert violations(200, 400, graded=graded, relative=relative) <= stats.binom.ppf(0.999, 200, 0.05)


def test_certifies_a_good_part_of_what_there_is() -> None:
    reference, router = population(20_000, 20)
    losses = 1 - router.mean(axis=0) / reference.mean()
    rungs = certify_ladder(reference[:2000], router[:2000])
    best = [int((losses <= target).sum()) - 1 for target in LADDER]
    assert all(rung.rule is not None and rung.rule >= rule / 2 for rung, rule in zip(rungs[3:], best[3:], strict=True))


def test_one_target_is_fixed_sequence_testing_at_the_full_level() -> None:
    reference, router = population(600, 10)
    (rung,) = certify_ladder(reference, router, targets=(0.05,))
    p_values = [p_value(reference, rule, 0.05) for rule in router.T]
    assert rung.rule is not None
    assert all(value <= 0.05 for value in p_values[: rung.rule + 1])
    assert p_values[rung.rule + 1] > 0.05
    assert rung.p_value == p_values[rung.rule]


def test_targets_keep_their_order_and_their_certificates() -> None:
    reference, router = population(800, 10)
    up = certify_ladder(reference, router, targets=(0.02, 0.05, 0.1))
    down = certify_ladder(reference, router, targets=(0.1, 0.05, 0.02))
    assert up == down[::-1]


def test_without_bounds_all_else_is_the_same() -> None:
    reference, router = population(500, 10)
    for plain, full in zip(
        certify_ladder(reference, router, bounds=False), certify_ladder(reference, router), strict=True
    ):
        assert replace(plain, upper_bound=full.upper_bound) == full
        assert plain.upper_bound == (1.0 if plain.rule is None else plain.target)


def test_the_headline_gets_most_of_the_error() -> None:
    reference, router = population(500, 10)
    ladder = certify_ladder(reference, router, targets=(0.01, 0.02, 0.03))
    (alone,) = certify_ladder(reference, router, targets=(0.02,), confidence=0.96)
    assert ladder[1] == replace(alone, confidence=0.95)


def test_a_target_certified_to_its_end_leaves_its_share_to_the_others() -> None:
    same = np.ones((155, 2))
    assert 0.04 < p_value(same[:, 0], same[:, 0], 0.02) <= 0.05
    (held_back, _) = certify_ladder(same[:, 0], same, targets=(0.02, 0.021))
    (released, _) = certify_ladder(same[:, 0], same, targets=(0.02, 0.5))
    assert held_back.rule is None
    assert released.rule == 1


def test_relative_and_absolute_agree_when_the_reference_never_fails() -> None:
    _, router = population(500, 5)
    reference = np.ones(500)
    router = np.maximum(router, np.random.default_rng(0).random((500, 1)) < 0.95)
    for one, other in zip(
        certify_ladder(reference, router), certify_ladder(reference, router, relative=False), strict=True
    ):
        assert replace(one, relative=False) == other


@pytest.mark.slow
def test_upper_bounds_cover_the_loss_and_keep_to_the_target() -> None:
    reference, router = population(20_000, 3)
    loss = 1 - router[:, 1].mean() / reference.mean()
    random, below = np.random.default_rng(2), 0
    for _ in range(50):
        rows = random.integers(20_000, size=300)
        bound = upper_bound(reference[rows], router[rows, 1])
        assert bound > 1 - router[rows, 1].mean() / reference[rows].mean()
        below += bound < loss
    assert below <= stats.binom.ppf(0.999, 50, 0.05)
    for rung in certify_ladder(reference[:1500], router[:1500]):
        assert rung.rule is None or rung.loss < rung.upper_bound <= rung.target


@pytest.mark.parametrize(("graded", "seed"), [(False, 1), (True, 2)])
def test_as_many_rows_as_needed_are_enough(graded: bool, seed: int) -> None:
    reference, router = population(300, 6, seed=seed, graded=graded)
    (rung,) = certify_ladder(reference, router, targets=(0.015,))
    assert rung.rows_needed is not None
    assert rung.rows_needed > 300
    times = math.ceil(1.3 * rung.rows_needed / 300)
    (again,) = certify_ladder(np.tile(reference, times), np.tile(router, (times, 1)), targets=(0.015,))
    assert again.rows_needed is None
    assert again.rule is not None
    assert again.rule > (-1 if rung.rule is None else rung.rule)


def test_repeated_rows_count_once() -> None:
    reference, router = population(300, 5)
    groups = np.repeat(np.arange(300), 4)
    copies = certify_ladder(np.repeat(reference, 4), np.repeat(router, 4, axis=0), groups=groups)
    assert copies == certify_ladder(reference, router)


def test_a_group_is_one_draw_and_weighs_as_much_as_it_is_asked() -> None:
    reference, router = np.ones(404), np.ones((404, 1))
    router[:5] = 0.0
    groups = np.concatenate([np.zeros(5, dtype=np.int64), np.arange(1, 400)])
    (rung,) = certify_ladder(reference, router, targets=(0.02,), groups=groups)
    assert rung.rows == 400
    assert rung.loss == pytest.approx(5 / 404)
    assert rung.effective_rows < 400
    assert rung.rule is None
    (alone,) = certify_ladder(reference[4:], router[4:], targets=(0.02,))
    assert alone.rule == 0


def test_the_method_follows_the_scores() -> None:
    passes = population(100, 2)
    grades = population(100, 2, graded=True)
    assert certify_ladder(*passes, targets=(0.1,))[0].method == "exact"
    assert certify_ladder(*grades, targets=(0.1,))[0].method == "betting"
    few = (np.where(np.arange(100) < 5, 0.5, passes[0]), passes[1])
    assert certify_ladder(*few, targets=(0.1,))[0].method == "exact"


def test_tasks_are_certified_each_by_itself() -> None:
    reference = np.ones(2100)
    router = np.ones((2100, 2))
    tasks = ["chat"] * 1000 + ["code"] * 1000 + ["rare"] * 100
    router[1000:1100, 1] = 0.0
    rungs = certify_tasks(reference, router, tasks)
    assert list(rungs) == ["chat", "code", "rare"]
    assert (rungs["chat"].rule, rungs["code"].rule, rungs["rare"].rule) == (1, 0, None)
    assert rungs["rare"].p_value == 1.0
    assert rungs["rare"].rows_needed is not None
    assert 150 < rungs["rare"].rows_needed < 400
    assert certify_tasks(reference[-100:], router[-100:], tasks[-100:])["rare"].rule is None


def test_the_error_is_shared_by_the_tasks_that_could_be_certified() -> None:
    same = np.ones((380, 1))

    def certified(*sizes: int) -> list[bool]:
        tasks = [str(task) for task, size in enumerate(sizes) for _ in range(size)]
        rungs = certify_tasks(same[: len(tasks), 0], same[: len(tasks)], tasks).values()
        return [rung.rule is not None for rung in rungs]

    assert certified(170) == [True]
    assert certified(170, 170) == [True, False]
    assert certified(190, 190) == [True, True]


UNIT = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, allow_subnormal=False))


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 40).flatmap(lambda rows: arrays(np.float64, (rows, 4), elements=UNIT)),
    st.booleans(),
    st.floats(0.5, 0.999),
)
def test_any_scores_give_a_ladder_in_order(table: Scores, relative: bool, confidence: float) -> None:
    rungs = certify_ladder(table[:, 0], table[:, 1:], confidence=confidence, relative=relative)
    rules = [-1 if rung.rule is None else rung.rule for rung in rungs]
    assert rules == sorted(rules)
    for rung in rungs:
        assert 0 <= rung.p_value <= 1
        assert math.isfinite(rung.loss)
        assert max(rung.loss, -1) <= rung.upper_bound <= 1
        assert rung.rows_needed is None or rung.rows_needed > len(table)


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("rows", [1, 5, 3000])
@pytest.mark.parametrize("relative", [True, False])
def test_constant_scores(value: float, rows: int, relative: bool) -> None:
    reference = np.full(rows, value)
    rungs = certify_ladder(reference, reference[:, None], relative=relative)
    enough = rows == 3000 and (value > 0 or not relative)
    assert [rung.rule for rung in rungs] == [None] + [0 if enough else None] * 6
    assert all(rung.loss == 0 for rung in rungs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"confidence": 1.0}, "confidence is 1"),
        ({"targets": (0.02, 1.0)}, "may be lost is 1"),
        ({"reference": np.array([0.5, math.nan])}, "missing or not in 0..1"),
        ({"reference": np.array([0.5, 1.5])}, "missing or not in 0..1"),
        ({"reference": np.ones(3)}, r"\(3,\) and \(2, 1\)"),
        ({"reference": np.ones(0), "router": np.ones((0, 1))}, "neither empty"),
    ],
)
def test_says_what_is_wrong(change: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {"reference": np.ones(2), "router": np.ones((2, 1)), **change}
    with pytest.raises(ValueError, match=words):
        certify_ladder(**arguments)  # type: ignore[arg-type]
