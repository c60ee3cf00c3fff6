from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from made_gate import WithGate
from numpy.testing import assert_allclose

from classifier import Router
from classifier.artifact import read_artifact
from classifier.cascade.route import GateRates, find_route
from classifier.rule import Plan, Setting
from training.evaluate import Outcomes
from training.gate.cascade import Pair, Rates, make_path, pass_rates, plan_tiers, replay
from training.rule import Expectations

SHARES = st.floats(0, 1, width=32)
ALWAYS_TRY = Rates(1.0, 0.0)


def outcomes(quality: list[list[float]], costs: list[list[float]]) -> Outcomes:
    count = len(quality)
    return Outcomes(np.array(quality), np.array(costs), np.arange(count), np.zeros(count, np.int64), (None,) * count, 1)


def expectations(quality: list[list[float]]) -> Expectations:
    return Expectations(np.array(quality), np.tile([0.1, 1.0], (len(quality), 1)), np.zeros(len(quality), bool), 1)


def test_answers_thrown_away_are_paid_for() -> None:
    rows = outcomes([[1.0, 1.0], [0.0, 1.0]], [[1.0, 10.0], [2.0, 20.0]])
    scores = np.array([[0.9, np.nan], [0.2, np.nan]])
    done = replay(Pair(0.2, 0.8, ALWAYS_TRY), expectations([[0.7, 0.8], [0.7, 0.8]]), scores, rows)
    assert_allclose(done.cost, [1.0, 22.0])
    assert_allclose(done.quality, [1.0, 1.0])
    assert done.kept.tolist() == [0, 1]


def test_a_tier_not_worth_a_try_is_not_tried() -> None:
    rows = outcomes([[0.0, 1.0]], [[1.0, 10.0]])
    done = replay(Pair(0.2, 0.8, ALWAYS_TRY), expectations([[0.01, 0.9]]), np.array([[0.9, np.nan]]), rows)
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
    assert rates == Rates(1.0 / 1.5, 1.0 / 1.5)
    assert pass_rates(scores[:1, :1], np.array([[1.0]]), 0.5) == Rates(1.0, 1.0)


@given(weight=st.floats(0.0009765625, 2, width=32), adequate=SHARES, inadequate=SHARES, row=st.integers(0, 40))
def test_plans_are_those_of_the_running_cascade(
    gated: WithGate, weight: float, adequate: float, inadequate: float, row: int
) -> None:
    router = Router(read_artifact(gated.path))
    decision = router.decide(gated.training.data.table.requests[row])
    decision = replace(decision, plan=Plan("learned", Setting(weight, 0.0, 1.0)), novelty=0.0)
    prediction = decision.prediction
    expected = Expectations(
        np.array([prediction.quality]),
        np.array([prediction.cost]) / router.rule.reference_cost,
        np.zeros(1, bool),
        router.model.reference,
    )
    first, following = plan_tiers(Pair(weight, 0.5, Rates(adequate, inadequate)), expected, [0, 1])
    at, places = int(first[0]), []
    while at >= 0:
        places.append(at)
        at = int(following[0, at])
    assert tuple(places) == find_route(decision, GateRates(adequate, inadequate)).places


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
    expected = Expectations(training.cross_fitted.quality, share, np.zeros(len(fit), bool), training.data.reference)
    scores = training.gate.scores[fit]
    path = make_path(expected, scores, rows)
    costs = [replay(pair, expected, scores, rows).cost.mean() for pair in path]
    assert len(path) > 5
    assert (np.diff(costs) < 0).all()
    assert costs[0] <= rows.costs[:, rows.reference].mean()
    assert (np.diff([pair.threshold for pair in path]) <= 0).all()
    assert (np.diff([pair.rates.adequate for pair in path]) >= 0).all()
