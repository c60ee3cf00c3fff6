"""A cascade with a learned gate does what was certified of it in training."""

import numpy as np
import pytest

from classifier import Router
from classifier.cascade.route import find_route
from classifier.gates import LearnedGate, NotEmpty, SecondOpinion, default_gate
from classifier.request import make_request
from tests.helpers.cascades import with_cascade
from tests.helpers.gates import answer_rows
from tests.helpers.openai_server import Reply
from training.certify.rule import RuleView
from training.gate.cascade import Pair, plan_tiers


@pytest.fixture(scope="module")
def learned(gated) -> Router:
    return Router.load(gated.path)


@pytest.mark.slow
def test_routes_are_those_that_were_certified(learned):
    setting = LearnedGate.load(learned).promise.setting
    decisions = [learned.decide(make_request(row["prompt"])) for row in answer_rows(200, seed=5)]
    names = [tier.name for tier in learned.learned_tiers]
    expected = RuleView(
        quality=np.array([each.prediction.quality for each in decisions]),
        cost=np.array([each.prediction.cost for each in decisions]) / learned.rule.reference_cost,
        novel=np.array([each.novelty > 0.99 for each in decisions]),
        reference=learned.model.reference,
    )
    try_values = {names.index(name): try_value for name, try_value in setting.try_values.items()}
    first, following = plan_tiers(Pair(setting.price_weight, setting.threshold, try_values), expected)
    for row, decision in enumerate(decisions):
        places = [first[row]]
        while following[row, places[-1]] >= 0:
            places.append(following[row, places[-1]])
        assert list(find_route(decision, setting).places) == places
    assert {len(find_route(decision, setting).places) for decision in decisions} > {1}


def test_the_gate_of_the_artifact_is_what_a_cascade_uses(learned, upstream):
    row = answer_rows(1)[0]

    def use(cascade):
        settings = cascade._settings.engine.policy
        assert settings.odds == LearnedGate.load(learned).promise.setting
        assert "learned" in settings.gate.name
        return cascade.run(messages=[{"role": "user", "content": row["prompt"]}])

    upstream.answer_with(lambda body: Reply("Each step follows and was checked. The answer is 3."))
    options = {"router": learned, "gate": None, "start": "cheapest"}
    result = with_cascade("sync", upstream, options, use)
    assert (result.tier, result.passed) == (learned.tiers[0].name, True)
    upstream.answer_with(lambda body: Reply("I am not sure, perhaps we could guess. The answer is 3."))
    assert with_cascade("sync", upstream, options, use).tier != learned.tiers[0].name


@pytest.mark.parametrize("compose", [lambda gate: NotEmpty() & gate, lambda gate: SecondOpinion(gate, "mini")])
def test_a_learned_gate_that_all_must_pass_brings_its_odds(learned, upstream, compose):
    gate = LearnedGate.load(learned)

    def odds(cascade):
        return cascade._settings.engine.policy.odds

    assert (
        with_cascade("sync", upstream, {"router": learned, "gate": compose(gate), "start": "router"}, odds)
        == gate.promise.setting
    )
    either = {"router": learned, "gate": default_gate() | gate}
    assert with_cascade("sync", upstream, {**either, "start": "cheapest"}, odds) != gate.promise.setting
