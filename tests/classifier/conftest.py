"""One small router for all tests."""

from __future__ import annotations

import pytest

from classifier import Router
from tests.helpers.routers import Trained, train
from training.learners.blend import BlendLearner
from training.learners.forest import ForestLearner
from training.learners.linear import LinearLearner


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The linear learner's."""
    return train(LinearLearner(), tmp_path_factory.mktemp("linear") / "router.safetensors")


@pytest.fixture(scope="session")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The linear model with trees."""
    learner = BlendLearner(forest=ForestLearner(trees=40), dimensions=8)
    return train(learner, tmp_path_factory.mktemp("blend") / "router.safetensors")


@pytest.fixture(scope="session")
def router(linear: Trained) -> Router:
    """A router from the linear learner's artifact; reference opus, gemini unknown to the model."""
    return linear.router()
