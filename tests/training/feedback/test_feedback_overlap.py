"""Gaps in a log are named, and what is said to mend them does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.logs import NAMES, World
from training.challenge.estimators import Log, doubly_robust, log_of_starts, picks
from training.challenge.overlap import find_gaps, remedies


def test_a_tier_that_was_never_tried_is_named_with_its_task() -> None:
    world = World(2000, 0)
    observed = world.log(0, explore=0.0).observed
    log = log_of_starts(observed, world.quality, np.zeros((2000, 3)))
    target = picks(np.where(world.task == 1, 1, world.start), 3)
    found = find_gaps(log, target, NAMES, observed.asked.tasks)
    assert [(gap.tier, gap.task, gap.tried) for gap in found] == [("medium", "hard", 0)]
    assert found[0].share == pytest.approx(world.task.mean())
    assert "picked for" in str(found[0])
    assert "never tried it there" in str(found[0])
    assert find_gaps(log, picks(world.start, 3), NAMES, observed.asked.tasks) == ()


def test_exploration_closes_gaps() -> None:
    world = World(2000, 1)
    target = picks(np.full(2000, 1), 3)
    counts = []
    for explore in (0.0, 0.004, 0.3):
        observed = world.log(1, explore=explore).observed
        log = log_of_starts(observed, world.quality, np.zeros((2000, 3)))
        counts.append(len(find_gaps(log, target, NAMES, observed.asked.tasks)))
    assert counts[0] == counts[1] == 2
    assert counts[2] == 0


def test_rows_without_a_task_have_gaps_too() -> None:
    log = Log(np.full((30, 2), np.nan), np.tile([1.0, 0.0], (30, 1)), np.zeros((30, 2)))
    found = find_gaps(log, picks(np.ones(30, np.int64), 2), ("a", "b"), [None] * 30)
    assert found[0].task is None
    assert "requests without a task" in str(found[0])


def test_what_is_advised_reaches_the_width() -> None:
    world = World(1000, 2)
    log = world.quality_log(2, explore=0.05)
    target = picks(np.where(world.hard < 0.8, 0, 2), 3)
    for remedy in remedies(log, target, 0.04, explore=(0.1, 0.5)):
        mended = World(remedy.requests, 3)
        then = mended.quality_log(3, explore=remedy.explore)
        found = doubly_robust(then, picks(np.where(mended.hard < 0.8, 0, 2), 3)).estimate()
        assert (found.high - found.low) / 2 == pytest.approx(0.04, rel=0.25)
        assert f"{remedy.requests:,} requests" in str(remedy)


def test_more_exploration_or_a_wider_interval_takes_fewer_requests() -> None:
    log = World(500, 4).quality_log(4)
    target = picks(np.full(500, 1), 3)
    needed = [remedy.requests for remedy in remedies(log, target, 0.02)]
    assert needed == sorted(needed, reverse=True)
    wider = [remedy.requests for remedy in remedies(log, target, 0.04)]
    assert wider == pytest.approx([number / 4 for number in needed], abs=1)


def test_a_log_without_a_value_is_advised_as_well() -> None:
    log = Log(np.full((30, 2), np.nan), np.tile([1.0, 0.0], (30, 1)), np.zeros((30, 2)))
    assert remedies(log, picks(np.ones(30, np.int64), 2), 0.05)[0].requests > 1000


@pytest.mark.parametrize(("half_width", "explore"), [(0.0, 0.1), (0.1, 0.0), (0.1, 1.5)])
def test_impossible_wishes_are_refused(half_width: float, explore: float) -> None:
    log = World(50, 5).quality_log(5)
    with pytest.raises(ValueError, match="expected a half-width"):
        remedies(log, picks(np.full(50, 1), 3), half_width, explore=(explore,))
