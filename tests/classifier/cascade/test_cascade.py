"""A cascade's answers, over a real server with the real clients."""

import pytest
from openai import NOT_GIVEN, OpenAI
from openai.types.chat import ChatCompletion

from classifier import NoFeasibleTierError
from classifier.cascade import Budget, Cascade, GateRates, outcome_id
from classifier.cascade.options import Options
from classifier.errors import BudgetExceededError, InputError
from classifier.gates import Agreement, Check, Gate, Judge, MeanLogprob, Verdict
from tests.helpers.cascades import BAD, GOOD, KEY, MESSAGES, ask, asked, by_tier, good_gate
from tests.helpers.openai_server import Fault, OpenAIServer, Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
SHARP = GateRates(0.95, 0.05)


@both
def test_an_answer_that_passes_is_kept(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(GOOD)))
    result = ask(kind, upstream, {"router": router}, max_tokens=50, temperature=0.3, user="u")
    assert (result.tier, result.passed, result.response.choices[0].message.content) == ("haiku", True, GOOD)
    assert asked(upstream.calls) == ["haiku"]
    body = upstream.calls[0].body
    assert body == {
        "messages": MESSAGES,
        "model": router.tiers[0].model,
        "max_tokens": 50,
        "temperature": 0.3,
        "user": "u",
    }


@both
def test_an_answer_that_fails_is_escalated_and_both_are_paid(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD, tokens_in=100, tokens_out=10)))
    result = ask(kind, upstream, {"router": router})
    assert asked(upstream.calls) == ["haiku", result.tier]
    assert result.tier in ("sonnet", "opus")
    assert result.passed in (True, None)
    assert [attempt.tier for attempt in result.attempts] == ["haiku", result.tier]
    assert result.attempts[0].verdict.passed is False
    haiku = router.tiers[0]
    assert result.attempts[0].cost == pytest.approx((100 * haiku.input_price + 10 * haiku.output_price) / 1e6)
    assert result.cost == pytest.approx(sum(attempt.cost for attempt in result.attempts))
    assert all(attempt.latency > 0 for attempt in result.attempts)


@both
def test_the_answer_is_what_the_client_itself_would_return(kind, router, upstream):
    reply = Reply(None, tool_calls=[("look_up", '{"x": 1}'), ("add", "{}")], logprobs=[-0.5], tokens_in=3)
    upstream.answer_with(lambda body: reply)
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    arguments = {"messages": MESSAGES, "tools": tools, "logprobs": True, "n": 2}
    result = ask(kind, upstream, {"router": router, "gate": Check(lambda answer: True, name="any")}, **arguments)
    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        plain = client.chat.completions.create(model=result.model, **arguments)
    assert type(result.response) is ChatCompletion
    ours, theirs = result.response.model_dump(), plain.model_dump()
    for each in (ours, theirs):
        each.pop("created")
        each.pop("id")
    assert ours == theirs
    assert result.response._request_id.startswith("req_")
    assert outcome_id(result.response) == result.id
    assert outcome_id(plain) is None


@both
@pytest.mark.parametrize("name", ["sonnet", "tokenfast/claude-sonnet-4-6"])
def test_a_model_may_be_asked_for(kind, router, upstream, name):
    upstream.answer_with(by_tier())
    assert ask(kind, upstream, {"router": router}, model=name).tier == "sonnet"
    upstream.answer_with(by_tier(sonnet=Reply(BAD)))
    assert ask(kind, upstream, {"router": router}, model=name).tier == "opus"


def test_auto_leaves_it_to_the_router(router, upstream):
    result = ask("sync", upstream, {"router": router, "start": "router", "rates": SHARP}, model="auto")
    assert asked(upstream.calls)[0] in ("haiku", "sonnet", "opus")
    assert result.decision.request.text == MESSAGES[0]["content"]


def test_an_unknown_model_is_refused(router, upstream):
    with pytest.raises(InputError, match="model 'gpt-9' is no tier; expected 'auto' or one of: haiku"):
        ask("sync", upstream, {"router": router}, model="gpt-9")


@both
def test_gates_that_ask_are_answered_noted_and_paid(kind, router, upstream):
    def respond(body):
        prompt = str(body["messages"])
        return (
            Reply('{"score": 10}') if "haiku" not in body["model"] and "spell" in prompt else Reply("the answer is 7")
        )

    upstream.answer_with(respond)
    gate = Agreement(k=2) & Judge("opus")
    result = ask(kind, upstream, {"router": router, "gate": gate})
    assert (result.tier, result.passed) == ("haiku", True)
    assert [(each.purpose, each.tier) for each in result.attempts] == [
        ("answer", "haiku"),
        ("agreement", "haiku"),
        ("agreement", "haiku"),
        ("judge", "opus"),
    ]
    assert result.cost == pytest.approx(sum(each.cost for each in result.attempts))
    assert {call.body.get("temperature") for call in upstream.calls[1:3]} == {0.7}


