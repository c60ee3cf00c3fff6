"""Property-based tests draw the same examples in every run, however slow the machine.

``pytest --hypothesis-profile=default`` draws new ones, ``--hypothesis-profile=quick`` fewer.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from classifier.cascade.fitting import MEMORY
from tests.helpers.gates import WithGate, with_gate
from tests.helpers.once import once
from tests.helpers.openai_server import OpenAIServer
from tests.helpers.routers import Trained, train
from training.learners.linear import LinearLearner

pytest_plugins = ["tests.helpers.stores"]

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("quick", settings.get_profile("repeatable"), max_examples=15)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a PostgreSQL server by its fixture."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture
def upstream() -> Iterator[OpenAIServer]:
    """A local server that speaks the protocol of OpenAI, and answers as a test scripts it; nothing is known of it."""
    MEMORY.clear()
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A linear model of the default menu's haiku, sonnet and opus, trained on some hundred rows."""
    return once(tmp_path_factory, "linear", lambda folder: train(LinearLearner(), folder / "router.safetensors"))


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> WithGate:
    """A router and a gate, trained on 900 rows."""
    return once(tmp_path_factory, "gated", with_gate)
