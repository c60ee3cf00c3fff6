"""The packaged gate, and the package's public face."""

import inspect
import json
import subprocess
import sys

import pytest
from hypothesis import given

import classifier.gates
from classifier.gates import Agreement, Judge, Verdict, answer_features, default_gate, run_gate
from tests.helpers.answers import answer, texts

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "required": ["name"]}}}
TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {"required": ["q"]}}}]


@pytest.mark.parametrize(
    ("text", "options", "failing"),
    [
        ("Paris", {}, None),
        ("Paris", {"finish_reason": "length"}, "finished"),
        ("  ", {}, "not empty"),
        ("I'm sorry, but I can't help with that.", {}, "no refusal"),
        (None, {"refusal": "No."}, "not empty"),
        ('{"name": 1}', {"arguments": {"response_format": SCHEMA}}, None),
        ("{}", {"arguments": {"response_format": SCHEMA}}, "schema"),
        (None, {"tool_calls": [("search", '{"q": 1}')], "arguments": {"tools": TOOLS}}, None),
        (None, {"tool_calls": [("search", "{}")], "arguments": {"tools": TOOLS}}, "tool calls"),
    ],
)
def test_what_the_default_gate_lets_through(text, options, failing):
    verdict = run_gate(default_gate(), answer(text, **options))
    assert verdict.passed == (failing is None)
    assert failing is None or verdict.parts[-1].gate == failing


def test_it_asks_for_nothing():
    assert default_gate().needs() == {}
    assert default_gate().name == "finished & not empty & no refusal & schema & tool calls"


@given(texts)
def test_any_text(text):
    verdict = run_gate(default_gate(), answer(text))
    assert isinstance(verdict, Verdict)
    assert 0 <= verdict.score <= 1


def test_gates_stop_before_the_ones_that_cost():
    gate = default_gate() & (Agreement() | Judge("large"))
    assert not run_gate(gate, answer("")).passed


def test_no_reason_quotes_the_answer_or_the_question():
    mark = "xylophone"
    for text in (
        mark,
        f'{{"{mark}": 1}}',
        f"I'm sorry, I can't help with {mark}. I'm not sure.",
        f"```{mark}\n{mark}\n```",
    ):
        found = answer(
            text,
            prompt=mark,
            finish_reason=mark,
            tool_calls=[(mark, mark)],
            arguments={"response_format": SCHEMA, "tools": TOOLS},
        )
        for name in set(classifier.gates.__all__) - {"LearnedGate"}:  # which has tests of its own
            kind = getattr(classifier.gates, name)
            if inspect.isclass(kind) and issubclass(kind, classifier.gates.SimpleGate) and not inspect.isabstract(kind):
                gate = kind("a") if name == "Matches" else kind()
                assert mark not in repr(run_gate(gate, found)), name
        assert mark not in repr(run_gate(Judge("large"), found, lambda ask: answer(mark)))


# The package


@pytest.mark.parametrize("name", classifier.gates.__all__)
def test_every_name_exists_and_is_documented(name):
    thing = getattr(classifier.gates, name)
    if isinstance(thing, type) or inspect.isfunction(thing):
        # A dataclass without a docstring is given its signature for one.
        assert inspect.getdoc(thing)
        assert not inspect.getdoc(thing).startswith(f"{name}(")


@pytest.mark.slow
def test_what_importing_the_gates_loads():
    code = "import classifier{}, json, sys; print(json.dumps(sorted(sys.modules)))"
    bare, gates = (
        json.loads(subprocess.run([sys.executable, "-c", code.format(part)], capture_output=True, check=True).stdout)
        for part in ("", ".gates")
    )
    assert not [name for name in bare if name.partition(".")[0] in ("jsonschema", "tree_sitter") or "gates" in name]
    heavy = ("openai", "sklearn", "polars", "training", "tree_sitter", "scipy")
    assert not [name for name in gates if name.partition(".")[0] in heavy]


def test_features_can_be_read_of_the_same_answer():
    assert answer_features(answer("Paris"))["says_text"] == 1
