"""The Responses API over a cascade: answers are the client's own, and are judged, counted and kept as any."""

import copy
import json
from types import SimpleNamespace

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncStream, OpenAI, Stream
from pydantic import BaseModel

from classifier import MalformedAnswerError, outcome_id
from classifier.cascade import AnswerLimits
from classifier.cascade.calls import Call
from classifier.catalog import Tier
from classifier.gates import Agreement, Judge, MeanLogprob, default_gate
from classifier.request import make_request
from tests.helpers.cascades import BAD, GOOD, KEY, asked, by_tier, with_cascade
from tests.helpers.openai_server import Fault, Reply

types = pytest.importorskip("openai.types.responses", reason="this openai has no Responses API")
from classifier.cascade.response_events import ResponseCollected, response_events  # noqa: E402
from classifier.cascade.responses import RESPONSES  # noqa: E402
from classifier.cascade.usage import read_bill  # noqa: E402

both = pytest.mark.parametrize("kind", ["sync", "async"])
either = pytest.mark.parametrize("start", ["haiku", "opus"])
ASK = "spell thing1"
PARAMETERS = {
    "type": "object",
    "properties": {"q": {"type": "string"}},
    "required": ["q"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "look_up", "parameters": PARAMETERS, "strict": True}


class Party(BaseModel):
    name: str


PARTY = '{"name": "good party"}'


def create(kind, upstream, options, **arguments):
    arguments = {"input": ASK, **arguments}
    return with_cascade(kind, upstream, options, lambda cascade: cascade.responses.create(**arguments))


def run(kind, upstream, options, **arguments):
    arguments = {"input": ASK, **arguments}
    return with_cascade(kind, upstream, options, lambda cascade: cascade.responses.run(**arguments))


def read(kind, upstream, options, **arguments):
    """The stream that a request is answered with, and its events."""
    arguments = {"input": ASK, "stream": True, **arguments}

    def now(cascade):
        stream = cascade.responses.create(**arguments)
        return stream, list(stream)

    async def later(cascade):
        stream = await cascade.responses.create(**arguments)
        return stream, [event async for event in stream]

    return with_cascade(kind, upstream, options, now if kind == "sync" else later)


def directly(upstream, **arguments):
    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        made = client.responses.create(**{"input": ASK, **arguments})
        return list(made) if arguments.get("stream") else made


def said(events):
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def kept(store):
    assert store.flush(30)
    return list(store.outcomes())


# Whole answers


@both
@either
def test_a_response_is_the_clients_with_every_field(kind, router, upstream, start):
    reply = Reply(
        GOOD, thoughts="hm", tool_calls=[("look_up", '{"q": "x"}')], extra={"provider": "P", "billing": {"a": 1}}
    )
    upstream.answer_with(lambda body: reply)
    made = create(kind, upstream, {"router": router, "start": start}, tools=[TOOL], reasoning={"effort": "low"})
    expected = directly(upstream, model=made.model, tools=[TOOL])
    assert type(made) is types.Response
    assert made.to_dict() == expected.to_dict()
    assert made._request_id == "req_1"
    assert made.output_text == GOOD
    assert isinstance(outcome_id(made), str)
    assert (upstream.calls[0].path, upstream.calls[0].body["reasoning"]) == ("/v1/responses", {"effort": "low"})


@both
@pytest.mark.parametrize(
    "bad",
    [
        Reply("half of it", finish_reason="length"),
        Reply(None, refusal="I will not."),
        Reply(""),
        Reply("no JSON"),
        Reply(None, tool_calls=[("fly", "{}")]),
        Reply(None, tool_calls=[("look_up", "{}")]),
    ],
)
def test_the_usual_gate_judges_a_response_as_it_judges_a_completion(kind, router, upstream, bad):
    upstream.answer_with(by_tier(haiku=bad, sonnet=Reply(PARTY), opus=Reply(PARTY)))
    schema = {"type": "json_schema", "name": "party", "schema": Party.model_json_schema()}
    options = {"router": router, "gate": default_gate()}
    result = run(kind, upstream, options, tools=[TOOL], text={"format": schema})
    assert result.response.output_text == PARTY
    assert asked(upstream.calls)[0] == "haiku"
    assert result.attempts[0].verdict.passed is False


@both
def test_tool_calls_that_can_be_carried_out_pass(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(None, tool_calls=[("look_up", '{"q": "x"}')]))
    result = run(kind, upstream, {"router": router, "gate": default_gate()}, tools=[TOOL])
    assert (result.tier, result.passed) == ("haiku", True)
    assert result.attempts[0].finish_reason == "tool_calls"


@both
@pytest.mark.parametrize(
    "bad",
    [
        Reply(failed="server_error"),
        Reply(failed="rate_limit_exceeded"),
        Reply(failed="invalid_prompt"),
        Reply(fault=Fault.NO_CHOICES),
        Reply(fault=Fault.NOT_JSON),
        Reply(fault=Fault.WRONG_TYPE),
        Reply(status=429),
        Reply(fault=Fault.RESET),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_tier_that_fails_is_made_good_by_another(kind, router, upstream, bad, stream):
    upstream.answer_with(by_tier(opus=bad))
    options = {"router": router, "start": "opus"}
    if stream:
        _, events = read(kind, upstream, options)
        assert said(events) == GOOD
    else:
        assert create(kind, upstream, options).output_text == GOOD
    assert len(upstream.calls) == 2


@both
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("server_error", openai.InternalServerError),
        ("rate_limit_exceeded", openai.RateLimitError),
        ("invalid_prompt", openai.BadRequestError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_inside_a_response_is_raised_as_the_error_that_it_is(kind, router, upstream, code, error, stream):
    upstream.answer_with(lambda body: Reply(failed=code))
    with pytest.raises(error, match="the model failed") as raised:
        create(kind, upstream, {"router": router}, stream=stream)
    assert raised.value.code == code


@both
def test_a_response_is_asked_for_as_the_caller_wants(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))
    given = {
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "metadata": {"a": "b"},
        "include": ["reasoning.encrypted_content"],
        "extra_body": {"top_k": 3},
        "store": False,
    }
    create(kind, upstream, {"router": router}, **given)
    body = dict(upstream.calls[0].body)
    extra = given.pop("extra_body")
    assert body == {"model": body["model"], "input": ASK, **given, **extra}


@both
def test_what_can_be_read_once_is_read_for_all(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    items = [{"role": "user", "content": ASK}]
    create(kind, upstream, {"router": router}, input=(item for item in items), tools=(tool for tool in [TOOL]))
    assert [call.body["input"] for call in upstream.calls] == [items, items]
    assert [call.body["tools"] for call in upstream.calls] == [[TOOL], [TOOL]]


@both
def test_a_class_is_parsed(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(PARTY, tool_calls=[("look_up", '{"q": "x"}')]))
    parsed = with_cascade(
        kind,
        upstream,
        {"router": router, "gate": default_gate()},
        lambda cascade: cascade.responses.parse(input=ASK, text_format=Party, tools=[TOOL]),
    )
    assert parsed.output_parsed == Party(name="good party")
    assert parsed.output[-1].parsed_arguments == {"q": "x"}
    assert isinstance(outcome_id(parsed), str)
    assert parsed._request_id == "req_1"
    assert upstream.calls[0].body["text"]["format"]["type"] == "json_schema"


@both
def test_a_raw_response_is_that_of_the_tier_that_answered(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD)))
    raw = with_cascade(
        kind, upstream, {"router": router}, lambda cascade: cascade.responses.with_raw_response.create(input=ASK)
    )
    assert raw.headers["x-request-id"] == "req_2"
    assert raw.parse().output_text == json.loads(raw.text)["output"][0]["content"][0]["text"] == GOOD


# What gates ask for


@both
def test_log_probabilities_are_asked_for_and_judged(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(BAD, logprobs=(-5.0,)), sonnet=Reply(GOOD, logprobs=(-0.01,))))
    result = run(kind, upstream, {"router": router, "gate": MeanLogprob(0.8)}, include=["file_search_call.results"])
    assert result.attempts[0].answer.token_logprobs == (-5.0,) * 3
    assert upstream.calls[0].body["include"] == ["file_search_call.results", "message.output_text.logprobs"]
    assert not result.attempts[0].verdict.passed


@both
def test_a_judge_is_asked_by_the_same_api(kind, router, upstream):
    def respond(body):
        if "max_output_tokens" in body:
            assert [each["role"] for each in body["input"]] == ["system", "user"]
            assert json.loads(body["input"][1]["content"])["question"] == f"Be brief.\n{ASK}"
            return Reply('{"score": 9}')
        return Reply(GOOD)

    upstream.answer_with(respond)
    options = {"router": router, "gate": Judge("sonnet")}
    result = run(kind, upstream, options, instructions="Be brief.")
    assert (result.tier, result.passed) == ("haiku", True)
    assert {call.path for call in upstream.calls} == {"/v1/responses"}


@both
def test_the_same_is_asked_again_as_it_was_asked(kind, router, upstream):
    upstream.answer_with(lambda body: Reply("The answer is 4."))
    given = {"reasoning": {"effort": "low"}, "tools": [TOOL], "truncation": "auto"}
    result = run(kind, upstream, {"router": router, "gate": Agreement(k=1)}, **given)
    assert result.passed
    first, again = (call.body for call in upstream.calls)
    assert again == {**first, "temperature": 0.7}


# Streams


@both
@either
def test_a_stream_is_the_clients(kind, router, upstream, start):
    reply = Reply(GOOD, thoughts="hm", tool_calls=[("look_up", '{"q": "x"}')], extra={"provider": "P"}, tokens_out=5)
    upstream.answer_with(lambda body: reply)
    stream, events = read(kind, upstream, {"router": router, "start": start}, tools=[TOOL])
    assert isinstance(stream, Stream if kind == "sync" else AsyncStream)
    expected = directly(upstream, model=events[-1].response.model, tools=[TOOL], stream=True)
    assert list(dict.fromkeys(event.type for event in events)) == list(dict.fromkeys(each.type for each in expected))
    assert [type(event) for event in events if event.type in DONE] == [type(e) for e in expected if e.type in DONE]
    assert events[-1].to_dict()["response"] == expected[-1].to_dict()["response"]
    assert said(events) == GOOD
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert isinstance(outcome_id(stream), str)
    assert upstream.calls[0].body.get("stream", False) is (start == "opus")


DONE = {"response.created", "response.output_item.done", "response.completed", "response.function_call_arguments.done"}


@both
@either
def test_the_stream_helper_knows_what_was_said(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(PARTY, thoughts="hm", tool_calls=[("look_up", '{"q": "x"}')]))

    def use(cascade):
        with cascade.responses.stream(input=ASK, text_format=Party, tools=[TOOL]) as stream:
            return list(stream), stream.get_final_response()

    async def use_later(cascade):
        async with cascade.responses.stream(input=ASK, text_format=Party, tools=[TOOL]) as stream:
            return [event async for event in stream], await stream.get_final_response()

    options = {"router": router, "start": start}
    events, final = with_cascade(kind, upstream, options, use if kind == "sync" else use_later)
    assert final.output_parsed == Party(name="good party")
    assert final.output[-1].parsed_arguments == {"q": "x"}
    assert events[-1].type == "response.completed"


@both
@either
def test_a_raw_stream_is_read_as_it_would_come(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(GOOD))

    def use(cascade):
        with cascade.responses.with_streaming_response.create(input=ASK, stream=True) as response:
            return [line for line in response.iter_lines() if line]

    async def use_later(cascade):
        async with cascade.responses.with_streaming_response.create(input=ASK, stream=True) as response:
            return [line async for line in response.iter_lines() if line]

    lines = with_cascade(kind, upstream, {"router": router, "start": start}, use if kind == "sync" else use_later)
    assert lines[0] == "event: response.created"
    assert json.loads(lines[-1].removeprefix("data: "))["response"]["status"] == "completed"


@both
def test_a_stream_is_rescued_until_something_is_said(kind, router, upstream):
    upstream.answer_with(by_tier(opus=Reply("word", fault=Fault.TRUNCATED)))
    _, events = read(kind, upstream, {"router": router, "start": "opus"})
    assert said(events) == GOOD
    assert asked(upstream.calls)[0] == "opus"


@both
def test_a_stream_ends_with_its_error_once_something_was_said(kind, router, upstream):
    upstream.answer_with(lambda body: Reply("word " * 40, fault=Fault.RESET_MIDWAY))
    with pytest.raises(openai.APIConnectionError):
        read(kind, upstream, {"router": router, "start": "opus"})
    assert len(upstream.calls) == 1


@both
@either
def test_an_incomplete_response_is_streamed_as_one(kind, router, upstream, start):
    upstream.answer_with(lambda body: Reply(GOOD, finish_reason="length"))
    _, events = read(kind, upstream, {"router": router, "start": start})
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"


@both
def test_an_optimistic_stream_is_judged_when_it_has_ended(kind, router, upstream, open_store, sqlite_url):
    store = open_store(sqlite_url, store_responses=True)
    upstream.answer_with(lambda body: Reply(BAD, tokens_in=9, tokens_out=4))
    options = {"router": router, "store": store, "stream_optimistically": True}
    _, events = read(kind, upstream, options)
    assert said(events) == BAD
    (outcome,) = kept(store)
    (attempt,) = outcome.decision.attempts
    assert (attempt.passed, attempt.response, attempt.finish_reason) == (False, BAD, "stop")
    assert (attempt.tokens_in, attempt.tokens_out) == (9, 4)


# What is counted and kept


@both
def test_an_outcome_holds_the_request_as_a_conversation(kind, router, upstream, open_store, url):
    store = open_store(url, store_responses=True)
    upstream.answer_with(by_tier(haiku=Reply(BAD, tokens_in=9, tokens_out=4)))
    schema = {"type": "json_schema", "name": "party", "schema": {"type": "object"}}
    given = {"instructions": "Be brief.", "max_output_tokens": 70, "tools": [TOOL], "text": {"format": schema}}
    result = run(kind, upstream, {"router": router, "store": store}, task="code", key="team", **given)
    (outcome,) = kept(store)
    decision = outcome.decision
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASK}]
    assert (decision.id, list(decision.messages), decision.max_tokens) == (result.id, messages, 70)
    assert decision.tools[0]["function"]["name"] == "look_up"
    assert decision.response_format["json_schema"]["name"] == "party"
    first = decision.attempts[0]
    assert (first.response, first.tokens_in, first.tokens_out) == (BAD, 9, 4)
    haiku = router.tiers[0]
    assert first.cost == pytest.approx((9 * haiku.input_price + 4 * haiku.output_price) / 1e6)
    again = router.route(
        messages=messages,
        max_tokens=70,
        tools=decision.tools,
        response_format=decision.response_format,
        task=decision.task,
    )
    assert list(decision.probabilities) == pytest.approx(list(again.probabilities.values()))


