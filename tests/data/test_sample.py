"""The shipped sample table is what its script makes, and is as its README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.tables import OutcomeTable, read_tables

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def sample() -> OutcomeTable:
    return read_tables([DATA / "sample.csv"])


@pytest.mark.slow
def test_the_script_makes_the_shipped_file_to_the_byte(tmp_path: Path) -> None:
    made = tmp_path / "sample.csv"
    subprocess.run([sys.executable, DATA / "make_sample.py", "--out", made], check=True)
    assert made.read_bytes() == (DATA / "sample.csv").read_bytes()


def test_another_seed_makes_another_table(tmp_path: Path) -> None:
    made = tmp_path / "sample.csv"
    subprocess.run([sys.executable, DATA / "make_sample.py", "--rows", "50", "--seed", "8", "--out", made], check=True)
    assert not (DATA / "sample.csv").read_bytes().startswith(made.read_bytes())


def test_every_row_is_usable(sample: OutcomeTable) -> None:
    assert len(sample.requests) == 4000
    assert not sample.problems
    assert sample.tiers == ("haiku", "sonnet", "opus")


def test_some_values_are_missing(sample: OutcomeTable) -> None:
    missing = np.isnan(sample.scores).any(axis=1).mean()
    assert 0.05 < missing < 0.1
    assert 0.05 < np.mean([request.task is None for request in sample.requests]) < 0.11
    assert 0.09 < np.mean([request.max_tokens is None for request in sample.requests]) < 0.15


def test_dearer_tiers_are_better_on_the_whole_and_not_on_every_task(sample: OutcomeTable) -> None:
    haiku, sonnet, opus = np.nanmean(sample.scores, axis=0)
    assert haiku < sonnet < opus
    classification = [row for row, request in enumerate(sample.requests) if request.task == "classification"]
    easy = np.nanmean(sample.scores[classification], axis=0)
    assert abs(easy[0] - easy[2]) < 0.05


@pytest.mark.parametrize("script", [(0x4E00, 0x9FFF), (0x3040, 0x30FF), (0x0400, 0x04FF), (0x0600, 0x06FF)])
def test_several_scripts_are_there(sample: OutcomeTable, script: tuple[int, int]) -> None:
    low, high = script
    written = sum(any(low <= ord(char) <= high for char in request.text) for request in sample.requests)
    assert written >= 60


def test_few_prompts_repeat(sample: OutcomeTable) -> None:
    assert len({request.text for request in sample.requests}) > 0.95 * len(sample.requests)
