from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Router, predict_model, route, set_shared_router
from classifier import shared as module
from classifier.artifact import Artifact, read_artifact, write_artifact
from classifier.catalog import Tier, default_menu, menu_to_header
from classifier.errors import ArtifactError, ConfigError, InputError, NoFeasibleTierError
from classifier.heuristic import length_tier
from classifier.locate import find_artifact
from classifier.novelty import NOVEL
from classifier.policy import MARGIN, choose
from classifier.request import make_request
from classifier.rule import ALWAYS_REFERENCE
from classifier.shared import shared_router
from tests.helpers.requests import IMAGE, LANGUAGES, TIERS, TOOL, any_request, made_table, texts
from tests.helpers.routers import Trained, artifact_content, decided

HARD = "prove thing0 and thing1, case 0"
EASY = "translate thing0 and thing1, case 0"
BOOK = "one more word " * 100_000  # about 300,000 tokens
MODELS = {tier.name: tier.model for tier in default_menu().tiers}


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty working directory, no variable that names an artifact or a menu, and no shared router yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_ARTIFACT", raising=False)
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)
    set_shared_router(None)
    yield
    set_shared_router(None)


def changed(trained: Trained, **parts) -> Artifact:
    """The artifact with other fields in parts of its header, or other parts altogether."""
    header, tensors = artifact_content(trained.model)
    for key, part in parts.items():
        header[key] = {**header[key], **part} if isinstance(part, dict) else part
    return Artifact(header, dict(tensors), "0" * 64, "router.safetensors")


def with_limits(router: Router, **limits) -> Router:
    """The router with other fields of some tiers: ``haiku={"images": False}``."""
    menu = default_menu()
    tiers = tuple(replace(tier, **limits.get(tier.name, {})) for tier in menu.tiers)
    return Router(router.artifact, menu=replace(menu, tiers=tiers))


def never_surprised(router: Router) -> Router:
    """The router with a scale on which nothing is novel."""
    tensors = {**router.artifact.tensors, "novelty_quantiles": np.zeros((3, 1))}
    return Router(replace(router.artifact, tensors=tensors))


# Learned


@given(any_request)
def test_any_request_has_a_tier_that_can_serve_it(router, request):
    decision = decided(router, request)
    assert decision == router.decide(request)
    assert decision.position in decision.feasible
    assert router.tiers[decision.position].name == decision.tier
    assert decision.model == MODELS[decision.tier]
    assert decision.strategy == "learned"


@given(any_request)
def test_the_learned_rule_by_definition(router, request):
    decision = decided(router, request)
    quality, rule = decision.prediction.quality.copy(), router.rule
    setting = ALWAYS_REFERENCE if decision.novelty > NOVEL else rule.path[rule.chosen]
    quality[TIERS.index(rule.reference)] += setting.reference_bonus
    share = [cost / rule.reference_cost for cost in decision.prediction.cost]
    allowed = [tier for tier in decision.feasible if tier < len(TIERS)]
    if allowed:
        assert decision.position == choose(quality, share, setting.price_weight, allowed)
    else:
        assert decision.tier == "gemini"


@given(texts)
def test_a_prompt_a_message_and_a_request_are_routed_alike(router, text):
    decision = router.route(text, max_tokens=300, task="TL;DR")
    assert router.route(messages=[{"role": "user", "content": text}], max_tokens=300, task="TL;DR") == decision
    assert router.route_many([make_request(text, max_tokens=300, task="TL;DR")]) == [decision]
    assert router.predict_model(text, 300, "TL;DR") == decision.model


def test_hard_requests_go_to_dearer_tiers(router):
    assert router.route(EASY).tier == "haiku"
    assert router.route(HARD).tier in ("sonnet", "opus")
    assert router.predict_model(EASY) == MODELS["haiku"]


def test_every_language_is_routed(router):
    for text in LANGUAGES.values():
        assert router.route(text).tier in TIERS


@given(st.text(max_size=30))
def test_an_unknown_task_costs_nothing(router, task):
    known = {"code generation", "theorem proving", "summarization"}
    decision, without = router.route(EASY, task=task), router.route(EASY)
    if decision.features.task not in known | set(router.menu.task_aliases):
        assert decision.prediction == without.prediction
        assert decision.tier == without.tier


