import json
import time
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from classifier.errors import InputError
from classifier.request import Request, make_request, read_arguments
from tests.helpers.requests import IMAGE, TOOL, json_values, texts

OPTIONS = {
    "max_tokens": st.none() | st.integers(0),
    "task": st.none() | st.text(max_size=10),
    "tools": st.none() | st.lists(st.just(TOOL), max_size=20),
    "response_format": st.sampled_from([None, {"type": "text"}, {"type": "json_object"}, {"type": "json_schema"}]),
}


@given(texts, st.fixed_dictionaries(OPTIONS))
def test_a_prompt_is_a_user_message(prompt, options):
    message = {"role": "user", "content": prompt}
    parts = {"role": "user", "content": [{"type": "text", "text": prompt}]}
    request = make_request(prompt, **options)
    assert request == make_request(messages=[message], **options)
    if prompt:
        assert request == make_request(messages=[parts], **options)


def test_what_a_person_asks_last_is_the_text_and_the_rest_stands_around_it():
    request = make_request(
        messages=[
            {"role": "system", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "two"}, IMAGE, "three", {"text": "four"}]},
            {"role": "assistant", "content": None, "refusal": "five"},
            {
                "role": "user",
                "content": [{"type": "refusal", "refusal": "six"}, {"type": "input_text", "text": "seven"}],
            },
            {
                "role": "assistant",
                "content": "eight",
                "tool_calls": [{"function": {"name": "nine", "arguments": "ten"}}],
            },
            {"role": "tool", "content": "eleven"},
        ]
    )
    assert request.text == "six\nseven"
    assert (request.system, request.history) == ("one", "two\nthree\nfour\nfive")
    assert request.material == "eight\nten\nnine\neleven"
    assert request.images == 1
    assert request.chars == sum(map(len, [request.text, request.system, request.history, request.material]))


def test_turns_leave_out_the_system_and_its_characters_are_counted():
    request = make_request(
        messages=[
            {"role": "system", "content": "12345"},
            {"role": "developer", "content": [{"type": "text", "text": "678"}]},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ]
    )
    assert (request.turns, request.system_chars) == (3, len("12345\n678"))


def test_tools_calls_and_results():
    request = make_request(
        messages=[
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}, {"id": "2"}]},
            {"role": "tool", "tool_call_id": "1", "content": "b"},
            {"role": "function", "name": "f", "content": "c"},
        ],
        tools=[TOOL, TOOL],
    )
    assert (request.tools, request.tool_calls, request.turns) == (2, 4, 4)
    assert request.tool_chars > 2 * len("search")


def test_many_tools_are_extrapolated_from_the_first():
    few, many = (make_request("a", tools=[TOOL] * count).tool_chars for count in (16, 160))
    assert many == 10 * few


@pytest.mark.parametrize("tool", [{1: object()}, {"a": {2, 3}}, {("a",): 1}])
def test_tools_that_are_no_json_have_a_size_all_the_same(tool):
    assert make_request("a", tools=[tool]).tool_chars > 0


def test_tools_within_themselves_have_a_size_all_the_same():
    tool = {}
    tool["self"] = tool
    assert make_request("a", tools=[tool]).tool_chars > 0


@pytest.mark.parametrize("kind", ["image_url", "image", "input_image"])
def test_images_are_counted(kind):
    content = [{"type": kind}, {"type": "text", "text": "a"}, {"type": kind}]
    assert make_request(messages=[{"role": "user", "content": content}]).images == 2


@pytest.mark.parametrize("kind", ["text", "input_text", "output_text", "refusal"])
def test_texts_are_read(kind):
    assert make_request(messages=[{"role": "user", "content": [{"type": kind, "text": "a"}]}]).text == "a"


@pytest.mark.parametrize(
    ("response_format", "json_format", "json_schema"),
    [
        (None, False, False),
        ({"type": "text"}, False, False),
        ({"type": "json_object"}, True, False),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, True, True),
        (Request, True, True),
        ({}, False, False),
        ({"type": None}, False, False),
        ({"type": ["json_schema"]}, False, False),
        (openai.NOT_GIVEN, False, False),
    ],
)
def test_response_formats(response_format, json_format, json_schema):
    request = make_request("a", response_format=response_format)
    assert (request.json_format, request.json_schema) == (json_format, json_schema)


@pytest.mark.parametrize(
    ("given", "limit"),
    [(None, None), (0, None), (1, 1), (300, 300), (1e9, 10**9), (10**400, 2**53), (openai.NOT_GIVEN, None)],
)
def test_max_tokens_is_a_whole_number_or_none(given, limit):
    assert make_request("a", max_tokens=given).max_tokens == limit


@pytest.mark.parametrize("given", ["300", "", -5, 1.5, float("nan"), float("inf"), True, [300]])
def test_any_other_limit_is_refused(given):
    with pytest.raises(InputError, match=r"max_tokens is .*, expected a whole number above 0"):
        make_request("a", max_tokens=given)


