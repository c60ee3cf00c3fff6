import pytest
from hypothesis import given

from classifier.gates import Finished, NotEmpty, read_answer, run_gate
from classifier.request import make_request
from tests.helpers.answers import answer, completion, texts


@pytest.mark.parametrize(
    ("reason", "score", "passed"),
    [
        ("stop", 1.0, True),
        ("tool_calls", 1.0, True),
        ("function_call", 1.0, True),
        ("length", 0.0, False),
        ("content_filter", 0.0, False),
        ("whatever", 0.5, True),
        (None, 0.5, True),
    ],
)
def test_finish_reasons(reason, score, passed):
    verdict = run_gate(Finished(), answer("Paris", finish_reason=reason))
    assert (verdict.score, verdict.passed) == (score, passed)
    assert "whatever" not in verdict.reason


@pytest.mark.parametrize("text", ["a", "0", " - ", "…", "😀", "答", "```\nx\n```", "``", "\u200bก", "а́", "½"])
def test_what_can_be_seen(text):
    assert run_gate(NotEmpty(), answer(text)).passed


@pytest.mark.parametrize(
    "text",
    ["", " \n\t ", "\u200b\u200d\ufeff", "\u3000", "```", "```python\n```", "~~~\n\n~~~", "\u3164", "\u0301", "\0\x1b",
     "\u2800", "> ```\n> ```"],
)  # fmt: skip
def test_what_cannot(text):
    assert not run_gate(NotEmpty(), answer(text)).passed


def test_nothing_but_tool_calls_is_something():
    assert run_gate(NotEmpty(), answer(None, tool_calls=[("search", "{}")])).passed


def test_nothing_but_a_refusal_is_nothing():
    assert not run_gate(NotEmpty(), answer(None, refusal="No.")).passed


@given(texts)
def test_any_text(text):
    found = read_answer(completion(text), tier="t", model="m", request=make_request("a"), arguments={})
    assert run_gate(NotEmpty(), found).score in (0.0, 1.0)
    assert run_gate(NotEmpty(), answer(f"{text}\nx")).passed
