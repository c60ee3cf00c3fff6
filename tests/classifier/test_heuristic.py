import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.catalog import LengthRule
from classifier.heuristic import length_tier, route_model

HAIKU = "tokenfast/claude-haiku-4-5-20251001"
SONNET = "tokenfast/claude-sonnet-4-6"
OPUS = "tokenfast/claude-opus-4-6"


@pytest.mark.parametrize(
    ("chars", "max_tokens", "model"),
    [
        (0, 0, HAIKU),
        (199, 300, HAIKU),
        (200, 300, SONNET),
        (0, 499, HAIKU),
        (0, 500, SONNET),
        (4999, 0, SONNET),
        (5000, 0, OPUS),
        (1, 100_000, OPUS),
    ],
)
def test_the_baseline_as_given(chars, max_tokens, model):
    assert route_model("x" * chars, max_tokens) == model


def test_characters_count_not_bytes():
    assert route_model("語" * 499, 0) == HAIKU


def test_the_baseline_is_the_packaged_one_whatever_the_working_directory_says(tmp_path, monkeypatch):
    (tmp_path / "router.toml").write_text("[length]\nthresholds = [1, 2]")
    monkeypatch.chdir(tmp_path)
    assert route_model("hello", 0) == HAIKU


@settings(deadline=None)
@given(chars=st.integers(0, 10**7), max_tokens=st.none() | st.integers(0, 10**6), low=st.integers(1, 10**4))
def test_a_rule_splits_sizes_at_its_thresholds(chars, max_tokens, low):
    rule = LengthRule("s", "m", "l", (low, 2 * low))
    size = chars + (max_tokens or 0)
    assert length_tier(chars, max_tokens, rule) == ("s" if size < low else "m" if size < 2 * low else "l")