@pytest.mark.parametrize("arguments", [{}, {"prompt": "a", "messages": []}])
def test_a_request_is_a_prompt_or_messages(arguments):
    with pytest.raises(TypeError, match="either prompt or messages"):
        make_request(**arguments)


def test_an_empty_prompt_is_a_request():
    assert make_request("") == Request("") == make_request(messages=[{"role": "user", "content": ""}])


@pytest.mark.parametrize(
    "messages",
    [[], (), [{"role": "user", "content": None}], [{}], [7], [None], [b"hi"], b"hi", 5, [[1, 2, 3]], iter([])],
)
def test_messages_that_hold_nothing_are_refused(messages):
    with pytest.raises(InputError, match=r"^messages: .*expected a list of messages"):
        make_request(messages=messages)


@pytest.mark.parametrize("prompt", [b"hi", 123, 1.5, True, object()])
def test_a_prompt_that_is_no_text_is_refused(prompt):
    with pytest.raises(TypeError, match="expected a text, or messages"):
        make_request(prompt)


MESSAGE = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("messages", ["hi", MESSAGE, (MESSAGE,), [("human", "hi")], ["hi"]])
def test_a_text_or_a_single_message_is_a_conversation(messages):
    assert make_request(messages=messages) == Request("hi")


def test_messages_that_can_be_read_once_are_a_conversation():
    assert make_request(messages=(message for message in [MESSAGE])) == Request("hi")


def test_messages_in_the_place_of_a_prompt_are_messages():
    assert make_request([MESSAGE]) == make_request(MESSAGE) == Request("hi")


def test_any_mapping_is_a_message():
    message = OrderedDict(role="user", content=(OrderedDict(type="text", text="a"),))
    assert make_request(messages=(message,)) == Request("a")


contents = json_values | texts | st.lists(st.fixed_dictionaries({"type": json_values, "text": json_values}), max_size=3)
odd_messages = st.fixed_dictionaries(
    {},
    optional={
        "role": json_values | st.sampled_from(["user", "system"]),
        "content": contents,
        "tool_calls": json_values,
        "reasoning_content": json_values,
    },
)


@given(st.lists(odd_messages | json_values, max_size=5), json_values)
def test_odd_messages_are_read_or_refused(messages, response_format):
    try:
        request = make_request(messages=messages, response_format=response_format)
    except InputError:
        return
    assert request == make_request(messages=messages, response_format=response_format)
    assert isinstance(request.text, str)
    assert 0 <= request.turns <= len(messages)
    assert min(request.system_chars, request.tool_calls, request.images, request.chars) >= 0


@given(st.text(min_size=1, max_size=30), st.sampled_from(["reasoning_content", "thinking", "anything", "tool_calls"]))
def test_everything_that_is_sent_counts(text, name):
    plain = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    sent = [plain[0], {**plain[1], name: [{"type": "custom", "custom": {"name": "n", "input": text * 100}}]}]
    assert make_request(messages=sent).chars - make_request(messages=plain).chars >= 100 * len(text)


def test_messages_of_the_client_are_messages():
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    plain = {"role": "assistant", "content": "hello", "tool_calls": [call]}
    assert make_request(messages=[ChatCompletionMessage.model_validate(plain)]) == make_request(messages=[plain])


def test_whole_numbers_of_numpy_are_limits():
    assert make_request("a", max_tokens=np.int64(5)).max_tokens == 5


# Bounded reading


class Watched(Sequence):
    """A sequence that counts how often it is asked for an item."""

    def __init__(self, items, length):
        self.items, self.length, self.asked = items, length, 0

    def __len__(self):
        return self.length

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self.length))]
        if not 0 <= place < self.length:
            raise IndexError(place)
        self.asked += 1
        return self.items[place % len(self.items)]


def spoken(text, role="user"):
    return {"role": role, "content": text}


def test_two_hundred_and_fifty_six_messages_are_all_read():
    request = make_request(messages=[spoken(f"message {number}") for number in range(256)])
    assert request.text == "message 255"
    assert request.history_chars == len("\n".join(f"message {number}" for number in range(255)))
    assert (request.unread_chars, request.turns) == (0, 256)


@given(st.integers(257, 10**7), st.lists(st.sampled_from([spoken("a"), spoken("bc" * 50)]), min_size=1))
def test_a_decision_reads_at_most_384_messages_and_knows_about_the_others(count, items):
    messages = Watched(items, count)
    request = make_request(messages=messages)
    assert messages.asked <= 384
    assert request.text == items[(count - 1) % len(items)]["content"]
    assert request.turns == count
    if len({len(item["content"]) for item in items}) == 1:
        assert request.chars == pytest.approx(count * (len(request.text) + 1), abs=2)


