"""Alarms: none without a change, soon after one, and the same whenever one looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drift_world import changing_log
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.cascade.route import GateRates
from training.drift import Drift, DriftOptions, monitor
from training.drift.streams import watch
from training.log.observed import Observed
from training.log.simulation import simulate_log

AT = 2000


def delay(drift: Drift) -> int:
    assert drift.alarm is not None
    return drift.alarm - AT


@pytest.mark.slow
def test_false_alarms_are_at_most_one_in_20_000_requests() -> None:
    alarms = [monitor(changing_log(4000, seed)).alarm for seed in range(100, 115)]
    assert sum(alarm is not None for alarm in alarms) <= 3  # of 60,000 requests


@pytest.mark.parametrize("later_mix", [(0.8, 0.2), (0.2, 0.8)])
def test_another_mix_of_tasks_is_found_within_300_requests(later_mix: tuple[float, float]) -> None:
    drift = monitor(changing_log(2600, 1, at=AT, later_mix=later_mix))
    assert 0 < delay(drift) < 300
    first = drift.alarms[0]
    assert (first.watched.what, first.kind) == ("tasks", "requests")
    assert first.since is not None
    assert abs(first.since - AT) < 100
    assert drift.by_chance(first) < 0.1


def test_a_new_task_is_found() -> None:
    log = changing_log(2800, 2)
    later = (np.arange(2800) >= AT) & (np.random.default_rng(0).random(2800) < 0.15)
    tasks = tuple("poetry" if new else task for new, task in zip(later, log.asked.tasks, strict=True))
    assert 0 < delay(monitor(replace(log, asked=replace(log.asked, tasks=tasks)))) < 300


@pytest.mark.parametrize(("drop", "most"), [(0.15, 1000), (0.25, 500)])
def test_a_tier_that_got_worse_is_named(drop: float, most: int) -> None:
    found = [monitor(changing_log(AT + most, seed, at=AT, drop=drop)) for seed in range(20, 25)]
    soon = [drift.alarms[0].watched.name for drift in found if drift.alarms]
    assert soon.count("answers 0") >= 4


def test_dearer_calls_are_found_and_the_tier_named() -> None:
    drift = monitor(changing_log(2600, 3, at=AT, dearer=1.3, tier=1))
    assert drift.alarms[0].watched.name == "cost 1"
    assert drift.alarms[0].kind == "cost"


def test_a_gate_that_passes_what_is_bad_is_found_by_audits() -> None:
    later = GateRates(pass_adequate=0.95, pass_inadequate=0.95)
    drift = monitor(changing_log(3500, 4, at=AT, later_rates=later, audit=0.3))
    assert "gate" in {track.kind for track in drift.alarms}


def test_another_mix_of_tasks_does_not_look_like_worse_answers() -> None:
    drift = monitor(changing_log(4000, 5, at=AT, later_mix=(0.9, 0.1)))
    assert "quality" not in {track.kind for track in drift.alarms}


def test_what_was_found_stays_when_rows_are_added() -> None:
    log = changing_log(2600, 6, at=AT, later_mix=(0.8, 0.2), drop=0.2)
    whole = monitor(log)
    for rows in (0, 1, 499, 500, 1700, 2300):
        part = monitor(log.rows(np.arange(rows)))
        np.testing.assert_allclose(part.strength, whole.strength[:rows], atol=1e-9)
        if part.alarm is not None:
            assert part.alarm == whole.alarm


def test_nothing_is_said_of_the_baseline() -> None:
    drift = monitor(changing_log(1500, 7, at=300, later_mix=(0.99, 0.01)), DriftOptions(baseline=1400))
    assert drift.alarm is None
    assert np.isneginf(drift.strength[:1400]).all()


def test_novelty_is_watched_where_it_is_known() -> None:
    log = changing_log(1500, 8)
    random = np.random.default_rng(8)
    novelty = np.where(np.arange(1500) < 1000, random.random(1500), random.random(1500) ** 0.3)
    drift = monitor(log, novelty=novelty)
    assert [track.watched.what for track in drift.alarms] == ["novelty"]
    assert len(monitor(log).tracks) == len(drift.tracks) - 1


@pytest.mark.parametrize("given_options", [{"baseline": 0}, {"level": 0.0}, {"level": 1.0}])
def test_options_that_make_no_sense_are_refused(given_options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a baseline"):
        DriftOptions(**given_options)  # type: ignore[arg-type]


@st.composite
def any_log(draw: st.DrawFn) -> Observed:
    rows, tiers = draw(st.integers(0, 40)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    known = draw(st.sampled_from([0.0, 0.5, 1.0]))

    def numbers() -> np.ndarray:
        return np.where(random.random((rows, tiers)) < known, random.random((rows, tiers)), np.nan)

    log = simulate_log(
        random.integers(0, 2, (rows, tiers)).astype(np.float64),
        random.random((rows, tiers)) * draw(st.sampled_from([0.0, 1.0])),
        random.integers(0, tiers, rows),
        GateRates(0.9, 0.4),
        audit=0.3,
        feedback=0.3,
        tasks=[draw(st.sampled_from([None, "a", "b"]))] * rows,
    ).observed
    blind = draw(st.booleans())
    return replace(
        log,
        expected=numbers(),
        expected_cost=numbers(),
        feedback=numbers(),
        verdict=np.full((rows, tiers), np.nan) if blind else log.verdict,
        answered=np.full(rows, -1) if blind else log.answered,
    )


@pytest.mark.slow
@settings(max_examples=60)
@given(any_log(), st.integers(1, 30))
def test_any_log_can_be_watched(log: Observed, baseline: int) -> None:
    drift = monitor(log, DriftOptions(baseline=baseline))
    assert drift.strength.shape == (len(log),)
    assert not np.isnan(drift.strength).any()
    assert len(drift.tracks) == 6 + 2 * len(log.tiers)
    for stream in watch(log):
        assert np.isfinite(stream.values).all()
        assert (np.diff(stream.rows) > 0).all()
    for track in drift.tracks:
        assert 0 <= drift.by_chance(track) <= 1
