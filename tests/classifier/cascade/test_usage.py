"""What an upstream says that a call took and cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.cascade.usage import read_bill, read_usage
from classifier.prices import UNKNOWN_USAGE, Prices

PRICES = Prices(1.0, 5.0)

# name -> (usage, tokens in, tokens out, cached, written to a cache, reasoning)
FORMS = {
    "openai chat": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 300,
            "total_tokens": 1300,
            "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 250},
        },
        (1000, 300, 800, 0, 250),
    ),
    "openai responses": (
        {
            "input_tokens": 1000,
            "output_tokens": 300,
            "total_tokens": 1300,
            "input_tokens_details": {"cached_tokens": 800},
            "output_tokens_details": {"reasoning_tokens": 250},
        },
        (1000, 300, 800, 0, 250),
    ),
    "anthropic's own": (
        {"input_tokens": 50, "output_tokens": 300, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 100},
        (950, 300, 800, 100, None),
    ),
    "anthropic through a proxy that adds them up": (
        {
            "prompt_tokens": 950,
            "completion_tokens": 300,
            "total_tokens": 1250,
            "prompt_tokens_details": {"cached_tokens": 800},
            "cache_read_input_tokens": 800,
            "cache_creation_input_tokens": 100,
        },
        (950, 300, 800, 100, None),
    ),
    "anthropic through a proxy that does not": (
        {"prompt_tokens": 50, "completion_tokens": 300, "total_tokens": 350, "cache_read_input_tokens": 800},
        (850, 300, 800, 0, None),
    ),
    "anthropic, cached beside a longer prompt": (
        {"prompt_tokens": 900, "completion_tokens": 300, "total_tokens": 2000, "cache_read_input_tokens": 800},
        (1700, 300, 800, 0, None),
    ),
    "deepseek": (
        {"completion_tokens": 300, "prompt_cache_hit_tokens": 800, "prompt_cache_miss_tokens": 200},
        (1000, 300, 800, 0, None),
    ),
    "gemini's own": (
        {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 50,
            "thoughtsTokenCount": 250,
            "cachedContentTokenCount": 800,
            "totalTokenCount": 1300,
        },
        (1000, 300, 800, 0, 250),
    ),
    "gemini, nothing but thoughts and what a tool brought": (
        {"promptTokenCount": 1000, "thoughtsTokenCount": 250, "toolUsePromptTokenCount": 70, "totalTokenCount": 1320},
        (1070, 250, 0, 0, 250),
    ),
    "gemini in openai's form, thoughts in the total alone": (
        {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1300},
        (1000, 300, 0, 0, 250),
    ),
    "reasoning beside the answer": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "total_tokens": 1300,
            "completion_tokens_details": {"reasoning_tokens": 250},
        },
        (1000, 300, 0, 0, 250),
    ),
    "reasoning beside the answer without a total": (
        {"prompt_tokens": 1000, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 250}},
        (1000, 300, 0, 0, 250),
    ),
    "no count of the answer": ({"prompt_tokens": 1000, "total_tokens": 1300}, (1000, 300, 0, 0, None)),
    "floats and text": ({"prompt_tokens": "1000", "completion_tokens": 300.0}, (1000, 300, 0, 0, None)),
}


@pytest.mark.parametrize("name", FORMS)
def test_tokens_are_read_in_every_form(name):
    usage, expected = FORMS[name]
    found = read_usage(usage)
    assert (found.tokens_in, found.tokens_out, found.cached, found.cache_writes, found.reasoning) == expected


@pytest.mark.parametrize("zeros", [{}, {"total_tokens": 0}, {"prompt_tokens_details": {"cached_tokens": 0}}])
def test_nothing_at_all_is_unknown_and_not_free(zeros):
    bill = read_bill({"usage": {"prompt_tokens": 0, "completion_tokens": 0, "cost": 0, **zeros}})
    assert bill.usage == UNKNOWN_USAGE
    assert bill.stated is None


def test_cached_written_spoken_and_plain_tokens_have_their_own_prices():
    usage = read_usage(
        {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 500, "audio_tokens": 100, "cache_write_tokens": 200},
            "completion_tokens_details": {"audio_tokens": 40},
        }
    )
    prices = Prices(1.0, 5.0, 0.2, 2.0, audio_input_price=10.0, audio_output_price=20.0)
    assert prices.cost(usage) == pytest.approx((200 * 1 + 500 * 0.2 + 200 * 2 + 100 * 10 + 60 * 5 + 40 * 20) / 1e6)


def test_a_cache_that_lasts_an_hour_costs_twice_the_input():
    cache = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000}
    usage = read_usage(
        {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 1000, "cache_creation": cache}
    )
    assert PRICES.cost(usage) == pytest.approx(2000e-6)
    usage = read_usage(
        {"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 1000, "cache_creation": cache}
    )
    assert PRICES.cost(usage) == pytest.approx((10 + 2000 + 5) / 1e6)


STATED = {
    "openrouter": ({"usage": {"prompt_tokens": 9, "cost": 0.0123}}, 0.0123),
    "openrouter with a key of one's own": (
        {"usage": {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0113}}},
        0.0123,
    ),
    "perplexity": ({"usage": {"cost": {"input_tokens_cost": 0.01, "total_cost": 0.0123}}}, 0.0123),
    "deepinfra": ({"usage": {"prompt_tokens": 9, "completion_tokens": 1, "estimated_cost": 0.0123}}, 0.0123),
    "xai": ({"usage": {"prompt_tokens": 9, "cost_in_usd_ticks": 123_000_000}}, 0.0123),
    "text": ({"usage": {"cost": "0.0123"}}, 0.0123),
    "a free model": ({"usage": {"prompt_tokens": 9, "completion_tokens": 1, "cost": 0}}, 0.0),
    "nonsense": ({"usage": {"cost": "free"}}, None),
    "negative": ({"usage": {"cost": -1}}, None),
    "not finite": ({"usage": {"cost": float("nan")}}, None),
    "true": ({"usage": {"cost": True}}, None),
}


@pytest.mark.parametrize("name", STATED)
def test_the_upstreams_own_figure_is_read(name):
    answer, expected = STATED[name]
    assert read_bill(answer).stated == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-litellm-response-cost": "0.0123", "x-litellm-call-id": "a"}, 0.0123),
        ({"x-litellm-response-cost": "0.0123"}, None),
        ({"x-litellm-response-cost": "None", "x-litellm-call-id": "a"}, None),
        ({"x-litellm-response-cost": "0.0", "x-litellm-call-id": "a"}, None),
        ({"content-type": "application/json"}, None),
    ],
)
def test_the_cost_that_litellms_proxy_sends_in_a_header_is_read(headers, expected):
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    assert read_bill({"usage": usage}, headers).stated == expected
    assert read_bill({"usage": {**usage, "cost": 0.5}}, headers).stated == 0.5


_NUMBERS = st.one_of(st.none(), st.integers(-5, 10**12), st.floats(), st.text(max_size=4), st.booleans())
_KEYS = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens", "cost"]
)
_ODD = st.recursive(_NUMBERS, lambda part: st.lists(part, max_size=3) | st.dictionaries(_KEYS, part), max_leaves=20)
_DETAILS = ("prompt_tokens_details", "completion_tokens_details", "cache_read_input_tokens", "cache_creation")


@given(st.dictionaries(st.one_of(_KEYS, st.sampled_from(_DETAILS)), _ODD, max_size=8))
def test_whatever_stands_there_parts_never_exceed_the_whole_nor_cost_less_than_nothing(usage):
    bill = read_bill({"usage": usage})
    found = bill.usage
    assert found.cached + found.cache_writes + found.hour_writes <= (found.tokens_in or 0)
    assert (found.reasoning or 0) <= (found.tokens_out or 0)
    cost = PRICES.cost(found)
    assert cost is None or cost > 0
    assert bill.stated is None or bill.stated >= 0


@given(st.integers(1, 10**6), st.integers(0, 10**5), st.integers(0, 10**6), st.integers(0, 10**5))
def test_counts_add_up_whether_caches_and_thoughts_stand_inside_or_beside(plain, said, cached, thought):
    inside = {
        "prompt_tokens": plain + cached,
        "completion_tokens": said + thought,
        "total_tokens": plain + cached + said + thought,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    beside = {
        **inside,
        "prompt_tokens": plain,
        "completion_tokens": said,
        "prompt_tokens_details": None,
        "cache_read_input_tokens": cached,
    }
    assert PRICES.cost(read_usage(inside)) == pytest.approx(PRICES.cost(read_usage(beside)))
