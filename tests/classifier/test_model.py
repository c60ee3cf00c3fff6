from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from classifier.artifact import Artifact
from classifier.catalog import default_menu
from classifier.errors import ArtifactError
from classifier.features import N_BUCKETS, dense_names, extract
from classifier.model import Model, blend_logits, load_model, logit, loss_logit, sigmoid
from classifier.request import Request, make_request
from classifier.tasks import canonical_task
from classifier.tokens import estimate_tokens
from classifier.trees import MAX_DEPTH
from tests.helpers.requests import TIERS, any_request, made_table
from tests.helpers.routers import KEYWORDS, Trained, artifact_content
from training.learners.fit import calibrated
from training.learners.matrix import build_matrix

DENSE = len(dense_names(KEYWORDS))


def features(request):
    return extract(request, KEYWORDS, estimate_tokens)


def loaded(trained: Trained) -> Model:
    return trained.router().model


def assert_same_predictions(trained: Trained, runtime: Model, requests: list[Request]) -> None:
    """Training's path (matrices, tasks in the menu's words) and the runtime's (one request) give the same numbers."""
    menu = default_menu()
    learned = [replace(request, task=canonical_task(request.task, menu) or request.task) for request in requests]
    matrix = build_matrix(learned, KEYWORDS, "estimate", jobs=1)
    outputs = trained.model.learned.outputs(matrix)
    expected = calibrated(outputs, trained.model.calibration, trained.model.reference)
    for row, request in enumerate(requests):
        single = features(request)
        np.testing.assert_allclose(runtime.outputs(single), outputs[row], rtol=1e-6, atol=1e-6)
        prediction = runtime.predict(single)
        np.testing.assert_allclose(prediction.quality, expected.quality[row], rtol=0, atol=1e-6)
        np.testing.assert_allclose(prediction.adequate, expected.adequate[row], rtol=0, atol=1e-6)
        np.testing.assert_allclose(prediction.cost, expected.cost[row], rtol=1e-6)


@pytest.fixture(scope="module")
def linear_model(linear):
    return loaded(linear)


@pytest.fixture(scope="module")
def blend_model(blend):
    return loaded(blend)


@given(request=any_request)
def test_training_and_runtime_predict_the_same_with_the_linear_model(linear, linear_model, request):
    assert_same_predictions(linear, linear_model, [request])


@pytest.mark.slow
@given(request=any_request)
def test_training_and_runtime_predict_the_same_with_trees(blend, blend_model, request):
    assert_same_predictions(blend, blend_model, [request])


@pytest.mark.slow
def test_training_and_runtime_predict_the_same_for_requests_like_those_learned_from(
    linear, blend, linear_model, blend_model
):
    for seed in (0, 1):  # the rows that were learned from, and others
        requests, _, _ = made_table(220, seed)
        assert_same_predictions(linear, linear_model, requests)
        assert_same_predictions(blend, blend_model, requests)


@given(request=any_request)
def test_any_request_has_a_sound_prediction(linear_model, blend_model, request):
    single = features(request)
    for model in (linear_model, blend_model):
        prediction = model.predict(single)
        assert model.predict(single) == prediction
        assert len(prediction.quality) == len(prediction.adequate) == len(prediction.cost) == len(TIERS)
        assert all(0 <= value <= 1 for value in prediction.quality + prediction.adequate)
        assert all(0 < cost < np.inf for cost in prediction.cost)
        assert prediction.adequate[model.reference] == 1


def test_where_adequacy_is_a_threshold_it_is_the_quality(linear):
    header, tensors = artifact_content(linear.model)
    header["model"] = {**header["model"], "adequacy_is_quality": True}
    tensors = {name: tensor for name, tensor in tensors.items() if name != "calibration_adequate"}
    model = load_model(Artifact(header, tensors, "0" * 64, "router.safetensors"), len(TIERS), DENSE, {})
    prediction = model.predict(features(make_request("prove thing1")))
    assert prediction.adequate == prediction.quality
    assert prediction.quality == loaded(linear).predict(features(make_request("prove thing1"))).quality


