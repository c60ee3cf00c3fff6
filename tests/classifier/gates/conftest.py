"""One training run with a gate for all tests here."""

from __future__ import annotations

import pytest

from tests.helpers.gates import WithGate, with_gate


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> WithGate:
    """A router and a gate, trained on 900 rows."""
    return with_gate(tmp_path_factory.mktemp("gated"))
