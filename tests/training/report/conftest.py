"""Training runs made once: one worth shipping, one without signal, a bare one, a hostile one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.runs import Run, run, write_bare, write_hostile
from training.certify.rule import Target
from training.prepare.adequacy import Adequacy


@pytest.fixture(scope="session")
def learned_run(outcomes_csv: Path) -> Run:
    """A router that is worth shipping."""
    return run(outcomes_csv)


@pytest.fixture(scope="session")
def floor_run(noise_csv: Path) -> Run:
    """A table on which no router is."""
    return run(noise_csv, Target(0.001))


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Everything that a page could be broken with."""
    return run(write_hostile(tmp_path_factory.mktemp("tables")))


@pytest.fixture(scope="session")
def bare_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The least a table can have, judged by a threshold, with an absolute target."""
    return run(write_bare(tmp_path_factory.mktemp("tables")), Target(0.05, relative=False), Adequacy(at=0.5))
