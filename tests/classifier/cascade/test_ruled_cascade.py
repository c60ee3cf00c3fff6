"""Cascades before anyone has trained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from classifier import Budget, BudgetExceededError, Router
from classifier.cascade.candidate import Candidate
from classifier.cascade.exploration import Explorer
from classifier.cascade.route import GateRates, find_route, route_from
from classifier.cascade.run import Policy
from classifier.catalog import default_menu, with_tiers
from classifier.features import Features
from classifier.gates import Answer, NotEmpty
from classifier.outcomes import OutcomeStore
from tests.helpers.cascades import BAD, GOOD, MESSAGES, ask, by_tier, with_cascade
from tests.helpers.openai_server import OpenAIServer, Reply
from tests.helpers.outcomes import Opener

HAIKU, SONNET, OPUS = range(3)
KINDS = ["sync", "async"]


@pytest.fixture(scope="module")
def rules() -> Router:
    """Over haiku, sonnet and opus."""
    tiers = [tier for tier in default_menu().tiers if tier.name != "gemini"]
    return Router(menu=with_tiers(default_menu(), tiers))


def places(router: Router, text: str, **options: str) -> tuple[int, ...]:
    return find_route(router.decide(router.route(text).request), GateRates(), **options).places


def test_a_route_begins_where_the_rules_say_and_goes_on_at_the_dearest(rules):
    assert places(rules, "hello") == (HAIKU, OPUS)
    assert places(rules, "x" * 1000) == (SONNET, OPUS)
    assert places(rules, "Write a poem.") == (OPUS,)
    assert places(rules, "x" * 9000, start="cheapest") == (HAIKU, OPUS)
    assert places(rules, "hello", start="sonnet") == (SONNET, OPUS)
    assert route_from(rules.route("hello"), GateRates(), SONNET) == (SONNET, OPUS)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_checked_and_recorded_so_that_they_can_be_learned_from(kind, upstream, rules, sqlite_url):
    upstream.answer_with(by_tier(haiku=Reply(BAD), opus=Reply(GOOD)))
    with OutcomeStore(sqlite_url) as store:
        result = ask(kind, upstream, {"router": rules, "start": "router", "store": store}, max_tokens=50)
        assert (result.tier, result.decision.strategy) == ("opus", "rules")
        assert [attempt.tier for attempt in result.attempts] == ["haiku", "opus"]
        store.flush()
        (outcome,) = store.outcomes()
        stats = store.stats()
    record = outcome.decision
    assert (record.artifact, record.rule, record.novelty) == (None, "rules", None)
    assert (record.chosen, record.planned, record.answered) == ("haiku", "haiku", "opus")
    assert (list(record.menu), list(record.probabilities), list(record.expected_cost)) == ([], [], [])
    assert record.start_probabilities == {"haiku": 1.0}
    assert [attempt.passed for attempt in record.attempts] == [False, True]
    assert (stats.decisions, stats.escalated, stats.tiers["haiku"].expected_cost) == (1, 1, None)


def test_every_other_tier_is_explored_alike(rules):
    explorer = Explorer(Policy(NotEmpty(), explore=0.5), None, Random(0))
    decision = rules.route("hello")
    routes = [explorer.explore(find_route(decision, GateRates()), decision) for _ in range(400)]
    starts = Counter(route.places for route in routes)
    assert set(starts) == {(HAIKU, OPUS), (SONNET, OPUS), (OPUS,)}
    assert 60 < starts[SONNET, OPUS] < 140
    assert routes[0].starts == pytest.approx({HAIKU: 0.5, SONNET: 0.25, OPUS: 0.25})


def test_a_first_candidate_directs_exploration_and_rules_do_not(rules, linear):
    candidate = linear.router()
    explorer = Explorer(Policy(NotEmpty(), explore=0.2), Candidate(lambda: candidate, lambda: 0.0), Random(0))
    decision = rules.route("prove thing0 and thing1, case 0")
    wanted = find_route(candidate.decide(decision.request), GateRates()).places[0]
    routes = [explorer.explore(find_route(decision, GateRates()), decision) for _ in range(50)]
    assert {route.draw.candidate for route in routes} == {candidate.digest}
    assert wanted == OPUS
    assert routes[-1].starts[OPUS] > routes[-1].starts[SONNET] > 0
    by_rules = Explorer(Policy(NotEmpty(), explore=0.2), Candidate(lambda: rules, lambda: 0.0), Random(0))
    assert by_rules.explore(find_route(decision, GateRates()), decision).draw.candidate is None


@pytest.mark.parametrize("kind", KINDS)
def test_audits_ask_the_dearest_tier(kind, upstream, rules, sqlite_url):
    upstream.answer_with(by_tier(haiku=Reply("The answer is 4."), opus=Reply("The answer is 5.")))
    with OutcomeStore(sqlite_url) as store:
        options = {"router": rules, "start": "router", "gate": NotEmpty(), "audit": 1.0, "store": store}
        ask(kind, upstream, options)
        store.flush()
        (outcome,) = store.outcomes()
    assert {each.tier: each.score for each in outcome.feedback} == {"haiku": 0.0, "opus": 1.0}
    assert [each.purpose for each in outcome.decision.attempts] == ["answer", "audit"]


def test_a_budget_counts_what_the_menus_prices_make_of_a_call(upstream, rules):
    upstream.answer_with(by_tier(haiku=Reply(GOOD), sonnet=Reply(GOOD), opus=Reply(GOOD)))
    options = {"router": rules, "start": "opus", "budget": Budget(total=0.001, when_reached="refuse")}
    with pytest.raises(BudgetExceededError):
        ask("sync", upstream, options, max_tokens=1000)
    assert ask("sync", upstream, {**options, "start": "haiku"}, max_tokens=100).tier == "haiku"


def test_a_store_of_features_keeps_them(upstream, rules, sqlite_url, open_store: Opener):
    upstream.answer_with(lambda body: Reply(GOOD))
    store = open_store(sqlite_url, keep="features")
    ask("sync", upstream, {"router": rules, "store": store})
    store.flush()
    (outcome,) = store.outcomes()
    kept = outcome.decision.features
    assert isinstance(kept, Features)
    assert kept.tokens == pytest.approx(rules.route(messages=MESSAGES).tokens, rel=1e-6)


def test_a_cascade_goes_over_to_the_first_artifact(
    upstream: OpenAIServer, linear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_ARTIFACT", raising=False)
    upstream.answer_with(lambda body: Reply(GOOD))

    def use(cascade):
        before = cascade.run(messages=MESSAGES)
        Path("models").mkdir()
        Path("models/router.safetensors").write_bytes(linear.path.read_bytes())
        assert router.refresh()
        return before, cascade.run(messages=MESSAGES)

    with Router.watch(interval=1e6) as router, OutcomeStore(sqlite_url) as store:
        before, after = with_cascade("sync", upstream, {"router": router, "start": "router", "store": store}, use)
        assert (before.decision.strategy, after.decision.strategy) == ("rules", "learned")
        store.flush()
        digests = [each.decision.artifact for each in store.outcomes()]
    assert digests == [None, linear.router().digest]


def test_the_usual_gate_needs_no_artifact(upstream, rules):
    upstream.answer_with(by_tier(haiku=Reply(""), opus=Reply("Thursday.")))
    result = ask("sync", upstream, {"router": rules, "start": "router", "gate": None})
    assert result.tier == "opus"
    assert isinstance(result.attempts[1].answer, Answer)
