"""Any text and JSON without loss, in forms that databases and files take."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given

from classifier.outcomes.encoding import dump_json, escape, load_json, unescape
from tests.helpers.odd_json import any_json, any_text


@given(any_text)
def test_text_comes_back(text: str) -> None:
    written = escape(text)
    assert "\x00" not in written
    written.encode()
    assert unescape(written) == text


@pytest.mark.slow
@given(any_json)
def test_json_comes_back_from_one_line_of_valid_json(value: object) -> None:
    written = dump_json(value)
    assert "\n" not in written
    assert "\x00" not in written
    json.loads(written.encode())
    assert load_json(written) == value


def test_ordinary_text_stands_as_it_is() -> None:
    text = 'Grüße, 世界 🎉 \\ "x"\n\t'
    assert escape(text) == text
    assert dump_json([text]) == json.dumps([text], ensure_ascii=False)


def test_numbers_that_are_not_finite_become_null() -> None:
    assert load_json(dump_json({"a": [math.nan, math.inf, 1.5], "b": np.float32(0.5)})) == {
        "a": [None, None, 1.5],
        "b": 0.5,
    }
    assert load_json(dump_json([np.float64(0.25), np.int64(3), np.array([1.0, 2.0])])) == [0.25, 3, [1.0, 2.0]]


def test_objects_of_a_client_are_dumped_and_others_only_named() -> None:
    from openai.types.chat import ChatCompletionMessage

    message = ChatCompletionMessage(role="assistant", content="hi")
    assert load_json(dump_json([message]))[0]["content"] == "hi"
    assert load_json(dump_json([message, math.nan]))[0]["content"] == "hi"
    assert dump_json(object()) == '"<object>"'


def test_what_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises((ValueError, RecursionError)):
        dump_json(loop)