@given(st.integers(257, 10**7))
def test_a_message_of_very_many_parts_is_read_in_part(count):
    parts = Watched([{"type": "text", "text": "word"}], count)
    request = make_request(messages=[{"role": "user", "content": parts}])
    assert parts.asked <= 384
    assert request.chars == pytest.approx(5 * count, abs=5)
    images = Watched([{"type": "image_url"}], count)
    assert make_request(messages=[{"role": "user", "content": images}]).images == count
    assert images.asked <= 384


@pytest.mark.parametrize("steps", [10, 300, 1500])
def test_a_question_is_found_before_a_long_run_of_an_agents_steps(steps):
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"arguments": "{}"}}]}
    run = [call, {"role": "tool", "tool_call_id": "1", "content": "some result"}] * steps
    begun = [spoken("be brief", "system"), spoken("Hello."), *run[:300]]
    request = make_request(messages=[*begun, spoken("Why does it fail?"), *run])
    assert request.text == "Why does it fail?"
    assert request.system == "be brief"
    assert request.tool_calls == pytest.approx(2 * steps + len(run[:300]), rel=0.02)


def test_very_long_texts_among_others_are_clipped_in_the_middle():
    long = "head " + "x" * 3_000_000 + " tail"
    parts = [{"type": "text", "text": text} for text in (long, "short")]
    request = make_request(messages=[{"role": "user", "content": parts}])
    assert request.ask_chars == len(long) + len("\nshort")
    assert len(request.text) <= 1_100_000
    assert request.text.startswith("head x")
    assert request.text.endswith("x tail\nshort")
    assert make_request(messages=[spoken(long)]).text == long


@given(tools=st.lists(json_values, max_size=20))
def test_small_tools_are_measured_exactly(tools):
    head = tools[:16]
    expected = len(json.dumps(head, default=str)) * len(tools) // max(1, len(head)) if tools else 0
    assert make_request("a", tools=tools).tool_chars == expected


class Counted(dict):
    """A dictionary that counts how many of its values are looked at."""

    asked = 0

    def values(self):
        Counted.asked += len(self)
        return super().values()

    def items(self):
        for item in super().items():
            Counted.asked += 1
            yield item


@pytest.mark.parametrize("width", [10, 100, 10**5])
@pytest.mark.parametrize("depth", [1, 3, 6])
def test_huge_tools_are_measured_from_samples(width, depth):
    tool = "description " * 10
    for _ in range(depth):
        tool = Counted({f"key {number}": tool for number in range(width)})
    Counted.asked = 0
    chars = make_request("a", tools=[tool]).tool_chars
    assert Counted.asked <= 2**14
    if width**depth > 2**13:
        assert width**depth * 100 < chars < width**depth * 300
    assert make_request("a", tools=[{"description": "x" * 10**7}]).tool_chars == pytest.approx(10**7, rel=0.01)


def test_tools_nested_without_end_are_measured_all_the_same():
    tool = {"inside": []}
    tool["inside"] += [tool] * 1000
    assert make_request("a", tools=[tool]).tool_chars > 0


@pytest.mark.parametrize("parted", [True, False])
@pytest.mark.parametrize(
    ("answer", "ask"),
    [("", "Mend the test."), ("<feedback>\nNow the docs.\n</feedback>", "Now the docs.")],
)
def test_a_tools_result_in_a_users_message_hides_no_ask(answer, ask, parted):
    report = [
        "[read_file for 'a.py'] Result:",
        "import os\n" * 40,
        answer,
        "<environment_details>x</environment_details>",
    ]
    content = [{"type": "text", "text": text} for text in report if text] if parted else "\n".join(report)
    task = spoken("<task>\nMend the test.\n</task>")
    request = make_request(messages=[task, spoken("I look.", "assistant"), spoken(content)])
    assert request.text == ask
    assert "import os" in request.material


def test_many_long_texts_with_blocks_that_never_end_are_read_in_little_time():
    text = "<system-reminder>" * 64 + "x" * 300_000
    began = time.process_time()
    request = make_request(messages=[spoken([{"type": "text", "text": text}] * 256)])
    assert time.process_time() - began < 0.1
    assert request.chars == pytest.approx(256 * len(text), rel=0.01)


@pytest.mark.parametrize("api", ["messages", "input"])
def test_what_is_sent_beside_the_clients_own_arguments_is_seen(api):
    beside = {"thinking": {"type": "enabled", "budget_tokens": 1000}, "tools": [TOOL], "max_tokens": 7}
    request = read_arguments({api: [spoken("Why?")], "extra_body": beside})
    assert (request.text, request.reasoning, request.tools, request.max_tokens) == ("Why?", True, 1, 7)
    assert not read_arguments({api: [spoken("Why?")], "extra_body": {"thinking": {"type": "disabled"}}}).reasoning
