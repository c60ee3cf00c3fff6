import re

import pytest

from tests.helpers.pattern_attacks import all_patterns, costly_text

PATTERNS = {found.where: found for found in all_patterns()}


@pytest.mark.slow
@pytest.mark.parametrize("where", PATTERNS)
def test_no_text_costs_a_pattern_more_than_linear_time(where):
    assert costly_text(PATTERNS[where].pattern, PATTERNS[where].whole) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [
        r"\s+$",
        r"(a+)+$",
        r"(?:a|b|ab)*c",
        r"answer[ \t]*:?[ \t]*\n?[ \t]*\S",
        r"\bscore\b\"*\s*(?:is|=)\s*\"*\s*\d",
        r"`{3,}(?!.*`)",
        r"x.*y",
        r"\s*=",
        r"a\d+b?\d+c",
        r'"[^"\\]*+(?:\\.[^"\\]*+)*+"',
        rb"(?:\w+\s?)*;",
    ],
)
def test_patterns_that_backtrack_are_found(pattern):
    assert costly_text(re.compile(pattern))


def test_patterns_are_found_wherever_they_stand():
    assert {"classifier.gates.normalise._PHRASE", "training.commands.values._AGE"} <= set(PATTERNS)
    assert any(where.startswith("data/make_sample.py") for where in PATTERNS)
    assert any(where.startswith("classifier/gates/normalise.py") for where in PATTERNS)  # a literal in a function
