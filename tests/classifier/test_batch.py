import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import NoFeasibleTierError, Router
from classifier.artifact import read_artifact
from classifier.batch import by_chunks
from classifier.catalog import default_menu
from classifier.compiled import COMPILED
from classifier.features import FeatureExtractor
from classifier.policy import choose, choose_many
from classifier.request import Request, make_request
from classifier.tokens import estimate_tokens
from tests.helpers.requests import CODE, EASY, HARD, LANGUAGES, MATH, any_request
from tests.helpers.routers import KEYWORDS

TIERS = default_menu().tiers


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=pytest.mark.skipif(not COMPILED, reason="not built"))]
)
@given(requests=st.lists(any_request, max_size=6))
def test_rows_are_the_features_of_single_requests(requests, compiled):
    extractor = FeatureExtractor(KEYWORDS, estimate_tokens, compiled=compiled)
    rows = extractor.many(requests)
    assert len(rows) == len(requests)
    for row, request in zip(rows, requests, strict=True):
        single = extractor(request)
        np.testing.assert_array_equal(row.terms, single.terms)
        np.testing.assert_array_equal(row.dense, single.dense)
        assert (row.word_terms, row.task) == (single.word_terms, single.task)
        assert row.tokens == pytest.approx(single.tokens, rel=1e-12)


def test_threads_may_extract_at_once():
    extractor = FeatureExtractor(KEYWORDS, estimate_tokens)
    requests = [make_request(f"prove thing {number} " * (number % 50)) for number in range(2000)]
    rows = [features for chunk in by_chunks(requests, extractor.many) for features in chunk]
    for row, request in zip(rows, requests, strict=True):
        np.testing.assert_array_equal(row.terms, extractor(request).terms)


def test_chunks_keep_their_order_and_use_other_threads():
    requests = [Request(str(number)) for number in range(1000)]
    seen = by_chunks(requests, lambda chunk: ([request.text for request in chunk], threading.get_ident()))
    assert [text for texts, _ in seen for text in texts] == [str(number) for number in range(1000)]
    assert threading.get_ident() not in {thread for _, thread in seen}
    assert by_chunks([], len) == []
    assert by_chunks(requests[:3], len) == [3]


@given(st.integers(0, 2**32 - 1))
def test_choices_are_those_of_single_requests(seed):
    random = np.random.default_rng(seed)
    quality, cost = random.integers(4, size=(20, 3)) / 4, random.integers(4, size=(20, 3)) / 4
    weights, allowed = random.random(20).round(1), random.random((20, 3)) < 0.7
    allowed[:, 1] |= ~allowed.any(axis=1)
    picked = choose_many(quality, cost, weights, allowed)
    for row in range(20):
        expected = choose(quality[row], cost[row], weights[row], np.flatnonzero(allowed[row]).tolist())
        assert picked[row] == expected


@given(requests=st.lists(any_request, max_size=5), strategy=st.sampled_from([None, "length", "task"]))
def test_many_decisions_are_those_of_single_requests(blend, requests, strategy):
    router = Router(read_artifact(blend.path), strategy=strategy)
    single = [router.decide(request) for request in requests if can_be_served(router, request)]
    many = router.route_many([decision.request for decision in single])
    for one, other in zip(single, many, strict=True):
        assert (one.tier, one.model, one.feasible, one.strategy) == (
            other.tier,
            other.model,
            other.feasible,
            other.strategy,
        )
        assert one.novelty == pytest.approx(other.novelty, abs=1e-9)
        for part in ("quality", "adequate", "cost"):
            assert getattr(one.prediction, part) == pytest.approx(getattr(other.prediction, part), rel=1e-9)


def test_of_many_one_that_no_tier_can_serve_is_named(blend):
    short = dataclasses.replace(
        default_menu(), tiers=tuple(dataclasses.replace(tier, context_window=50) for tier in TIERS)
    )
    router = Router(read_artifact(blend.path), menu=short)
    with pytest.raises(NoFeasibleTierError, match="context window is 50"):
        router.route_many([Request("a"), Request("word " * 1000)])


def can_be_served(router, request):
    try:
        router.decide(request)
    except NoFeasibleTierError:
        return False
    return True


def test_many_model_names_are_those_of_single_prompts(blend):
    router, prompts = blend.router(), [*LANGUAGES.values(), *EASY, *HARD, CODE, MATH]
    expected = [router.predict_model(prompt, max_tokens=60, task="summarization") for prompt in prompts]
    assert router.predict_models(prompts, max_tokens=60, task="summarization") == expected