def test_a_known_task_speaks_whatever_its_spelling(router):
    spellings = ("summarization", "Summarization", "TL;DR", "text-summarisation", "SUMMARY")
    predictions = [router.route(HARD, task=task).prediction for task in spellings]
    assert all(prediction == predictions[0] for prediction in predictions)
    assert predictions[0] != router.route(HARD).prediction
    assert (
        router.route(HARD, task="theorem-proving").prediction == router.route(HARD, task="theorem proving").prediction
    )


@pytest.mark.parametrize("arguments", [{}, {"prompt": "a", "messages": []}])
def test_a_call_needs_a_prompt_or_messages(router, arguments):
    with pytest.raises(TypeError, match="either prompt or messages"):
        router.route(**arguments)


# Hard constraints


def test_a_prompt_longer_than_every_learned_window_goes_to_the_tier_for_long_documents(router):
    decision = router.route(BOOK)
    assert (decision.tier, decision.model) == ("gemini", "tokenfast/gemini-3.1-pro")
    assert decision.feasible == (3,)
    for strategy in ("length", "task"):
        assert router.route(BOOK, strategy=strategy).tier == "gemini"


def test_the_window_holds_the_prompt_and_the_answer(router):
    tokens = router.features(make_request(EASY)).tokens * MARGIN
    tight = with_limits(router, haiku={"context_window": int(tokens) + 101})
    assert tight.route(EASY, max_tokens=100).tier == "haiku"
    assert tight.route(EASY, max_tokens=102).tier != "haiku"


@pytest.mark.parametrize(
    ("limits", "call"),
    [
        ({"images": False}, {"messages": [{"role": "user", "content": [{"type": "text", "text": EASY}, IMAGE]}]}),
        ({"tools": False}, {"prompt": EASY, "tools": [TOOL]}),
        ({"tools": False}, {"messages": [{"role": "user", "content": EASY}, {"role": "tool", "content": "1"}]}),
        ({"json_schema": False}, {"prompt": EASY, "response_format": {"type": "json_schema"}}),
        ({"json_schema": False}, {"prompt": EASY, "response_format": Tier}),
        ({"max_output_tokens": 99}, {"prompt": EASY, "max_tokens": 100}),
    ],
)
@pytest.mark.parametrize("strategy", ["learned", "length", "task"])
def test_a_tier_that_cannot_serve_a_request_does_not_get_it(router, limits, call, strategy):
    router = never_surprised(router)
    able = with_limits(router)
    unable = with_limits(router, haiku=limits)
    assert able.route(**call, task="summarization", strategy=strategy).tier in ("haiku", "sonnet")
    decision = unable.route(**call, task="summarization", strategy=strategy)
    assert decision.tier != "haiku"
    assert decision.feasible == (1, 2, 3)
    only = with_limits(router, haiku=limits, sonnet=limits, gemini=limits)
    assert only.route(**call, task="summarization", strategy=strategy).tier == "opus"


def test_where_no_tier_can_serve_a_request_the_error_says_why_without_its_text(router):
    with pytest.raises(NoFeasibleTierError) as caught:
        router.route("a secret " * 1_000_000)
    message = str(caught.value)
    assert message.startswith("no tier of the menu can serve this request (haiku: needs about ")
    assert all(f"{name}: needs about" in message for name in MODELS)
    assert "secret" not in message


@given(any_request, st.integers(65_537, 10**30))
def test_a_longer_answer_than_most_tiers_give_is_left_to_those_that_do(router, request, max_tokens):
    request = replace(request, max_tokens=make_request("a", max_tokens=max_tokens).max_tokens)
    if max_tokens <= 128_000:
        assert decided(router, request).tier == "opus"
    else:
        with pytest.raises(NoFeasibleTierError, match=r"; opus: .*; gemini: "):
            router.decide(request)


# Other strategies


@given(any_request)
def test_the_length_strategy_is_the_baseline(router, request):
    decision = decided(router, request, "length")
    wanted = length_tier(request.chars, request.max_tokens, default_menu().length)
    assert decision.strategy == "length"
    if [tier.name for tier in router.tiers].index(wanted) in decision.feasible:
        assert decision.tier == wanted


