"""Conversations of other clients and frameworks, in the forms that these write themselves."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)

from classifier.features import FeatureExtractor
from classifier.keywords import load_keywords
from classifier.media import TOKENS_PER_IMAGE, TOKENS_PER_SMALL_IMAGE
from classifier.request import make_request, read_arguments
from classifier.tokens import estimate_tokens

ASK = "Why does the test fail?"


def expect(request, *, system="Be brief.", history="hi", material=("look", "it failed")):
    assert request.text == ASK
    assert request.system == system
    assert history in request.history
    assert all(text in request.material for text in material)


def test_messages_of_anthropics_form():
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
        {"role": "user", "content": [{"type": "text", "text": ASK}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": {"path": "a.py"}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "it failed"}]}
            ],
        },
    ]
    request = make_request(messages=messages)
    expect(request, system="", material=("look", "a.py", "it failed"))
    assert request.tool_calls == 2
    assert "hm" in request.history


def test_items_of_the_responses_api():
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        ResponseOutputMessage(
            id="m",
            role="assistant",
            status="completed",
            type="message",
            content=[ResponseOutputText(type="output_text", text="hello", annotations=[])],
        ),
        {"type": "message", "role": "user", "content": ASK},
        ResponseReasoningItem(id="r", type="reasoning", summary=[], encrypted_content="x" * 1000),
        ResponseFunctionToolCall(type="function_call", call_id="c", name="look", arguments='{"path": "a.py"}'),
        {"type": "function_call_output", "call_id": "c", "output": "it failed"},
    ]
    request = read_arguments(
        {"instructions": "Be brief.", "input": items, "max_output_tokens": 20, "reasoning": {"effort": "low"}}
    )
    expect(request)
    assert (request.max_tokens, request.reasoning, request.tool_calls) == (20, True, 2)
    assert request.material_chars > 1000


def test_the_responses_api_takes_a_text():
    request = read_arguments({"input": ASK, "text": {"format": {"type": "json_schema", "schema": {"type": "object"}}}})
    assert (request.text, request.turns, request.json_schema) == (ASK, 1, True)


def test_messages_of_geminis_form():
    messages = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "hello"}]},
        {"role": "user", "parts": [{"text": ASK}, {"inline_data": {"mime_type": "audio/wav", "data": "A" * 4000}}]},
        {"role": "model", "parts": [{"function_call": {"name": "look", "args": {"path": "a.py"}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "look", "response": {"result": "it failed"}}}]},
    ]
    request = make_request(messages=messages)
    expect(request, system="")
    assert request.audio == 1


def test_messages_of_sharegpt():
    turns = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "hi"},
        {"from": "gpt", "value": "hello"},
    ]
    request = make_request(messages=[*turns, {"from": "human", "value": ASK}])
    expect(request, material=())


class Said:
    """A message as LangChain's: an object with a type and a content."""

    def __init__(self, kind: str, content: Any, **others: Any) -> None:
        self.type, self.content = kind, content
        self.__dict__.update(others)


def test_messages_that_are_objects_with_a_type():
    call = {"name": "look", "args": {"path": "a.py"}, "id": "1", "type": "tool_call"}
    messages = [
        Said("system", "Be brief."),
        Said("human", "hi"),
        Said("AIMessageChunk", "hello", response_metadata={"model": "x" * 500}, usage_metadata={"input_tokens": 1}),
        Said("human", [{"type": "text", "text": ASK}]),
        Said("ai", "", tool_calls=[call], additional_kwargs={"tool_calls": [call]}),
        Said("tool", "it failed", tool_call_id="1"),
    ]
    request = make_request(messages=messages)
    expect(request)
    assert request.tool_calls == 2
    assert request.chars < 200


@dataclass
class Part:
    """A part of a message as Pydantic AI's."""

    part_kind: str
    content: Any = None
    tool_name: str | None = None
    args: Any = None


@dataclass
class Exchange:
    """A message as Pydantic AI's."""

    kind: str
    parts: list[Part]
    instructions: str | None = None
    usage: dict[str, int] = field(default_factory=dict)


def test_messages_whose_parts_have_roles_of_their_own():
    messages = [
        Exchange("request", [Part("user-prompt", "hi")], instructions="Be brief."),
        Exchange("response", [Part("thinking", "hm"), Part("text", "hello")]),
        Exchange("request", [Part("user-prompt", [ASK])]),
        Exchange("response", [Part("tool-call", tool_name="look", args={"path": "a.py"})]),
        Exchange("request", [Part("tool-return", "it failed", tool_name="look")]),
    ]
    request = make_request(messages=messages)
    expect(request)
    assert request.tool_calls == 2


# Images, files, audio, video

