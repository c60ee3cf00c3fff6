"""A cascade in the client's place: its parsing, streaming and raw responses, over chat completions."""

import asyncio
import inspect
import json

import openai
import pytest
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from pydantic import BaseModel

from classifier import BudgetExceededError, NoFeasibleTierError, outcome_id
from classifier.cascade import Budget, Cascade
from classifier.cascade.chat import CHAT
from classifier.cascade.resources import check_responses
from classifier.cascade.seat import seat
from classifier.errors import InputError
from classifier.gates import default_gate
from tests.helpers.cascades import BAD, GOOD, KEY, MESSAGES, asked, by_tier, http_library, read_stream, with_cascade
from tests.helpers.openai_server import Fault, Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
either = pytest.mark.parametrize("start", ["haiku", "opus"])
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "strict": True,
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
    },
}


class Party(BaseModel):
    name: str


PARTY = '{"name": "good party"}'


def read_helper(kind, upstream, options, open_stream, final):
    """The events of one of the client's stream helpers, and what it knows in the end."""

    def read(cascade):
        with open_stream(cascade) as stream:
            return list(stream), getattr(stream, final)()

    async def read_later(cascade):
        async with open_stream(cascade) as stream:
            return [event async for event in stream], await getattr(stream, final)()

    return with_cascade(kind, upstream, options, read if kind == "sync" else read_later)


def directly(upstream, use):
    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        return use(client)


def with_parse(client):
    """The client's resource that parses; older clients have it elsewhere."""
    return client.chat.completions if hasattr(client.chat.completions, "parse") else client.beta.chat.completions


# Whole answers


@both
def test_chat_completions_is_the_cascade_itself(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    made = with_cascade(
        kind, upstream, {"router": router}, lambda c: c.chat.completions.create(messages=MESSAGES, model="auto")
    )
    assert made.choices[0].message.content == GOOD
    assert isinstance(outcome_id(made), str)
    upstream.answer_with(lambda body: Reply(GOOD))
    result = with_cascade(
        kind, upstream, {"router": router}, lambda c: c.chat.completions.run(messages=MESSAGES, task="code")
    )
    assert (result.passed, result.decision.request.task) == (True, "code")


@both
@either
def test_an_answer_is_parsed_into_a_class(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(PARTY, extra={"provider": "P"}))
    parsed = with_cascade(
        kind,
        upstream,
        {"router": router, "start": start},
        lambda cascade: cascade.parse(messages=MESSAGES, response_format=Party),
    )
    expected = directly(
        upstream,
        lambda client: with_parse(client).parse(model=parsed.model, messages=MESSAGES, response_format=Party),
    )
    assert parsed.choices[0].message.parsed == Party(name="good party")
    assert type(parsed).__name__ == type(expected).__name__
    assert parsed.to_dict(warnings=False) == expected.to_dict(warnings=False)
    assert parsed._request_id == "req_1"
    assert isinstance(outcome_id(parsed), str)
    assert {**upstream.calls[0].body, "stream": False} == {**upstream.calls[1].body, "stream": False}


@both
def test_an_answer_that_does_not_follow_the_class_is_no_answer(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply('{"day": 1}'), sonnet=Reply(PARTY), opus=Reply(PARTY)))
    parsed = with_cascade(
        kind,
        upstream,
        {"router": router, "gate": default_gate()},
        lambda cascade: cascade.chat.completions.parse(messages=MESSAGES, response_format=Party, tools=[TOOL]),
    )
    assert parsed.choices[0].message.parsed.name == "good party"
    assert asked(upstream.calls)[0] == "haiku"
    assert len(upstream.calls) == 2


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_class_is_no_response_format_of_create(kind, router, upstream, stream):
    budget = Budget(total=1.0)
    with pytest.raises(TypeError, match=r"parse\(\)"):
        with_cascade(
            kind,
            upstream,
            {"router": router, "budget": budget},
            lambda cascade: cascade.create(messages=MESSAGES, response_format=Party, stream=stream),
        )
    assert not upstream.calls
    assert budget.spent() == 0


@both
def test_what_the_last_tier_says_is_parsed_or_refused_as_the_client_does(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY, finish_reason="length"))
    with pytest.raises(openai.LengthFinishReasonError):
        with_cascade(
            kind,
            upstream,
            {"router": router, "start": "opus"},
            lambda cascade: cascade.parse(messages=MESSAGES, response_format=Party),
        )


