from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from classifier import InputError, NoFeasibleTierError, Router
from classifier.artifact import Artifact
from classifier.novelty import NOVEL
from classifier.policy import choose
from classifier.rule import ALWAYS_REFERENCE, Plan, Promise, Rule, Setting, dump_rule, load_rule
from tests.helpers.requests import any_request, texts
from tests.helpers.routers import artifact_content, decided

PATH = (Setting(0.05, 0.5, 0.97), Setting(0.05, 0.0, 0.8), Setting(0.1, 0.0, 0.5), Setting(0.4, 0.0, 0.2))
RULE = Rule(
    strategy="learned",
    reference="opus",
    reference_cost=0.03,
    path=PATH,
    chosen=2,
    target=0.02,
    relative=True,
    confidence=0.95,
    certified=True,
    ladder=(Promise(0.0, None, 900), Promise(0.01, 0, None), Promise(0.02, 2, None), Promise(0.05, 3, None)),
)
FLOOR = replace(RULE, strategy="always", always="sonnet", ladder=())
BY_TASK = replace(RULE, ladder=(), tasks={"summarization": 3, "theorem proving": None})


# Plans


def test_without_a_wish_the_chosen_setting_is_in_force():
    assert RULE.plan() == RULE.plan("learned") == Plan("learned", PATH[2], promise=0.02)
    assert replace(RULE, chosen=None).plan().setting == ALWAYS_REFERENCE
    assert replace(RULE, certified=False).plan() == Plan("learned", PATH[2])


@pytest.mark.parametrize(
    ("loss", "setting", "promise"),
    [
        (0, ALWAYS_REFERENCE, 0),
        (0.009, ALWAYS_REFERENCE, 0),
        (0.01, PATH[0], 0.01),
        (0.02, PATH[2], 0.02),
        (0.049, PATH[2], 0.02),
        (0.05, PATH[3], 0.05),
        (1, PATH[3], 0.05),
    ],
)
def test_a_loss_gets_the_cheapest_setting_certified_for_no_more(loss, setting, promise):
    assert RULE.plan(max_quality_loss=loss) == Plan("learned", setting, promise=promise)


@pytest.mark.parametrize(
    ("budget", "setting"), [(5, PATH[1]), (0.8, PATH[1]), (0.79, PATH[2]), (0.4, PATH[3]), (0.01, PATH[3])]
)
def test_a_budget_gets_the_best_setting_that_it_pays_for(budget, setting):
    assert RULE.plan(budget=budget) == Plan("learned", setting)


def test_a_path_that_never_leaves_the_bonus_serves_a_budget_with_its_end():
    assert replace(RULE, path=PATH[:1], chosen=0, ladder=()).plan(budget=0.1) == Plan("learned", PATH[0])


def test_a_floor_stands_where_its_promise_is_good_enough_and_the_reference_where_it_is_not():
    assert FLOOR.plan() == FLOOR.plan(max_quality_loss=0.02) == Plan("always", tier="sonnet", promise=0.02)
    assert FLOOR.plan(max_quality_loss=0.019) == Plan("learned", ALWAYS_REFERENCE, promise=0)
    assert FLOOR.plan(budget=0.5) == Plan("learned", PATH[2])
    assert replace(FLOOR, certified=False).plan(max_quality_loss=0.5) == Plan("learned", ALWAYS_REFERENCE, promise=0)


def test_by_task_each_has_its_own_setting():
    assert BY_TASK.plan() == BY_TASK.plan(max_quality_loss=0.03) == Plan("learned", None, promise=0.02)
    assert BY_TASK.task_setting("summarization") == PATH[3]
    for task in ("theorem proving", "poetry", None):
        assert BY_TASK.task_setting(task) == ALWAYS_REFERENCE
    assert BY_TASK.plan(max_quality_loss=0.01) == Plan("learned", ALWAYS_REFERENCE, promise=0)


