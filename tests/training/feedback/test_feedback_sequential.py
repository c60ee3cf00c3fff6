"""Promotion: hardly ever for a worse challenger, however often one looks; soon enough for a good one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from tests.helpers.logs import RATES
from training.challenge.estimators import Log, log_of_starts, picks
from training.challenge.sequential import (
    Promotion,
    PromotionRule,
    asymptotic_lower_bound,
    betting_lower_bound,
    cautious_values,
    judge_promotion,
    lower_bound_path,
    pessimistic_difference,
)
from training.feedback.gate_truth import gate_truth
from training.feedback.labels import make_labels
from training.log.simulation import simulate_log

COSTS = np.array([0.001, 0.005, 0.03])


def looks(
    rows: int,
    small: float,
    seed: int,
    *,
    explore: float = 0.5,
    differing: float = 0.5,
    margin: float = 0.05,
    times: int = 5,
) -> list[Promotion]:
    """The champion asks the large tier (adequate for 80%), the challenger the small one for a share of the requests."""
    random = np.random.default_rng(seed)
    quality = (random.random((rows, 3)) < (small, 0.8, 0.8)).astype(np.float64)
    cost = np.tile(COSTS, (rows, 1))
    champion = np.full(rows, 2)
    challenger = np.where(random.random(rows) < differing, 0, 2)
    observed = simulate_log(quality, cost, champion, RATES, explore=explore, seed=seed).observed
    log = log_of_starts(observed, quality, np.full((rows, 3), 0.8))
    found = []
    for end in np.linspace(rows / times, rows, times).astype(int):
        part = Log(log.values[:end], log.chance[:end], log.model[:end])
        rule = PromotionRule(margin=margin)
        found.append(judge_promotion(part, cost[:end], picks(challenger, 3)[:end], picks(champion, 3)[:end], rule))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("differing", "loss"), [(1.0, 0.05), (0.5, 0.1), (0.1, 0.5)])
def test_worse_challengers_are_hardly_ever_promoted(differing: float, loss: float) -> None:
    """Whose true quality lies below by the margin, at any of five looks."""
    runs = 120
    promoted = sum(
        any(each.promote for each in looks(600, 0.8 - loss, seed, differing=differing, explore=0.6))
        for seed in range(runs)
    )
    assert promoted <= stats.binom.ppf(0.99, runs, 0.05)


@pytest.mark.slow
def test_as_good_and_cheaper_challengers_are_promoted() -> None:
    promoted = [looks(3000, 0.8, seed, differing=0.3)[-1].promote for seed in range(10)]
    assert sum(promoted) >= 8


def test_exploring_where_the_two_differ_decides_soon() -> None:
    """The same 2% of all requests, spent on the 5% where it tells something."""
    rows, promoted = 3000, 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        quality = (random.random((rows, 3)) < 0.8).astype(np.float64)
        differs = random.random(rows) < 0.05
        champion, challenger = np.full(rows, 2), np.where(differs, 0, 2)
        observed = simulate_log(
            quality,
            np.tile(COSTS, (rows, 1)),
            champion,
            RATES,
            explore=np.where(differs, 0.4, 0.0),
            others=picks(challenger, 3) > 0,
            seed=seed,
        ).observed
        log = log_of_starts(observed, quality, np.full((rows, 3), 0.8))
        promoted += judge_promotion(log, np.tile(COSTS, (rows, 1)), picks(challenger, 3), picks(champion, 3)).promote
    assert promoted >= 7


def test_doubt_about_a_gate_counts_against_the_challenger() -> None:
    """With few audits, verdicts that seem to say the challenger is as good do not decide; with many they do."""
    rows, decided = 4000, {}
    for audit in (0.002, 0.5):
        random = np.random.default_rng(1)
        quality = (random.random((rows, 3)) < (0.85, 0.8, 0.85)).astype(np.float64)
        champion, challenger = picks(np.full(rows, 2), 3), picks(np.where(random.random(rows) < 0.5, 0, 2), 3)
        log = simulate_log(
            quality, np.tile(COSTS, (rows, 1)), np.full(rows, 2), RATES, explore=0.6, audit=audit, seed=1
        )
        low, high = (make_labels(log.observed, truth).values for truth in gate_truth(log.observed, 0.9).bounds())
        values = cautious_values(low, high, challenger, champion)
        found = judge_promotion(
            log_of_starts(log.observed, values),
            np.tile(COSTS, (rows, 1)),
            challenger,
            champion,
            PromotionRule(margin=0.1),
        )
        decided[audit] = found.quality_low
    assert decided[0.5] > decided[0.002] + 0.05


def test_better_challengers_are_promoted_though_they_cost_more() -> None:
    rows = 2000
    random = np.random.default_rng(0)
    quality = (random.random((rows, 3)) < (0.5, 0.8, 0.9)).astype(np.float64)
    cost = np.tile(COSTS, (rows, 1))
    champion = np.zeros(rows, np.int64)
    observed = simulate_log(quality, cost, champion, RATES, explore=0.5, seed=1).observed
    log = log_of_starts(observed, quality, np.full((rows, 3), 0.7))
    found = judge_promotion(log, cost, picks(np.full(rows, 2), 3), picks(champion, 3))
    assert found.promote
    assert found.saving < 0
    assert found.quality_low > 0
    assert "better in quality" in found.reasons


def test_a_small_change_is_a_small_risk_even_without_exploration() -> None:
    """On 1% of the rows a challenger cannot lose two points."""
    found = looks(3000, 0.1, 0, explore=0.0, differing=0.01, margin=0.02)[-1]
    assert found.quality_low > -0.02
    assert found.unseen == pytest.approx(found.differing / found.rows)
    assert any("explore more" in reason for reason in found.reasons)


def test_without_exploration_nothing_speaks_for_a_large_change() -> None:
    found = looks(1000, 0.9, 0, explore=0.0)[-1]
    assert not found.promote
    assert found.quality_low < -0.3
    assert any(reason.startswith("not proven at least as good") for reason in found.reasons)
    assert found.rows_needed is None


def test_too_few_rows_say_how_many_would_do() -> None:
    found = looks(150, 1.0, 3)[0]
    assert not found.promote
    assert found.rows_needed is not None
    assert found.rows_needed > found.rows
    assert any(f"{found.rows_needed:,} rows" in reason for reason in found.reasons)


def test_equal_routers_are_no_worse_and_nothing_more() -> None:
    found = looks(1000, 0.8, 1, differing=0.0)[-1]
    assert not found.promote
    assert found.differing == 0
    assert found.quality == 0.0
    assert found.quality_low > -0.05
    assert "challenger and champion agree on every row" in found.reasons


def test_no_rows_promote_nobody() -> None:
    nothing = np.zeros((0, 2))
    found = judge_promotion(Log(nothing, nothing, nothing), nothing, nothing, nothing)
    assert not found.promote
    assert found.rows == 0


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(1.0, 30.0), st.booleans())
def test_terms_never_favour_the_challenger(seed: int, clip: float, all_seen: bool) -> None:
    """Over all that may be drawn, their mean is at most the true difference, and none is below the bound."""
    random = np.random.default_rng(seed)
    tiers = 3
    chance = random.dirichlet(np.full(tiers, 0.4), 1)
    truth, model = random.random((1, tiers)), random.random((1, tiers))
    one, other = picks(random.integers(0, tiers, 1), tiers), picks(random.integers(0, tiers, 1), tiers)
    mean = 0.0
    for drawn in range(tiers):
        values = truth if all_seen else np.where(np.arange(tiers) == drawn, truth, np.nan)
        log = Log(values, np.ones((1, tiers)) if all_seen else np.maximum(chance, 1e-12), model)
        terms, bound = pessimistic_difference(log, one, other, clip)
        assert terms[0] >= -bound - 1e-9
        mean += float(chance[0, drawn]) * float(terms[0])
    assert mean <= float(((one - other) * truth).sum()) + 1e-6


def walk(seed: int, rows: int, mean: float) -> NDArray[np.float64]:
    """Rare large values above many small ones."""
    random = np.random.default_rng(seed)
    return np.where(random.random(rows) < 0.1, (mean + 0.9) / 0.1, -1.0)


def test_the_lower_bound_holds_at_all_times() -> None:
    runs, wrong = 200, 0
    for seed in range(runs):
        values = walk(seed, 300, 0.1)
        wrong += betting_lower_bound(values[None], np.array([1.0]), 0.05) > 0.1
    assert wrong <= stats.binom.ppf(0.99, runs, 0.05)


def test_the_lower_bound_closes_in() -> None:
    bounds = [betting_lower_bound(walk(1, rows, 0.1)[None], np.array([1.0]), 0.05) for rows in (100, 1000, 20_000)]
    assert bounds == sorted(bounds)
    assert bounds[-1] > -0.1


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_a_later_look_never_takes_back_what_was_shown(seed: int) -> None:
    values, bound = walk(seed, 200, 0.3)[None], np.array([1.0])
    assert betting_lower_bound(values[:, :100], bound, 0.05) <= betting_lower_bound(values, bound, 0.05)


def test_the_path_of_the_lower_bound_is_what_each_look_would_have_found() -> None:
    values, bound, ends = walk(1, 2000, 0.1)[None], np.array([1.0]), [1, 50, 400, 1000, 2000]
    path = lower_bound_path(values, bound, 0.05, ends)
    looked = [betting_lower_bound(values[:, :end], bound, 0.05) for end in ends]
    assert path[0] == -1.0
    for shown, found in zip(path.tolist(), looked, strict=True):
        assert shown <= found + 1e-4
        assert found - shown < max(0.3 * abs(found), 0.05)


def test_the_bound_on_costs_holds_at_all_times() -> None:
    runs, wrong = 200, 0
    for seed in range(runs):
        values = np.random.default_rng(seed).lognormal(0, 0.5, 1000)
        truth = float(np.exp(0.125))
        wrong += any(asymptotic_lower_bound(values[:end], 0.05) > truth for end in range(50, 1001, 50))
    assert wrong <= stats.binom.ppf(0.99, runs, 0.05)
    assert asymptotic_lower_bound(np.ones(49), 0.05) == -np.inf
    assert asymptotic_lower_bound(np.ones(50), 0.05) == pytest.approx(1.0)


@pytest.mark.parametrize("options", [{"margin": -0.1}, {"level": 0.0}, {"level": 0.6}, {"clip": 0.5}])
def test_impossible_rules_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a margin"):
        PromotionRule(**options)