@both
def test_arguments_that_the_client_does_not_know_are_the_callers_fault(kind, router, upstream):
    for name in ("parse", "create"):
        with pytest.raises(TypeError, match="unknown_argument"):
            with_cascade(
                kind,
                upstream,
                {"router": router},
                lambda cascade, name=name: getattr(cascade, name)(messages=MESSAGES, unknown_argument=1),
            )
    assert not upstream.calls


@both
def test_errors_are_those_of_create(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=429))

    def parse(cascade):
        return cascade.parse(messages=MESSAGES, response_format=Party)

    with pytest.raises(openai.RateLimitError):
        with_cascade(kind, upstream, {"router": router}, parse)
    with pytest.raises(BudgetExceededError):
        with_cascade(kind, upstream, {"router": router, "budget": Budget(total=1e-9, when_reached="refuse")}, parse)
    with pytest.raises(NoFeasibleTierError):
        with_cascade(kind, upstream, {"router": router}, lambda c: c.parse(messages=MESSAGES, max_tokens=10**9))


@both
def test_the_task_the_key_and_the_time_limit_reach_the_cascade(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY, delay=30))
    budget = Budget(per_key=1.0)
    with pytest.raises(openai.APITimeoutError):
        with_cascade(
            kind,
            upstream,
            {"router": router, "budget": budget},
            lambda c: c.parse(messages=MESSAGES, response_format=Party, task="code", key="team", timeout=0.2),
        )
    assert budget.spent("team") > 0


@both
def test_extra_headers_query_and_body_are_passed_on(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY))
    with_cascade(
        kind,
        upstream,
        {"router": router},
        lambda c: c.parse(
            messages=MESSAGES,
            response_format=Party,
            extra_headers={"x-a": "1"},
            extra_body={"top_k": 3},
            extra_query={},
        ),
    )
    (made,) = upstream.calls
    assert (made.headers["x-a"], made.body["top_k"]) == ("1", 3)
    assert made.headers["x-stainless-helper-method"].endswith("chat.completions.parse")


# Streams


@both
@either
def test_the_stream_helper_knows_what_was_said(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(PARTY, tool_calls=[("look_up", '{"q": "x"}')], tokens_out=4))
    events, final = read_helper(
        kind,
        upstream,
        {"router": router, "start": start},
        lambda c: c.stream(
            messages=MESSAGES, response_format=Party, tools=[TOOL], stream_options={"include_usage": True}
        ),
        "get_final_completion",
    )
    assert final.choices[0].message.parsed == Party(name="good party")
    assert final.choices[0].message.tool_calls[0].function.parsed_arguments == {"q": "x"}
    assert final.usage.completion_tokens == 4
    assert {"content.delta", "content.done", "tool_calls.function.arguments.done"} <= {event.type for event in events}


@both
def test_the_stream_helper_asks_when_it_is_entered(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))
    managers = []

    def make(cascade):
        managers.append(cascade.stream(messages=MESSAGES))
        assert not upstream.calls
        return managers[0]

    events, _ = read_helper(kind, upstream, {"router": router}, make, "get_final_completion")
    assert events
    assert len(upstream.calls) == 1


@both
def test_a_stream_that_is_left_early_is_recorded_as_cancelled(kind, router, upstream, open_store, url):
    store = open_store(url)
    upstream.answer_with(lambda body: Reply("word " * 100, chunk_delay=0.01))

    def leave(cascade):
        with cascade.stream(messages=MESSAGES) as stream:
            next(stream)

    async def leave_later(cascade):
        async with cascade.stream(messages=MESSAGES) as stream:
            await anext(stream)

    options = {"router": router, "start": "opus", "store": store}
    with_cascade(kind, upstream, options, leave if kind == "sync" else leave_later)
    assert store.flush(30)
    (outcome,) = store.outcomes()
    assert outcome.decision.attempts[0].error == "cancelled"


