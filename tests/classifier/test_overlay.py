"""A user's menu and an artifact that was trained on another one."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from classifier import ArtifactError, Router, Tier
from classifier.artifact import Artifact, read_artifact
from classifier.catalog import default_menu, with_tiers
from classifier.gates import LearnedGate
from classifier.loaded import menu_to_overlay
from tests.helpers.gates import WithGate
from tests.helpers.menus import tier_table, write_menu
from tests.helpers.requests import made_table
from tests.helpers.routers import Trained

HAIKU, GEMINI, SONNET, OPUS = default_menu().tiers
REQUESTS = made_table(60, seed=3)[0]
BOOK = "one more word " * 100_000


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def artifact(linear: Trained) -> Artifact:
    """Of haiku, sonnet and opus; gemini is in its menu, and nothing was learned about it."""
    return read_artifact(linear.path)


def over(artifact: Artifact, *tiers: Tier) -> Router:
    return Router(artifact, menu=with_tiers(default_menu(), tiers))


def refusal(artifact: Artifact, *tiers: Tier) -> str:
    with pytest.raises(ArtifactError) as refused:
        over(artifact, *tiers)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{artifact.source}: trained on the tiers haiku, sonnet and opus, of which the menu ")
    for way_on in ("train a new one with train-router", "the alias", "remove the artifact"):
        assert way_on in message
    return message


def picks(router: Router) -> list[int]:
    return [decision.position for decision in router.route_many(REQUESTS)]


# Tiers that are not the artifact's


def test_a_menu_of_other_tiers_refuses_the_artifact(artifact):
    mini, big = Tier("mini", "openai/mini", 1, 2), Tier("big", "openai/big", 3, 4)
    assert "has no haiku, sonnet or opus, it has mini and big;" in refusal(artifact, mini, big)


def test_a_part_of_the_artifacts_tiers_refuses_it_and_names_what_is_missing(artifact):
    assert "has no sonnet, it has haiku and opus;" in refusal(artifact, HAIKU, OPUS)
    assert 'the tier that stands for sonnet the alias "sonnet"' in refusal(artifact, HAIKU, OPUS)


def test_one_tier_cannot_stand_for_two(artifact):
    both = replace(HAIKU, name="cheap", aliases=("haiku", "sonnet"))
    assert "has no haiku or sonnet, it has cheap and opus;" in refusal(artifact, both, OPUS)


def test_a_tier_of_another_name_and_model_is_not_guessed(artifact):
    assert "has no haiku, it has slow, sonnet and opus;" in refusal(
        artifact, replace(HAIKU, name="slow", model="mine/claude-haiku", aliases=()), SONNET, OPUS
    )


def test_a_file_with_the_packaged_tiers_refuses_an_artifact_of_others(artifact):
    other = Tier("other", "mine/other", 1, 2)
    header = {**artifact.header, "tiers": ["small", "middle", "large"]}
    header["menu"] = {**header["menu"], "length": {"small": "small", "medium": "middle", "large": "large"}, "tasks": {}}
    header["menu"]["length"]["thresholds"] = [10, 20]
    header["menu"]["task_aliases"] = {}
    named = [replace(other, name=name, model=f"mine/{name}") for name in header["tiers"]]
    header["menu"]["tiers"] = [{"name": tier.name, "model": tier.model} for tier in named]
    header["rule"] = {**header["rule"], "reference": "large"}
    foreign = replace(artifact, header=header)
    assert [tier.name for tier in Router(foreign).tiers] == ["small", "middle", "large"]
    write_menu("".join(tier_table(tier.name, tier.model, 1.0) for tier in default_menu().tiers))
    with pytest.raises(ArtifactError, match="trained on the tiers small, middle and large, of which the menu"):
        Router(foreign, menu=menu_to_overlay(None))


def test_many_tiers_are_not_all_listed(artifact):
    tiers = [Tier(f"tier {number}", f"a/{number}", 1, 2) for number in range(100)]
    assert "tier 4 and 95 more;" in refusal(artifact, *tiers)


# Tiers that stand for the artifact's


def test_the_users_order_models_prices_and_limits_count(artifact, caplog):
    own = [replace(tier, input_price=9.0, output_price=9.0, context_window=90_000) for tier in (OPUS, HAIKU, SONNET)]
    router = over(artifact, *own)
    assert router.tiers == (own[1], own[2], own[0])
    assert picks(router) == picks(Router(artifact))
    assert caplog.records == []


def test_a_tier_of_another_name_and_the_same_model_takes_the_learned_ones_place(artifact):
    router = over(artifact, replace(HAIKU, name="fast"), SONNET, replace(OPUS, name="best"))
    assert [tier.name for tier in router.learned_tiers] == ["fast", "sonnet", "best"]
    assert (router.rule.reference, router.tiers[router.loaded.reference].name) == ("best", "best")
    assert picks(router) == picks(Router(artifact))
    decision = router.route(REQUESTS[0].text)
    assert set(decision.probabilities) == {"fast", "sonnet", "best"}
    assert "best" in decision.reason
    assert decision.explain().reference == "best"


def test_an_alias_maps_a_tier_of_another_name_and_model(artifact, caplog):
    router = over(artifact, Tier("mini", "openai/mini", 1, 2, aliases=("haiku",)), SONNET, OPUS)
    assert router.learned_tiers[0].model == "openai/mini"
    assert picks(router) == picks(Router(artifact))
    (warning,) = caplog.messages
    assert "was trained with other models: mini (tokenfast/claude-haiku-4-5-20251001, now openai/mini)" in warning


def test_always_one_tier_follows_its_new_name(artifact):
    floor = replace(artifact, header={**artifact.header, "rule": {**artifact.header["rule"], "strategy": "always"}})
    floor.header["rule"]["always"] = "haiku"
    router = over(floor, replace(HAIKU, name="fast"), SONNET, OPUS)
    assert (router.strategy, router.route("hello").tier) == ("always", "fast")


@pytest.mark.parametrize("model", ["anthropic/claude-haiku-4-5-20251001", "claude-haiku-4-5", "x/y/Claude_Haiku-4-5"])
def test_the_same_model_of_another_seller_is_no_other_model(artifact, caplog, model):
    over(artifact, replace(HAIKU, model=model, aliases=()), SONNET, OPUS)
    assert caplog.records == []


def test_another_model_under_the_same_name_is_warned_of(artifact, caplog):
    router = over(artifact, replace(HAIKU, model="openai/mini"), SONNET, OPUS)
    assert router.tiers[0].model == "openai/mini"
    (warning,) = caplog.messages
    assert "haiku (tokenfast/claude-haiku-4-5-20251001, now openai/mini); what it expects is of those" in warning


def test_a_new_tier_is_warned_of_and_serves_what_no_other_can(artifact, caplog):
    router = over(artifact, HAIKU, SONNET, OPUS, Tier("vast", "mine/vast", 1, 2))
    (warning,) = caplog.messages
    assert "has learned nothing about vast, which only serve what no other tier can; train anew" in warning
    assert picks(router) == picks(Router(artifact))
    assert router.route(BOOK).tier == "vast"


def test_a_tier_that_nothing_was_learned_about_may_go_and_come(artifact, caplog):
    assert [tier.name for tier in over(artifact, HAIKU, SONNET, OPUS).tiers] == ["haiku", "sonnet", "opus"]
    assert over(artifact, HAIKU, GEMINI, SONNET, OPUS).tiers == (HAIKU, SONNET, OPUS, GEMINI)
    assert caplog.records == []


def test_the_users_rules_count_and_the_artifacts_spellings_of_tasks_are_kept(artifact):
    menu = replace(with_tiers(default_menu(), [HAIKU, SONNET, OPUS]), task_table={"tldr": "opus"}, task_aliases={})
    router = Router(artifact, menu=menu)
    assert dict(router.menu.task_table) == {"tldr": "opus"}
    assert router.route("hello", task="TLDR", strategy="task").tier == "opus"
    assert router.route("hello", task="Coding").prediction == router.route("hello", task="code generation").prediction


def test_a_learned_gate_knows_the_tiers_by_their_new_names(gated: WithGate):
    artifact = read_artifact(gated.path)
    trained = Router(artifact)
    first, *others = trained.tiers
    renamed = Router(artifact, menu=with_tiers(trained.menu, [replace(first, name="cheapest"), *others]))
    before, after = LearnedGate.load(trained).promise.setting, LearnedGate.load(renamed).promise.setting
    assert list(after.try_values) == ["cheapest" if name == first.name else name for name in before.try_values]
    assert list(after.try_values.values()) == list(before.try_values.values())


# While it runs


def test_a_watched_router_goes_on_by_rules_where_the_first_artifact_is_of_other_tiers(linear, caplog):
    write_menu()
    with Router.watch(interval=1e6) as watched:
        assert watched.digest is None
        Path("models").mkdir()
        Path("models/router.safetensors").write_bytes(linear.path.read_bytes())
        for _ in range(3):
            assert not watched.refresh()
        assert "trained on the tiers haiku, sonnet and opus" in watched.refused
        assert watched.route("hello").strategy == "rules"
        (_, refused) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert refused.endswith("(going on with the menu's rules)")
    with pytest.raises(ArtifactError, match="trained on the tiers haiku, sonnet and opus"):
        Router.load()


def test_a_watched_router_takes_up_the_first_artifact(linear, caplog):
    changes = []
    with (
        caplog.at_level(logging.INFO),
        Router.watch(interval=1e6, on_change=lambda *pair: changes.append(pair)) as watched,
    ):
        decision = watched.route("Summarize this.")
        assert repr(watched) == "WatchedRouter(by the menu's rules)"
        Path("models").mkdir()
        Path("models/router.safetensors").write_bytes(linear.path.read_bytes())
        assert watched.refresh()
        assert watched.route("Summarize this.").strategy == "learned"
        assert (decision.strategy, decision.reason.partition(":")[0]) == ("rules", "task table")
    ((before, after),) = changes
    assert (before.digest, after.digest) == (None, linear.router().digest)
    assert caplog.messages[-1].startswith("routing by ")
