from __future__ import annotations

from dataclasses import replace

import feedback_drift
import numpy as np
import pytest
from feedback_cases import LENGTHS, World, deal
from feedback_drift import shifted
from feedback_estimates import SHOWN, accuracy
from feedback_promotion import VALUES, decisions
from feedback_rounds import ARMS, Running, from_log, joined, known_costs, run_arm, savings
from scipy import sparse

from classifier.features import N_BUCKETS
from training.learners.fit import FitRows, fit_model
from training.learners.linear import LinearLearner
from training.learners.matrix import FeatureMatrix

LEARNERS = {"linear": LinearLearner(dense_weight=1.0)}


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture
def world() -> World:
    """Long requests are hard, and hard ones are worth the dear tier."""
    random = np.random.default_rng(0)
    rows = 600
    hard = random.random(rows)
    expected = np.stack([0.98 - 0.9 * hard, 0.98 - 0.2 * hard], axis=1)
    terms = sparse.csr_matrix((rows, N_BUCKETS))
    return World(
        name="made",
        matrix=FeatureMatrix(terms, hard[:, None], (None,) * rows, 100 * hard),
        quality=(random.random((rows, 2)) < expected).astype(np.float64),
        costs=np.tile([1.0, 20.0], (rows, 1)),
        groups=np.arange(rows) // 2,
        sizes=(1000 * hard).astype(np.int64),
        reference=1,
    )


def test_traffic_and_test_rows_share_no_group(world: World) -> None:
    traffic, test = deal(world, 1)
    assert len(traffic) + len(test) == len(world)
    assert not set(traffic.groups) & set(test.groups)
    assert np.array_equal(deal(world, 1)[0].groups, traffic.groups)


def test_the_length_rule_begins(world: World) -> None:
    assert np.array_equal(world.by_length() == 1, world.sizes >= LENGTHS[0])


def test_a_real_gates_verdicts_are_logged_and_audits_find_the_truth(world: World) -> None:
    passed = np.random.default_rng(1).random(world.quality.shape) < 0.5
    log = replace(world, passed=passed).log(np.zeros(len(world), np.int64), 3, audit=0.5).observed
    judged = ~np.isnan(log.verdict)
    assert np.array_equal(log.verdict[judged] > 0.5, passed[judged])
    audited = ~np.isnan(log.audit)
    assert audited.any()
    assert np.array_equal(log.audit[audited], world.quality[audited])


def test_logs_are_joined_in_order_each_under_its_artifact(world: World) -> None:
    logs = [
        world.rows(np.arange(*ends)).log(np.zeros(100, np.int64), ends[0]).observed for ends in ((0, 100), (100, 200))
    ]
    both = joined(logs)
    assert (np.diff(both.time) > 0).all()
    assert both.artifact.tolist() == [0] * 100 + [1] * 100
    assert np.array_equal(both.tried[100:], logs[1].tried)
    assert len(both.asked) == 200
    assert not np.isnan(known_costs(both, world.rows(np.arange(200)))).any()


def test_a_saving_is_that_of_the_cheapest_setting_that_keeps_quality(world: World) -> None:
    model, _ = fit_model(LEARNERS, FitRows(world.matrix, world.costs, world.groups, 1), world.quality, world.quality)
    easier, harder = savings(model, world, 0, 0.9)[0], savings(model, world, 0, 0.99)[0]
    assert 0 <= harder < easier < 1


def test_a_cascade_begins_where_that_is_worth_most(world: World) -> None:
    """The cheap tier is tried on what it mostly answers well; a bonus for the dear one lets any quality be kept."""
    model, _ = fit_model(LEARNERS, FitRows(world.matrix, world.costs, world.groups, 1), world.quality, world.quality)
    starts, quality = Running(model, 0.1).starts(world)
    assert (starts[quality[:, 0] > 0.5] == 0).all()
    assert (Running(model, 0.0).starts(world)[0] == 1).any()
    at_98, at_999 = (savings(model, world, 0, target)[1] for target in (0.98, 0.999))
    assert 0 <= at_999 < at_98 < 1


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_learns_round_by_round_and_by_seed(world: World, arm: str) -> None:
    found = run_arm(arm, world, LEARNERS, rounds=2, seed=1)
    assert found == run_arm(arm, world, LEARNERS, rounds=2, seed=1)
    assert len(found) == 2
    assert all(0 <= each.saving < 1 and each.spent > 0 and each.kept > 0.5 for each in found)


def test_the_log_hides_what_was_not_tried(world: World) -> None:
    """Outcomes that the cascade did not see change nothing of what is learned."""
    part = deal(world, 0)[0]
    log = part.log(part.by_length(), 0).observed
    other = replace(part, quality=np.where(log.tried, part.quality, 1.0 - part.quality))
    one, two = (from_log(LEARNERS, log, each) for each in (part, other))
    assert one.price_weight == two.price_weight
    assert np.array_equal(one.model.predict(part.matrix).quality, two.model.predict(part.matrix).quality)


def test_promotions_are_counted_by_what_the_challenger_is(world: World) -> None:
    found = decisions(world, seeds=4, rounds=2, report=quiet)
    assert set(found) == set(VALUES)
    for each in found.values():
        assert each.harmful <= each.worse
        assert each.promoted <= each.better
        assert each.worse + each.better <= 4


def test_estimates_are_set_beside_the_truth(world: World) -> None:
    found = accuracy(world, runs=10, report=quiet)
    assert tuple(found) == SHOWN
    assert found["DR"].error < 0.2
    assert all(0 <= each.coverage <= 1 for each in found.values())


def test_traffic_changes_when_it_should(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_drift, "BEFORE", 300)
    monkeypatch.setattr(feedback_drift, "LATER", 300)
    mixed = shifted(world, "mix", np.random.default_rng(0))
    assert mixed.sizes[300:].mean() > 1.5 * mixed.sizes[:300].mean()
    dropped = shifted(world, "quality", np.random.default_rng(0))
    assert dropped.quality[300:, 0].mean() < 0.6 * dropped.quality[:300, 0].mean()