DATA = base64.b64encode(bytes(range(256)) * 12_000).decode()  # 3 MB


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + DATA}}, "images"),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + DATA}}, "files"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "files"),
        ({"type": "input_file", "filename": "a.pdf", "file_data": DATA}, "files"),
        ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": DATA}}, "files"),
        ({"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}}, "audio"),
        ({"type": "audio_url", "audio_url": {"url": "https://example.org/a.mp3"}}, "audio"),
        ({"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}}, "video"),
        ({"type": "media", "mime_type": "video/mp4", "data": DATA}, "video"),
        ({"type": "file", "mime_type": "image/png", "base64": DATA}, "images"),
        ({"inline_data": {"mime_type": "image/png", "data": DATA}}, "images"),
    ],
)
def test_what_is_no_text_is_counted_by_its_kind(part, kind):
    request = make_request(messages=[{"role": "user", "content": [{"type": "text", "text": ASK}, part]}])
    counts = {name: getattr(request, name) for name in ("images", "files", "audio", "video")}
    assert counts == {**dict.fromkeys(counts, 0), kind: 1}
    assert request.text == ASK
    assert request.chars == len(ASK)
    assert request.media_tokens >= TOKENS_PER_IMAGE


def test_a_large_file_costs_more_than_a_small_one_and_a_small_picture_less():
    def tokens(part):
        return make_request(messages=[{"role": "user", "content": [part]}]).media_tokens

    files = [{"type": "file", "file": {"file_data": DATA[:size]}} for size in (100_000, 1_000_000)]
    assert tokens(files[1]) == pytest.approx(10 * tokens(files[0]))
    low = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
    assert tokens(low) == TOKENS_PER_SMALL_IMAGE


def test_a_picture_in_a_tools_result_is_a_picture():
    output = {"type": "computer_screenshot", "image_url": "data:image/png;base64," + DATA}
    items = [{"role": "user", "content": ASK}, {"type": "computer_call_output", "call_id": "1", "output": output}]
    request = read_arguments({"input": items})
    assert request.images == 1
    assert request.chars < 1000


def test_base64_that_stands_in_a_text_counts_as_text():
    text = f"What is this? ![x](data:image/png;base64,{DATA})"
    request = make_request(messages=[{"role": "user", "content": [{"type": "text", "text": text}]}])
    assert (request.chars, request.images) == (len(text), 0)


def ended(*said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": ASK}, *said]


def called(**arguments: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": arguments}]}


@pytest.mark.parametrize(
    "value",
    [
        [12345.5] * 100_000,
        {f"key {number}": number for number in range(50_000)},
        {f"key {number}": "x" for number in range(50_000)},
        [[["a word"] * 50] * 50] * 50,
    ],
    ids=["numbers", "numbers by name", "texts by name", "nested lists"],
)
def test_values_of_any_kind_in_tool_calls_count_by_their_size(value):
    whole = len(json.dumps(value))
    request = make_request(messages=ended(called(values=value)))
    assert whole / 2 < request.material_chars < whole * 2
    assert FeatureExtractor(load_keywords(), estimate_tokens).tokens(request) > whole / 5


def test_lists_within_content_are_read():
    assert (
        make_request(messages=[{"role": "user", "content": [["Why", ["is", "it"]], "so?"]}]).text == "Why\nis\nit\nso?"
    )


def test_fields_beyond_those_that_are_read_count_by_their_size():
    fields = {f"field{number}": "some text" for number in range(10_000)}
    whole = len(json.dumps(fields))
    for message in ({"role": "assistant", **fields}, {"role": "assistant", "content": [{"type": "odd", **fields}]}):
        assert whole / 2 < make_request(messages=ended(message)).material_chars < whole * 2


def test_a_question_is_read_after_messages_that_hold_very_much():
    request = make_request(messages=[called(values=[[["a"] * 9] * 99] * 99)] * 9 + [{"role": "user", "content": [ASK]}])
    assert request.text == ASK


@dataclass
class Blob:
    data: bytes | None = None
    mime_type: str | None = None


@dataclass
class AnyPart:
    """As the objects of Google's client: all kinds of parts in one class."""

    code_execution_result: Any = None
    function_call: Any = None
    function_response: Any = None
    inline_data: Blob | None = None
    text: str | None = None


SOUND, PICTURE = Blob(b"x" * 5000, "audio/mp3"), Blob(b"x", "image/png")


def test_parts_that_are_one_kind_of_many_are_known_by_what_they_hold():
    parts = [
        AnyPart(text=ASK),
        AnyPart(inline_data=Blob(b"x" * 5000, "audio/mp3")),
        AnyPart(inline_data=Blob(b"x", "image/png")),
    ]
    request = make_request(messages=[{"role": "user", "parts": parts}])
    assert (request.text, request.audio, request.images, request.tool_calls) == (ASK, 1, 1, 0)
    assert request.media_tokens == TOKENS_PER_IMAGE + 20


@pytest.mark.parametrize(
    "item",
    [
        {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a.py", "diff": "-a\n+b\n" * 500}},
        {"role": "tool", "content": [{"type": "json", "found": [{"type": "file", "path": "a"}, "-a\n+b\n" * 500]}]},
        {"role": "tool", "content": [{"type": "document", "text": "-a\n+b\n" * 500}]},
        {"role": "assistant", "parts": [{"type": "tool-readFile", "input": {"file": "a"}, "output": "-a\n+b\n" * 500}]},
    ],
)
def test_what_tools_do_with_files_is_text(item):
    request = make_request(messages=ended(item))
    assert request.files == 0
    assert 3000 <= request.material_chars < 3100


def test_a_generated_image_is_an_image_and_not_a_long_text():
    request = make_request(messages=ended({"type": "image_generation_call", "id": "1", "result": "A" * 10**6}))
    assert (request.images, request.media_tokens) == (1, TOKENS_PER_IMAGE)
    assert request.material_chars == 0


@pytest.mark.parametrize(
    "source",
    [
        {"type": "content", "content": [{"type": "text", "text": "some words " * 1000}]},
        {"type": "text", "media_type": "text/plain", "data": "some words " * 1000},
        {"type": "text", "data": "some words " * 1000},
    ],
)
def test_a_document_given_as_text_counts_as_text(source):
    request = make_request(messages=ended({"role": "user", "content": [{"type": "document", "source": source}, ASK]}))
    assert (request.files, request.text) == (1, ASK)
    assert request.media_tokens >= 11_000 / 4


@dataclass
class Prompt:
    """As a prompt of LangChain."""

    messages: list[Any]


@pytest.mark.parametrize("wrap", [Prompt, lambda messages: {"messages": messages}])
def test_what_holds_messages_is_read_as_these(wrap):
    request = make_request(
        messages=wrap([{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASK}])
    )
    assert (request.system, request.text) == ("Be brief.", ASK)
