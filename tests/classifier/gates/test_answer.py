from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from classifier import RouterError
from classifier.gates import MalformedAnswerError, NotEmpty, ToolCall, read_answer, run_gate
from classifier.request import make_request
from tests.helpers.answers import answer, completion

REQUEST = make_request("What is it?")


def read(given_completion):
    return read_answer(given_completion, tier="small", model="model-s", request=REQUEST, arguments={})


def test_everything_a_completion_says():
    found = answer(
        "Paris", finish_reason="stop", tool_calls=[("search", '{"q": 1}')], logprobs=[-0.5, -1], tokens=(7, 9)
    )
    assert found.text == "Paris"
    assert (found.tier, found.model, found.finish_reason) == ("small", "model-s", "stop")
    assert found.tool_calls == (ToolCall("search", '{"q": 1}'),)
    assert found.token_logprobs == (-0.5, -1.0)
    assert (found.tokens_in, found.tokens_out) == (7, 9)
    assert found.request.text == found.arguments["messages"][0]["content"] == "What is it?"
    assert found.refusal is None


def test_a_completion_that_was_checked_reads_the_same():
    strict = ChatCompletion.model_validate(completion("Paris", logprobs=[-1.0]).model_dump())
    assert read(strict) == read(completion("Paris", logprobs=[-1.0]))


def test_a_refusal_and_no_content():
    found = answer(None, refusal="No.")
    assert (found.text, found.refusal) == ("", "No.")


def test_content_in_parts():
    parts = [{"type": "text", "text": "Par"}, "is", {"type": "image_url"}, 7, {"type": "text", "text": None}]
    assert answer(parts).text == "Paris"


def test_custom_and_former_kinds_of_calls():
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}, {"id": "2"}, None],
        "function_call": {"name": "search", "arguments": "{}"},
    }
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    found = read(ChatCompletion.construct(id="1", choices=[choice]))
    assert found.tool_calls == (
        ToolCall("shell", "ls", custom=True),
        ToolCall("", ""),
        ToolCall("", ""),
        ToolCall("search", "{}"),
    )


def test_logprobs_that_are_no_numbers_are_left_out():
    found = read(completion("a", logprobs=[-1.0, float("nan"), None, float("-inf"), -2, 0.5, -1e308]))
    assert found.token_logprobs == (-1.0, -2.0, 0.0, -9999.0)
    assert read(completion("a", logprobs=[])).token_logprobs is None
    assert read(completion("a", logprobs=[float("nan")])).token_logprobs is None


def test_the_first_choice_with_a_message_counts():
    good = completion("second").choices[0]
    found = read(ChatCompletion.construct(choices=[{"index": 0, "message": None}, good]))
    assert found.text == "second"
    assert found.tokens_in is None


@pytest.mark.parametrize(
    "useless",
    [
        ChatCompletion.construct(choices=[]),
        ChatCompletion.construct(choices=None),
        ChatCompletion.construct(choices=[{"index": 0}]),
        ChatCompletion.construct(choices={"a": "secret"}),
        ChatCompletion.construct(),
        "<html>secret</html>",
        None,
    ],
)
def test_no_usable_choice(useless):
    with pytest.raises(MalformedAnswerError, match=r"small: .* no choice") as raised:
        read(useless)
    assert isinstance(raised.value, RouterError)
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = ("content", "refusal", "tool_calls", "function_call", "function", "custom", "name", "arguments", "logprob")


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(names, values)),
    st.fixed_dictionaries({}, optional={"finish_reason": values, "logprobs": values}),
    values,
)
def test_whatever_an_upstream_sends(message, choice, usage):
    found = read(SimpleNamespace(choices=[{**choice, "message": message}], usage=usage))
    assert isinstance(found.text, str)
    assert all(isinstance(call.name, str) and isinstance(call.arguments, str) for call in found.tool_calls)
    assert found.token_logprobs is None or all(isinstance(each, float) for each in found.token_logprobs)


def test_nothing_said_or_asked_is_shown():
    found = answer("secret", prompt="secret", refusal="secret", tool_calls=[("search", "secret")])
    assert "secret" not in repr(found)
    assert "search" in repr(found)


def shown(**message):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    completion = ChatCompletion.construct(id="1", choices=[choice], usage=None)
    return read_answer(completion, tier="small", model="m", request=make_request("?"), arguments={})


def test_what_is_spoken_is_the_answer():
    spoken = shown(content=None, audio={"id": "a", "data": "AA==", "transcript": "Rome."})
    assert (spoken.text, spoken.media) == ("Rome.", True)
    assert run_gate(NotEmpty(), spoken).passed
    assert run_gate(NotEmpty(), shown(content="", audio={"id": "a", "data": "AA==", "transcript": ""})).passed
    assert not run_gate(NotEmpty(), shown(content="", audio={"id": "a"})).passed


def test_an_image_is_an_answer():
    assert run_gate(NotEmpty(), shown(content="", images=[{"type": "image_url", "image_url": {"url": "data:"}}])).passed


def test_parts_that_are_thoughts_are_none_of_the_answers():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "I cannot help."}]},
        {"type": "reasoning", "text": "hm"},
        {"text": "hm", "thought": True},
        {"type": "text", "text": "<think>hm</think>Rome."},
    ]
    assert shown(content=parts).text == "Rome."


def test_a_part_that_refuses_is_a_refusal():
    assert shown(content=[{"type": "refusal", "refusal": "No."}]).refusal == "No."


def test_reasoning_in_a_field_of_its_own_is_no_answer():
    assert not run_gate(NotEmpty(), shown(content="", reasoning_content="Rome.", reasoning="Rome.")).passed
