"""Answers far longer than any model gives cost no more than what is read of them."""

import time

import pytest

from classifier.gates import (
    Matches,
    MatchesSchema,
    NoHedging,
    NotEmpty,
    ParsesAsCode,
    ValidJson,
    ValidToolCalls,
    answer_features,
    default_gate,
    final_answer,
    run_gate,
)
from classifier.gates.agreement import claim
from classifier.gates.fences import code_blocks, sole_block
from classifier.gates.json_text import INVALID, is_deep, parse_json
from classifier.gates.judge import read_score
from tests.helpers.answers import answer

CHARS = 5_000_000
SECONDS = 1.0  # of CPU; several times what they take, since tests share the machine

LONG = {
    "words": "word ", "newlines": "\n", "blanks": "\u2800", "backticks": "`", "fences": "```\n", "quotes": '"',
    "lists": "[],", "brackets": "[", "spaces": " ", "scores": "score is ", "tildes": "~~~ ", "marks": "> ```\n",
    "answers": '"answer": ',
}  # fmt: skip


@pytest.mark.parametrize("pump", LONG.values(), ids=LONG)
@pytest.mark.parametrize("before", ["", "The answer is", "```python\n"])
def test_texts_of_five_million_characters(pump, before):
    given = answer(before + pump * (CHARS // len(pump)))
    started = time.process_time()
    for gate in (default_gate(), ParsesAsCode(), ValidJson(fences=True), NoHedging(), Matches(r"(?:a|b|ab)*c")):
        assert 0 <= run_gate(gate, given).score <= 1
    answer_features(given)
    final_answer(given.text)
    read_score(given.text)
    claim(given)
    assert time.process_time() - started < SECONDS


def test_json_that_is_too_long_cannot_be_told_from_sound_json():
    text = "[" + "1," * 200_000 + "1]"
    wanted = {"response_format": {"type": "json_object"}}
    for gate, options in ((ValidJson(), {}), (MatchesSchema(), {"arguments": wanted})):
        assert run_gate(gate, answer(text, **options)).score == 0.5
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]
    verdict = run_gate(ValidToolCalls(), answer(None, tool_calls=[("f", text)], arguments={"tools": tools}))
    assert (verdict.score, verdict.passed, verdict.reason) == (0.5, True, "too long to check")


def test_depth_of_json_whatever_the_interpreter_allows(monkeypatch):
    assert is_deep("[" * 901 + "]" * 901)
    assert is_deep('{"a":' * 901)
    assert not is_deep('"' + "[" * 2000 + '"')
    assert not is_deep('"\\"' + "[" * 2000 + '"')
    assert not is_deep("[]" * 5000)
    assert parse_json("[" * 400 + "]" * 400) is not INVALID


def test_numbers_of_many_digits_where_the_interpreter_has_no_limit(monkeypatch):
    monkeypatch.setattr("sys.get_int_max_str_digits", lambda: 0)
    assert parse_json("9" * 100_000) is INVALID
    assert parse_json("[12, -3]") == [12, -3]


def test_an_answer_that_shows_nothing_for_long_is_empty():
    assert not run_gate(NotEmpty(), answer("\n" * 30_000 + "x")).passed
    assert run_gate(NotEmpty(), answer("\n" * 10_000 + "x")).passed


@pytest.mark.slow
def test_only_so_many_calls_and_log_probabilities_are_read():
    given = answer("x", tool_calls=[("f", "{}")] * 100, logprobs=[-0.5] * 70_000)
    assert (len(given.tool_calls), len(given.token_logprobs)) == (64, 65_536)


def test_calls_with_long_arguments_are_compared_as_they_are_written():
    one, other = "[" + "1," * 200_000 + "1]", "[" + "1, " * 150_000 + "1]"
    same, differing = [("f", one)], [("f", other)]
    assert claim(answer(None, tool_calls=same)) == claim(answer(None, tool_calls=same))
    assert claim(answer(None, tool_calls=same)) != claim(answer(None, tool_calls=differing))


def test_blocks_beyond_a_million_characters_are_not_looked_at():
    text = "x" * 1_000_000 + "\n```python\nx\n```"
    assert list(code_blocks(text)) == []
    assert sole_block("```\n" + "x" * 1_000_000 + "\n```") is None


@pytest.mark.parametrize(
    "value",
    ["[" * 1999, "-" * 1999 + "1", "not " * 499 + "1", "1 if 1 else " * 160 + "1", "{" * 150 + "}" * 150,
     "(" * 99 + ")" * 99, "1" + "+1" * 900, "'a' " * 480, "f'" + "{" * 900, "[" * 30 + "lambda:" * 200,
     "1" + "[0]" * 600, "{1:" * 600],
)  # fmt: skip
def test_values_that_are_nested_are_compared_as_text(value):
    started = time.process_time()
    found = final_answer(f'{{"answer": {value}}}')
    assert found.kind == "json"
    assert final_answer(f"The answer is {value}").value
    assert time.process_time() - started < SECONDS