@pytest.mark.parametrize(
    ("task", "tier"),
    [
        ("code generation", "opus"),
        ("TL;DR", "haiku"),
        ("Data-Extraction", "sonnet"),
        ("long document analysis", "gemini"),
        ("unheard of", "haiku"),
        (None, "haiku"),
    ],
)
def test_the_task_strategy_is_the_table_and_for_other_tasks_the_length(router, task, tier):
    assert router.route("short", task=task, strategy="task").tier == tier
    if task in ("unheard of", None):
        assert router.route("x" * 5000, task=task, strategy="task").tier == "opus"


@pytest.mark.parametrize("strategy", ["length", "task"])
def test_a_strategy_is_chosen_by_call_by_argument_or_by_menu(router, strategy):
    menu = replace(default_menu(), strategy=strategy)
    routers = {
        "argument": Router(router.artifact, strategy=strategy),
        "menu": Router(router.artifact, menu=menu),
        "argument before menu": Router(router.artifact, menu=replace(menu, strategy="learned"), strategy=strategy),
    }
    for one in routers.values():
        assert one.strategy == one.route(HARD).strategy == strategy
        assert one.route(HARD, strategy="learned").strategy == "learned"
    assert router.route(HARD, strategy=strategy).strategy == strategy
    assert router.strategy == router.route(HARD).strategy == "learned"


def test_an_unknown_strategy_is_refused(router):
    expected = r"^strategy 'cheapest' is not known; expected one of: learned, length, task$"
    with pytest.raises(InputError, match=expected):
        router.route(HARD, strategy="cheapest")
    with pytest.raises(InputError, match=expected):
        Router(router.artifact, strategy="cheapest")


def test_an_artifact_that_ships_a_floor_always_picks_it(linear):
    floor = Router(changed(linear, rule={"strategy": "always", "always": "sonnet"}))
    for text in (EASY, HARD, *LANGUAGES.values()):
        decision = floor.route(text)
        assert (decision.tier, decision.strategy) == ("sonnet", "always")
        assert floor.route(text, strategy="learned") == decision
    assert floor.route(EASY, strategy="length").tier == "haiku"
    assert floor.route(BOOK).tier == "gemini"


def test_a_floor_that_cannot_serve_a_request_gives_way_to_the_next_dearer_tier(linear):
    artifact = changed(linear, rule={"strategy": "always", "always": "sonnet"})
    able = with_limits(Router(artifact), sonnet={"images": False})
    picture = [{"role": "user", "content": [IMAGE]}]
    assert able.route(messages=picture).tier == "opus"
    cheap = with_limits(Router(artifact), sonnet={"images": False}, opus={"images": False}, gemini={"images": False})
    assert cheap.route(messages=picture).tier == "haiku"


def test_an_artifact_may_ship_the_length_rule_with_its_own_thresholds(linear):
    menu = menu_to_header(Router(changed(linear)).menu)
    menu["length"] = {**menu["length"], "thresholds": [10, 20]}
    tuned = Router(changed(linear, rule={"strategy": "length"}, menu=menu))
    assert [tuned.route("x" * size).tier for size in (9, 10, 20)] == ["haiku", "sonnet", "opus"]
    assert tuned.route("x").strategy == "length"


# The user's menu over the artifact's


def test_a_router_toml_renames_models_and_sets_limits(linear):
    Path("router.toml").write_text(
        """
strategy = "task"
task_default = "sonnet"
[[tiers]]
name = "haiku"
model = "mine/little"
context_window = 200
[[tiers]]
name = "sonnet"
model = "mine/middle"
[[tiers]]
name = "opus"
model = "mine/big"
[length]
thresholds = [100, 200]
[tasks]
"theorem proving" = "opus"
[task_aliases]
"theorem proving" = ["proofs"]
""",
        encoding="utf-8",
    )
    router = Router.load(linear.path)
    assert router.strategy == "task"
    assert router.predict_model(EASY) == "mine/middle"
    assert router.predict_model(EASY, strategy="learned") == "mine/little"
    assert router.route(HARD, task="Proofs").model == "mine/big"
    assert router.route("x" * 200, strategy="length").model == "mine/big"
    assert router.route(EASY, max_tokens=250, strategy="learned").model != "mine/little"
    # A tier that the file leaves out, and that nothing was learned about, is gone.
    assert [tier.name for tier in router.tiers] == ["haiku", "sonnet", "opus"]


