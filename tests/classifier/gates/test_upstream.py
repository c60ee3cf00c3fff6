"""Gates run over the real clients, as a cascade runs them, against a local server."""

import asyncio

import openai
import pytest

from classifier.gates import Agreement, Ask, Check, Judge, MalformedAnswerError, MeanLogprob, default_gate, read_answer
from classifier.request import make_request
from tests.helpers.openai_server import Fault, Reply

MESSAGES = [{"role": "user", "content": "What is 6 times 7?"}]
REQUEST = make_request(messages=MESSAGES)


def by_model(**texts):
    """Answers by the model's name; a judge is known by its instructions."""
    return lambda body: Reply(texts[body["model"]], logprobs=(-0.1,))


def answered(completion, tier, arguments):
    return read_answer(completion, tier=tier, model=tier, request=REQUEST, arguments=arguments)


def run(client, gate):
    """Call the small tier, and have the gate judge its answer."""
    arguments = {"messages": MESSAGES, **gate.needs()}
    answer = answered(client.chat.completions.create(model="small", **arguments), "small", arguments)
    steps = gate.steps(answer)
    try:
        wanted = next(steps)
        while True:
            assert isinstance(wanted, Ask)
            tier = wanted.tier or answer.tier
            try:
                completion = client.chat.completions.create(model=tier, **wanted.arguments)
                reply = answered(completion, tier, wanted.arguments)
            except Exception as error:
                wanted = steps.throw(error)
            else:
                wanted = steps.send(reply)
    except StopIteration as end:
        return end.value


async def run_async(client, gate):
    """The same for the asynchronous client; awaitables are awaited."""
    arguments = {"messages": MESSAGES, **gate.needs()}
    answer = answered(await client.chat.completions.create(model="small", **arguments), "small", arguments)
    steps = gate.steps(answer)
    try:
        wanted = next(steps)
        while True:
            if isinstance(wanted, Ask):
                tier = wanted.tier or answer.tier
                completion = await client.chat.completions.create(model=tier, **wanted.arguments)
                wanted = steps.send(answered(completion, tier, wanted.arguments))
            else:
                wanted = steps.send(await wanted)
    except StopIteration as end:
        return end.value


@pytest.fixture
def client(upstream):
    with openai.OpenAI(base_url=upstream.base_url, api_key="any", max_retries=0, timeout=10) as client:
        yield client


def test_a_judge_and_an_agreement(upstream, client):
    upstream.answer_with(by_model(small="The answer is 42.", other="\\boxed{42}", judge='{"score": 9}'))
    verdict = run(client, default_gate() & Agreement(tier="other") & Judge("judge") & MeanLogprob(0.8))
    assert verdict.passed
    assert [part.score for part in verdict.parts[-3:]] == [1, 0.9, pytest.approx(0.905, abs=0.001)]
    assert [call.body["model"] for call in upstream.calls] == ["small", "other", "judge"]
    assert "logprobs" in upstream.calls[0].body
    assert "logprobs" not in upstream.calls[1].body


def test_a_judge_is_not_asked_about_an_empty_answer(upstream, client):
    upstream.answer_with(by_model(small="", judge='{"score": 9}'))
    assert not run(client, default_gate() & Judge("judge")).passed
    assert len(upstream.calls) == 1


def test_a_sample_that_fails_is_left_out(upstream, client):
    upstream.script(Reply("42"), Reply(status=503), Reply("forty-two is 42"))
    verdict = run(client, Agreement(k=2))
    assert (verdict.score, verdict.reason) == (1, "1 of 1 others agree")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=429), openai.RateLimitError),
        (Reply(fault=Fault.RESET), openai.APIConnectionError),
        (Reply(fault=Fault.NO_CHOICES), MalformedAnswerError),
        (Reply(fault=Fault.WRONG_TYPE), MalformedAnswerError),
    ],
)
def test_a_judge_that_cannot_be_reached(upstream, client, reply, error):
    upstream.script(Reply("42"), reply)
    with pytest.raises(error):
        run(client, Judge("judge"))


def test_asynchronously_with_a_check_of_ones_own(upstream):
    async def length(answer):
        await asyncio.sleep(0)
        return len(answer.text) < 10

    async def talk():
        async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="any", max_retries=0) as client:
            return await run_async(client, Check(length) & (Agreement() | Judge("judge")))

    upstream.script(Reply("42"), Reply("41"), Reply("43"), Reply("8/10"))
    verdict = asyncio.run(talk())
    assert (verdict.passed, verdict.score) == (True, 0.8)
    assert [call.body["model"] for call in upstream.calls] == ["small", "small", "small", "judge"]
