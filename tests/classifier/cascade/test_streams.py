"""Streams: what the caller reads is what the upstream said, whichever way it came."""

import asyncio
import gc
import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncStream, OpenAI, Stream
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade import Budget
from classifier.cascade.streams import chunks as chunks_of
from classifier.gates import Check
from tests.helpers.cascades import BAD, GOOD, KEY, MESSAGES, asked, by_tier, read_stream, with_cascade
from tests.helpers.openai_server import Fault, Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
CALLS = [("look_up", '{"x": 1}'), ("add", "{}")]


def text_of(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def plain_chunks(upstream, **arguments):
    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        return list(client.chat.completions.create(messages=MESSAGES, stream=True, **arguments))


@both
def test_the_last_tier_streams_straight_through(kind, router, upstream):
    upstream.answer_with(lambda body: Reply("one two three four"))
    stream, found = read_stream(kind, upstream, {"router": router, "start": "opus"})
    assert isinstance(stream, Stream if kind == "sync" else AsyncStream)
    expected = plain_chunks(upstream, model=router.tiers[2].model)
    assert [chunk.choices for chunk in found] == [chunk.choices for chunk in expected]
    assert len(found) > 4
    assert upstream.calls[0].body["stream"] is True


@both
@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("start", ["haiku", "opus"])
def test_usage_is_shown_to_those_who_ask_for_it(kind, router, upstream, wanted, start):
    upstream.answer_with(
        by_tier(haiku=Reply(GOOD, tokens_in=5, tokens_out=3), opus=Reply(GOOD, tokens_in=5, tokens_out=3))
    )
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    _, found = read_stream(kind, upstream, {"router": router, "start": start}, **options)
    shown = [chunk.usage for chunk in found if chunk.usage is not None]
    assert [(each.prompt_tokens, each.completion_tokens) for each in shown] == ([(5, 3)] if wanted else [])
    assert text_of(found) == GOOD
    assert all(chunk.choices for chunk in found if chunk.usage is None)


@both
def test_a_gated_answer_is_judged_before_the_first_chunk(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    _, found = read_stream(kind, upstream, {"router": router})
    assert text_of(found) == GOOD
    assert "stream" not in upstream.calls[0].body
    assert asked(upstream.calls)[0] == "haiku"


@both
def test_tool_calls_are_streamed_as_the_client_puts_them_together(kind, router, upstream):
    reply = Reply(None, tool_calls=CALLS)
    upstream.answer_with(lambda body: reply)
    options = {"router": router, "gate": Check(lambda answer: True, name="any")}
    for start in ("haiku", "opus"):
        _, found = read_stream(kind, upstream, {**options, "start": start})
        state = ChatCompletionStreamState()
        for chunk in found:
            state.handle_chunk(chunk)
        choice = state.get_final_completion().choices[0]
        assert [(call.function.name, call.function.arguments) for call in choice.message.tool_calls] == CALLS
        assert choice.finish_reason == "tool_calls"


@both
def test_optimistic_streams_do_not_wait_for_the_gate(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    _, found = read_stream(kind, upstream, {"router": router, "stream_optimistically": True})
    assert text_of(found) == BAD
    assert asked(upstream.calls) == ["haiku"]


@both
def test_what_a_stream_cost_is_known_at_its_end(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD, tokens_in=1000, tokens_out=10))

    def read(cascade):
        result = cascade.run(messages=MESSAGES, stream=True)
        list(result.response)
        return result

    async def read_later(cascade):
        result = await cascade.run(messages=MESSAGES, stream=True)
        assert [chunk async for chunk in result.response]
        return result

    result = with_cascade(kind, upstream, {"router": router, "start": "opus"}, read if kind == "sync" else read_later)
    opus = router.tiers[2]
    (attempt,) = result.attempts
    assert attempt.cost == pytest.approx((1000 * opus.input_price + 10 * opus.output_price) / 1e6)
    assert (attempt.error, attempt.answer.text) == (None, GOOD)


@both
def test_a_stream_that_breaks_off_raises_what_the_client_would(kind, router, upstream):
    upstream.answer_with(lambda body: Reply("one two three four five six", fault=Fault.RESET_MIDWAY))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of the client's transport, which its releases exchange
        read_stream(kind, upstream, {"router": router, "start": "opus"})
    assert re.search("(?i)connection|closed|peer|read", f"{type(caught.value).__name__}: {caught.value}")
    assert len(upstream.calls) == 1


@both
def test_an_upstream_that_counts_no_tokens_streams_all_the_same(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=400) if "stream_options" in body else Reply(GOOD))
    for _ in range(2):
        _, found = read_stream(kind, upstream, {"router": router, "start": "opus"})
        assert text_of(found) == GOOD
    assert {call.body["model"] for call in upstream.calls} == {router.tiers[2].model}


def test_what_cannot_be_counted_is_asked_for_once(router, upstream):
    upstream.answer_with(lambda body: Reply(status=400) if "stream_options" in body else Reply(GOOD))
    arguments = {"messages": MESSAGES, "stream": True, "model": "opus"}
    with_cascade("sync", upstream, {"router": router}, lambda each: [list(each.create(**arguments)) for _ in range(3)])
    assert ["stream_options" in call.body for call in upstream.calls] == [True, False, False, False]


@both
def test_replayed_streams_have_the_response_they_came_from(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))
    for start in ("haiku", "opus"):
        stream, _ = read_stream(kind, upstream, {"router": router, "start": start})
        assert stream.response.headers["x-request-id"].startswith("req_")


