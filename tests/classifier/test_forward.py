"""The compiled forward pass against the numpy code of the model, the trees and the novelty score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.compiled import COMPILED
from classifier.features import N_BUCKETS, FeatureExtractor, extract
from classifier.model import DENSE_CLIP, LOGIT_LIMIT, _Lookup
from classifier.tokens import estimate_tokens
from classifier.trees import Forest
from tests.helpers.requests import TIERS, any_request
from tests.helpers.routers import KEYWORDS, table_matrix

if not COMPILED:
    pytest.skip("the compiled modules are not built here", allow_module_level=True)

from classifier.compiled import _forward

seeds = st.integers(0, 2**32 - 1)


def compiled_forest(forest):
    return _forward.Forest(
        forest.features, forest.thresholds, forest.children, forest.values, forest.roots, forest.depth
    )


def assert_predictions_are_the_models(model, drawn):
    features = extract(drawn, KEYWORDS, estimate_tokens)
    arguments = (features.terms, features.word_terms, features.dense, model.task_row(features.task))
    expected, tiers = model.outputs(features), len(TIERS)
    np.testing.assert_allclose(model.forward().outputs(*arguments), expected, rtol=1e-9, atol=1e-12)
    quality, adequate, cost = model.forward().predict(*arguments)
    np.testing.assert_allclose(quality, model.calibration.qualities(expected[:tiers]), rtol=1e-10)
    np.testing.assert_allclose(adequate, model._adequate(np.array(quality)), rtol=1e-10)
    np.testing.assert_allclose(cost, np.exp(np.minimum(expected[tiers:], LOGIT_LIMIT)), rtol=1e-10)


@given(any_request)
def test_predictions_are_the_linear_models(linear, drawn):
    assert_predictions_are_the_models(linear.router().model, drawn)


@given(any_request)
def test_predictions_are_the_blends(blend, drawn):
    assert_predictions_are_the_models(blend.router().model, drawn)


@given(any_request)
def test_novelty_is_measured_the_same(linear, drawn):
    features, novelty = extract(drawn, KEYWORDS, estimate_tokens), linear.router().novelty
    varied = (features.dense[novelty._varied] - novelty._mean) / novelty._scale
    scaled = np.clip(varied, -DENSE_CLIP, DENSE_CLIP)
    vocabulary, nearest = novelty.measures()
    expected = ((novelty._centres - scaled) ** 2).sum(axis=1).min()
    assert nearest.distance(features.dense) == pytest.approx(expected, rel=1e-9)
    words = features.terms[: features.word_terms]
    assert vocabulary.count(features.terms, features.word_terms) == novelty._known.take(words).sum(dtype=np.float64)


@given(any_request)
def test_forecasts_are_those_of_the_parts(linear, blend, drawn):
    for trained in (linear, blend):
        router = trained.router()
        features = extract(drawn, KEYWORDS, estimate_tokens)
        tokens, prediction, novelty = router.forecast(drawn)
        expected = router.model.predict(features)
        assert tokens == features.tokens
        np.testing.assert_allclose(prediction.quality, expected.quality, rtol=1e-9)
        np.testing.assert_allclose(prediction.adequate, expected.adequate, rtol=1e-9)
        np.testing.assert_allclose(prediction.cost, expected.cost, rtol=1e-9)
        assert novelty == pytest.approx(router.novelty.score(features), abs=1e-6)


@given(seeds)
def test_rows_are_summed_to_the_last_bit(seed):
    random = np.random.default_rng(seed)
    buckets = np.unique(random.integers(N_BUCKETS, size=50)).astype(np.uint32)
    rows = random.normal(size=(len(buckets), 7)).astype(np.float32)
    terms = random.choice(np.append(buckets, random.integers(N_BUCKETS, size=50).astype(np.uint32)), 80)
    total = _forward.TermRows(buckets, rows, N_BUCKETS).sum(terms)
    np.testing.assert_array_equal(total, _Lookup(buckets, rows, N_BUCKETS).rows(terms).sum(axis=0, dtype=np.float64))


@given(seeds, st.integers(0, 40), st.integers(0, 9), st.integers(1, 5))
def test_forests_answer_to_the_last_bit(seed, trees, depth, outputs):
    random = np.random.default_rng(seed)
    nodes = 30
    forest = Forest(
        features=random.integers(9, size=nodes, dtype=np.int32),
        thresholds=random.integers(-2, 3, size=nodes).astype(np.float32),
        children=random.integers(nodes - 1, size=nodes, dtype=np.int32),
        values=random.normal(size=(nodes, outputs)).astype(np.float32),
        roots=random.integers(nodes, size=trees, dtype=np.int32),
        depth=depth,
    )
    inputs = random.choice([-3.0, -1.0, 0.5, 2.0, np.inf, np.nan], size=9).astype(np.float32)
    np.testing.assert_array_equal(compiled_forest(forest).predict(inputs), forest.predict(inputs))


def test_arguments_that_do_not_fit_are_refused():
    one = np.array([1], np.uint32)
    rows = _forward.TermRows(one, np.zeros((1, 3), np.float32), 4)
    with pytest.raises(IndexError, match="term 4 is not below 4"):
        rows.sum(np.array([1, 4], np.uint32))
    scaler = _forward.Scaler(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="2 dense features where 3 are expected"):
        _forward.Forward(
            scaler, rows, np.zeros((3, 2)), np.zeros((1, 2)), np.zeros(2), np.zeros((1, 2)), None, None, 0
        ).outputs(np.empty(0, np.uint32), 0, np.zeros(2), 0)
    linear = _forward.Forward(
        scaler, rows, np.zeros((3, 2)), np.zeros((1, 2)), np.zeros(2), np.zeros((1, 2)), None, None, 0
    )
    nearest = _forward.Nearest(np.arange(3, dtype=np.int32), scaler, np.zeros((2, 3)))
    vocabulary, terms = _forward.Vocabulary(one, 4), np.array([1, 4], np.uint32)
    with pytest.raises(ValueError, match="the novelty scale does not fit"):
        _forward.Forecaster(linear, vocabulary, nearest, np.zeros((3, 1)), terms, np.zeros(2))
    forecaster = _forward.Forecaster(linear, vocabulary, nearest, np.zeros((3, 1)), terms, np.zeros(3))
    with pytest.raises(ValueError, match="3 terms, 1 of them of words"):
        forecaster.forecast(3, 1, -1)
    with pytest.raises(ValueError, match="the word terms or the task"):
        forecaster.forecast(1, 1, 1)
    with pytest.raises(IndexError, match="term 4 is not below 4"):
        forecaster.forecast(2, 1, 0)
    bends = np.zeros((2, 2, 3))
    with pytest.raises(ValueError, match="the bends do not fit the tiers"):
        _forward.Forward(
            scaler, rows, np.zeros((3, 2)), np.zeros((1, 2)), np.zeros(2), np.zeros((1, 2)), bends, None, 0
        )
    with pytest.raises(IndexError, match="2 dense features where 3 are looked at"):
        _forward.Nearest(np.arange(3, dtype=np.int32), scaler, np.zeros((2, 3))).distance(np.zeros(2))
    with pytest.raises(IndexError, match="term 4 is not below 4"):
        _forward.Vocabulary(one, 4).count(np.array([4], np.uint32), 1)
    with pytest.raises(IndexError, match="2 of 1 terms"):
        _forward.Vocabulary(one, 4).count(one, 2)
    numbers = np.array([0, 1])
    with pytest.raises(ValueError, match="rows differ in length"):
        _forward.Vocabulary(one, 4).shares(one, numbers, numbers)
    with pytest.raises(IndexError, match="row 0 has not as many terms"):
        _forward.Vocabulary(one, 4).shares(one, numbers, np.array([2]))
    with pytest.raises(IndexError, match="term 4 is not below 4"):
        _forward.Vocabulary(one, 4).shares(np.array([4], np.uint32), numbers, np.array([1]))
    with pytest.raises(ValueError, match="not as many terms as rows"):
        _forward.TermRows(one, np.zeros((2, 3), np.float32), 4)


def forest_of(nodes, children, roots):
    zeros = np.zeros(nodes, np.float32)
    return _forward.Forest(
        np.full(nodes, 2, np.int32), zeros, np.array(children, np.int32), zeros[:, None], np.array(roots, np.int32), 3
    )


def test_forests_that_lead_out_are_refused():
    with pytest.raises(IndexError, match="2 inputs where the trees look at 3"):
        forest_of(2, [0, 0], [0]).predict(np.zeros(2, np.float32))
    for children, roots in ([[0, 1], [0]], [[0, -1], [0]], [[0, 0], [2]], [[0, 0], [-1]]):
        with pytest.raises(ValueError, match="nodes that are not there"):
            forest_of(2, children, roots)


@pytest.mark.slow
@given(st.lists(any_request, max_size=5))
def test_many_predictions_are_those_of_single_requests(linear, blend, requests):
    rows = FeatureExtractor(KEYWORDS, estimate_tokens, compiled=True).many(requests)
    for trained in (linear, blend):
        model = trained.router().model
        forward = model.forward()
        tasks = np.array([model.task_row(features.task) for features in rows], np.int64)
        many = forward.twin().predict_many(rows.terms, rows.ends, rows.word_terms, rows.dense, tasks)
        for row, features in enumerate(rows):
            single = forward.predict(features.terms, features.word_terms, features.dense, tasks[row])
            np.testing.assert_allclose([part[row] for part in many], single, rtol=1e-12)


def test_many_distances_are_those_of_single_requests(linear):
    novelty = linear.router().novelty
    nearest = _forward.Nearest(novelty._varied, _forward.Scaler(novelty._mean, novelty._scale), novelty._centres)
    dense = table_matrix().dense
    np.testing.assert_array_equal(nearest.distances(dense), [nearest.distance(row) for row in dense])
