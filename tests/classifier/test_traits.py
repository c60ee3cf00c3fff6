"""Reasons in words: which features are reasons, and how they are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import dense_names
from classifier.keywords import load_keywords, parse_keywords
from classifier.text import ByteClass
from classifier.traits import Trait, dense_traits, is_reason, said_of

KEYWORDS = load_keywords()
NAMES = dense_names(KEYWORDS)
TRAITS = dict(zip(NAMES, dense_traits(KEYWORDS), strict=True))


def test_scripts_languages_and_letters_are_no_reasons() -> None:
    scripts = [kind.name.lower() for kind in ByteClass if kind >= ByteClass.LATIN]
    for what in (*scripts, "lower", "upper", "punctuation", "space", "newline"):
        assert TRAITS[f"share of {what} characters"] is None
    languages = [name for name in NAMES if "language'" in name]
    assert languages
    assert all(TRAITS[name] is None for name in languages)


def test_no_trait_is_called_by_a_column() -> None:
    said = {trait.said(more=more) for trait in TRAITS.values() if trait is not None for more in (True, False)}
    assert not [words for words in said if words.startswith(("share", "number")) or words in NAMES]


def test_every_packaged_group_has_words_of_its_own_or_is_no_reason() -> None:
    assert not [trait for trait in TRAITS.values() if trait is not None and "words about" in trait.more]


def test_a_group_of_the_users_own_is_called_by_its_name() -> None:
    own = parse_keywords([{"name": "tickets", "words": ["refund"], "substrings": []}], "own")
    last = dense_traits(own)[-1]
    assert last == Trait("has words about 'tickets'", "has no words about 'tickets'")


@pytest.mark.parametrize("words", ["the", "this", "would have", "prove that", "12", "a", "pour", "2024 budget"])
def test_common_short_and_numeric_words_are_no_reasons(words: str) -> None:
    assert not is_reason(words)


@pytest.mark.parametrize("words", ["prove", "theorem", "translate sentence", "证", "докажи"])
def test_words_that_say_what_is_asked_for_are_reasons(words: str) -> None:
    assert is_reason(words)


@given(st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=len(NAMES), max_size=len(NAMES)))
def test_traits_and_the_rest_add_up_to_all_parts(parts: list[tuple[float, bool]]) -> None:
    values = [value for value, _ in parts]
    named, rest = said_of(list(TRAITS.values()), values, [above for _, above in parts])
    assert sum(value for _, value in named) + rest == pytest.approx(sum(values), abs=1e-9)
    assert len({name for name, _ in named}) == len(named)


def test_what_a_request_has_more_of_decides_how_a_trait_is_said() -> None:
    length = Trait("is long", "is short")
    assert said_of([length, length], [0.5, -0.1], [True, False])[0] == [("is long", 0.4)]
    assert said_of([length, length], [0.1, -0.5], [True, False])[0] == [("is short", -0.4)]