@both
def test_a_gates_needs_go_with_the_call(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(GOOD, logprobs=[-3.0])))
    result = ask(kind, upstream, {"router": router, "gate": MeanLogprob(0.5)})
    assert upstream.calls[0].body["logprobs"] is True
    assert result.tier != "haiku"


@both
def test_functions_may_be_asynchronous(kind, router, upstream):
    async def good(answer):
        return "good" in answer.text

    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    result = ask(kind, upstream, {"router": router, "gate": Check(good, name="good")})
    assert asked(upstream.calls) == ["haiku", result.tier]


def test_an_asynchronous_function_in_a_synchronous_cascade_inside_a_running_loop(router, upstream):
    import asyncio

    async def good(answer):
        return True

    async def inside():
        return ask("sync", upstream, {"router": router, "gate": Check(good, name="good")})

    assert asyncio.run(inside()).tier == "haiku"


@both
def test_a_gate_that_raises_has_not_passed(kind, router, upstream, caplog):
    def broken(answer):
        raise KeyError(answer.text)

    result = ask(kind, upstream, {"router": router, "gate": Check(broken, name="broken")})
    assert result.tier != "haiku"
    assert result.attempts[0].verdict.passed is False
    assert "ok" not in caplog.text.replace("broken", "")


@both
def test_a_gate_whose_judge_is_down_has_not_passed(kind, router, upstream):
    upstream.answer_with(by_tier(opus=Reply(status=503)))
    result = ask(kind, upstream, {"router": router, "gate": Judge("opus")})
    assert result.response.choices[0].message.content == GOOD
    assert [each.error for each in result.attempts][:2] == [None, "http 503"]


@both
def test_a_request_that_no_tier_can_serve_is_refused(kind, router, upstream):
    with pytest.raises(NoFeasibleTierError):
        ask(kind, upstream, {"router": router}, max_tokens=10**9)
    assert upstream.calls == []


@both
def test_tiers_may_have_clients_of_their_own(kind, router, upstream):
    with OpenAIServer() as other:
        other.answer_with(by_tier(haiku=Reply(BAD)))
        upstream.answer_with(by_tier())
        ask(kind, upstream, {"router": router, "servers": {"haiku": other}})
        assert asked(other.calls) == ["haiku"]
        assert "haiku" not in asked(upstream.calls)
        assert len(upstream.calls) == 1


@both
def test_messages_may_be_readable_once_only(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    ask(kind, upstream, {"router": router}, messages=iter(MESSAGES))
    assert [call.body["messages"] for call in upstream.calls[:2]] == [MESSAGES, MESSAGES]


# Budgets


@both
def test_a_spent_budget_leaves_the_cheapest_tier(kind, router, upstream):
    budget = Budget(per_key=1e-9)
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    result = ask(kind, upstream, {"router": router, "start": "opus", "budget": budget}, key="team")
    assert asked(upstream.calls) == ["haiku"]
    assert result.passed is None
    assert budget.spent("team") == pytest.approx(result.cost)


@both
def test_a_spent_budget_may_refuse(kind, router, upstream):
    budget = Budget(total=1e-9, when_reached="refuse")
    with pytest.raises(BudgetExceededError, match="spend limit of this key is reached; raise Budget's"):
        ask(kind, upstream, {"router": router, "budget": budget}, key="team")
    assert upstream.calls == []
    assert budget.spent_in_all == 0


@both
def test_gates_and_audits_are_not_paid_for_from_a_spent_budget(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(GOOD, tokens_in=10, tokens_out=10)))
    haiku = ask(kind, upstream, {"router": router}).decision.prediction.cost[0]
    for options in ({"gate": Judge("opus")}, {"audit": 1.0}):
        upstream.calls.clear()
        budget = Budget(total=1.5 * haiku)
        result = ask(kind, upstream, {"router": router, "budget": budget, **options})
        assert asked(upstream.calls) == ["haiku"]
        assert result.tier == "haiku"


@both
def test_what_nobody_counts_is_spent_as_expected(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(GOOD, fault=Fault.NO_CHOICES, tokens_in=1000, tokens_out=1000)))
    budget = Budget()
    result = ask(kind, upstream, {"router": router, "budget": budget})
    haiku = router.tiers[0]
    paid = (haiku.input_price + haiku.output_price) * 1000 / 1e6
    assert result.attempts[0].cost == pytest.approx(paid)
    assert budget.spent_in_all == pytest.approx(paid + result.attempts[1].cost)
    upstream.answer_with(by_tier(haiku=Reply(fault=Fault.HANG)))
    budget = Budget()
    result = ask(kind, upstream, {"router": router, "budget": budget, "deadline": 0.5})
    assert budget.spent_in_all == pytest.approx(result.decision.prediction.cost[0] + result.attempts[1].cost)
    assert result.cost is None


