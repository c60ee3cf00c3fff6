"""Whatever goes wrong upstream, the caller gets an answer whenever some tier can give one."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI

from classifier.cascade import AsyncCascade, Budget
from tests.helpers.cascades import BAD, GOOD, KEY, MESSAGES, ask, asked, by_tier, good_gate, read_stream
from tests.helpers.openai_server import Fault, Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
FAILURES = {
    "http 429": Reply(status=429, retry_after=60),
    "http 500": Reply(status=500),
    "http 503": Reply(status=503),
    "http 404": Reply(status=404, error_code="model_not_found"),
    "http 401": Reply(status=401),
    "context overflow": Reply(status=400, error_code="context_length_exceeded"),
    "connection": Reply(fault=Fault.RESET),
    "timeout": Reply(fault=Fault.HANG),
}
MALFORMED = [Fault.NOT_JSON, Fault.NO_CHOICES, Fault.WRONG_TYPE]
BROKEN = [Fault.TRUNCATED, Fault.RESET_MIDWAY]


@pytest.mark.slow
@both
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_answered_by_another_tier(kind, router, upstream, name):
    upstream.answer_with(by_tier(haiku=FAILURES[name]))
    result = ask(kind, upstream, {"router": router, "deadline": 2.0 if name == "timeout" else 30.0})
    assert result.response.choices[0].message.content == GOOD
    assert result.attempts[0].error == name
    assert asked(upstream.calls) == ["haiku", result.tier]
    assert result.cost == (None if name == "timeout" else pytest.approx(result.attempts[1].cost))


@both
@pytest.mark.parametrize("fault", [*MALFORMED, *BROKEN], ids=lambda fault: fault.name)
def test_an_answer_that_is_none_is_answered_by_another_tier(kind, router, upstream, fault):
    upstream.answer_with(by_tier(haiku=Reply(GOOD, fault=fault)))
    result = ask(kind, upstream, {"router": router})
    assert result.response.choices[0].message.content == GOOD
    assert result.tier != "haiku"
    assert result.attempts[0].error == ("malformed answer" if fault in MALFORMED else "connection")


@both
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.WRONG_TYPE, Fault.NOT_JSON], ids=lambda fault: fault.name)
def test_a_stream_that_fails_at_once_is_answered_by_another_tier(kind, router, upstream, fault):
    upstream.answer_with(by_tier(opus=Reply(GOOD, fault=fault) if fault is Fault.RESET else Reply(status=500)))
    _, chunks = read_stream(kind, upstream, {"router": router, "start": "opus"})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == GOOD
    assert asked(upstream.calls) == ["opus", "gemini"]


@both
def test_dearer_tiers_are_turned_to_first_and_then_what_was_turned_down(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD), sonnet=Reply(status=500), opus=Reply(status=500)))
    result = ask(kind, upstream, {"router": router})
    assert (result.tier, result.passed) == ("gemini", None)
    upstream.calls.clear()
    upstream.answer_with(by_tier(haiku=Reply(BAD), **dict.fromkeys(["sonnet", "opus", "gemini"], Reply(status=500))))
    result = ask(kind, upstream, {"router": router})
    assert (result.tier, result.passed) == ("haiku", False)
    assert result.response.choices[0].message.content == BAD
    assert asked(upstream.calls)[-1] == "gemini"


@both
def test_cheaper_tiers_answer_when_nothing_else_can(kind, router, upstream):
    upstream.answer_with(by_tier(opus=Reply(status=500), gemini=Reply(status=500)))
    result = ask(kind, upstream, {"router": router, "start": "opus"})
    assert (result.tier, result.passed) == ("sonnet", None)
    assert asked(upstream.calls) == ["opus", "gemini", "sonnet"]


@pytest.mark.slow
@both
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=429), openai.RateLimitError),
        (Reply(status=500), openai.InternalServerError),
        (Reply(status=400), openai.BadRequestError),
        (Reply(fault=Fault.RESET), openai.APIConnectionError),
        (Reply(fault=Fault.HANG), openai.APITimeoutError),
    ],
)
def test_when_every_tier_fails_the_upstreams_own_exception_is_raised(kind, router, upstream, reply, error):
    upstream.answer_with(lambda body: reply)
    with pytest.raises(error):
        ask(kind, upstream, {"router": router, "deadline": 0.8})
    assert len(set(asked(upstream.calls))) == len(upstream.calls)


@both
def test_the_last_hope_is_asked_again_after_the_pause_it_wants(kind, router, upstream):
    upstream.script(*[Reply(status=429, retry_after=0.01)] * 5, Reply(GOOD))
    result = ask(kind, upstream, {"router": router, "retries": 3})
    assert result.response.choices[0].message.content == GOOD
    assert len(upstream.calls) == 6


@both
def test_a_tier_that_is_not_there_does_not_hide_that_the_others_are_busy(kind, router, upstream):
    busy = {"haiku": 2, "sonnet": 2, "opus": 2}

    def respond(body):
        tier = next((tier for tier in busy if tier in body["model"]), None)
        if tier is None:
            return Reply(status=404)
        busy[tier] -= 1
        return Reply(GOOD) if busy[tier] < 0 else Reply(status=429, retry_after=0.01)

    upstream.answer_with(respond)
    assert ask(kind, upstream, {"router": router, "retries": 3}).response.choices[0].message.content == GOOD
    upstream.answer_with(by_tier(gemini=Reply(status=404), **dict.fromkeys(busy, Reply(status=429))))
    with pytest.raises(openai.RateLimitError):
        ask(kind, upstream, {"router": router, "start": "opus"})


@both
def test_nobody_waits_longer_than_the_deadline_for_a_retry(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=429, retry_after=50))
    with pytest.raises(openai.RateLimitError):
        ask(kind, upstream, {"router": router, "retries": 3, "deadline": 5})
    assert len(upstream.calls) == len(router.tiers)


@pytest.mark.slow
@both
def test_an_upstream_that_trickles_does_not_outlast_the_deadline(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(GOOD, chunk_delay=2.0)))
    result = ask(kind, upstream, {"router": router}, timeout=1.0)
    assert result.attempts[0].error == "timeout"
    assert result.tier != "haiku"


@pytest.mark.slow
@both
def test_a_tier_that_hangs_leaves_time_for_others(kind, router, upstream):
    upstream.answer_with(by_tier(opus=Reply(fault=Fault.HANG)))
    result = ask(kind, upstream, {"router": router, "start": "opus", "deadline": 0.8})
    assert [each.error for each in result.attempts] == ["timeout", None]
    _, chunks = read_stream(kind, upstream, {"router": router, "start": "opus", "deadline": 0.8})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == GOOD


@both
def test_an_upstream_that_hangs_is_hung_up_on(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(fault=Fault.HANG)))
    ask(kind, upstream, {"router": router, "deadline": 0.5})
    assert upstream.calls[0].over.wait(5)
    assert upstream.calls[0].disconnected


def test_a_cancelled_request_is_hung_up_on(router, upstream):
    upstream.answer_with(lambda body: Reply(fault=Fault.HANG))
    budget = Budget(total=10.0)

    async def cancel():
        async with AsyncOpenAI(base_url=upstream.base_url, api_key=KEY) as client:
            cascade = AsyncCascade(client, router=router, gate=good_gate(), start="haiku", budget=budget)
            request = asyncio.create_task(cascade.run(messages=MESSAGES))
            while not upstream.calls:
                await asyncio.sleep(0.01)
            assert budget.spent_in_all > 0
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request

    asyncio.run(cancel())
    assert upstream.calls[0].over.wait(5)
    assert upstream.calls[0].disconnected
    assert len(upstream.calls) == 1
    assert budget.spent_in_all > 0  # nobody knows what it cost


@both
def test_messages_that_are_no_list_are_the_upstreams_to_refuse(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=400))
    with pytest.raises(openai.BadRequestError):
        ask(kind, upstream, {"router": router}, messages=[])


@both
def test_neither_keys_nor_prompts_are_logged_or_raised(kind, router, upstream, caplog):
    upstream.answer_with(lambda body: Reply(status=500))
    with caplog.at_level("INFO", logger="classifier"), pytest.raises(openai.InternalServerError) as raised:
        ask(kind, upstream, {"router": router})
    for secret in (KEY, MESSAGES[0]["content"]):
        assert secret not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("classifier"))
        assert secret not in str(raised.value)