class Kept:
    """Keeps records in memory."""

    def __init__(self):
        self.decisions = []

    def record(self, decision):
        self.decisions.append(decision)


@both
def test_a_stream_that_is_left_alone_is_recorded_and_settled(kind, router, upstream):
    upstream.answer_with(lambda body: Reply("word " * 20))
    store, budget = Kept(), Budget()

    def leave(cascade):
        next(iter(cascade.create(messages=MESSAGES, stream=True)))
        gc.collect()

    async def leave_later(cascade):
        async for _ in await cascade.create(messages=MESSAGES, stream=True):
            break
        while not store.decisions:
            gc.collect()
            await asyncio.sleep(0.01)

    options = {"router": router, "start": "opus", "store": store, "budget": budget}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with_cascade(kind, upstream, options, leave if kind == "sync" else leave_later)
    (decision,) = store.decisions
    assert [attempt.error for attempt in decision.attempts] == ["cancelled"]
    assert budget.spent_in_all == pytest.approx(decision.expected_cost[2])


def test_a_stream_may_be_closed_early(router, upstream):
    upstream.answer_with(lambda body: Reply("word " * 50, chunk_delay=0.05))

    def peek(cascade):
        result = cascade.run(messages=MESSAGES, stream=True)
        with result.response as stream:
            next(stream)
        return result

    result = with_cascade("sync", upstream, {"router": router, "start": "opus"}, peek)
    assert result.attempts[0].error == "cancelled"
    assert result.cost is None
    assert upstream.calls[0].over.wait(5)
    assert upstream.calls[0].disconnected


texts = st.none() | st.text(max_size=30)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "content": texts,
                "refusal": texts,
                "calls": st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=9)), max_size=2),
                "finish": st.sampled_from(["stop", "tool_calls"]),
            }
        ),
        min_size=1,
        max_size=3,
    )
)
def test_replayed_chunks_add_up_to_the_answer(choices):
    completion = ChatCompletion.construct(
        id="chatcmpl-1",
        created=1,
        model="m",
        object="chat.completion",
        choices=[
            {
                "index": place,
                "finish_reason": each["finish"],
                "logprobs": None,
                "message": {
                    "role": "assistant",
                    "content": each["content"],
                    "refusal": each["refusal"],
                    "tool_calls": [
                        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
                        for n, (name, arguments) in enumerate(each["calls"])
                    ]
                    or None,
                },
            }
            for place, each in enumerate(choices)
        ],
        usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    )
    state = ChatCompletionStreamState()
    for chunk in chunks_of(completion, True):
        assert isinstance(chunk, ChatCompletionChunk)
        state.handle_chunk(chunk)
    final = state.get_final_completion()
    for found, each in zip(final.choices, choices, strict=True):
        assert found.finish_reason == each["finish"]
        assert (found.message.content or None) == (each["content"] or None)
        calls = [(call.function.name, call.function.arguments) for call in found.message.tool_calls or []]
        assert calls == each["calls"]
    assert final.usage.total_tokens == 3


def test_gates_see_a_streamed_answer_as_they_would_see_it_whole(router, upstream):
    seen = []
    upstream.answer_with(lambda body: Reply(GOOD, tool_calls=CALLS, logprobs=[-0.5], tokens_in=7))
    gate = Check(lambda answer: seen.append(answer) or True, name="seen")

    class Kept:
        def record(self, decision):
            pass

        def close(self):
            pass

    for stream in (False, True):
        with_cascade(
            "sync",
            upstream,
            {"router": router, "start": "opus", "gate": gate, "store": Kept()},
            lambda cascade, stream=stream: list(cascade.create(messages=MESSAGES, stream=stream, logprobs=True)),
        )
    whole, streamed = seen
    for name in ("text", "finish_reason", "tool_calls", "refusal", "token_logprobs", "tokens_in", "tokens_out"):
        assert getattr(streamed, name) == getattr(whole, name), name
