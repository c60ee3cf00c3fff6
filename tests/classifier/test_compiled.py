"""The compiled modules against their definitions in Python and numpy."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classifier.compiled import COMPILED
from classifier.features import FeatureExtractor, extract
from classifier.keywords import load_keywords, parse_keywords
from classifier.request import Request, make_request
from classifier.text import HEAD_CHARS, TAIL_CHARS, excerpt_of
from classifier.tokens import ExactCounter, estimate_tokens
from tests.helpers.requests import LANGUAGES, any_request, texts
from tests.helpers.routers import KEYWORDS

pytestmark = pytest.mark.skipif(not COMPILED, reason="the compiled modules are not built here")

DEFAULT = load_keywords()
WINDOW = HEAD_CHARS + TAIL_CHARS


def assert_equal(request, keywords=KEYWORDS, counter=estimate_tokens):
    found = FeatureExtractor(keywords, counter, compiled=True)(request)
    expected = extract(request, keywords, counter)
    np.testing.assert_array_equal(found.terms, expected.terms)
    np.testing.assert_allclose(found.dense, expected.dense, rtol=1e-12, atol=0)
    assert (found.terms.dtype, found.dense.dtype) == (expected.terms.dtype, expected.dense.dtype)
    assert (found.word_terms, found.task, found.tokens) == (expected.word_terms, expected.task, expected.tokens)


@given(any_request)
@example(Request(""))
@example(Request("é" * WINDOW))
@example(Request("\U0010ffff" * (WINDOW + 1)))
@example(Request("İ" * (WINDOW + 1)))
@example(Request("a你" * WINDOW))
@example(Request("a b" * WINDOW))
@example(Request("\ud83d\ude00 \udfff"))
def test_any_request_has_the_same_features(request):
    assert_equal(request)


@given(st.one_of(texts, st.text(st.sampled_from('ab \n.-01_`\\frac?/:<{"=>#你多，。ก٣'), max_size=200)))
def test_any_text_has_the_same_features_with_the_shipped_keywords(text):
    assert_equal(Request(text), DEFAULT)


@pytest.mark.slow
def test_every_character_is_read_the_same():
    characters = [chr(code) for code in range(0x110000)]
    for start in range(0, len(characters), 1000):
        assert_equal(Request("a ".join(characters[start : start + 1000])), DEFAULT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_keyword_is_found_beside_every_language(language):
    words = [word.decode() for word in DEFAULT.words]
    parts = [text for text, _ in DEFAULT.substrings]
    for start in range(0, len(words), 150):
        assert_equal(Request(LANGUAGES[language] + " ".join(words[start : start + 150])), DEFAULT)
    for start in range(0, len(parts), 150):
        assert_equal(Request("".join(parts[start : start + 150]) + LANGUAGES[language]), DEFAULT)


KEYS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
    .map(str.lower)
    .filter(lambda text: text == text.lower() and text),
    max_size=6,
)


@given(st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=4), st.data())
def test_any_keywords_are_found(groups, data):
    keywords = parse_keywords(
        [{"name": str(place), "words": words, "substrings": parts} for place, (words, parts) in enumerate(groups)], "x"
    )
    entries = [entry for words, parts in groups for entry in (*words, *parts)]
    pieces = st.sampled_from([*entries, " ", "多", "\n"]) | st.text(max_size=3)
    assert_equal(Request("".join(data.draw(st.lists(pieces, max_size=20)))), keywords)


@pytest.mark.parametrize("text", ["", "one two", "one two " * 2000])
def test_exact_counts_are_the_same(text):
    tiktoken = pytest.importorskip("tiktoken")
    pieces = tiktoken.Encoding(
        "bytes", pat_str=".", mergeable_ranks={bytes([n]): n for n in range(256)}, special_tokens={}
    )
    assert_equal(Request(text), DEFAULT, ExactCounter(pieces))


def test_a_counter_of_ones_own_is_given_what_is_read():
    assert_equal(Request("one two " * 2000), DEFAULT, lambda excerpt: 7.5 * len(excerpt.window.split()) + excerpt.rest)


@given(texts)
def test_tokens_are_estimated_the_same(text):
    assert_equal(Request(text), DEFAULT)
    assert_equal(
        make_request(messages=[{"role": "system", "content": text}, {"role": "user", "content": "a"}]), DEFAULT
    )


# Bounded cost, in bytes, words and table entries looked at

STEPS_PER_BYTE = 8
REPEATED = st.builds(
    lambda piece, times: piece * times, st.text(st.characters(), min_size=1, max_size=40), st.integers(1, 9000)
)


def steps(text, keywords=DEFAULT):
    extractor = FeatureExtractor(keywords, estimate_tokens, compiled=True)
    scanner = extractor.scanner()
    extractor.scan(Request(text), scanner)
    return scanner.steps


@given(
    texts | REPEATED | st.lists(st.sampled_from(sorted(map(bytes.decode, DEFAULT.words))), max_size=800).map(" ".join)
)
def test_no_text_costs_more_than_a_few_steps_a_byte_of_the_window(text):
    window = excerpt_of(text).window
    assert steps(text) <= STEPS_PER_BYTE * (len(window.encode("utf-8", "surrogatepass")) + 1)


@given(st.integers(1, 200), REPEATED)
def test_beyond_the_window_length_costs_nothing(times, piece):
    text = piece * (1 + 4 * WINDOW // len(piece))
    assert steps(text * times) <= STEPS_PER_BYTE * 4 * (WINDOW + 1)
    assert steps(text + "x" * 10**6 + text) == steps(text + "y" * 10 + text)


def test_constants_that_are_written_twice_agree():
    from classifier.compiled import _scan

    assert {name: compiled for name, (compiled, _) in _scan.WRITTEN_TWICE.items()} == {
        name: defined for name, (_, defined) in _scan.WRITTEN_TWICE.items()
    }
