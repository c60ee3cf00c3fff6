"""Calls of tiers that have arguments of their own, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from classifier import Router
from classifier.arguments import parse_arguments
from classifier.artifact import Artifact
from classifier.cascade.budget import Budget
from classifier.catalog import menu_from_header, with_tiers
from classifier.gates import Agreement, Judge
from classifier.outcomes.records import DecisionRecord
from tests.helpers.cascades import BAD, GOOD, ask, by_tier, read_stream
from tests.helpers.openai_server import OpenAIServer, Reply

ARGUMENTS = {
    "reasoning_effort": "high",
    "max_tokens": {"rename": "max_completion_tokens"},
    "temperature": {"drop": True},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "extra_body": {"top_k": 5},
}
COUNTED = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 800},
    "completion_tokens_details": {"reasoning_tokens": 60},
}


class Kept:
    """A store that keeps what it is told."""

    def __init__(self) -> None:
        self.decisions: list[DecisionRecord] = []

    def record(self, record: Any) -> None:
        self.decisions.append(record)


def changed(router: Router, **fields: Any) -> Router:
    """The same router with other tiers: each field's value by tier."""
    artifact: Artifact = router.artifact
    menu = menu_from_header(artifact.header["menu"])
    tiers = [
        replace(tier, **{name: values[tier.name] for name, values in fields.items() if tier.name in values})
        for tier in menu.tiers
    ]
    return Router(artifact, menu=with_tiers(menu, tiers))


@pytest.fixture
def reasoning(router: Router) -> Router:
    return changed(router, arguments={"haiku": parse_arguments("haiku", ARGUMENTS)})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_every_call_of_a_tier_has_its_arguments(kind: str, reasoning: Router, upstream: OpenAIServer) -> None:
    upstream.answer_with(by_tier(haiku=Reply(GOOD)))
    ask(kind, upstream, {"router": reasoning}, max_tokens=50, temperature=0.3, seed=7)
    (body,) = [call.body for call in upstream.calls]
    assert body["reasoning_effort"] == "high"
    assert body["max_completion_tokens"] == 50
    assert (body["thinking"], body["top_k"], body["seed"]) == ({"type": "enabled", "budget_tokens": 2000}, 5, 7)
    assert not {"max_tokens", "temperature", "extra_body"} & set(body)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_streams_have_them_too(kind: str, reasoning: Router, upstream: OpenAIServer) -> None:
    options = {"router": reasoning, "start": "haiku", "stream_optimistically": True}
    read_stream(kind, upstream, options, max_tokens=50, temperature=0.3)
    assert all(call.body["max_completion_tokens"] == 50 for call in upstream.calls)
    assert all("temperature" not in call.body for call in upstream.calls)


@pytest.mark.parametrize("gate", [Judge("haiku"), Agreement(free_text="fail")])
def test_what_a_gate_asks_for_has_them(gate: Any, reasoning: Router, upstream: OpenAIServer) -> None:
    upstream.answer_with(lambda body: Reply('{"score": 9}' if "haiku" in body["model"] else GOOD))
    ask("sync", upstream, {"router": reasoning, "gate": gate})
    bodies = [call.body for call in upstream.calls if "haiku" in call.body["model"]]
    assert len(bodies) > 1
    assert all(body["reasoning_effort"] == "high" and "temperature" not in body for body in bodies)
    assert all("max_tokens" not in body for body in bodies)


def test_other_tiers_get_the_callers_arguments_as_they_are(reasoning: Router, upstream: OpenAIServer) -> None:
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    ask("sync", upstream, {"router": reasoning}, max_tokens=50, temperature=0.3)
    last = upstream.calls[-1].body
    assert "haiku" not in last["model"]
    assert (last["max_tokens"], last["temperature"]) == (50, 0.3)
    assert "reasoning_effort" not in last


def test_a_decision_tells_how_to_call_its_tier(reasoning: Router) -> None:
    decision = reasoning.route("spell thing1", max_completion_tokens=300)
    assert decision.request.max_tokens == 300
    decision.position = 0
    assert decision.arguments["reasoning_effort"] == "high"
    assert decision.arguments_for(max_tokens=300, temperature=0.1) == {
        **decision.arguments,
        "model": decision.model,
        "max_completion_tokens": 300,
    }
    assert reasoning.predict_model("spell thing1", max_output_tokens=300) == reasoning.route("spell thing1").model


@pytest.mark.parametrize(
    ("reply", "cost", "source"),
    [
        (Reply(GOOD, usage=COUNTED), (200 * 1.0 + 800 * 0.1 + 100 * 5.0) / 1e6, "usage"),
        (Reply(GOOD, usage={**COUNTED, "cost": 0.0123}), 0.0123, "upstream"),
        (
            Reply(GOOD, headers={"x-litellm-response-cost": "0.0123", "x-litellm-version": "1"}),
            0.0123,
            "upstream",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_budget_result_and_store_have_one_figure(
    kind: str, router: Router, upstream: OpenAIServer, reply: Reply, cost: float, source: str
) -> None:
    upstream.answer_with(lambda body: reply)
    store, budget = Kept(), Budget()
    result = ask(kind, upstream, {"router": router, "store": store, "budget": budget})
    (attempt,) = store.decisions[0].attempts
    assert (result.cost, budget.spent_in_all, attempt.cost) == pytest.approx((cost, cost, cost))
    assert attempt.cost_source == source
    if source == "usage":
        assert (attempt.tokens_cached, attempt.tokens_reasoning) == (800, 60)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}])
def test_what_nobody_counts_is_an_estimate_and_marked_so(router: Router, upstream: OpenAIServer, usage: Any) -> None:
    text = "good " * 400
    upstream.answer_with(lambda body: Reply(text, usage=usage))
    store, budget = Kept(), Budget()
    result = ask("sync", upstream, {"router": router, "store": store, "budget": budget})
    (attempt,) = store.decisions[0].attempts
    assert result.cost is None
    assert attempt.cost_source == "estimate"
    assert attempt.cost == pytest.approx(500 * 5.0 / 1e6, rel=0.1)
    assert budget.spent_in_all == pytest.approx(result.estimated_cost) == pytest.approx(attempt.cost)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_streams_usage_is_priced_in_its_parts(kind: str, router: Router, upstream: OpenAIServer) -> None:
    upstream.answer_with(lambda body: Reply(GOOD, usage=COUNTED))
    store, budget = Kept(), Budget()
    read_stream(kind, upstream, {"router": router, "start": "opus", "store": store, "budget": budget})
    (attempt,) = store.decisions[0].attempts
    assert attempt.cost == pytest.approx((200 * 30.0 + 800 * 3.0 + 100 * 150.0) / 1e6) == budget.spent_in_all
    assert (attempt.tokens_cached, attempt.cost_source) == (800, "usage")


def test_a_service_level_that_the_tier_asks_for_has_its_price(router: Router, upstream: OpenAIServer) -> None:
    flex = changed(
        router,
        arguments={"haiku": parse_arguments("haiku", {"service_tier": "flex"})},
        service_prices={"haiku": {"flex": 0.5}},
    )
    upstream.answer_with(lambda body: Reply(GOOD, tokens_in=1000, tokens_out=100))
    assert ask("sync", upstream, {"router": flex}).cost == pytest.approx(0.00075)


def test_a_mistake_before_anything_is_sent_costs_nothing(router: Router, upstream: OpenAIServer) -> None:
    budget = Budget()
    with pytest.raises(TypeError):
        ask("sync", upstream, {"router": router, "budget": budget}, temprature=1)
    assert budget.spent_in_all == 0.0
