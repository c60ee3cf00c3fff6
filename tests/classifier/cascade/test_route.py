import dataclasses
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.cascade.route import GateRates, fallbacks, find_route, start_tier
from classifier.errors import InputError
from classifier.request import make_request
from tests.helpers.routes import EASY, GEMINI, HAIKU, OPUS, SONNET, decided

shares = st.floats(0, 1)
rates = st.builds(GateRates, shares, shares, st.floats(0, 0.01))


def worth(places, decision, rates):
    """What a route is worth, by the formula of the module's first lines."""
    setting, expected, router = decision.plan.setting, decision.prediction, decision.loaded
    weight = setting.price_weight / router.rule.reference_cost
    place, *later = places
    quality, cost = expected.quality[place], expected.cost[place]
    if not later:
        return quality + (place == OPUS) * setting.reference_bonus - weight * cost
    fails = 1 - quality * rates.pass_adequate - (1 - quality) * rates.pass_inadequate
    return quality * rates.pass_adequate - weight * (cost + rates.cost) + fails * worth(later, decision, rates)


@given(
    st.lists(shares, min_size=3, max_size=3),
    st.lists(shares, min_size=3, max_size=3),
    st.floats(0, 2),
    st.floats(0, 0.2),
    rates,
    st.sets(st.sampled_from([HAIKU, SONNET, OPUS]), min_size=1),
)
def test_no_route_is_worth_more(router, quality, cost, weight, bonus, rates, feasible):
    decision = decided(router, quality, cost, weight=weight, bonus=bonus, feasible=tuple(sorted(feasible)))
    found = find_route(decision, rates)
    routes = [route for size in (1, 2, 3) for route in combinations(sorted(feasible), size)]
    best = max(worth(route, decision, rates) for route in routes)
    assert worth(found.places, decision, rates) == pytest.approx(best, abs=1e-9)
    assert (found.propensity, found.explored) == (1.0, False)


def test_a_sure_cheap_tier_is_tried_and_a_hopeless_one_is_not(router):
    gate = GateRates(0.95, 0.1)
    likely = decided(router, (0.8, 0.85, 0.95), (0.03, 0.2, 1.0))
    assert find_route(likely, gate).places[0] == HAIKU
    assert len(find_route(likely, gate).places) > 1
    hopeless = decided(router, (0.02, 0.03, 0.95), (0.3, 0.6, 1.0))
    assert find_route(hopeless, gate).places == (OPUS,)


def test_a_gate_that_lets_everything_pass_makes_no_cascade(router):
    decision = decided(router, (0.7, 0.8, 0.95), (0.03, 0.2, 1.0), weight=0.05)
    assert len(find_route(decision, GateRates(1.0, 1.0)).places) == 1


def test_the_start_may_be_given(router):
    decision = decided(router, (0.02, 0.03, 0.95), (0.3, 0.6, 1.0))
    gate = GateRates(0.95, 0.1)
    assert find_route(decision, gate, "cheapest").places == (HAIKU, OPUS)
    assert find_route(decision, gate, "sonnet").places == (SONNET, OPUS)
    assert find_route(decision, gate, decision.loaded.tiers[SONNET].model).places == (SONNET, OPUS)
    assert find_route(decision, gate, "gemini").places == (GEMINI,)
    assert find_route(dataclasses.replace(decision, feasible=(1, 2)), gate, "cheapest").places == (SONNET, OPUS)
    assert find_route(decision, gate, "huge") == find_route(decision, gate)
    with pytest.raises(InputError, match=r"start 'huge' is no tier; expected .*haiku"):
        start_tier(decision.loaded.menu, "huge")


def test_a_start_that_cannot_serve_the_request_gives_way_to_the_routers_choice(router):
    decision = decided(router, (0.02, 0.03, 0.95), (0.3, 0.6, 1.0), feasible=(1, 2, 3), position=OPUS)
    assert find_route(decision, GateRates(0.95, 0.1), "haiku").places == (OPUS,)


def test_what_is_novel_goes_to_the_reference(router):
    decision = decided(router, (0.9, 0.9, 0.95), (0.03, 0.2, 1.0), novelty=0.999)
    assert find_route(decision, GateRates(0.95, 0.1)).places == (OPUS,)


@pytest.mark.parametrize("strategy", ["length", "task"])
def test_a_fixed_rule_goes_on_at_the_reference(router, strategy):
    decision = router.decide(make_request(EASY), router.rule.plan(strategy))
    places = find_route(decision, GateRates()).places
    assert places[0] == decision.position
    assert places[1:] == ((OPUS,) if decision.position < OPUS else ())


def test_a_request_that_no_learned_tier_can_serve_goes_to_one_that_can(router):
    decision = decided(router, (0.5, 0.5, 0.5), (0.1, 0.2, 1.0), feasible=(GEMINI,), position=GEMINI)
    assert find_route(decision, GateRates()).places == (GEMINI,)


@given(st.sets(st.integers(0, 3), min_size=1), st.data())
def test_all_other_tiers_are_turned_to_dearer_ones_first(router, feasible, data):
    decision = decided(router, (0.5, 0.5, 0.5), (0.1, 0.2, 1.0), feasible=tuple(sorted(feasible)))
    tried = data.draw(st.permutations(sorted(feasible)))[: data.draw(st.integers(1, len(feasible)))]
    left = fallbacks(decision, tried)
    assert sorted([*left, *tried]) == sorted(feasible)
    dearer = [place for place in left if place > tried[-1]]
    assert left == sorted(dearer) + sorted(set(left) - set(dearer), reverse=True)


@pytest.mark.parametrize("wrong", [(1.2, 0.1, 0.0), (0.5, -0.1, 0.0), (0.5, 0.1, -1.0)])
def test_rates_are_checked(wrong):
    with pytest.raises(InputError, match="two probabilities from 0 to 1"):
        GateRates(*wrong)
