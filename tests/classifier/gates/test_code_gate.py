import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ConfigError
from classifier.gates import ParsesAsCode, run_gate
from classifier.gates.parsers import MOST_CHARS, language_of, parses
from tests.helpers.answers import answer, texts

GOOD = {
    "python": "def f(x):\n    return x + 1",
    "json": '{"a": [1, null]}',
    "json lines": '{"a": 1}\n\n[2]\n',
    "toml": "[a]\nb = 1",
    "xml": "<?xml version='1.0'?>\n<a b='1'><c/></a>",
    "bash": "for f in *.txt; do echo $f; done",
    "c": "int main(void) { return 0; }",
    "c#": "class A { void F() { } }",
    "cpp": "std::vector<int> v; auto f = [](int x) { return x; };",
    "css": "a:hover { color: red; }",
    "go": "package main\nfunc main() { x := 1; _ = x }",
    "html": "<p>Hi <b>there</b></p>",
    "java": "class A { public static void main(String[] args) { } }",
    "javascript": "const f = async (x) => { await g(x); };",
    "kotlin": "fun main() { println(1) }",
    "lua": "local x = 1\nprint(x)",
    "php": "<?php echo 1;",
    "ruby": "def f\n  puts 1\nend",
    "rust": "fn main() { let x = 1; }",
    "sql": "SELECT a, count(*) FROM t WHERE b = 1 GROUP BY a;",
    "tsx": "const a = <A b={1}>c</A>;",
    "typescript": "interface A { b: number; c?: string }",
    "yaml": "a: 1\nb:\n  - c",
}
BAD = {
    "python": "def f(:\n  pass",
    "json": "{'a': 1}",
    "json lines": '{"a": 1}\n{"b":',
    "toml": "a = ",
    "xml": "<a><b></a>",
    "bash": "for f in *.txt; do echo $f",
    "c": "int main( { return 0; }",
    "c#": "class A { void F( { } }",
    "cpp": "int main( { return 0; }",
    "css": "a { color: red",
    "go": "package main\nfunc f( {",
    "html": "<div",
    "java": "class A { void f( { }",
    "javascript": "const x = ;",
    "kotlin": "fun f( {",
    "lua": "local = 1",
    "php": "<?php echo 1 +;",
    "ruby": "def f\n  puts 1",
    "rust": "fn f( {",
    "sql": "SELECT a FROM t WHERE (b = ",
    "tsx": "const a = <A>;",
    "typescript": "interface A { b: ",
    "yaml": "a: [1, 2",
}
BOMB = "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>"


@pytest.mark.parametrize("language", GOOD)
def test_languages(language):
    assert parses(language, GOOD[language]) is True
    assert parses(language, BAD[language]) is False


@pytest.mark.parametrize(
    ("label", "language"),
    [("Py", "python"), ("python3", "python"), ("c++", "cpp"), ("SH", "bash"), ("golang", "go"), ("brainf", "brainf")],
)
def test_labels(label, language):
    assert language_of(label) == language


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "-" * 50_000 + "1"),
        ("python", "+".join("1" * 50_000)),
        ("python", "a" + ".b" * 50_000),
        ("python", "x = 1\n" * MOST_CHARS),
        ("python", ">>> 1 + 1\n2"),
        ("xml", BOMB),
        ("toml", "a = " + "[" * 10_000),
        ("klingon", "Qapla'"),
        ("", "x"),
    ],
)
def test_what_cannot_be_told(language, code):
    assert parses(language, code) is None


def test_odd_python():
    assert parses("python", "    indented = 1\n    other = 2") is True
    assert parses("python", "await x\nreturn 1") is True
    assert parses("python", "x\0") is False
    assert parses("python", "x = '\ud800'") is False


def test_python_that_the_parser_warns_of():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert parses("python", r"x = '\d'" + "\ny = 1if x else 2") is True
    assert caught == []


@given(texts, st.sampled_from([*GOOD, "klingon"]))
def test_any_text_in_any_language(text, language):
    assert parses(language, text) in (True, False, None)
    assert 0 <= run_gate(ParsesAsCode(language), answer(text)).score <= 1


# The gate


def block(label, code):
    return f"```{label}\n{code}\n```\n"


def test_blocks_are_parsed_by_their_labels():
    text = "Here:\n" + block("python", GOOD["python"]) + block("json", GOOD["json"])
    verdict = run_gate(ParsesAsCode(), answer(text))
    assert (verdict.score, verdict.passed, verdict.reason) == (1.0, True, "2 of 2 pieces of code parse")


def test_the_score_is_the_share_that_parses():
    text = block("python", GOOD["python"]) + block("python", BAD["python"]) + block("klingon", "x")
    verdict = run_gate(ParsesAsCode(), answer(text))
    assert (verdict.score, verdict.passed, verdict.reason) == (0.5, False, "1 of 2 pieces of code parse, 1 unchecked")
    assert run_gate(ParsesAsCode(threshold=0.5), answer(text)).passed


@pytest.mark.parametrize("text", ["", "no code here", block("klingon", "x"), block("", BAD["python"])])
def test_what_cannot_be_checked_passes_and_says_so(text):
    verdict = run_gate(ParsesAsCode(), answer(text))
    assert (verdict.score, verdict.passed) == (0.5, True)
    assert verdict.reason.startswith("no code")


def test_a_given_language_is_for_unlabelled_blocks_and_bare_code():
    gate = ParsesAsCode("Python")
    assert run_gate(gate, answer(GOOD["python"])).score == 1
    assert not run_gate(gate, answer("Certainly! Here is the code.")).passed
    assert not run_gate(gate, answer(block("", BAD["python"]))).passed
    assert run_gate(gate, answer("Certainly!\n" + block("json", "{}"))).score == 1


def test_a_block_that_was_cut_off():
    assert not run_gate(ParsesAsCode(), answer("```python\ndef f(x):\n    return (x")).passed


def test_only_so_many_blocks_are_parsed():
    text = block("python", GOOD["python"]) * 64 + block("python", BAD["python"])
    assert run_gate(ParsesAsCode(), answer(text)).passed


def test_a_grammar_that_is_not_installed(monkeypatch):
    from classifier.gates import parsers

    monkeypatch.setattr(parsers, "_GRAMMARS", {"cobol": ("tree_sitter_absent", "language"), "c": ("json", "language")})
    assert parses("cobol", "x") is None
    assert parses("c", "x") is None


def test_bad_options():
    with pytest.raises(ConfigError, match="ParsesAsCode: threshold is 2, expected a number from 0 to 1"):
        ParsesAsCode(threshold=2)
