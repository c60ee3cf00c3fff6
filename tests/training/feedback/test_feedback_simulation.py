"""Simulated logs are as a cascade would write them."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.cascade.route import GateRates
from tests.helpers.logs import RATES, World
from training.log.simulation import SimulatedLog, simulate_log


def perfect(world: World, **shares: float) -> SimulatedLog:
    """With a gate that is never wrong."""
    return simulate_log(world.quality, world.cost, world.start, GateRates(1.0, 0.0), **shares)  # type: ignore[arg-type]


def test_routes_climb_until_an_answer_passes() -> None:
    world = World(500, 0)
    log = perfect(world, explore=0.3, audit=0.0).observed
    for row in range(500):
        route = np.flatnonzero(log.tried[row])
        assert route[0] == log.start[row]
        assert route[-1] == log.answered[row]
        assert route.tolist() == list(range(route[0], route[-1] + 1))
        assert (log.verdict[row, route[:-1]] == 0).all()
        assert log.verdict[row, route[-1]] == 1 or route[-1] == 2
    assert np.array_equal(np.isnan(log.verdict), ~log.tried)


def test_shares_are_kept() -> None:
    log = World(20_000, 1).log(1, explore=0.2, audit=0.1, feedback=0.3).observed
    assert log.explored.mean() == pytest.approx(0.2, abs=0.01)
    elsewhere = log.answered != 2
    assert np.isfinite(log.audit[elsewhere]).any(axis=1).mean() == pytest.approx(0.1, abs=0.01)
    assert np.isnan(log.audit[~elsewhere]).all()
    assert np.isfinite(log.feedback).any(axis=1).mean() == pytest.approx(0.3, abs=0.01)
    inadequate = log.tried & ~log.by_audit & (World(20_000, 1).quality == 0)
    assert log.verdict[inadequate].mean() == pytest.approx(RATES.pass_inadequate, abs=0.02)


def test_known_chances_are_those_of_trying() -> None:
    """Averaged over draws of the same requests, with gates whose verdicts are the same every time."""
    world = World(200, 2)
    tries = np.mean([perfect(world, explore=0.3, audit=0.2, seed=seed).observed.tried for seed in range(400)], axis=0)
    log = perfect(world, explore=0.3, audit=0.2)
    assert np.abs(tries - log.chance).max() < 0.13  # five standard errors
    assert (tries - log.chance).mean() == pytest.approx(0.0, abs=0.005)
    assert log.start_chance.sum(axis=1) == pytest.approx(1.0)


def test_exploration_can_be_directed() -> None:
    world = World(3000, 3)
    hard = world.task == 1
    medium = np.tile([False, True, False], (3000, 1))
    log = simulate_log(world.quality, world.cost, world.start, RATES, explore=np.where(hard, 0.4, 0.0), others=medium)
    assert not log.observed.explored[~hard].any()
    assert (log.observed.start[log.observed.explored] == 1).all()
    assert log.observed.explored[hard].mean() == pytest.approx(0.4, abs=0.05)
    assert np.array_equal(log.observed.start_chance, log.start_chance)
    assert np.array_equal(log.observed.planned, world.start)
    own = log.observed.start_chance[np.arange(3000), log.observed.start]
    assert np.array_equal(own, log.observed.propensity)


def test_a_reference_may_be_any_tier() -> None:
    world = World(500, 4)
    log = simulate_log(world.quality, world.cost, world.start, RATES, explore=0.0, audit=1.0, reference=1).observed
    begun_above = world.start == 2
    assert (log.answered[begun_above] == 2).all()
    assert (log.answered[~begun_above] <= 1).all()
    assert log.tried[:, 1].all()


def test_the_same_seed_gives_the_same_log() -> None:
    one, other = World(100, 5).log(5, explore=0.5), World(100, 5).log(5, explore=0.5)
    assert np.array_equal(one.observed.tried, other.observed.tried)
    assert not np.array_equal(one.observed.tried, World(100, 5).log(6, explore=0.5).observed.tried)