def test_strategies_pass_through():
    assert RULE.plan("length") == Plan("length")
    assert RULE.plan("task") == Plan("task")
    assert FLOOR.plan("learned") == FLOOR.plan()
    assert replace(FLOOR, strategy="length", always=None).plan("length") == Plan("length", promise=0.02)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"max_quality_loss": 0.1, "budget": 0.4}, "max_quality_loss and budget are given both; expected one"),
        ({"max_quality_loss": -0.1}, "max_quality_loss is -0.1; expected a number from 0 to 1"),
        ({"max_quality_loss": float("nan")}, "max_quality_loss is nan; expected a number from 0 to 1"),
        ({"max_quality_loss": 2}, "max_quality_loss is 2; expected a number from 0 to 1"),
        ({"budget": 0}, "budget is 0; expected a share of the reference's cost above 0"),
        ({"budget": float("inf")}, "budget is inf; expected a share"),
        ({"strategy": "length", "budget": 0.4}, "strategy 'length' knows no max_quality_loss or budget"),
        ({"strategy": "cheapest"}, "strategy 'cheapest' is not known; expected one of: "),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(router, wish, message):
    with pytest.raises(InputError) as caught:
        RULE.plan(**wish)
    assert str(caught.value).startswith(message)
    with pytest.raises(InputError):
        router.route("hello", **wish)
    with pytest.raises(InputError):
        router.predict_model("hello", **wish)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_loss_is_never_dearer(one, other):
    low, high = sorted((one, other))
    assert RULE.plan(max_quality_loss=high).setting.cost <= RULE.plan(max_quality_loss=low).setting.cost


# In a router


def test_a_router_may_be_loaded_with_a_wish(linear):
    assert Router.load(linear.path, max_quality_loss=0.05).plan == Plan("learned", PATH[3], promise=0.05)
    assert Router.load(linear.path, budget=0.6).plan == Plan("learned", PATH[2])
    with pytest.raises(InputError):
        Router.load(linear.path, budget=0.6, strategy="task")


@given(any_request, st.sampled_from([0.0, 0.01, 0.05, 0.3]))
def test_a_wish_for_one_call_is_a_router_with_that_wish(router, linear, request, loss):
    decision = decided(Router.load(linear.path, max_quality_loss=loss), request)
    assert router.decide(request, router.rule.plan(max_quality_loss=loss)) == decision
    setting = ALWAYS_REFERENCE if decision.novelty > NOVEL else RULE.plan(max_quality_loss=loss).setting
    quality = decision.prediction.quality.copy()
    quality[2] += setting.reference_bonus
    share = [cost / 0.03 for cost in decision.prediction.cost]
    allowed = [place for place in decision.feasible if place < 3]
    assert decision.position == (choose(quality, share, setting.price_weight, allowed) if allowed else 3)


@given(texts)
def test_no_loss_at_all_is_the_reference_wherever_it_can_serve(router, text):
    try:
        decision = router.route(text, max_quality_loss=0)
    except NoFeasibleTierError:
        reject()
    assert decision.tier == ("opus" if 2 in decision.feasible else "gemini")


def test_a_task_goes_by_its_own_setting_under_any_of_its_names(linear):
    header, tensors = artifact_content(linear.model)
    router = Router(Artifact({**header, "rule": dump_rule(BY_TASK)}, dict(tensors), "", "a"))
    easy = "translate thing0 and thing1, case 0"
    assert router.route(easy, task="TL;DR").tier == router.route(easy, task="summarization").tier == "haiku"
    assert router.route(easy, task="theorem proving").tier == "opus"
    assert router.route(easy).tier == "opus"


# In a file


@pytest.mark.parametrize("rule", [RULE, FLOOR, BY_TASK, replace(RULE, chosen=None, relative=False)])
def test_a_rule_survives_the_way_through_a_header(rule):
    assert load_rule(Artifact({"rule": dump_rule(rule)}, {}, "", "a"), ["haiku", "sonnet", "opus"]) == rule