def test_a_spelling_of_a_learned_task_may_be_added(linear):
    Path("router.toml").write_text(
        '[tasks]\nsummarization = "haiku"\n[task_aliases]\nsummarization = ["Kurzfassung"]\n'
    )
    router = Router.load(linear.path)
    assert router.route(HARD, task="kurzfassung").prediction == router.route(HARD, task="summarization").prediction
    assert router.route(HARD, task="TL;DR").prediction == router.route(HARD, task="summarization").prediction


def test_a_menu_without_tiers_of_its_own_leaves_the_artifacts(linear):
    Path("router.toml").write_text("[length]\nthresholds = [10, 20]\n", encoding="utf-8")
    router = Router.load(linear.path)
    assert router.menu.tiers == Router(read_artifact(linear.path)).menu.tiers
    assert router.route("x" * 30, strategy="length").tier == "opus"
    assert router.route(EASY, task="summarization", strategy="task").tier == "haiku"


def test_a_wrong_router_toml_is_refused(linear, tmp_path):
    Path("router.toml").write_text('strategy = "fastest"')
    with pytest.raises(ConfigError, match=r"^router\.toml: menu: strategy is"):
        Router.load(linear.path)


# Where the artifact is found


def test_an_artifact_is_found_by_variable_then_where_it_is_trained(linear, monkeypatch):
    assert find_artifact() is None
    write_artifact("models/router.safetensors", *artifact_content(linear.model))
    assert find_artifact() == Path("models/router.safetensors")
    assert Router.load().artifact.digest == read_artifact(linear.path).digest
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(linear.path))
    assert find_artifact() == linear.path
    assert Router.load().artifact.source == str(linear.path)


def test_a_variable_that_names_no_file_is_an_error_and_not_passed_over(monkeypatch):
    monkeypatch.setenv("TIERWISE_ARTIFACT", "gone.safetensors")
    with pytest.raises(ArtifactError, match=r"^gone\.safetensors: no such file; "):
        Router.load()


# Artifacts that cannot be used


def refusal(artifact):
    with pytest.raises(ArtifactError) as caught:
        Router(artifact)
    message = str(caught.value)
    assert message.startswith("router.safetensors: ")
    assert "\n" not in message
    return message.removeprefix("router.safetensors: ")


@pytest.mark.parametrize(
    "ladder",
    [[], ["sonnet", "haiku", "opus"], ["haiku", "opus"], ["haiku", 3], ["haiku", "sonnet", "opus", "gemini", "a"]],
)
def test_a_ladder_that_is_not_the_menus_is_refused(linear, ladder):
    assert refusal(changed(linear, tiers=ladder)).startswith("its tiers do not fit its menu; train a new one")


@pytest.mark.parametrize(
    "rule",
    [
        {"strategy": "cheapest"},
        {"strategy": "always", "always": "gemini"},
        {"strategy": "always", "always": "nobody"},
        {"path": [[-0.1, 0, 1]], "chosen": 0, "ladder": []},
        {"path": [[0, -0.1, 1]], "chosen": 0, "ladder": []},
        {"path": [[0, 0, -1]], "chosen": 0, "ladder": []},
        {"path": [], "chosen": None, "ladder": []},
        {"path": [[0, "1", 1]], "chosen": 0, "ladder": []},
        {"path": [3], "chosen": 0, "ladder": []},
        {"chosen": 4},
        {"chosen": -1},
        {"chosen": True},
        {"chosen": 1.0},
        {"target": 1.1},
        {"confidence": 1.0},
        {"ladder": [[0.02, 4, None]]},
        {"ladder": [[0.02, 1, None], [0.01, 0, None]]},
        {"ladder": [[-0.1, 0, None]]},
        {"ladder": [["0.1", 0, None]]},
        {"tasks": {"summarization": 9}},
        {"tasks": {"summarization": "1"}},
        {"reference_cost": 0},
        {"reference_cost": -1.0},
        {"reference": "gemini"},
        {"reference": "nobody"},
    ],
)
def test_an_unsound_rule_is_refused(linear, rule):
    assert refusal(changed(linear, rule=rule)).startswith("its decision rule is unsound; train a new one")