def test_the_model_learned_what_there_was_to_learn(linear_model, blend_model):
    for model in (linear_model, blend_model):
        hard = model.predict(features(make_request("prove thing1 and thing2, case 7"))).quality
        easy = model.predict(features(make_request("translate thing1 and thing2, case 7"))).quality
        assert easy[0] - hard[0] > 0.1
        assert abs(easy[2] - hard[2]) < 0.15


@given(request=any_request)
def test_contributions_add_up_to_the_quality_logits(linear_model, request):
    single = features(request)
    parts = linear_model.contributions(single)
    slopes = linear_model.calibration.quality[:, 0]
    bias = linear_model.weights.bias[: len(TIERS)]
    total = parts.terms.sum(axis=0) + parts.dense.sum(axis=0) + parts.task
    expected = slopes * linear_model.outputs(single)[: len(TIERS)]
    np.testing.assert_allclose(total + slopes * bias, expected, atol=1e-6)
    quality = linear_model.predict(single).quality
    logits = linear_model.outputs(single)[: len(TIERS)]
    np.testing.assert_allclose(linear_model.calibration.qualities(logits), quality, atol=1e-9)


def test_a_task_without_a_row_speaks_for_nothing(linear_model):
    plain = features(make_request("prove thing1"))
    outputs = [linear_model.outputs(replace(plain, task=task)) for task in (None, "never seen", "")]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])
    known = linear_model.outputs(replace(plain, task="summarization"))
    assert not np.array_equal(known, outputs[0])


# Curves


@given(arrays.arrays(np.float64, 5, elements=st.floats(-1e300, 1e300)))
def test_sigmoid_never_overflows_and_is_monotone(logits):
    values = sigmoid(np.sort(logits))
    assert ((values > 0) & (values < 1)).all()
    assert (np.diff(values) >= 0).all()
    np.testing.assert_allclose(sigmoid(-logits), 1 - sigmoid(logits), atol=1e-12)


@given(arrays.arrays(np.float64, 5, elements=st.floats(0.001, 0.999)))
def test_logit_is_the_inverse_of_sigmoid(values):
    np.testing.assert_allclose(sigmoid(logit(values)), values)


@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(0, 1)), st.integers(0, 2))
def test_the_loss_is_the_same_for_one_and_for_many_and_no_certainty_is_infinite(quality, reference):
    many = loss_logit(quality, reference)
    assert np.isfinite(many).all()
    for row, one in zip(quality, many, strict=True):
        np.testing.assert_array_equal(loss_logit(row, reference), one)


def test_a_tier_as_good_as_can_be_loses_nothing():
    low, high = sigmoid(loss_logit(np.array([0.1, 0.99, 0.95]), 2))[:2]
    assert low == pytest.approx(1 - 0.95 * 0.9)
    assert high == pytest.approx(1 - 0.95 * 0.01)


def test_a_blend_is_a_share_of_one_expectation_and_the_other():
    linear, share = logit(np.array([0.2, 0.6])), np.array([[0.5, 0.1], [0.0, 0.25]])
    np.testing.assert_allclose(sigmoid(blend_logits(linear, share, np.array([0.3, 0.4]))), [0.4, 0.57])


# Loading


def refusal(trained, change):
    header, tensors = artifact_content(trained.model)
    header["model"], tensors = dict(header["model"]), dict(tensors)
    change(header["model"], tensors)
    with pytest.raises(ArtifactError) as caught:
        load_model(Artifact(header, tensors, "0" * 64, "router.safetensors"), len(TIERS), DENSE, {})
    message = str(caught.value)
    assert message.startswith("router.safetensors: ")
    assert "\n" not in message
    return message


def setting(key, value):
    return lambda fields, tensors: fields.update({key: value})


def tensor(name, change):
    return lambda fields, tensors: tensors.update({name: change(tensors[name])})


