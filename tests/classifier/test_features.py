import re
from itertools import pairwise
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import (
    CHARS_PER_JSON_TOKEN,
    CONTEXT_FROM,
    N_BUCKETS,
    N_WORD_BUCKETS,
    TOKENS_PER_MESSAGE,
    FeatureExtractor,
    dense_names,
    word_buckets,
)
from classifier.media import TOKENS_PER_IMAGE
from classifier.request import CONTEXT, Request, make_request
from classifier.text import HEAD_CHARS, TAIL_CHARS, excerpt_of, scan_text
from classifier.tokens import estimate_tokens
from tests.helpers.requests import CODE, IMAGE, LANGUAGES, MATH, TOOL, any_request, texts
from tests.helpers.routers import KEYWORDS
from training.learners.matrix import build_matrix, stack_features

NAMES = dense_names(KEYWORDS)
EXTRACT = FeatureExtractor(KEYWORDS, estimate_tokens)


def features(request):
    return EXTRACT(request if isinstance(request, Request) else make_request(request))


def dense(request):
    return dict(zip(NAMES, features(request).dense, strict=True))


def count(request, name):
    return round(float(np.expm1(dense(request)[f"number of {name}"])), 6)


@given(any_request)
def test_any_request_has_sound_features(request):
    found = features(request)
    assert found.terms.dtype == np.uint32
    terms = found.terms.astype(np.int64)
    assert (np.diff(terms) > 0).all()
    words, grams, context = np.split(terms, [found.word_terms, found.context_start])
    assert ((words >= 0) & (words < N_WORD_BUCKETS)).all()
    assert ((grams >= N_WORD_BUCKETS) & (grams < CONTEXT_FROM)).all()
    assert ((context >= CONTEXT_FROM) & (context < N_BUCKETS)).all()
    assert request.context or not len(context)
    assert found.dense.shape == (len(NAMES),)
    assert found.dense.dtype == np.float64
    assert np.isfinite(found.dense).all()
    assert (found.dense >= 0).all()
    assert found.tokens >= 0


@given(any_request)
def test_features_are_the_same_each_time(request):
    one, two = features(request), features(request)
    np.testing.assert_array_equal(one.terms, two.terms)
    np.testing.assert_array_equal(one.dense, two.dense)
    assert (one.word_terms, one.task, one.tokens) == (two.word_terms, two.task, two.tokens)


@given(texts)
def test_the_number_of_terms_is_bounded_by_the_window(text):
    chars = min(len(text), HEAD_CHARS + TAIL_CHARS + 1)
    assert len(features(text).terms) <= 6 * chars


@given(st.integers(0, 2**70), st.integers(0, 2**40), st.integers(0, 2**40))
def test_numbers_of_any_size_are_features(max_tokens, turns, chars):
    limit = make_request("a", max_tokens=max_tokens).max_tokens
    request = Request("a", limit, None, turns, tool_chars=chars, schema_chars=chars, unread_chars=chars)
    assert np.isfinite(features(request).dense).all()


@given(texts)
def test_a_prompt_and_a_user_message_have_the_same_features(text):
    one, two = features(text), features(make_request(messages=[{"role": "user", "content": text}]))
    np.testing.assert_array_equal(one.terms, two.terms)
    np.testing.assert_array_equal(one.dense, two.dense)
    assert one.tokens == two.tokens


# Training's side


@given(st.lists(any_request, min_size=1, max_size=6))
def test_the_rows_of_a_matrix_are_the_features_of_single_requests(requests):
    matrix = build_matrix(requests, KEYWORDS, "estimate", jobs=1)
    assert len(matrix) == len(requests)
    for row, request in enumerate(requests):
        single = features(request)
        np.testing.assert_array_equal(matrix.terms[row].indices, single.terms)
        np.testing.assert_array_equal(matrix.dense[row], single.dense)
        assert (matrix.tasks[row], matrix.tokens[row]) == (single.task, single.tokens)
    assert (matrix.terms.data == 1.0).all()
    assert matrix.terms.shape == (len(requests), N_BUCKETS)


