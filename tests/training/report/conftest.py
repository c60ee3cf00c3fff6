"""Training runs made once: one worth shipping, one without signal, a bare one, a hostile one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.once import once
from tests.helpers.runs import Run, run, write_bare, write_hostile
from training.certify.rule import Target
from training.prepare.adequacy import Adequacy


@pytest.fixture(scope="session")
def learned_run(outcomes_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A router that is worth shipping."""
    return once(tmp_path_factory, "learned_run", lambda folder: run(outcomes_csv))


@pytest.fixture(scope="session")
def floor_run(noise_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A table on which no router is."""
    return once(tmp_path_factory, "floor_run", lambda folder: run(noise_csv, Target(0.001)))


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Everything that a page could be broken with."""
    return once(tmp_path_factory, "hostile_run", lambda folder: run(write_hostile(folder)))


@pytest.fixture(scope="session")
def bare_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The least a table can have, judged by a threshold, with an absolute target."""
    target, adequacy = Target(0.05, relative=False), Adequacy(at=0.5)
    return once(tmp_path_factory, "bare_run", lambda folder: run(write_bare(folder), target, adequacy))
