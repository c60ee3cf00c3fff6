import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given

from classifier import Explanation, Router
from classifier.artifact import Artifact
from classifier.catalog import default_menu
from classifier.traits import dense_traits, is_reason
from tests.helpers.requests import IMAGE, TIERS, any_request
from tests.helpers.routers import Trained, artifact_content, decided

SECRET = "zebra"
HARD = "prove thing0 and thing1, case 0"
EASY = "translate thing0 and thing1, case 0"
BOOK = f"{SECRET} and words " * 100_000


def margin(router, prompt):
    """What an explanation measures: the quality logit of the cheapest tier minus the reference's."""
    quality = router.route(prompt).prediction.quality
    cheapest, reference = (math.log(q / (1 - q)) for q in (quality[0], quality[router.model.reference]))
    return cheapest - reference


@given(any_request)
def test_figures_of_any_decision_are_sound(router, request):
    decision = decided(router, request)
    assert list(decision.probabilities) == list(TIERS)
    assert all(0 <= p <= 1 for p in decision.probabilities.values())
    assert decision.probabilities["opus"] == 1
    if decision.tier == "gemini":  # the model knows nothing of it
        assert decision.expected_cost is decision.expected_quality is decision.expected_saving is None
    else:
        costs = dict(zip(TIERS, decision.prediction.cost, strict=True))
        assert decision.expected_cost == costs[decision.tier] > 0
        assert decision.expected_saving == pytest.approx(costs["opus"] - costs[decision.tier])
        assert 0 <= decision.expected_quality <= 1


@given(any_request)
def test_any_decision_has_a_reason_of_one_line_and_an_explanation(router, request):
    decision = decided(router, request)
    assert decision.reason
    assert decision.reason.isprintable()
    explanation = decision.explain(3)
    assert explanation == decision.explain(3)
    assert (explanation.tier, explanation.cheapest, explanation.reference) == (decision.tier, "haiku", "opus")
    for parts, sign in ((explanation.for_cheaper, 1), (explanation.against_cheaper, -1)):
        assert len(parts) <= 3
        shares = [sign * share for _, share in parts]
        assert shares == sorted(shares, reverse=True)
        assert all(share > 0 for share in shares)


@pytest.mark.parametrize("strategy", ["learned", "length", "task"])
@pytest.mark.parametrize("prompt", [f"{HARD} {SECRET}", f"{EASY} {SECRET}", BOOK])
def test_the_prompt_is_in_no_reason_and_no_repr(router, prompt, strategy):
    decision = router.route(prompt, strategy=strategy)
    assert SECRET not in decision.reason
    assert SECRET not in repr(decision)
    assert repr(decision) == f"Decision(tier={decision.tier!r}, model={decision.model!r}, strategy={strategy!r})"


def test_decisions_are_equal_when_what_they_say_is(router, linear):
    assert router.route(EASY) == router.route(EASY)
    assert router.route(EASY) == linear.router().route(EASY)
    assert router.route(EASY) != router.route(HARD)


# Reasons


def test_the_reason_of_a_cheaper_tier_is_what_it_saves(router):
    decision = router.route(EASY)
    assert decision.tier == "haiku"
    quality, saving = decision.expected_quality, decision.expected_saving
    best = decision.prediction.quality[2]
    assert decision.reason == (
        f"learned rule: expected quality {quality:.2f} against {best:.2f} of opus, saving ${saving:.6f} a call"
    )


def test_the_reason_of_the_reference_is_that_it_is_worth_its_price(linear):
    header, tensors = artifact_content(linear.model)
    header["rule"] = {**header["rule"], "path": [[0, 1, 1]], "chosen": 0, "ladder": []}
    decision = Router(Artifact(header, dict(tensors), "", "a")).route(EASY)
    assert decision.reason == (
        f"learned rule: opus (the reference) is worth its price here, expected quality {decision.expected_quality:.2f}"
    )
    assert decision.expected_saving == 0


def test_reasons_of_the_fixed_rules(router, linear: Trained):
    assert router.route("x" * 100, max_tokens=1200, strategy="length").reason == (
        "length rule: 1,300 characters and max_tokens"
    )
    assert router.route("a", task="TL;DR", strategy="task").reason == "task table: summarization"
    assert router.route("a", task="long document analysis", strategy="task").reason == (
        "task table: long document analysis"
    )
    assert (
        router.route("a", strategy="task").reason == "task table: it does not have this task, so by default or length"
    )
    header, tensors = artifact_content(linear.model)
    header["rule"] = {**header["rule"], "strategy": "always", "always": "sonnet"}
    floor = Router(Artifact(header, dict(tensors), "", "a"))
    assert floor.route("a").reason == "always sonnet: learning did not beat it"