def test_a_rule_and_a_model_of_different_references_are_refused(linear):
    assert refusal(changed(linear, rule={"reference": "haiku"})).startswith("its rule and its model differ")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"tiers": None}, "header field 'tiers' is null, expected a list"),
        ({"menu": None}, "header field 'menu' is null, expected an object"),
        ({"menu": {"tiers": []}}, "its menu is unsound: menu: it has no tiers"),
        ({"rule": None}, "header field 'rule.strategy' is missing, expected a string"),
        ({"rule": {"strategy": "always"}}, "header field 'rule.always' is missing, expected a string"),
        ({"rule": {"path": "1"}}, "header field 'rule.path' is a string, expected a list"),
        ({"rule": {"target": "1"}}, "header field 'rule.target' is a string, expected a number"),
        ({"rule": {"tasks": []}}, "header field 'rule.tasks' is a list, expected an object"),
        ({"rule": {"reference_cost": True}}, "header field 'rule.reference_cost' is true or false, expected a number"),
        ({"features": {"version": 0}}, "trained on feature version 0, this tierwise computes version "),
        ({"features": {"version": 999}}, "trained on feature version 999, this tierwise computes version "),
        ({"features": {"version": 1.0}}, "header field 'features.version' is a number, expected a whole number"),
        ({"features": {"keywords": {}}}, "header field 'features.keywords' is an object, expected a list"),
        ({"features": {"keywords": [3]}}, "keyword group 1: expected a table with a name; train a new one"),
        ({"features": {"keywords": []}}, "tensor 'dense_mean' is float64"),
        ({"features": {"tokens": None}}, "header field 'features.tokens' is null, expected a string"),
        ({"model": {"kind": "forest"}}, "model kind 'forest' is not known to this version; upgrade tierwise"),
        ({"model": {"reference": 7}}, "its task labels or reference do not fit its menu"),
    ],
)
def test_an_unsound_header_is_refused(linear, parts, message):
    assert refusal(changed(linear, **parts)).startswith(message)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_do_not_even_become_a_file(linear, value):
    header, tensors = artifact_content(linear.model)
    with pytest.raises(ArtifactError, match="holds NaN or infinite values"):
        write_artifact("bad.safetensors", header, {**tensors, "bias": tensors["bias"] * value})
    assert not Path("bad.safetensors").exists()


def test_a_vocabulary_that_this_machine_lacks_is_replaced_with_a_warning(linear, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    router = Router(changed(linear, features={"tokens": "o200k_base"}))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert router.route("a secret").prediction == linear.router().route("a secret").prediction
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


# Sharing


@pytest.mark.slow
def test_threads_may_share_a_router(blend):
    router = blend.router()
    requests, _, _ = made_table(60, 5)
    requests += [make_request(text) for text in LANGUAGES.values()]
    alone = [router.decide(request) for request in requests]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: router.route_many(requests), range(8)))
    assert all(decisions == alone for decisions in together)


def test_the_shared_router_is_loaded_once_however_many_ask(linear, monkeypatch):
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(linear.path))
    with ThreadPoolExecutor(8) as pool:
        routers = list(pool.map(lambda _: shared_router(), range(8)))
    assert all(router is routers[0] for router in routers)
    assert routers[0].artifact.source == str(linear.path)


def test_the_shared_router_can_be_set_and_forgotten(router, linear, monkeypatch):
    set_shared_router(router)
    assert shared_router() is router
    assert route(HARD, max_tokens=9, task="summarization") == router.route(HARD, max_tokens=9, task="summarization")
    message = [{"role": "user", "content": HARD}]
    assert predict_model(messages=message, tools=[TOOL]) == router.route(messages=message, tools=[TOOL]).model
    assert predict_model(EASY, 300, "summarization") == router.predict_model(EASY, 300, "summarization")
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(linear.path))
    set_shared_router(None)
    assert shared_router() is not router
    assert shared_router() is shared_router()


def test_nothing_is_loaded_before_the_first_call(monkeypatch):
    monkeypatch.setenv("TIERWISE_ARTIFACT", "gone.safetensors")
    assert module._shared is None
    for _ in range(2):  # a failure is not remembered
        with pytest.raises(ArtifactError, match="no such file"):
            route(EASY)
