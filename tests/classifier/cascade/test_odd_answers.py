"""Anything may stand anywhere in an answer: it is read, or refused as no answer; nothing else is ever raised."""

import copy
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from classifier.cascade.calls import Call
from classifier.cascade.chat import CHAT
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.streams import Collected, chunks, says_something
from classifier.cascade.usage import read_usage
from classifier.cascade.wire import parse_completion
from classifier.catalog import Tier
from classifier.errors import MalformedAnswerError
from classifier.gates import read_answer
from classifier.prices import UNKNOWN_USAGE
from classifier.request import make_request
from tests.helpers.faulty_upstream import GOOD, ODD_USAGE

CALL = Call(Tier("small", "m", 1.0, 2.0), {"messages": []}, api=CHAT)
REQUEST = make_request(prompt="hi")
RESPONSE = SimpleNamespace(request_id=None, http_response=None)
FULL = {
    **json.loads(GOOD),
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}]},
            "message": {
                "role": "assistant",
                "content": "words",
                "refusal": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "annotations": [],
                "audio": None,
            },
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}},
    "service_tier": "default",
}
EVENT = {
    "id": "c",
    "choices": [
        {
            "index": 0,
            "finish_reason": None,
            "logprobs": {"content": [{"token": "a", "logprob": -0.1}]},
            "delta": {
                "role": "assistant",
                "content": "words",
                "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}],
            },
        }
    ],
    "usage": None,
}
names = st.sampled_from(["content", "index", "_fields_set", "model_dump", "self", "__class__", "choices", "x"])
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just(10**40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def changed(data, changes):
    """The data with other values at some places; a place may be gone by the time that it is its turn."""
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


def changes_of(data):
    return st.lists(st.tuples(st.sampled_from(list(places(data))), odd), min_size=1, max_size=3)


@pytest.mark.slow
@settings(max_examples=400)
@given(changes_of(FULL))
def test_a_completion_with_anything_in_any_place_is_read_or_refused(changes):
    body = json.dumps(changed(FULL, changes)).encode()
    try:
        completion = parse_completion(body, RESPONSE, CALL)
        answer = read_answer(completion, tier="small", model="m", request=REQUEST, arguments={})
    except MalformedAnswerError:
        return
    assert isinstance(answer.text, str)
    collected = Collected(usage_shown=True)
    for chunk in chunks(completion, usage_shown=True):
        collected.add(chunk)
    replayed = collected.answer("small", "m", REQUEST, {})
    index = completion.choices[0].index
    if index == 0 or not isinstance(index, int):
        assert (replayed.text, replayed.finish_reason) == (answer.text, answer.finish_reason)


@pytest.mark.slow
@settings(max_examples=400)
@given(st.lists(changes_of(EVENT), min_size=1, max_size=4))
def test_a_stream_with_anything_in_any_place_is_read(all_changes):
    collected = Collected(usage_shown=False)
    for changes in all_changes:
        data = changed(EVENT, changes)
        if not isinstance(data, dict):
            continue
        try:
            chunk = ChatCompletionChunk.construct(**data)
        except Exception:
            continue  # the client itself refuses it, which `calling` makes an answer that cannot be read
        assert says_something(chunk) in (True, False)
        collected.add(chunk)
    answer = collected.answer("small", "m", REQUEST, {})
    assert all(isinstance(text, str) for call in answer.tool_calls for text in (call.name, call.arguments))
    assert answer.finish_reason is None or isinstance(answer.finish_reason, str)
    assert answer.tokens_in is None or 0 <= answer.tokens_in <= 10**9


@pytest.mark.parametrize("name", [name for name in ODD_USAGE if name != "booleans"])
def test_odd_counts_are_unknown(name):
    assert read_usage(ODD_USAGE[name]) == UNKNOWN_USAGE


def test_half_of_the_counts_may_be_known():
    usage = read_usage({"prompt_tokens": 3, "completion_tokens": True})
    assert (usage.tokens_in, usage.tokens_out) == (3, None)


def test_choices_that_nobody_could_read_are_left_out():
    data = {**FULL, "choices": [None, 5, {}, {"message": "hello"}, *FULL["choices"], {"message": None}]}
    completion = parse_completion(json.dumps(data).encode(), RESPONSE, CALL)
    assert [choice.message.content for choice in completion.choices] == ["words"]


def test_more_values_are_taken_where_log_probabilities_were_asked_for():
    token = FULL["choices"][0]["logprobs"]["content"][0]
    body = json.dumps({"choices": [{**FULL["choices"][0], "logprobs": {"content": [token] * 200}}]}).encode()
    limits = AnswerLimits(values=4000)
    asked = Call(CALL.tier, {"messages": [], "logprobs": True}, api=CHAT)
    assert len(parse_completion(body, RESPONSE, asked, limits).choices[0].logprobs.content) == 200
    with pytest.raises(MalformedAnswerError, match="more than 800 values"):
        parse_completion(body, RESPONSE, CALL, limits)
