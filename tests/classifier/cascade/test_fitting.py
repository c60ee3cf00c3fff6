"""What tierwise adds to a call never costs an answer: refused once, it is left out from then on."""

import asyncio
import threading

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from classifier.cascade import AsyncCascade, Cascade
from classifier.cascade.fitting import HOURS, NOTHING, Fit, FitMemory
from classifier.gates import Agreement, Judge, MeanLogprob
from tests.helpers.cascades import KEY, MESSAGES, asked, with_cascade
from tests.helpers.openai_server import Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
QUESTION = {"messages": MESSAGES}
UNNAMED = [Reply(status=400), Reply(status=422, error_message="this feature is not available here")]


def refusing(*names, reply=None, text="56"):
    """An upstream that refuses arguments, by their names or with one reply."""

    def respond(body):
        found = next((name for name in names if name in body), None)
        if found is None:
            return Reply('{"score": 9}' if "grade" in str(body["messages"]) else text)
        return reply or Reply(status=400, error_message=f"Unsupported parameter: '{found}' is not supported here.")

    return respond


def run_twice(kind, upstream, options, **arguments):
    """The results of two requests to one cascade."""

    def use(cascade):
        return [cascade.run(**{**QUESTION, **arguments}) for _ in range(2)]

    async def use_later(cascade):
        return [await cascade.run(**{**QUESTION, **arguments}) for _ in range(2)]

    return with_cascade(kind, upstream, options, use if kind == "sync" else use_later)


@both
@pytest.mark.parametrize("reply", [None, *UNNAMED], ids=["named", "bare", "unnamed"])
def test_log_probabilities_that_are_refused_are_left_out_on_the_same_tier(kind, router, upstream, reply):
    upstream.answer_with(refusing("logprobs", reply=reply))
    results = run_twice(kind, upstream, {"router": router, "gate": MeanLogprob(missing="pass")})
    assert [(result.tier, result.passed, len(result.attempts)) for result in results] == [("haiku", True, 1)] * 2
    assert ["logprobs" in call.body for call in upstream.calls] == [True, False, False]


@both
def test_what_the_caller_gave_stands_in_for_what_is_left_out(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=400) if body.get("logprobs") else Reply("56"))
    run_twice(kind, upstream, {"router": router, "gate": MeanLogprob(missing="pass")}, logprobs=False)
    assert [call.body["logprobs"] for call in upstream.calls] == [True, False, False]


@both
def test_a_caller_who_asks_for_log_probabilities_himself_is_not_answered_without(kind, router, upstream):
    upstream.answer_with(refusing("logprobs"))
    with pytest.raises(openai.BadRequestError):
        run_twice(kind, upstream, {"router": router, "gate": MeanLogprob(missing="pass")}, logprobs=True)
    assert asked(upstream.calls) == ["haiku", "sonnet", "opus", "gemini"]


@both
def test_a_judge_is_asked_without_what_it_refuses(kind, router, upstream):
    upstream.answer_with(refusing("temperature", "max_tokens"))
    results = run_twice(kind, upstream, {"router": router, "gate": Judge("opus")})
    assert [(result.tier, result.passed) for result in results] == [("haiku", True)] * 2
    assert asked(upstream.calls) == ["haiku", "opus", "opus", "opus", "haiku", "opus"]
    last = upstream.calls[-1].body
    assert ("temperature" in last, "max_tokens" in last, last["max_completion_tokens"]) == (False, False, 100)


@both
def test_other_samples_are_asked_for_without_a_temperature_that_is_refused(kind, router, upstream):
    upstream.answer_with(refusing("temperature"))
    results = run_twice(kind, upstream, {"router": router, "gate": Agreement(k=2)})
    assert [(result.tier, result.passed) for result in results] == [("haiku", True)] * 2
    assert ["temperature" in call.body for call in upstream.calls] == [False, True, False, False, False, False, False]


@both
@pytest.mark.parametrize(("given", "wanted"), [("max_tokens", "max_completion_tokens")] * 2)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    "words", ["Unsupported parameter: '{given}'. Use '{wanted}' instead.", "Unknown field {given}"]
)
def test_a_limit_has_the_name_that_the_model_wants(kind, router, upstream, given, wanted, swapped, words):
    given, wanted = (wanted, given) if swapped else (given, wanted)
    refusal = Reply(status=400, error_message=words.format(given=given, wanted=wanted))
    upstream.answer_with(lambda body: refusal if given in body else Reply("56 is good"))
    results = run_twice(kind, upstream, {"router": router}, **{given: 50})
    assert [result.tier for result in results] == ["haiku"] * 2
    assert [call.body.get(given) for call in upstream.calls] == [50, None, None]
    assert [call.body.get(wanted) for call in upstream.calls] == [None, 50, 50]