@both
def test_replayed_chunks_keep_what_stands_beside_the_choices(kind, router, upstream):
    extra = {"provider": "P", "citations": ["https://example.com"], "nothing": None, "system_fingerprint": "fp"}
    upstream.answer_with(lambda body: Reply(GOOD, extra=extra))
    _, found = read_stream(kind, upstream, {"router": router}, stream_options={"include_usage": True})
    assert len(found) == 3
    for chunk in found:
        assert {name: getattr(chunk, name) for name in extra} == extra
    state = ChatCompletionStreamState()
    for chunk in found:
        state.handle_chunk(chunk)
    assert state.get_final_completion().choices[0].message.content == GOOD


def test_replayed_chunks_keep_what_stands_in_choices_messages_and_calls():
    call_ = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"x": None}}
    message = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call_], "parts": [None]}
    choice = {"index": 0, "finish_reason": "tool_calls", "native_finish_reason": "STOP", "message": message}
    made = openai.types.chat.ChatCompletion.construct(id="c", choices=[choice], usage={"cost": 0.5, "is_byok": False})
    said, ended, counted = (chunk.to_dict() for chunk in CHAT.events(made, True))
    delta = said["choices"][0]["delta"]
    assert delta["tool_calls"] == [{**call_, "index": 0}]
    assert (delta["reasoning_content"], delta["parts"]) == ("hm", [None])
    assert ended["choices"][0]["native_finish_reason"] == "STOP"
    assert counted["usage"] == {"cost": 0.5, "is_byok": False}


@both
@pytest.mark.parametrize("body", [{"usage": {"include": True}}, {"stream_options": {"include_usage": True}}])
def test_usage_is_shown_to_those_who_ask_for_it_in_the_body(kind, router, upstream, body):
    upstream.answer_with(lambda asked: Reply(GOOD))
    _, found = read_stream(kind, upstream, {"router": router}, extra_body=body)
    assert found[-1].usage is not None


# Raw responses


@both
@either
def test_a_raw_response_is_that_of_the_tier_that_answered(kind, router, upstream, start):
    upstream.answer_with(by_tier(haiku=Reply(BAD), sonnet=Reply(GOOD, extra={"provider": "P"})))
    raw = with_cascade(
        kind, upstream, {"router": router, "start": start}, lambda c: c.with_raw_response.create(messages=MESSAGES)
    )
    expected = directly(upstream, lambda c: c.chat.completions.with_raw_response.create(model="m", messages=MESSAGES))
    assert type(raw) is type(expected)
    assert raw.status_code == 200
    assert raw.headers["x-request-id"] == f"req_{len(upstream.calls) - 1}"
    assert json.loads(raw.text)["choices"][0]["message"]["content"] == GOOD
    assert json.loads(raw.http_request.content)["model"] == upstream.calls[-2].body["model"]
    assert raw.elapsed.total_seconds() > 0
    answer = raw.parse()
    assert answer.choices[0].message.content == GOOD
    assert outcome_id(answer) == outcome_id(raw) is not None
    assert raw.parse(to=dict[str, object])["choices"][0]["message"]["content"] == GOOD


@both
def test_a_raw_response_of_parse_is_parsed(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY))
    raw = with_cascade(
        kind,
        upstream,
        {"router": router},
        lambda cascade: cascade.with_raw_response.parse(messages=MESSAGES, response_format=Party),
    )
    assert raw.parse().choices[0].message.parsed == Party(name="good party")


@both
@either
def test_a_raw_stream_is_read_as_it_would_come(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(GOOD, extra={"provider": "P"}))

    def text(chunks):
        assert {chunk.provider for chunk in chunks} == {"P"}
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def read(cascade):
        raw = cascade.with_raw_response.create(messages=MESSAGES, stream=True)
        return raw.headers["content-type"], text(list(raw.parse()))

    async def read_later(cascade):
        raw = await cascade.with_raw_response.create(messages=MESSAGES, stream=True)
        return raw.headers["content-type"], text([chunk async for chunk in raw.parse()])

    kind_, said = with_cascade(
        kind, upstream, {"router": router, "start": start}, read if kind == "sync" else read_later
    )
    assert kind_.startswith("text/event-stream")
    assert said == GOOD