def test_usage_has_the_names_of_chat_completions():
    usage = types.ResponseUsage.construct(
        input_tokens=10,
        input_tokens_details={"cached_tokens": 8, "cache_write_tokens": 1},
        output_tokens=5,
        output_tokens_details={"reasoning_tokens": 3},
        total_tokens=15,
        cost=0.5,
    )
    bill = read_bill(types.Response.construct(usage=usage))
    counted = bill.usage
    assert (counted.tokens_in, counted.tokens_out, counted.cached, counted.reasoning) == (10, 5, 8, 3)
    assert (counted.cache_writes, bill.stated) == (1, 0.5)


def test_what_only_comments_on_the_work_is_no_answer():
    def message(text, phase):
        return {"type": "message", "phase": phase, "content": [{"type": "output_text", "text": text}]}

    both_ = [message("I look.", "commentary"), message("Paris", "final_answer")]
    assert answer_of({"status": "completed", "output": both_}).text == "Paris"
    assert answer_of({"status": "completed", "output": both_[:1]}).text == "I look."


# Anything may stand anywhere


CALL = Call(Tier("small", "m", 1.0, 2.0), {"input": ASK}, api=RESPONSES)
REQUEST = make_request(prompt="hi")
RESPONSE = SimpleNamespace(request_id=None, http_response=None)
FULL = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "output": [
        {
            "type": "reasoning",
            "id": "rs",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "content": [{"type": "reasoning_text", "text": "hm"}],
        },
        {
            "type": "message",
            "id": "msg",
            "role": "assistant",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "words",
                    "annotations": [
                        {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
                    ],
                    "logprobs": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "custom_tool_call", "id": "ct", "call_id": "d", "name": "g", "input": "x"},
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}},
}
names = st.sampled_from(["content", "type", "_fields_set", "model_dump", "self", "__class__", "output", "text"])
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just(10**40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


def answer_of(data):
    return RESPONSES.read(data, tier="small", model="m", request=REQUEST, arguments={})


def places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def changed(data, changes):
    data = {"all": copy.deepcopy(data)}
    for path, value in changes:
        *way, last = ("all", *path)
        at = data
        try:
            for key in way:
                at = at[key]
            at[last] = value
        except (KeyError, IndexError, TypeError):
            continue
    return data["all"]


changes_of = st.lists(st.tuples(st.sampled_from(list(places(FULL))), odd), max_size=3)


@pytest.mark.slow
@settings(max_examples=400)
@given(changes_of)
def test_a_response_with_anything_in_any_place_is_read_and_replayed_or_refused(changes):
    body = json.dumps(changed(FULL, changes)).encode()
    try:
        made = RESPONSES.parse(body, RESPONSE, CALL, AnswerLimits())
        answer = RESPONSES.read(made, tier="small", model="m", request=REQUEST, arguments={})
    except (MalformedAnswerError, openai.APIStatusError):
        return
    assert isinstance(made.output_text, str)
    assert all(isinstance(text, str) for call in answer.tool_calls for text in (call.name, call.arguments))
    collected = ResponseCollected()
    for event in response_events(made):
        assert collected.add(event)
        try:
            assert collected.says(event) in (True, False)
        except openai.APIStatusError:
            continue
    replayed = collected.answer("small", "m", REQUEST, {})
    assert (replayed.text, replayed.refusal, replayed.tool_calls) == (answer.text, answer.refusal, answer.tool_calls)
    assert replayed.tokens_out == answer.tokens_out


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.lists(st.dictionaries(st.sampled_from(["type", "delta", "item", "output_index", "response"]), odd), max_size=4)
)
def test_events_of_any_form_are_read(events):
    collected = ResponseCollected()
    kinds = ["response.output_text.delta", "response.output_item.added", "response.completed", "error"]
    for number, event in enumerate(events):
        collected.add({"type": kinds[number], **event})
    answer = collected.answer("small", "m", REQUEST, {})
    assert isinstance(answer.text, str)
    assert answer.finish_reason is None or isinstance(answer.finish_reason, str)


def test_a_stream_that_breaks_off_has_said_what_it_said():
    collected = ResponseCollected()
    for event in response_events(RESPONSES.parse(json.dumps(FULL).encode(), RESPONSE, CALL, AnswerLimits()))[:-1]:
        collected.add(event)
    answer = collected.answer("small", "m", REQUEST, {})
    assert (answer.text, answer.refusal, answer.finish_reason) == ("words", "no", None)
    assert [(call.name, call.arguments, call.custom) for call in answer.tool_calls] == [
        ("f", "{}", False),
        ("g", "x", True),
    ]


def test_items_that_nobody_could_read_are_left_out():
    data = {**FULL, "output": [None, 5, {}, {"type": 3}, {"type": "reasoning", "summary": [0] * 2000}, *FULL["output"]]}
    made = RESPONSES.parse(json.dumps(data).encode(), RESPONSE, CALL, AnswerLimits())
    assert [item.type for item in made.output] == [item["type"] for item in FULL["output"]]
