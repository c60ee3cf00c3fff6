"""One small router for all tests."""

from __future__ import annotations

import pytest

from classifier import Router
from tests.helpers.once import once
from tests.helpers.routers import Trained, train
from training.learners.blend import BlendLearner
from training.learners.forest import ForestLearner


@pytest.fixture(scope="session")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The linear model with trees."""
    learner = BlendLearner(forest=ForestLearner(trees=40), dimensions=8)
    return once(tmp_path_factory, "blend", lambda folder: train(learner, folder / "router.safetensors"))


@pytest.fixture(scope="session")
def router(linear: Trained) -> Router:
    """A router from the linear learner's artifact; reference opus, gemini unknown to the model."""
    return linear.router()