@both
@either
def test_a_streaming_response_gives_the_lines(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(GOOD))

    def read(cascade):
        with cascade.with_streaming_response.create(messages=MESSAGES, stream=True) as response:
            return type(response).__name__, [line for line in response.iter_lines() if line]

    async def read_later(cascade):
        async with cascade.with_streaming_response.create(messages=MESSAGES, stream=True) as response:
            return type(response).__name__, [line async for line in response.iter_lines() if line]

    name, lines = with_cascade(
        kind, upstream, {"router": router, "start": start}, read if kind == "sync" else read_later
    )
    assert name == ("APIResponse" if kind == "sync" else "AsyncAPIResponse")
    assert lines[-1] == "data: [DONE]"
    said = [json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content") for line in lines[:-1]]
    assert "".join(filter(None, said)) == GOOD


@both
def test_a_raw_stream_is_recorded_when_it_has_been_read(kind, router, upstream, open_store, url):
    store = open_store(url)
    upstream.answer_with(lambda body: Reply(GOOD, tokens_out=3))

    def read(cascade):
        return list(cascade.with_raw_response.create(messages=MESSAGES, stream=True).parse())

    async def read_later(cascade):
        raw = await cascade.with_raw_response.create(messages=MESSAGES, stream=True)
        return [chunk async for chunk in raw.parse()]

    options = {"router": router, "start": "opus", "store": store}
    with_cascade(kind, upstream, options, read if kind == "sync" else read_later)
    assert store.flush(30)
    (outcome,) = store.outcomes()
    assert (outcome.decision.attempts[0].error, outcome.decision.attempts[0].tokens_out) == (None, 3)


@both
def test_an_error_in_the_middle_of_a_raw_stream_is_the_clients(kind, router, upstream):
    upstream.answer_with(lambda body: Reply("good " * 20, fault=Fault.ERROR_MIDWAY))

    def read(cascade):
        return list(cascade.with_raw_response.create(messages=MESSAGES, stream=True).parse())

    async def read_later(cascade):
        raw = await cascade.with_raw_response.create(messages=MESSAGES, stream=True)
        return [chunk async for chunk in raw.parse()]

    with pytest.raises(openai.APIError, match="scripted error"):
        with_cascade(kind, upstream, {"router": router, "start": "opus"}, read if kind == "sync" else read_later)


def test_the_users_client_stays_as_it_is(router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY))
    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        before = dict(vars(client))

        def use(cascade):
            cascade.parse(messages=MESSAGES, response_format=Party)
            cascade.with_raw_response.create(messages=MESSAGES)

        with_cascade("sync", upstream, {"router": router}, use)
        assert {name: value for name, value in vars(client).items() if name in before} == before


def test_other_paths_are_the_clients_own(upstream):
    upstream.answer_with(lambda body: Reply(GOOD))

    def never(arguments):
        raise AssertionError

    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client, pytest.raises(openai.NotFoundError):
        seat(CHAT, client, never, "create")._client.post("/embeddings", cast_to=object, body={})


def test_a_method_that_the_client_does_not_have_is_named(upstream):
    with (
        OpenAI(base_url=upstream.base_url, api_key=KEY) as client,
        pytest.raises(InputError, match=r"openai .* has no chat.completions.fly; install a newer one"),
    ):
        seat(CHAT, client, lambda arguments: None, "fly")


def test_a_client_without_the_responses_api_is_told_so():
    with pytest.raises(InputError, match=r"openai .* has no Responses API; install a newer one, such as openai>=2"):
        check_responses(object())


def test_hooks_of_the_http_client_see_each_call_once(router, upstream):
    seen = []
    hooks = {"request": [lambda request: seen.append(request.url.path)]}
    upstream.answer_with(lambda body: Reply(PARTY))
    with (
        http_library.Client(event_hooks=hooks) as http_client,
        OpenAI(base_url=upstream.base_url, api_key=KEY, http_client=http_client) as client,
        Cascade(client, router=router, start="opus") as cascade,
    ):
        cascade.with_raw_response.parse(messages=MESSAGES, response_format=Party)
    assert seen == ["/v1/chat/completions"]


def test_a_helper_that_is_never_used_asks_nothing(router, upstream):
    def use(cascade):
        cascade.stream(messages=MESSAGES)

    with_cascade("sync", upstream, {"router": router}, use)
    assert not upstream.calls


def test_awaited_helpers_return_what_the_clients_do(router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY))

    async def use(cascade):
        made = cascade.parse(messages=MESSAGES, response_format=Party)
        assert inspect.iscoroutine(made)
        return await asyncio.wait_for(made, 30)

    assert with_cascade("async", upstream, {"router": router}, use).choices[0].message.parsed.name == "good party"
