from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from classifier.catalog import Tier
from classifier.errors import NoFeasibleTierError
from classifier.policy import choose, choose_many, feasible_tiers, least_able, why_unfit
from classifier.request import Request
from tests.helpers.requests import any_request

SMALL = Tier("small", "m/small", 1, 5, context_window=1000, max_output_tokens=400)
PLAIN = Tier("plain", "m/plain", 2, 6, images=False, tools=False, json_schema=False)
ABLE = Tier("able", "m/able", 9, 9)
EVERYTHING = Request(
    "a", 10**9, turns=9, tools=9, tool_calls=9, images=9, files=9, audio=9, video=9, json_schema=True, reasoning=True
)


def needs(tokens, at_most=None):
    most = f", maybe {at_most}," if at_most else ""
    return f"needs about {tokens} tokens{most} and room for the answer; its context window is 1,000"


@pytest.mark.parametrize(
    ("tier", "request_", "tokens", "reason"),
    [
        (SMALL, Request("a", max_tokens=300), 560, None),
        (SMALL, Request("a", max_tokens=300), 561, needs("561", "701")),
        (SMALL, Request("a"), 600, None),
        (SMALL, Request("a"), 601, needs("601", "751")),
        (SMALL, Request("a", max_tokens=400), 480, None),
        (SMALL, Request("a", max_tokens=401), 1, "max_tokens is 401, its limit is 400"),
        (SMALL, Request("a", images=3, tools=3, tool_calls=3, json_format=True, json_schema=True), 1, None),
        (PLAIN, Request("a", max_tokens=10**9, json_format=True), 1e9, None),
        (PLAIN, Request("a", images=1), 1, "takes no images"),
        (PLAIN, Request("a", tools=1), 1, "takes no tools"),
        (PLAIN, Request("a", tool_calls=1), 1, "takes no tools"),
        (PLAIN, Request("a", json_schema=True), 1, "takes no JSON schema"),
        (PLAIN, Request("a", files=1), 1, "takes no files"),
        (PLAIN, Request("a", audio=1), 1, "takes no audio"),
        (PLAIN, Request("a", video=1), 1, "takes no video"),
        (PLAIN, Request("a", reasoning=True), 1, None),
        (replace(PLAIN, reasoning=False), Request("a", reasoning=True), 1, "cannot be asked to reason"),
        (ABLE, EVERYTHING, 1e12, None),
    ],
)
def test_hard_constraints(tier, request_, tokens, reason):
    assert why_unfit(tier, request_, tokens) == reason


def test_tiers_that_can_serve_keep_their_order():
    tiers = (ABLE, SMALL, PLAIN, ABLE)
    assert feasible_tiers(tiers, Request("a", images=1), 10) == [0, 1, 3]
    assert feasible_tiers(tiers, Request("a"), 5000) == [0, 2, 3]


def test_where_no_tier_can_serve_each_one_is_named_with_its_reason_and_the_prompt_is_not():
    with pytest.raises(NoFeasibleTierError) as caught:
        feasible_tiers((SMALL, PLAIN), Request("a secret prompt", images=1), 5000)
    assert str(caught.value) == (
        f"no tier of the menu can serve this request (small: {needs('5,000')}; plain: takes no images)"
    )


def test_where_no_tier_has_room_with_the_margin_those_that_may_have_are_left():
    assert feasible_tiers((SMALL,), Request("a"), 1200) == [0]
    assert feasible_tiers((SMALL, ABLE), Request("a"), 1200) == [1]
    with pytest.raises(NoFeasibleTierError):
        feasible_tiers((SMALL,), Request("a"), 1300)


able = st.builds(
    Tier,
    st.just("tier"),
    st.just("m/tier"),
    st.just(1.0),
    st.just(1.0),
    context_window=st.none() | st.integers(1, 2000),
    max_output_tokens=st.none() | st.integers(1, 2000),
    images=st.booleans(),
    audio=st.booleans(),
    reasoning=st.booleans(),
    tools=st.booleans(),
    json_schema=st.booleans(),
)


@given(st.lists(able, min_size=1, max_size=4), any_request, st.floats(0, 3000))
def test_the_least_able_tier_serves_what_every_tier_serves(tiers, request, tokens):
    every = all(why_unfit(tier, request, tokens) is None for tier in tiers)
    assert (why_unfit(least_able(tiers), request, tokens) is None) == every


def test_quality_is_weighed_against_cost():
    quality, cost = [0.7, 0.9, 0.95], [0.05, 0.2, 1.0]
    assert choose(quality, cost, 0, range(3)) == 2
    assert choose(quality, cost, 0.1, range(3)) == 1
    assert choose(quality, cost, 2, range(3)) == 0
    assert choose(quality, cost, 2, [1, 2]) == 1


def test_of_equals_the_cheapest_is_chosen():
    assert choose([0.5, 0.5, 0.5], [0, 0, 0], 1, range(3)) == 0
    assert choose([0.1, 0.5, 0.5], [0, 0, 0], 1, range(3)) == 1
    assert choose([0.5, 0.5, 0.5], [1, 1, 1], 0, [1, 2]) == 1
    assert choose_many(np.full((2, 3), 0.5), np.zeros((2, 3)), 1.0).tolist() == [0, 0]


def made(low, high):
    # A few values only, so that ties occur.
    values = st.sampled_from([low, high, (low + high) / 3]) | st.floats(low, high)
    return arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(3)), elements=values, fill=st.nothing())


@given(st.data(), made(0, 1), st.sampled_from([0.0, 1.0]) | st.floats(0, 1e6))
def test_one_by_one_and_all_at_once_are_the_same_rule(data, quality, price_weight):
    cost = data.draw(
        arrays.arrays(np.float64, quality.shape, elements=st.sampled_from([0, 0.5, 1]) | st.floats(0, 1e3))
    )
    picked = choose_many(quality, cost, price_weight)
    assert picked.shape == (len(quality),)
    for row, tier in enumerate(picked):
        assert choose(quality[row].tolist(), cost[row].tolist(), price_weight, range(3)) == tier


@given(made(0, 1), st.sets(st.integers(0, 2), min_size=1), st.floats(0, 10))
def test_the_choice_is_allowed_and_none_allowed_is_better(quality, allowed, price_weight):
    cost = [0.1, 0.4, 1.0]
    for row in quality.tolist():
        chosen = choose(row, cost, price_weight, sorted(allowed))
        gains = {tier: row[tier] - price_weight * cost[tier] for tier in allowed}
        assert chosen in allowed
        assert gains[chosen] == max(gains.values())


@given(made(0, 1), st.floats(0, 10), st.floats(0, 10))
def test_a_dearer_price_never_picks_a_dearer_tier(quality, one, other):
    cost = np.broadcast_to([0.1, 0.4, 1.0], quality.shape)
    low, high = sorted([one, other])
    assert (choose_many(quality, cost, high) <= choose_many(quality, cost, low)).all()


@given(st.integers(0, 2), st.floats(0, 2), st.floats(0, 5))
def test_a_bonus_is_quality_added_to_the_reference(reference, bonus, price_weight):
    quality, cost = [0.3, 0.5, 0.6], [0.1, 0.4, 1.0]
    raised = [value + bonus * (tier == reference) for tier, value in enumerate(quality)]
    worth = [value - price_weight * price for value, price in zip(raised, cost, strict=True)]
    chosen = choose(quality, cost, price_weight, range(3), reference, bonus)
    assert worth[chosen] >= max(worth) - 1e-12
