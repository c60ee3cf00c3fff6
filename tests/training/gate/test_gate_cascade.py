from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from classifier.gates.try_value import TryValue, make_try_value
from tests.helpers.gates import WithGate
from training.certify.rule import RuleView
from training.gate.cascade import Pair, PassRates, make_pair, make_path, pass_rates, plan_tiers, replay
from training.measure.evaluate import Outcomes

SHARES = st.floats(0, 1, width=32)
ALWAYS_TRY = {0: TryValue((), (0.7,), (0.0,))}


def outcomes(quality: list[list[float]], costs: list[list[float]]) -> Outcomes:
    count = len(quality)
    return Outcomes(np.array(quality), np.array(costs), np.arange(count), np.zeros(count, np.int64), (None,) * count, 1)


def expectations(quality: list[list[float]]) -> RuleView:
    return RuleView(np.array(quality), np.tile([0.1, 1.0], (len(quality), 1)), np.zeros(len(quality), bool), 1)


def test_answers_thrown_away_are_paid_for() -> None:
    rows = outcomes([[1.0, 1.0], [0.0, 1.0]], [[1.0, 10.0], [2.0, 20.0]])
    scores = np.array([[0.9, np.nan], [0.2, np.nan]])
    done = replay(Pair(0.2, 0.8, ALWAYS_TRY), expectations([[0.7, 0.8], [0.7, 0.8]]), scores, rows)
    assert_allclose(done.cost, [1.0, 22.0])
    assert_allclose(done.quality, [1.0, 1.0])
    assert done.kept.tolist() == [0, 1]


def test_a_tier_not_worth_a_try_is_not_tried() -> None:
    rows = outcomes([[0.0, 1.0]], [[1.0, 10.0]])
    seldom = {0: TryValue((-0.5,), (0.05, 0.7), (0.0, 0.0))}
    done = replay(Pair(0.2, 0.8, seldom), expectations([[0.01, 0.9]]), np.array([[0.9, np.nan]]), rows)
    assert done.cost.tolist() == [10.0]


def test_novel_requests_go_to_the_reference() -> None:
    expected = replace(expectations([[0.9, 0.9]]), novel=np.array([True]))
    rows = outcomes([[1.0, 1.0]], [[1.0, 10.0]])
    done = replay(Pair(0.5, 0.5, ALWAYS_TRY), expected, np.array([[0.9, np.nan]]), rows)
    assert done.kept.tolist() == [1]


def test_a_missing_answer_does_not_pass() -> None:
    rows = outcomes([[1.0, 1.0], [1.0, 1.0]], [[1.0, 10.0], [1.0, 10.0]])
    scores = np.array([[np.nan, np.nan], [0.9, np.nan]])
    done = replay(Pair(0.2, 0.8, ALWAYS_TRY), expectations([[0.7, 0.8], [0.7, 0.8]]), scores, rows)
    assert done.kept.tolist() == [1, 0]


def test_rates_weigh_answers_by_their_quality() -> None:
    scores = np.array([[0.9, 0.1], [0.9, np.nan]])
    rates = pass_rates(scores, np.array([[1.0, 0.5], [0.0, 1.0]]), 0.5)
    assert rates == PassRates(1.0 / 1.5, 1.0 / 1.5)
    assert pass_rates(scores[:1, :1], np.array([[1.0]]), 0.5) == PassRates(1.0, 1.0)


def best_from(
    tier: int, pair: Pair, quality: list[float], cost: list[float], reference: int
) -> tuple[float, list[int]]:
    """The best route that begins at a tier, by trying all."""
    direct = quality[tier] - pair.price_weight * cost[tier]
    routes = [(direct, [tier])]
    try_value = pair.try_values.get(tier)
    if try_value is not None:
        place = bisect_right(try_value.edges, quality[tier] - quality[reference])
        kept, gain = try_value.kept[place], try_value.gain[place]
        for after in range(tier + 1, len(quality)):
            later, rest = best_from(after, pair, quality, cost, reference)
            worth = kept * quality[reference] + gain + (1 - kept) * later - pair.price_weight * cost[tier]
            routes.append((worth, [tier, *rest]))
    return max(routes, key=lambda route: route[0])


@given(
    weight=st.floats(0.0009765625, 2, width=32),
    quality=st.lists(SHARES, min_size=3, max_size=3),
    cost=st.lists(SHARES, min_size=3, max_size=3),
    kept=st.lists(SHARES, min_size=4, max_size=4),
    gain=st.lists(st.floats(-0.5, 0.5, width=32), min_size=4, max_size=4),
    reference=st.integers(1, 2),
)
def test_plans_are_worth_as_much_as_the_best_of_all_routes(
    weight: float, quality: list[float], cost: list[float], kept: list[float], gain: list[float], reference: int
) -> None:
    gates = {tier: TryValue((-0.25,), tuple(kept[2 * tier :][:2]), tuple(gain[2 * tier :][:2])) for tier in (0, 1)}
    pair = Pair(weight, 0.5, gates)
    expected = RuleView(np.array([quality]), np.array([cost]), np.zeros(1, bool), reference)
    first, following = plan_tiers(pair, expected)
    route, worths = [int(first[0])], [best_from(tier, pair, quality, cost, reference)[0] for tier in range(3)]
    while (after := int(following[0, route[-1]])) >= 0:
        route.append(after)
    assert_allclose(worths[route[0]], max(worths))
    for one, other in pairwise(route):
        assert_allclose(worths[other], max(worths[one + 1 :]))


def test_try_values_count_what_is_kept_of_answers_to_like_requests() -> None:
    before = np.repeat([-0.8, 0.0], 100)
    after = np.where(np.arange(200) % 4 == 0, 0.1, np.where(before < 0, -0.9, -0.1))
    try_value = make_try_value(before, after, 0.85)
    place = [bisect_right(try_value.edges, gap) for gap in (-0.8, 0.0)]
    assert_allclose([try_value.kept[each] for each in place], [0.25, 1.0])
    assert_allclose([try_value.gain[each] for each in place], [0.025, 0.025 - 0.075])


def test_few_answers_make_one_bin() -> None:
    assert make_try_value(np.array([-0.5, 0.5]), np.array([0.0, -1.0]), 0.9) == TryValue((), (0.5,), (0.0,))


def test_the_path_grows_cheaper_and_lets_more_pass(gated: WithGate) -> None:
    training, fit = gated.training, gated.training.split.fit
    assert training.gate is not None
    rows = Outcomes(
        training.data.quality[fit],
        training.data.costs[fit],
        training.data.groups[fit],
        np.zeros(len(fit), np.int64),
        (None,) * len(fit),
        training.data.reference,
    )
    share = training.cross_fitted.cost / training.reference_cost
    expected = RuleView(training.cross_fitted.quality, share, np.zeros(len(fit), bool), training.data.reference)
    scores = training.gate.scores[fit]
    path = make_path(expected, scores, rows)
    costs = [replay(pair, expected, scores, rows).cost.mean() for pair in path]
    assert len(path) > 5
    assert (np.diff(costs) < 0).all()
    assert costs[0] <= rows.costs[:, rows.reference].mean()
    assert (np.diff([pair.threshold for pair in path]) <= 0).all()
    shares = [np.mean(pair.try_values[1].kept) for pair in path]
    assert (np.diff(shares) >= 0).all()
    assert set(make_pair(0.1, expected, scores).try_values) == set(training.gate.tiers)
