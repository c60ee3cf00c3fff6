import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ConfigError
from classifier.gates import Length, Matches, run_gate
from tests.helpers.answers import answer, texts


def test_length_in_characters():
    gate = Length(min_chars=2, max_chars=4)
    scores = {size: run_gate(gate, answer(f" {'x' * size}\n")).score for size in (0, 1, 2, 4, 8)}
    assert scores == {0: 0.0, 1: 0.5, 2: 1.0, 4: 1.0, 8: 0.5}
    assert run_gate(gate, answer("x")).reason == "fewer chars than 2"
    assert run_gate(gate, answer("x" * 5)).reason == "more chars than 4"


def test_length_in_tokens_is_the_upstreams_count_or_an_estimate():
    gate = Length(min_tokens=4, max_tokens=8)
    assert [run_gate(gate, answer("x", tokens=(1, count))).passed for count in (3, 4, 8, 9)] == [
        False,
        True,
        True,
        False,
    ]
    uncounted = answer("x" * 16, tokens=(1, -1))
    assert uncounted.tokens_out is None
    assert run_gate(gate, uncounted).passed


def test_no_limits_pass_everything():
    assert run_gate(Length(), answer("")).passed


limits = st.none() | st.integers(0, 50)


@given(texts, limits, limits)
def test_length_of_any_text(text, least, most):
    if least is not None and most is not None and least > most:
        least, most = most, least
    verdict = run_gate(Length(min_chars=least, max_chars=most), answer(text))
    assert 0 <= verdict.score <= 1
    assert verdict.passed == ((least or 0) <= len(text.strip()) <= (1000 if most is None else most))


def test_limits_that_cannot_be():
    with pytest.raises(ConfigError, match="min_chars is 5, above max_chars 4"):
        Length(min_chars=5, max_chars=4)
    with pytest.raises(ConfigError, match="tokens is negative"):
        Length(max_tokens=-1)


def test_patterns():
    assert run_gate(Matches(r"(?i)yes|no"), answer("Well, YES.")).passed
    assert not run_gate(Matches(r"yes|no", full=True), answer("yes, of course")).passed
    assert run_gate(Matches(r"yes|no", full=True), answer(" yes\n")).passed


def test_only_the_beginning_is_searched():
    text = "x" * 10_000 + "yes"
    assert not run_gate(Matches("yes"), answer(text)).passed
    assert run_gate(Matches("yes", max_chars=20_000), answer(text)).passed
    assert "longer than" in run_gate(Matches("x*", full=True), answer(text)).reason


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?P<a>x)(?P<a>y)", "*", "a{99999999999}"])
def test_bad_patterns_say_why(pattern):
    with pytest.raises(ConfigError, match=r"no regular expression: .+; correct it"):
        Matches(pattern)


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="max_chars is 0"):
        Matches("a", max_chars=0)


def test_gates_are_values():
    assert Matches("a") == Matches("a") != Matches("b")
    assert repr(Matches("a")) == "Matches(pattern='a', full=False, max_chars=10000, name='matches')"


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(?:a|aa)+$", "(?=(a+)+$)b", "(x+x+)+y|(?:a?){50}a{50}!"])
def test_a_pattern_that_backtracks_is_given_up(pattern):
    for full in (False, True):
        started = time.process_time()
        verdict = run_gate(Matches(pattern, full=full), answer("a" * 9_000 + "!"))
        assert time.process_time() - started < 1
        assert (verdict.score, verdict.passed) in {(0.5, True), (0.0, False)}
    assert run_gate(Matches("^(a+)+$"), answer("a" * 9_000 + "!")).reason == "the pattern took too long"
