"""A router that may come into use."""

from __future__ import annotations

import pytest

from classifier import Router
from classifier.artifact import read_artifact
from tests.helpers.routers import Trained, with_rule


@pytest.fixture(scope="session")
def cheaper(linear: Trained, tmp_path_factory: pytest.TempPathFactory) -> Router:
    """The shared router's model with more weight on prices: a third of the starts are other ones."""
    return Router(read_artifact(with_rule(linear, tmp_path_factory.mktemp("cheaper") / "router.safetensors", chosen=3)))
