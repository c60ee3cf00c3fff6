"""Routing before anyone has trained: by the rules of the user's own menu."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from classifier import (
    ArtifactError,
    InputError,
    NoFeasibleTierError,
    Request,
    Router,
    load_menu,
    make_request,
    predict_model,
    route,
    set_shared_router,
)
from classifier.__main__ import main
from classifier.gates import LearnedGate
from tests.helpers.menus import MODELS, OWN, write_menu
from tests.helpers.requests import IMAGE, LANGUAGES, any_request
from tests.helpers.routers import Trained, decided

SECRET = "marzipan"


@pytest.fixture(autouse=True)
def own_menu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory with a menu and nothing else."""
    monkeypatch.chdir(tmp_path)
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG", "TIERWISE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    write_menu()
    set_shared_router(None)
    yield
    set_shared_router(None)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Router:
    path = tmp_path_factory.mktemp("menu") / "router.toml"
    path.write_text(OWN, encoding="utf-8")
    return Router(menu=load_menu(path))


@pytest.mark.parametrize(
    ("text", "options", "tier", "why"),
    [
        ("x" * 5000, {"task": "summary"}, "mini", "task table: summary"),
        ("x" * 5000, {"task": "TL;DR"}, "big", "length rule: 5,000 characters"),
        ("Summarize this in one line: " + "x" * 5000, {}, "mini", "task table: summary, as the text says"),
        ("Write a poem about rain.", {"max_tokens": 10}, "big", "task table: creative writing, as the text says"),
        ("Summarize this: " + "x" * 5000, {"task": "chat"}, "big", "length rule: 5,016 characters"),
        ("hello", {}, "mini", "length rule: 5 characters"),
        ("hello", {"max_tokens": 95}, "middle", "length rule: 100 characters"),
        ("hello", {"max_tokens": 995}, "big", "length rule: 1,000 characters"),
    ],
)
def test_the_menu_routes_by_task_where_it_is_known_and_else_by_length(text, options, tier, why):
    decision = route(text, **options)
    assert (decision.tier, decision.model, decision.strategy) == (tier, MODELS[tier], "rules")
    assert decision.reason.startswith(why)
    assert "train-router" in decision.reason
    assert "\n" not in decision.reason
    assert predict_model(text, **options) == decision.model


def test_it_is_said_once_in_the_log_with_the_way_on_and_without_the_prompt(caplog):
    for _ in range(3):
        predict_model(f"a {SECRET}")
        route(f"a {SECRET}", task=SECRET)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for words in ("no artifact is there yet", "models/router.safetensors", "mini, middle, big", "train-router"):
        assert words in record.getMessage()
    assert SECRET not in caplog.text


@given(any_request)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_has_a_tier_of_the_menu_that_can_serve_it(rules, request):
    decision = decided(rules, request)
    assert decision.position in decision.feasible
    assert decision.model == MODELS[decision.tier]
    assert decision.probabilities == {}
    assert decision.expected_quality is None
    assert decision.novelty is None
    assert decision.expected_cost >= 0
    assert decision.reason
    assert rules.route_many([request]) == [decision]
    assert rules.decide(request) == decision


def test_a_decision_has_everything_that_does_not_have_to_be_learned(rules):
    decision = rules.route("x" * 400, max_tokens=200)
    reference = (decision.tokens * 3.0 + 200 * 15.0) / 1e6
    assert decision.expected_cost == pytest.approx((decision.tokens * 1.0 + 200 * 4.0) / 1e6, rel=1e-3)
    assert decision.expected_saving == pytest.approx(reference - decision.expected_cost, rel=1e-3)
    assert decision.feasible == (0, 1, 2)
    assert decision.features.tokens == decision.tokens > 10
    assert rules.decide_on(decision.features).tier == decision.tier
    explained = decision.explain()
    assert (explained.tier, explained.cheapest, explained.reference) == ("middle", "mini", "big")
    assert str(explained) == (
        "chosen: middle\nby the menu's rules: nothing was learned that speaks for or against a tier"
    )


def test_without_prices_no_cost_is_expected():
    write_menu('[[tiers]]\nname = "one"\nmodel = "a/one"\n[[tiers]]\nname = "two"\nmodel = "a/two"\n')
    decision = route("hello")
    assert (decision.model, decision.expected_cost, decision.expected_saving) == ("a/one", None, None)