def test_a_model_that_takes_neither_name_is_asked_once_by_each_and_then_by_one(router, upstream):
    names = ("max_tokens", "max_completion_tokens")
    refuse = refusing(*names)
    upstream.answer_with(lambda body: refuse(body) if "haiku" in body["model"] else Reply("good"))
    results = run_twice("sync", upstream, {"router": router}, max_tokens=50)
    assert [result.tier for result in results] == ["sonnet"] * 2
    assert "'max_tokens'" in str(results[0].attempts[0].exception)
    assert asked(upstream.calls) == ["haiku", "haiku", "sonnet", "haiku", "sonnet"]


@pytest.mark.parametrize(
    "message", ["max_tokens is too large: 50. At most 40 are supported.", "max_tokens exceeds the model's maximum"]
)
def test_a_limit_of_the_wrong_size_keeps_its_name(router, upstream, message):
    refusal = Reply(status=400, error_message=message)
    upstream.answer_with(lambda body: refusal if "haiku" in body["model"] else Reply("good"))
    assert run_twice("sync", upstream, {"router": router}, max_tokens=50)[0].tier == "sonnet"
    assert all("max_tokens" in call.body for call in upstream.calls)


@pytest.mark.parametrize("name", ["temperature", "top_p", "seed"])
def test_what_the_caller_gave_is_never_dropped(router, upstream, name):
    upstream.answer_with(lambda body: refusing(name)(body) if "haiku" in body["model"] else Reply("good"))
    assert [result.tier for result in run_twice("sync", upstream, {"router": router}, **{name: 1})] == ["sonnet"] * 2
    assert all(name in call.body for call in upstream.calls)


@pytest.mark.parametrize("status", [401, 429, 500])
def test_other_failures_are_no_reason_to_leave_anything_out(router, upstream, status):
    failure = Reply(status=status, error_message="logprobs are not supported")
    upstream.answer_with(lambda body: failure if "haiku" in body["model"] else Reply("good"))
    run_twice("sync", upstream, {"router": router, "gate": MeanLogprob(missing="pass")})
    assert asked(upstream.calls) == ["haiku", "sonnet"] * 2
    assert all(call.body["logprobs"] for call in upstream.calls)


def test_what_is_refused_without_the_additions_as_well_is_not_blamed_on_them(router, upstream):
    failing = [True]
    upstream.answer_with(lambda body: Reply(status=400) if "haiku" in body["model"] and failing else Reply("good"))
    run_twice("sync", upstream, {"router": router, "gate": MeanLogprob(missing="pass")})
    failing.clear()
    upstream.calls.clear()
    run_twice("sync", upstream, {"router": router, "gate": MeanLogprob(missing="pass")})
    assert all(call.body["logprobs"] for call in upstream.calls)


def test_cascades_of_one_process_learn_from_each_other_but_not_across_addresses(router, upstream):
    upstream.answer_with(refusing("logprobs"))
    options = {"router": router, "start": "haiku", "gate": MeanLogprob(missing="pass")}
    for address in (upstream.base_url, upstream.base_url, upstream.base_url + "/"):
        with OpenAI(base_url=address, api_key=KEY) as client, Cascade(client, **options) as cascade:
            cascade.run(**QUESTION)

    async def run_later():
        async with (
            AsyncOpenAI(base_url=upstream.base_url, api_key=KEY) as client,
            AsyncCascade(client, **options) as cascade,
        ):
            await cascade.run(**QUESTION)

    asyncio.run(run_later())
    assert ["logprobs" in call.body for call in upstream.calls] == [True, False, False, False, False]
    with (
        OpenAI(base_url=upstream.base_url.replace("127.0.0.1", "localhost"), api_key=KEY) as client,
        Cascade(client, **options) as cascade,
    ):
        cascade.run(**QUESTION)
    assert "logprobs" in upstream.calls[5].body


def test_what_was_refused_is_forgotten_after_some_hours():
    now = [0.0]
    memory = FitMemory(clock=lambda: now[0])
    memory.add(("a", "m"), Fit(frozenset({"logprobs"})))
    now[0] = HOURS * 3600 - 1
    assert memory.get(("a", "m")).left_out == {"logprobs"}
    now[0] += 1
    assert memory.get(("a", "m")) == NOTHING
    memory.add(("a", "m"), Fit(renamed={"max_tokens": "max_completion_tokens"}))
    assert memory.get(("a", "m")) == Fit(renamed={"max_tokens": "max_completion_tokens"})


def test_the_memory_is_bounded_and_threads_may_share_it():
    memory = FitMemory()

    def learn(thread):
        for each in range(2_000):
            memory.add(("a", f"{thread} {each}"), Fit(frozenset({"seed"})))
            memory.add(("a", "shared"), Fit(frozenset({str(thread)})))

    threads = [threading.Thread(target=learn, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.get(("a", "shared")).left_out == set("0123")
    assert sum(memory.get(("a", f"{thread} {each}")) != NOTHING for thread in range(4) for each in range(2_000)) < 4097
    memory.clear()
    assert memory.get(("a", "shared")) == NOTHING
