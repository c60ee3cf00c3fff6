"""Tables that several tests train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.once import once
from tests.helpers.tables import outcome_rows, write_csv


@pytest.fixture(scope="session")
def outcomes_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 rows that a router can learn from."""
    return once(tmp_path_factory, "outcomes", lambda folder: write_csv(folder / "outcomes.csv", outcome_rows(1500)))


@pytest.fixture(scope="session")
def noise_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 rows that nothing can be learned from."""
    rows = outcome_rows(400, signal=False)
    return once(tmp_path_factory, "noise", lambda folder: write_csv(folder / "noise.csv", rows))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, outcomes_csv: Path) -> Path:
    """What train-router makes of ``outcomes_csv``."""
    return once(tmp_path_factory, "trained", lambda folder: train_fast(outcomes_csv, folder / "router.safetensors"))


def train_fast(table: Path, out: Path) -> Path:
    """The artifact that train-router makes of a table, as quickly as it can."""
    from training.commands.train import app

    options = [table, "--fastest", "--tokens", "estimate", "--jobs", 1, "--out", out]
    app([*map(str, options)], standalone_mode=False)
    return out