def test_chunks_and_progress_change_nothing():
    requests = [make_request(f"request {number}") for number in range(1201)]
    seen = []
    matrix = build_matrix(requests, KEYWORDS, "estimate", jobs=1, progress=lambda *done: seen.append(done))
    assert seen == [(500, 1201), (1000, 1201), (1201, 1201)]
    whole = stack_features([features(request) for request in requests])
    assert (matrix.terms != whole.terms).nnz == 0
    np.testing.assert_array_equal(matrix.dense, whole.dense)


# Terms


def test_word_terms_are_words_and_pairs_and_are_pinned():
    """An artifact is useless if the hash changes: this is feature version 2."""
    assert word_buckets([b"prove", b"it"]).tolist() == [159666, 113679, 110046]
    assert word_buckets([b"prove"]).tolist() == [(crc32(b"prove") * 0x9E3779B1 % 2**32) >> 14]
    assert word_buckets([]).tolist() == []


@given(st.lists(st.text(st.characters(categories=["Ll"]), min_size=1, max_size=6), max_size=30))
def test_word_buckets_by_definition(words):
    encoded = [word.encode() for word in words]
    hashes = [crc32(word) for word in encoded]
    pairs = [(a * 0x85EBCA77 + b * 0xC2B2AE3D) % 2**32 for a, b in pairwise(hashes)]
    expected = [(h * 0x9E3779B1 % 2**32) >> 14 for h in [*hashes, *(pair ^ (pair >> 15) for pair in pairs)]]
    assert word_buckets(encoded).tolist() == expected


@given(texts)
def test_byte_terms_by_definition(text):
    lowered = scan_text(text).lowered
    grams = {int.from_bytes(lowered[start : start + 4], "little") for start in range(max(0, len(lowered) - 3))}
    found = features(text)
    expected = sorted({N_WORD_BUCKETS + ((gram * 0x9E3779B1 % 2**32) >> 14) for gram in grams})
    assert found.terms[found.word_terms :].tolist() == expected


def context_terms(*messages):
    asked = [*messages, {"role": "user", "content": "Why?"}]
    found = features(make_request(messages=asked))
    return found.terms[found.context_start :].tolist()


def test_context_terms_are_words_apart_by_where_they_stand_and_are_pinned():
    """An artifact is useless if the hash changes: this is feature version 2."""
    assert context_terms({"role": "system", "content": "prove it"}) == [551758, 563254]
    assert context_terms() == []
    places = [[{"role": role, "content": "prove"}] for role in ("system", "assistant")]
    found = [context_terms(*messages) for messages in places]
    assert len({*found[0], *found[1]}) == len(CONTEXT[:2])


def test_what_stands_around_the_ask_changes_nothing_of_what_is_read_of_it():
    alone, around = (
        features("Prove it."),
        features(
            make_request(
                messages=[
                    {"role": "system", "content": "You are a careful agent. " * 500},
                    {"role": "user", "content": "<system-reminder>\nKeep a list.\n</system-reminder>\nProve it."},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"function": {"name": "read", "arguments": "{}"}}],
                    },
                    {"role": "tool", "content": "def f(x):\n    return x\n" * 500},
                ],
                tools=[TOOL] * 9,
            )
        ),
    )
    np.testing.assert_array_equal(around.terms[: around.context_start], alone.terms)
    form = NAMES.index("number of tokens allowed (max_tokens)")
    np.testing.assert_array_equal(around.dense[:form], alone.dense[:form])
    assert around.tokens > 5_000 > 100 > alone.tokens


def test_case_makes_no_other_terms():
    np.testing.assert_array_equal(features("Prove ÉCOLE now").terms, features("pRoVe école NOW").terms)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_terms_of_both_kinds(language):
    found = features(LANGUAGES[language])
    assert found.word_terms >= 25
    assert len(found.terms) - found.word_terms >= 60
    assert count(LANGUAGES[language], "words") >= 14
    assert count(LANGUAGES[language], "tokens") >= 20


