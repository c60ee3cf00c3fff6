from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.certify.certify import LADDER
from training.certify.rule import (
    CertifyingRows,
    ChosenRule,
    RuleView,
    Target,
    choose_rule,
    never_chosen,
    order_rules,
    price_weights,
)
from training.measure.evaluate import Outcomes

REFERENCE_COST = 10.0


def world(count: int, seed: int, tasks: tuple[str | None, ...] | None = None) -> tuple[RuleView, Outcomes]:
    """Two tiers; the cheap one is as good on the half of the requests that the model knows to be easy."""
    random = np.random.default_rng(seed)
    easy = random.random(count) < 0.5
    chance = np.column_stack([np.where(easy, 0.95, 0.2), np.full(count, 0.95)])
    costs = np.tile([1.0, REFERENCE_COST], (count, 1))
    quality = (random.random((count, 2)) < chance).astype(float)
    rows = Outcomes(quality, costs, np.arange(count), np.ones(count, np.int64), tasks or (None,) * count, 1)
    return RuleView(chance, costs / REFERENCE_COST, np.zeros(count, bool), 1), rows


def chosen(target: Target, count: int = 2000, tasks: tuple[str | None, ...] | None = None) -> ChosenRule:
    expected, rows = world(2000, 0)
    path = order_rules(price_weights(expected.cost), expected, rows)
    held, new = world(count, 1, tasks)
    return choose_rule(path, held, new, target, proof_of(held, new))


def proof_of(expected: RuleView, rows: Outcomes) -> CertifyingRows:
    return CertifyingRows(expected, rows.quality, rows.tasks, rows.groups, rows.sizes)


def test_the_path_leaves_the_reference_little_by_little() -> None:
    expected, rows = world(2000, 0)
    path = order_rules(price_weights(expected.cost), expected, rows)
    left = [(expected.choose(weight, bonus) != 1).mean() for weight, bonus in path]
    assert left[0] == 0.0
    assert left == sorted(left)
    assert left[-1] == 1.0


def test_the_easy_half_is_certified_and_the_hard_half_is_not() -> None:
    rule = chosen(Target())
    assert rule.certified
    held, _ = world(2000, 1)
    cheap = rule.choose(held, (None,) * 2000) == 0
    assert (cheap == (held.quality[:, 0] > 0.5)).all()


def test_every_loss_has_its_certificate_and_a_larger_one_never_a_safer_setting() -> None:
    rule = chosen(Target(0.015))
    assert [rung.target for rung in rule.ladder] == sorted({*LADDER, 0.015})
    places = [-1 if rung.rule is None else rung.rule for rung in rule.ladder]
    assert places == sorted(places)
    assert rule.rung.target == 0.015
    assert [promise.setting for promise in rule.promises] == [rung.rule for rung in rule.ladder]


def test_costs_along_the_path_are_those_of_the_rows_kept_apart() -> None:
    rule, (held, rows) = chosen(Target()), world(2000, 1)
    for setting in rule.path:
        picked = held.choose(setting.price_weight, setting.reference_bonus)
        assert setting.cost == pytest.approx(rows.costs[np.arange(2000), picked].mean() / REFERENCE_COST)
    assert rule.path[0].cost > rule.path[-1].cost


def test_what_is_novel_goes_to_the_reference_at_every_setting() -> None:
    expected, rows = world(2000, 0)
    novel = replace(expected, novel=np.arange(2000) % 3 == 0)
    for weight, bonus in order_rules(price_weights(expected.cost), novel, rows):
        assert (novel.choose(weight, bonus)[::3] == 1).all()
    assert (novel.choose(1e6, 0.0)[1::3] == 0).all()


def test_joined_expectations_keep_their_order() -> None:
    one, _ = world(30, 0)
    two, _ = world(20, 1)
    both = one.joined(replace(two, novel=np.ones(20, bool)))
    assert both.choose(0.2, 0.0).tolist() == one.choose(0.2, 0.0).tolist() + [1] * 20


# Task by task


def mixed_tasks(count: int) -> tuple[str | None, ...]:
    """Two large tasks, one that is too small to prove anything, and requests without any."""
    return tuple((["one", "two"][row % 2] if row % 20 else ["rare", None][row % 100 > 0]) for row in range(count))


@pytest.mark.slow
def test_each_task_is_certified_by_itself() -> None:
    tasks = mixed_tasks(4000)
    rule = chosen(Target(0.05), 4000, tasks)
    assert set(rule.tasks) == {"one", "two", "rare"}
    assert rule.task_keeps("one") is True
    assert rule.task_keeps("rare") is None
    assert rule.task_keeps("never seen") is None


@pytest.mark.slow
def test_a_task_whose_own_setting_is_safer_is_not_certified_for_the_one_in_force() -> None:
    rule = chosen(Target(0.05), 4000, mixed_tasks(4000))
    place = rule.rung.rule
    assert place is not None
    own = replace(rule.tasks["one"], rule=place - 1)
    assert replace(rule, tasks={"one": own}).task_keeps("one") is False
    assert replace(rule, tasks={"one": own}, target=Target(0.05, per_task=True)).task_keeps("one") is True


@pytest.mark.slow
def test_by_task_each_follows_its_own_setting_and_all_others_the_reference() -> None:
    tasks = mixed_tasks(4000)
    rule = chosen(Target(0.05, per_task=True), 4000, tasks)
    held, _ = world(4000, 1)
    picked = rule.choose(held, tasks)
    for task in ("one", "two"):
        own = np.array([label == task for label in tasks])
        place = rule.tasks[task].rule
        assert place is not None
        setting = rule.path[place]
        assert (picked[own] == held.choose(setting.price_weight, setting.reference_bonus)[own]).all()
        assert (picked[own] == 0).any()
    others = np.array([label in ("rare", None) for label in tasks])
    assert (picked[others] == 1).all()
    assert rule.certified


def test_by_task_without_any_task_nothing_is_certified() -> None:
    rule = chosen(Target(0.05, per_task=True))
    assert not rule.certified
    assert (rule.choose(world(50, 2)[0], (None,) * 50) == 1).all()


# Odd tables


def test_rows_that_observed_nothing_prove_nothing() -> None:
    expected, rows = world(500, 0)
    path = order_rules(price_weights(expected.cost), expected, rows)
    nothing = proof_of(expected, rows).part(np.zeros(500, bool))
    rule = choose_rule(path, expected, rows, Target(), nothing)
    assert not rule.certified
    assert rule.rung.rows == 0
    assert all(promise.setting is None for promise in rule.promises)


def test_a_tier_that_is_dearer_and_worse_is_never_chosen() -> None:
    count = 100
    quality, costs = np.tile([0.5, 0.9, 0.4], (count, 1)), np.tile([0.5, 1.0, 4.5], (count, 1))
    expected = RuleView(quality, costs, np.zeros(count, bool), 1)
    assert never_chosen(price_weights(costs), expected) == (2,)


def test_tiers_of_one_price_are_no_trouble() -> None:
    weights = price_weights(np.ones((10, 3)))
    assert np.isfinite(weights).all()
    assert (np.diff(weights) > 0).all()