@both
def test_what_is_left_of_a_budget_does_not_pay_for_escalation(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    plain = ask(kind, upstream, {"router": router})
    expected = plain.decision.prediction.cost
    budget = Budget(total=(expected[0] + expected[1]) / 2)
    result = ask(kind, upstream, {"router": router, "budget": budget})
    assert (result.tier, result.passed) == ("haiku", False)
    assert budget.spent_in_all == pytest.approx(result.cost)


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strat": "cheapest"}, "'strat' is no option of a cascade; expected one of: router, gate"),
        ({"explor": 0.1}, r"'explor' is no option .*; did you mean explore\?"),
        ({"explore": float("nan")}, "explore is nan; expected a share"),
        ({"close_timeout": -1}, "close_timeout is -1; expected seconds"),
        ({"explore_directed": 1}, "explore_directed is 1; expected a part from 0 to below 1"),
        ({"gate": lambda answer: True}, "gate: found function, expected Gate or None"),
        ({"gate": Judge}, "gate: found the class Judge, expected Gate or None"),
        ({"budget": 5}, "budget: found int, expected Budget or None"),
        ({"deadline": "60"}, "deadline: found str, expected a number or None"),
        ({"retries": None}, "retries: found NoneType, expected a whole number"),
        ({"store": 3}, "store: found int, expected an OutcomeStore or its URL"),
        ({"clients": {"huge": None}}, "clients: 'huge' is no tier"),
        ({"clients": {"haiku": "x"}}, "client: found str, expected openai.OpenAI"),
        ({"explore": 1.5}, "explore is 1.5; expected a share from 0 to 1"),
        ({"audit": -0.1}, "audit is -0.1"),
        ({"deadline": 0}, "deadline is 0; expected seconds"),
        ({"retries": -1}, "retries is -1"),
        ({"start": "huge"}, "start 'huge' is no tier"),
        ({"store": "mongodb://x"}, "mongodb"),
    ],
)
def test_options_are_checked(router, options, message):
    with pytest.raises(InputError, match=message):
        Cascade(
            OpenAI(base_url="http://127.0.0.1:1", api_key=KEY), **{"router": router, "gate": good_gate(), **options}
        )


def test_help_says_what_each_option_means():
    told = Cascade.__doc__ or ""
    for name in Options.__annotations__:
        assert f"\n{name} : " in told


@both
def test_arguments_that_are_not_given_are_not_given(kind, router, upstream):
    result = ask(kind, upstream, {"router": router}, tools=NOT_GIVEN, temperature=NOT_GIVEN)
    assert upstream.calls[0].body.keys() == {"messages", "model"}
    assert result.decision.request.tools == 0


class Odd(Gate):
    """A gate that somebody wrote in a hurry."""

    name = "odd"

    def __init__(self, found):
        self.found = found

    def steps(self, answer):
        return self.found(answer)


def plain(answer):
    return Verdict("odd", 1.0, True, "no generator")


def raising(answer):
    raise ValueError(answer.text)


def boolean(answer):
    yield from ()
    return True


def unknown(answer):
    yield from ()
    return Verdict("odd", float("nan"), True, "who knows")


@both
@pytest.mark.parametrize("found", [plain, raising, boolean, unknown])
def test_gates_that_are_none_have_not_passed(kind, router, upstream, found):
    upstream.answer_with(by_tier(**dict.fromkeys(["sonnet", "opus", "gemini"], Reply(status=500))))
    result = ask(kind, upstream, {"router": router, "gate": Odd(found)})
    assert (result.tier, result.passed) == ("haiku", False)
    assert result.attempts[0].verdict.score == 0.0


def test_a_gate_that_asks_an_unknown_tier_says_so_in_the_log(router, upstream, caplog):
    ask("sync", upstream, {"router": router, "gate": Judge("huge")})
    assert "a gate asks tier 'huge', which is not in the menu; expected one of: haiku" in caplog.text


@both
def test_the_last_tier_is_asked_for_nothing_that_the_gate_needs(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=400) if "logprobs" in body else Reply(GOOD))

    class Kept:
        def record(self, decision):
            self.decision = decision

    assert ask(kind, upstream, {"router": router, "gate": MeanLogprob(), "store": Kept()}).passed is None


def test_feedback_needs_a_store(router):
    cascade = Cascade(OpenAI(base_url="http://127.0.0.1:1", api_key=KEY), router=router)
    with pytest.raises(InputError, match="this cascade keeps no outcomes"):
        cascade.record_feedback("id", score=1.0)


def test_feedback_needs_an_id(router, tmp_path):
    store = f"sqlite:///{tmp_path}/outcomes.db"
    cascade = Cascade(OpenAI(base_url="http://127.0.0.1:1", api_key=KEY), router=router, store=store)
    with pytest.raises(InputError, match="found None as the outcome's id"):
        cascade.record_feedback(outcome_id("no response"), score=1.0)
    cascade.close()