def test_a_tier_that_cannot_serve_a_request_is_passed_over_and_named(rules):
    content = [{"type": "text", "text": "Write a poem about this."}, IMAGE]
    decision = rules.route(messages=[{"role": "user", "content": content}])
    assert decision.tier == "middle"
    long = rules.route("one more word " * 40_000, task="summary")
    assert long.tier == "middle"
    assert "mini needs about" in long.reason
    write_menu('[[tiers]]\nname = "one"\nmodel = "a/one"\ncontext_window = 10\n')
    with pytest.raises(NoFeasibleTierError):
        predict_model("one more word " * 40_000)


def test_many_at_once_go_where_each_would_go(rules):
    texts = [*LANGUAGES.values(), "Summarize this: " + "x" * 900, "Write a story.", "x" * 3000] * 30
    requests = [make_request(text, max_tokens=number % 700) for number, text in enumerate(texts)]
    assert rules.route_many(requests) == [rules.decide(request) for request in requests]
    assert rules.predict_models(texts) == [rules.predict_model(text) for text in texts]


def test_a_strategy_of_the_menu_or_the_call_is_followed(rules):
    text = "Summarize this: " + "x" * 5000
    assert rules.route(text, strategy="learned").tier == "mini"
    assert rules.route(text, strategy="length").tier == "big"
    assert rules.route(text, strategy="task").tier == "big"
    assert rules.route(text, strategy="task", task="summary").tier == "mini"
    write_menu(f'strategy = "task"\ntask_default = "middle"\n{OWN}')
    decision = route(text)
    assert (decision.tier, decision.strategy) == ("middle", "task")
    assert "train-router" in decision.reason


def test_where_no_loss_is_certified_the_dearest_tier_is_what_loses_nothing(rules):
    decision = rules.route("hello", max_quality_loss=0.02)
    assert (decision.tier, decision.plan.promise) == ("big", None)
    assert decision.reason.startswith("always big: no quality loss is certified yet")
    assert Router(menu=rules.menu, max_quality_loss=0.05).predict_model("hello") == MODELS["big"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"budget": 0.4}, "budget is 0.4; expected none, as no artifact is there"),
        ({"budget": 0.4, "max_quality_loss": 0.1}, "are given both"),
        ({"max_quality_loss": 2.0}, "expected a number from 0 to 1"),
        ({"strategy": "fastest"}, "strategy 'fastest' is not known"),
        ({"strategy": "length", "max_quality_loss": 0.1}, "knows no max_quality_loss"),
    ],
)
def test_a_wish_that_cannot_be_kept_is_refused(rules, wish, words):
    with pytest.raises(InputError, match=words):
        rules.route("hello", **wish)
    with pytest.raises(InputError, match=words):
        Router.load(**wish)


@pytest.mark.parametrize("part", ["artifact", "rule", "model", "novelty"])
def test_what_only_an_artifact_has_is_refused_with_the_way_on(rules, part):
    with pytest.raises(
        ArtifactError, match="no artifact is loaded, the menu's rules route; train one with train-router"
    ):
        getattr(rules, part)
    assert rules.digest is None
    assert rules.learned_tiers == ()


def test_a_learned_gate_needs_an_artifact(rules):
    with pytest.raises(ArtifactError, match=r"^models/router\.safetensors: no artifact is there; train one"):
        LearnedGate.load()
    with pytest.raises(ArtifactError, match="no artifact is loaded"):
        LearnedGate.load(rules)


def test_the_command_line_routes_by_rules(capsys):
    assert main(["Summarize this in one line: the meeting is moved.", "--max-tokens", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == MODELS["mini"]
    assert lines[1].startswith("task table: summary, as the text says; ")
    assert main(["hello", "--budget", "0.4"]) == 2


def test_a_trained_artifact_takes_the_rules_place(linear: Trained):
    write_menu("[length]\nthresholds = [10, 20]\n")
    before = Router.load()
    Path("models").mkdir()
    Path("models/router.safetensors").write_bytes(linear.path.read_bytes())
    after = Router.load()
    assert (before.digest, before.strategy) == (None, "rules")
    assert (after.digest, after.strategy) == (linear.router().digest, "learned")
    kind = Router().loaded.feature_kind
    assert set(kind) == set(after.loaded.feature_kind)
    assert np.array_equal(before.features(Request("hi")).terms, after.features(Request("hi")).terms)