def test_a_reason_says_why_cheaper_tiers_are_left_out(router):
    reason = router.route(BOOK).reason
    assert reason.startswith("no learned tier can serve the request, gemini can; haiku needs about ")
    assert all(f"{name} needs about" in reason for name in TIERS)
    menu = default_menu()
    blind = replace(menu, tiers=tuple(replace(tier, images=tier.name != "haiku") for tier in menu.tiers))
    picture = [{"role": "user", "content": [{"type": "text", "text": EASY}, IMAGE]}]
    assert Router(router.artifact, menu=blind).route(messages=picture).reason.endswith("; haiku takes no images")


# Explanations


def test_an_explanation_in_words(router):
    explanation = router.route(HARD, task="theorem proving").explain(4)
    assert isinstance(explanation, Explanation)
    names = [name for name, _ in explanation.against_cheaper]
    assert any("'proof'" in name for name in names)
    text = str(explanation)
    lines = text.splitlines()
    assert lines[0] == f"chosen: {explanation.tier}"
    assert "speaks for haiku being good enough:" in lines
    assert "speaks for needing opus:" in lines
    for name, share in (*explanation.for_cheaper, *explanation.against_cheaper):
        effect = "raises P(haiku) by " if share > 0 else "lowers P(haiku) by "
        assert any(line.startswith(f"  {name} ({effect}") for line in lines)


def test_an_explanation_with_nothing_in_it_says_so():
    assert str(Explanation("haiku", "haiku", "opus", (), ())).count("  nothing in particular") == 2


def test_all_parts_of_an_explanation_have_names(router):
    explanation = router.route(HARD, task="theorem proving").explain(10_000)
    traits = {trait for trait in dense_traits(router.keywords) if trait is not None}
    dense = {trait.said(more=more) for trait in traits for more in (True, False)}
    others = {"its wording in general", "its task label"}
    words = HARD.replace(",", "").split()
    quoted = {f'"{word}"' for word in (*words, *map(" ".join, pairwise(words)))}
    for name, _ in (*explanation.for_cheaper, *explanation.against_cheaper):
        assert name in dense | others | quoted


@pytest.mark.parametrize(
    "prompt",
    [
        "prove thing3 and thing4, case 5",
        "translate thing3 and thing4, case 5",
        "please refute thing7 and thing2",
        "greet thing1",
        "list thing9 and thing8 and derive thing3",
        "докажи thing3",
        "证明 thing3",
        "переведи thing8 and thing9",
    ],
)
def test_without_the_word_that_speaks_most_the_margin_moves_the_other_way(router, prompt):
    explanation = router.route(prompt).explain(10_000)
    parts = (*explanation.for_cheaper, *explanation.against_cheaper)
    words = {name.strip('"'): share for name, share in parts if name.startswith('"') and " " not in name}
    word, share = max(words.items(), key=lambda part: abs(part[1]))
    assert word in prompt
    moved = margin(router, prompt.replace(word, "")) - margin(router, prompt)
    assert moved * share < 0


def test_where_the_cheapest_tier_is_the_reference_its_own_quality_is_explained(linear):
    header, tensors = artifact_content(linear.model)
    header["rule"] = {**header["rule"], "reference": "haiku"}
    header["model"] = {**header["model"], "reference": 0}
    router = Router(Artifact(header, dict(tensors), "", "a"))
    decision = router.route(HARD)
    assert decision.probabilities["haiku"] == 1
    assert any("'proof'" in name for name, _ in decision.explain().against_cheaper)


def test_no_common_word_and_no_number_is_a_reason(router):
    explanation = router.route(f"{HARD}, and this with that, 12 times").explain(10_000)
    named = [name.strip('"') for name, _ in (*explanation.for_cheaper, *explanation.against_cheaper) if '"' in name]
    assert named
    assert all(map(is_reason, named))


def test_a_reason_says_by_how_much_it_moves_the_probability():
    explanation = Explanation("opus", "haiku", "opus", (), (("has long numbers", -0.8),), 0.5)
    assert "  has long numbers (lowers P(haiku) by 0.19)" in str(explanation).splitlines()
    assert "  has long numbers (-0.800)" in str(replace(explanation, probability=None)).splitlines()


def test_what_stands_around_the_ask_is_paid_for_where_training_saw_none(router):
    loaded = router.loaded
    bare = Router(replace(loaded, learned=replace(loaded.learned, knows_context=False)))
    alone, around = "translate thing1", {"role": "system", "content": "Follow the rules. " * 1000}
    messages = [around, {"role": "user", "content": alone}]
    found, seen = bare.route(messages=messages), router.route(messages=messages)
    tokens = loaded.extract.tokens_around(found.request)
    assert 3_000 < tokens < found.tokens
    for cost, known, tier in zip(found.costs, seen.costs, loaded.learned_tiers, strict=True):
        assert cost - known == pytest.approx(tokens * tier.input_price / 1e6, rel=0.01)
    assert bare.route(alone).costs == router.route(alone).costs