@pytest.mark.parametrize(
    "change",
    [
        lambda fields, tensors: fields.clear(),
        setting("kind", "forest"),
        setting("kind", None),
        setting("task_labels", "code"),
        setting("task_labels", ["code", 3]),
        setting("task_labels", []),
        setting("reference", 3),
        setting("reference", -1),
        setting("reference", True),
        setting("adequacy_is_quality", 1),
        setting("kind", "stack"),  # and no trees
        tensor("buckets", lambda buckets: buckets[::-1]),
        tensor("buckets", lambda buckets: buckets // 2),
        tensor("buckets", lambda buckets: buckets + np.uint32(N_BUCKETS - buckets.max())),
        tensor("buckets", lambda buckets: buckets.astype(np.int64)),
        tensor("buckets", lambda buckets: buckets[:, None]),
        tensor("terms", lambda terms: terms[:-1]),
        tensor("terms", lambda terms: terms.astype(np.float64)),
        tensor("terms", lambda terms: -terms),
        tensor("terms", lambda terms: terms[:, 1:]),
        tensor("dense_scale", lambda scale: scale * 0),
        tensor("dense_scale", lambda scale: -scale),
        tensor("dense_mean", lambda mean: mean[:5]),
        tensor("dense", lambda dense: dense.T),
        tensor("tasks", lambda tasks: tasks[:-1]),
        tensor("bias", lambda bias: bias[:-1]),
        tensor("calibration_quality", lambda calibration: calibration[:, :1]),
        tensor("calibration_bends", lambda bends: bends[:1]),
        tensor("calibration_bends", lambda bends: bends[:, :1]),
        tensor("calibration_adequate", lambda calibration: calibration.astype(np.float32)),
    ],
)
def test_an_unsound_linear_model_is_refused(linear, change):
    assert refusal(linear, change)


@pytest.mark.parametrize(
    "name", ["buckets", "terms", "dense_mean", "dense_scale", "dense", "tasks", "bias", "calibration_adequate"]
)
def test_a_missing_tensor_is_named(linear, name):
    assert f"tensor '{name}' is missing" in refusal(linear, lambda fields, tensors: tensors.pop(name))


@pytest.mark.parametrize(
    "change",
    [
        tensor("forest_features", lambda features: features + np.int32(1000)),
        tensor("forest_features", lambda features: features - np.int32(1000)),
        tensor("forest_features", lambda features: features[:-1]),
        tensor("forest_thresholds", lambda thresholds: thresholds[:-1]),
        tensor("forest_children", lambda children: children - np.int32(1)),
        tensor(
            "forest_children", lambda children: np.full_like(children, len(children) - 1)
        ),  # the right one is beyond
        tensor("forest_values", lambda values: values[:-1]),
        tensor("forest_roots", lambda roots: roots + np.int32(10**6)),
        tensor("forest_roots", lambda roots: roots - np.int32(1)),
        setting("forest_depth", MAX_DEPTH + 1),
        setting("forest_depth", -1),
        setting("forest_depth", "12"),
        tensor("linear_share", lambda share: share[:-1]),
        tensor("projection_buckets", lambda buckets: buckets[::-1]),
        tensor("projection_buckets", lambda buckets: buckets + np.uint32(N_BUCKETS // 2)),
        tensor("projection", lambda projection: projection[:-1]),
        tensor("projection_shift", lambda shift: shift[:-1]),
        tensor("task_means", lambda means: means[:-1]),
        *(
            lambda fields, tensors, name=name: tensors.pop(name)
            for name in ("forest_features", "forest_values", "forest_roots", "linear_share", "projection", "task_means")
        ),
    ],
)
def test_unsound_trees_are_refused(blend, change):
    assert refusal(blend, change)


def test_a_model_for_other_tiers_or_features_is_refused(linear):
    artifact = Artifact(*artifact_content(linear.model), "0" * 64, "router.safetensors")
    with pytest.raises(ArtifactError, match="tensor 'terms' is float32"):
        load_model(artifact, len(TIERS) + 1, DENSE, {})
    with pytest.raises(ArtifactError, match="tensor 'dense_mean' is float64"):
        load_model(artifact, len(TIERS), DENSE + 1, {})


@settings(max_examples=25)
@given(request=any_request, scale=st.sampled_from([1e-4, 1.0, 1e7]))
def test_absurd_but_sound_weights_predict_something(linear, request, scale):
    header, tensors = artifact_content(linear.model)
    tensors = {**tensors, "dense_scale": tensors["dense_scale"] * scale, "bias": tensors["bias"] * scale}
    model = load_model(Artifact(header, tensors, "0" * 64, "router.safetensors"), len(TIERS), DENSE, {})
    prediction = model.predict(features(request))
    assert all(0 <= value <= 1 for value in prediction.quality + prediction.adequate)
    assert np.isfinite(prediction.cost).all()
