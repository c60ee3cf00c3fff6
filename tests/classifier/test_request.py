import json
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from classifier.request import IMAGE_PART_TYPES, TEXT_PART_TYPES, Request, make_request
from tests.helpers.requests import IMAGE, TOOL, json_values, texts

OPTIONS = {
    "max_tokens": st.none() | st.integers(),
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


def test_text_is_all_texts_in_order():
    request = make_request(
        messages=[
            {"role": "system", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "two"}, IMAGE, "three", {"text": "four"}]},
            {"role": "assistant", "content": None, "refusal": None},
            {
                "role": "user",
                "content": [{"type": "refusal", "refusal": "five"}, {"type": "input_text", "text": "six"}],
            },
        ]
    )
    assert request.text == "one\ntwo\nthree\nfour\nfive\nsix"


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
    assert (request.turns, request.system_chars) == (3, 8)


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


@pytest.mark.parametrize("kind", sorted(IMAGE_PART_TYPES))
def test_images_are_counted(kind):
    content = [{"type": kind}, {"type": "text", "text": "a"}, {"type": kind}]
    assert make_request(messages=[{"role": "user", "content": content}]).images == 2


@pytest.mark.parametrize("kind", sorted(TEXT_PART_TYPES))
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
    [
        (None, None),
        (0, None),
        (-5, None),
        (1, 1),
        (300, 300),
        (10**400, 2**53),
        ("300", None),
        (openai.NOT_GIVEN, None),
    ],
)
def test_max_tokens_is_a_positive_number_or_none(given, limit):
    assert make_request("a", max_tokens=given).max_tokens == limit


@pytest.mark.parametrize("arguments", [{}, {"prompt": "a", "messages": []}])
def test_a_request_is_a_prompt_or_messages(arguments):
    with pytest.raises(TypeError, match="either prompt or messages"):
        make_request(**arguments)


def test_no_messages_are_an_empty_request():
    assert make_request(messages=[]) == Request("", turns=0)
    assert make_request("") == Request("")


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
    },
)


@given(st.lists(odd_messages | json_values, max_size=5), json_values)
def test_odd_messages_never_raise(messages, response_format):
    request = make_request(messages=messages, response_format=response_format)
    assert request == make_request(messages=messages, response_format=response_format)
    assert isinstance(request.text, str)
    assert 0 <= request.turns <= len(messages)
    assert min(request.system_chars, request.tool_calls, request.images) >= 0


def test_what_is_no_text_counts_as_nothing():
    content = [
        1,
        None,
        b"bytes",
        ["nested"],
        {"type": "input_audio", "text": "a"},
        {"type": [], "text": "b"},
        {"text": 1},
    ]
    assert make_request(messages=[{"role": "user", "content": content}, "text", None, 7]) == Request("")
    assert make_request(messages=[{"role": "user", "content": np.zeros(3)}]) == Request("")


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
    assert request.text == "\n".join(f"message {number}" for number in range(256))
    assert (request.unread_chars, request.turns) == (0, 256)


@given(st.integers(257, 10**7), st.lists(st.sampled_from([spoken("a"), spoken("bc" * 50, "system")]), min_size=1))
def test_a_decision_reads_at_most_384_messages_and_knows_about_the_others(count, items):
    messages = Watched(items, count)
    request = make_request(messages=messages)
    assert messages.asked <= 384
    first, last = items[0]["content"], items[(count - 1) % len(items)]["content"]
    assert request.text.startswith(first)
    assert request.text.endswith(last)
    if len({item["role"] for item in items}) == 1:
        length = len(first)
        system = items[0]["role"] == "system"
        assert request.turns == (0 if system else count)
        assert request.system_chars == (length * count if system else 0)
        assert request.chars == (length + 1) * count - 1


@given(st.integers(257, 10**7))
def test_a_message_of_very_many_parts_is_read_in_part(count):
    parts = Watched([{"type": "text", "text": "word"}], count)
    request = make_request(messages=[{"role": "user", "content": parts}])
    assert parts.asked <= 384
    assert request.chars == 5 * count - 1
    images = Watched([{"type": "image_url"}], count)
    assert make_request(messages=[{"role": "user", "content": images}]).images == count
    assert images.asked <= 384


def test_long_texts_among_others_are_clipped_in_the_middle():
    long, short = "head " + "x" * 10**6 + " tail", "short"
    request = make_request(messages=[spoken(long), spoken(short), spoken(long)])
    assert request.chars == 2 * len(long) + len(short) + 2
    assert len(request.text) <= 140_000
    assert request.text.startswith("head x")
    assert "x tail\nshort\nhead x" in request.text
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
