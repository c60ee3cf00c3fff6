"""The promise on spoiled rows, as ``benchmarks/honesty.py`` measures it, on a small table of the tests' own."""

from __future__ import annotations

import numpy as np
import pytest
from certificate import make_world
from honesty import WAYS, best_of_seeds, certify_spoiled, summary
from quality import Rows
from scipy import stats

from classifier.keywords import load_keywords
from classifier.request import make_request
from training.learners.matrix import build_matrix

EASY, HARD = ("translate", "greet", "list", "repeat"), ("prove", "derive", "optimise", "refute")
RUNS = 4


@pytest.fixture(scope="module")
def table() -> Rows:
    """3,000 rows of two kinds; the cheap tier is good at one of them."""
    random = np.random.default_rng(0)
    hard = random.random(3000) < 0.4
    things = [f"thing{number}" for number in range(60)]
    prompts = [
        f"{random.choice(HARD if each else EASY)} {' and '.join(random.choice(things, 4))} number {place}"
        for place, each in enumerate(hard)
    ]
    quality = np.column_stack([random.random(3000) < np.where(hard, 0.2, 0.98), random.random(3000) < 0.97]).astype(
        float
    )
    requests = [make_request(prompt) for prompt in prompts]
    return Rows(
        prompts=prompts,
        tasks=["hard" if each else "easy" for each in hard],
        quality=quality,
        costs=np.tile([0.001, 0.02], (3000, 1)),
        matrix=build_matrix(requests, load_keywords(None), "estimate", jobs=1),
        sizes=np.array([len(prompt) for prompt in prompts]),
        groups=np.arange(3000),
    )


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_no_more_certificates_are_wrong_than_chance_explains(table: Rows, way: str) -> None:
    found = summary([certify_spoiled(table, WAYS[way], 1000, run) for run in range(RUNS)])
    assert found["wrong"] <= stats.binom.ppf(0.999, RUNS, 0.05)
    if way == "by chance":
        assert found["certified"] == RUNS


@pytest.mark.slow
def test_the_ledger_keeps_the_best_of_many_seeds_honest(table: Rows) -> None:
    world = make_world(table)
    kept = [best_of_seeds(world, 900, run, ledger=True) for run in range(RUNS)]
    bare = [best_of_seeds(world, 900, run, ledger=False) for run in range(RUNS)]
    assert sum(run.wrong for run in kept) <= stats.binom.ppf(0.999, RUNS, 0.05)
    assert np.mean([run.saving for run in kept]) <= np.mean([run.saving for run in bare])