def test_languages_share_next_to_no_words():
    by_language = {name: features(text) for name, text in LANGUAGES.items()}
    english = by_language.pop("English")
    own = set(english.terms[: english.word_terms].tolist())
    for other in by_language.values():
        assert len(own & set(other.terms[: other.word_terms].tolist())) <= 2


# Dense features


def test_names_are_distinct_and_cover_the_keyword_groups():
    assert len(set(NAMES)) == len(NAMES)
    assert "share of words of the kind 'proof'" in NAMES
    assert not any(re.search(r"[\n\t]|^\s|\s$", name) for name in NAMES)


def test_sizes():
    text = "One two THREE 12 345 345\nlast_line, indeed"
    expected = {
        "characters": len(text),
        "words": 8,
        "distinct words": 7,
        "long words": 1,
        "letters of the longest word": 9,
        "numbers": 3,
        "distinct numbers": 2,
        "digits of the longest number": 3,
        "characters after the last line break": len("last_line, indeed"),
    }
    assert {name: count(text, name) for name in expected} == expected


def test_code_mathematics_lists_and_questions_are_counted():
    text = f"{CODE}{MATH}\n- one\n- two\n* three\n\nsee https://example.org? yes. fine... _____"
    marks = {
        "code fences": 2,
        "function definitions": 1,
        "indented lines": 2,
        "deeply indented lines": 1,
        "comparisons": 1,
        "fractions": 1,
        "decimals": 1,
        "lettered options": 1,
        "bullets": 2,
        "starred items": 1,
        "paragraphs": 2,
        "links": 1,
        "ellipses": 1,
        "inner questions": 1,
        "tex characters": 4,
    }
    assert {name: count(text, name) for name in marks} == marks


def test_the_form_of_a_request():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?  \n"}, IMAGE]},
    ]
    form = {"type": "json_schema"}
    request = make_request(messages=messages, max_tokens=300, tools=[TOOL, TOOL], response_format=form)
    expected = {
        "tokens allowed (max_tokens)": 300,
        "limits given (max_tokens)": 1,
        "turns": 1,
        "system prompt characters": 9,
        "tools": 2,
        "tool definition characters": request.tool_chars,
        "tool calls": 0,
        "images": 1,
        "demands for JSON": 1,
        "JSON schemas": 1,
        "question marks at the very end": 1,
    }
    assert {name: count(request, name) for name in expected} == expected


def test_keyword_groups_are_counted_and_shared():
    found = dense("Prove the theorem now 证明")
    assert np.expm1(found["number of words of the kind 'proof'"]) == pytest.approx(3)
    assert found["share of words of the kind 'proof'"] == pytest.approx(3 / 6)
    assert found["share of words of the kind 'language'"] == 0


def test_shares_of_classes_add_up():
    for text in LANGUAGES.values():
        shares = [value for name, value in dense(text).items() if re.fullmatch("share of .* characters", name)]
        assert sum(shares) == pytest.approx(1, abs=0.01)


def test_sizes_of_a_long_text_are_those_of_the_whole():
    assert count("wort " * 100_000, "characters") == 500_000
    assert count("wort " * 100_000, "tokens") == pytest.approx(100 * count("wort " * 1000, "tokens"), rel=0.02)
    assert count("wort " * 100_000, "words") == count("wort " * 1000, "words")


def test_tokens_are_those_of_the_whole_request():
    plain = features("hello").tokens
    assert plain == pytest.approx(estimate_tokens(excerpt_of("hello")) + TOKENS_PER_MESSAGE)
    picture = [{"type": "text", "text": "hello"}, IMAGE, IMAGE]
    request = make_request(messages=[{"role": "user", "content": picture}], tools=[TOOL])
    extra = 2 * TOKENS_PER_IMAGE + request.tool_chars / CHARS_PER_JSON_TOKEN
    assert features(request).tokens == pytest.approx(plain + extra)


@pytest.mark.parametrize(
    ("task", "label"), [("Code-Generation", "code generation"), ("TL;DR", "tl;dr"), ("", None), (None, None), (5, None)]
)
def test_tasks_are_normalised(task, label):
    assert features(make_request("a", task=task)).task == label
