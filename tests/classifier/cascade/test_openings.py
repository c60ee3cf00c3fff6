"""A stream can be answered by another tier until something was said, and is handed on whole then."""

import json

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from classifier.cascade.streams import Collected, Opening, says_something
from tests.helpers import faulty_upstream
from tests.helpers.cascades import read_stream
from tests.helpers.faulty_upstream import DONE, ROLE, WORDS, FaultyUpstream, event

both = pytest.mark.parametrize("kind", ["sync", "async"])
ERROR = b'data: {"error": {"message": "Provider returned error", "code": 502}}\n\n'
USAGE = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
AZURE = event({}, choices=[], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}])
SILENT = {
    "a role": [ROLE],
    "no choices": [AZURE],
    "nothing": [event({"role": "assistant", "content": ""}), event({"content": None, "refusal": None})],
    "space": [ROLE, event({"content": "\n\n"})],
    "counts": [event({}, choices=[], usage=USAGE)],
    "reasoning without words": [event({"reasoning_content": "", "reasoning_details": [{"type": "text", "text": " "}]})],
    "a call without a name": [event({"tool_calls": [{"index": 0, "id": "", "type": "function", "function": {}}]})],
    "an audio's id": [event({"audio": {"id": "audio_1", "expires_at": 1_700_000_000}})],
    "an end by an error": [event({"content": ""}, "error")],
}
SAID = {
    "a word": event({"content": "a"}),
    "a refusal": event({"refusal": "No"}),
    "reasoning": event({"reasoning_content": "The user"}),
    "reasoning in parts": event({"reasoning_details": [{"type": "text", "text": "The user"}]}),
    "a call": event({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f"}}]}),
    "sound": event({"audio": {"id": "audio_1", "transcript": "Rome"}}),
    "the end": event({}, "stop"),
    "the filter": event({}, "content_filter"),
}


@pytest.fixture
def failing(monkeypatch):
    """An upstream whose fault "opening" is a stream of some events."""

    def script(*events):
        monkeypatch.setitem(faulty_upstream.FAULTS, "opening", faulty_upstream._events(*events))

    with FaultyUpstream() as server:
        yield server, script


def words(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@both
@pytest.mark.parametrize("opening", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("end", [ERROR, DONE], ids=["error", "end"])
def test_a_stream_that_has_said_nothing_is_answered_by_another_tier(kind, router, failing, opening, end):
    server, script = failing
    script(*opening, end)
    _, found = read_stream(kind, server, {"router": router, "start": "opus"}, user="opening@opus")
    assert words(found).strip() == WORDS


@both
def test_what_has_been_said_is_the_callers_and_reasoning_is_said(kind, router, failing):
    server, script = failing
    for said in (SAID["a word"], SAID["reasoning"]):
        script(ROLE, said, ERROR)
        with pytest.raises(openai.APIError, match="Provider returned error"):
            read_stream(kind, server, {"router": router, "start": "opus"}, user="opening@opus")


@both
def test_what_was_held_back_is_handed_on(kind, router, failing):
    server, script = failing
    script(ROLE, AZURE, event({"content": "\n\n"}), event({"content": "Rome."}), event({}, "stop"), DONE)
    _, found = read_stream(kind, server, {"router": router, "start": "opus"}, user="opening@opus")
    assert words(found) == "\n\nRome."
    assert found[0].choices[0].delta.role == "assistant"
    assert [len(chunk.choices) for chunk in found] == [1, 0, 1, 1, 1]


def parsed(line):
    return ChatCompletionChunk.construct(**json.loads(line.removeprefix(b"data: ")))


@pytest.mark.parametrize("line", SAID.values(), ids=SAID)
def test_what_says_something(line):
    assert says_something(parsed(line))


@pytest.mark.parametrize("lines", SILENT.values(), ids=SILENT)
def test_what_says_nothing(lines):
    assert not any(says_something(parsed(line)) for line in lines)


def test_very_many_chunks_that_say_nothing_are_not_kept_but_space_is():
    opening = Opening(Collected(usage_shown=False))
    assert not any(opening.take(parsed(ROLE)) for _ in range(5_000))
    assert len(opening.chunks) < 2_000
    assert opening.take(parsed(event({"content": " "})))
    assert opening.chunks[-1].choices[0].delta.content == " "
