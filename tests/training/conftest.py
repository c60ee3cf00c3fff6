"""Tables that several tests train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tables import outcome_rows, write_csv


@pytest.fixture(scope="session")
def outcomes_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 rows that a router can learn from."""
    return write_csv(tmp_path_factory.mktemp("tables") / "outcomes.csv", outcome_rows(1500))


@pytest.fixture(scope="session")
def noise_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 rows that nothing can be learned from."""
    return write_csv(tmp_path_factory.mktemp("tables") / "noise.csv", outcome_rows(400, signal=False))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, outcomes_csv: Path) -> Path:
    """What train-router makes of ``outcomes_csv``."""
    from training.commands.train import app

    out = tmp_path_factory.mktemp("artifact") / "router.safetensors"
    options = [outcomes_csv, "--fastest", "--tokens", "estimate", "--jobs", 1, "--out", out]
    app([*map(str, options)], standalone_mode=False)
    return out
