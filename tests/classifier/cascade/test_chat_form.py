"""A Responses call's arguments in the form of a chat completion."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.cascade.chat_form import answer_message, as_chat, as_response
from classifier.errors import UnreadableMessagesError
from classifier.gates import Answer, ToolCall
from classifier.request import make_request


def messages(given_input, **others):
    return as_chat({"input": given_input, **others})["messages"]


def test_a_text_is_what_the_user_says():
    assert messages("hi") == [{"role": "user", "content": "hi"}]
    assert messages("hi", instructions="Be brief.")[0] == {"role": "system", "content": "Be brief."}


def test_items_are_messages():
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'}
    custom = {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "ls"}
    found = messages(
        [
            {"role": "developer", "content": "rules"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "z"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            call,
            custom,
            {"type": "function_call_output", "call_id": "c", "output": "42"},
            {"type": "custom_tool_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "a.py"}]},
        ]
    )
    assert [each["role"] for each in found] == ["developer", "user", "assistant", "assistant", "tool", "tool"]
    assert found[1]["content"] == [{"type": "text", "text": "hi"}]
    assert found[2]["reasoning_content"] == "hm"
    assert [each["type"] for each in found[3]["tool_calls"]] == ["function", "custom"]
    assert found[3]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert found[4] == {"role": "tool", "tool_call_id": "c", "content": "42"}
    assert found[5]["content"] == [{"type": "text", "text": "a.py"}]


def test_what_chat_completions_do_not_know_stays_as_a_part():
    search = {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "q"}}
    shot = {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": "u"}}
    odd_output = {"type": "local_shell_call_output", "id": "l"}
    found = messages([search, shot, odd_output, {"type": "item_reference", "id": "i"}])
    assert found[0] == {"role": "assistant", "content": [search]}
    assert found[1]["role"] == "tool"
    assert found[2]["content"] == [odd_output]
    assert len(found) == 3


def test_images_and_files_are_parts():
    parts = [
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
        {"type": "input_file", "file_id": "f", "filename": "a.pdf"},
        {"type": "input_image", "file_id": "i"},
    ]
    (found,) = messages([{"role": "user", "content": parts}])
    assert found["content"][0] == {
        "type": "image_url",
        "image_url": {"url": "https://example.com/a.png", "detail": "low"},
    }
    assert found["content"][1] == {"type": "file", "file": {"file_id": "f", "filename": "a.pdf"}}
    assert make_request(messages=[found]).images == 2


def test_variables_of_a_stored_prompt_are_what_can_be_seen_of_it():
    prompt = {"id": "p", "variables": {"city": "Paris", "text": {"type": "input_text", "text": "long"}}}
    (found,) = as_chat({"prompt": prompt})["messages"]
    assert [part["text"] for part in found["content"]] == ["Paris", "long"]
    assert as_chat({})["messages"] == []


def test_tools_and_formats_have_the_form_that_gates_read():
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    made = as_chat(
        {
            "input": "hi",
            "tools": [tool, {"type": "web_search"}, {"type": "namespace", "name": "n", "tools": [tool]}],
            "tool_choice": {"type": "function", "name": "f"},
            "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}, "verbosity": "low"},
            "reasoning": {"effort": "high"},
            "max_output_tokens": 9,
            "temperature": 0.5,
        }
    )
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
    assert made["tools"] == [function, {"type": "web_search"}, function]
    assert made["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert made["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"type": "object"}},
    }
    assert (made["reasoning_effort"], made["max_completion_tokens"], made["temperature"]) == ("high", 9, 0.5)
    assert as_chat({"input": "hi", "tool_choice": "required"})["tool_choice"] == "required"


def test_what_a_gate_wants_is_said_in_the_other_form():
    tool = {"type": "function", "function": {"name": "f"}}
    assert as_response(
        {
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 9,
            "seed": 1,
            "logprobs": True,
            "temperature": 0.0,
            "tools": [tool, {"type": "web_search"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
            "reasoning_effort": "low",
        }
    ) == {
        "input": [{"role": "user", "content": "hi"}],
        "max_output_tokens": 9,
        "include": ["message.output_text.logprobs"],
        "temperature": 0.0,
        "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {}}},
        "reasoning": {"effort": "low"},
    }
    assert as_response({"response_format": {"type": "json_object"}}) == {"text": {"format": {"type": "json_object"}}}


@pytest.mark.parametrize("name", ["response_output_message", "response_function_tool_call"])
def test_the_clients_own_objects_are_read(name):
    types = pytest.importorskip("openai.types.responses", reason="this openai has no Responses API")
    data = {
        "response_output_message": {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a"}],
        },
        "response_function_tool_call": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    }[name]
    kind = getattr(types, "".join(word.title() for word in name.split("_")))
    assert messages([kind.construct(**data)]) == messages([data])


def test_an_answer_is_the_next_message():
    answer = Answer(
        text="I look.",
        tier="small",
        model="m",
        finish_reason="tool_calls",
        tool_calls=(ToolCall("f", "{}"), ToolCall("g", "ls", custom=True)),
        refusal=None,
        token_logprobs=None,
        tokens_in=None,
        tokens_out=None,
        request=make_request("hi"),
        arguments={},
    )
    assert answer_message(answer) == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"type": "custom", "custom": {"name": "g", "input": "ls"}},
        ],
    }


names = st.sampled_from(
    [
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "text",
        "format",
        "reasoning",
        "effort",
        "prompt",
        "variables",
        "type",
        "role",
        "content",
        "text",
        "image_url",
        "summary",
        "output",
        "call_id",
        "name",
        "function",
        "namespace",
    ]
)
words = st.sampled_from(
    [
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "function_call_output",
        "input_text",
        "input_image",
        "input_file",
        "namespace",
        "function",
        "json_schema",
        "user",
        "assistant",
        "x",
    ]
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | words | st.binary(max_size=3) | st.just(object),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(names, odd, max_size=6))
def test_arguments_of_any_form_are_read(arguments):
    tools = arguments.get("tools")
    if not isinstance(tools, list):
        arguments.pop("tools", None)
    made = as_chat(arguments)
    assert all(isinstance(message, dict) for message in made["messages"])
    with suppress(UnreadableMessagesError):  # which the engine answers for
        make_request(messages=made["messages"], tools=made.get("tools"), response_format=made.get("response_format"))


def test_namespaces_are_read_to_a_bounded_depth():
    tool = {"type": "function", "name": "f"}
    for _ in range(5000):
        tool = {"type": "namespace", "name": "n", "tools": [tool]}
    assert as_chat({"input": "hi", "tools": [tool]})["tools"] == []
    assert json.dumps(as_chat({"input": "hi", "tools": [{"type": "namespace", "tools": 5}]}))
