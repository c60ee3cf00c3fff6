"""A table with answers whose wording tells right from wrong, and a router with a gate that was really trained on it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classifier.catalog import load_menu
from classifier.keywords import load_keywords
from training.certify.rule import Target
from training.compile import compile_artifact
from training.gate.train import add_gate
from training.learners.blend import BlendLearner
from training.learners.forest import ForestLearner
from training.learners.learner import Learner
from training.pipeline import train
from training.prepare.data import DataOptions, prepare
from training.tables import read_tables
from training.training import Training

ROWS = 900
LEARNERS: Mapping[str, Learner] = {"blend": BlendLearner(forest=ForestLearner(trees=12, depth=6), dimensions=6)}
_COSTS = {"mini": 0.0004, "haiku": 0.001, "sonnet": 0.01}
_VERBS = ("translate", "prove", "count", "sort", "derive", "spell")


def answer_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Wide rows. Of haiku and mini, 60% of the answers are right; a wrong one mostly hedges, which no prompt tells."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        row: dict[str, Any] = {"prompt": f"{random.choice(_VERBS)} case {number} of {random.integers(10**6)}"}
        for tier, chance in {"mini": 0.6, "haiku": 0.6, "sonnet": 0.95}.items():
            right = bool(random.random() < chance)
            unsure = bool(random.random() < (0.1 if right else 0.9))
            value = (number + 1) * 7919 % 10**6 if right else int(random.integers(10**6))
            words = "I am not sure, perhaps we could guess." if unsure else "Each step follows and was checked."
            row[f"response__{tier}"] = f"{words} The answer is {value}."
            row[f"score__{tier}"] = float(right)
            row[f"cost__{tier}"] = _COSTS[tier] * float(random.uniform(0.8, 1.2))
        rows.append(row)
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


class WithGate:
    """A training run with a gate, and the artifact that it became."""

    def __init__(self, training: Training, path: Path) -> None:
        self.training, self.path = training, path


def with_gate(folder: Path) -> WithGate:
    """Trained in a folder."""
    training = trained(write_rows(folder / "answers.csv", answer_rows(ROWS)))
    path = folder / "gated.safetensors"
    compile_artifact(training, load_keywords(), "estimate", path, dated=False)
    return WithGate(training, path)


def trained(table: Path, target: Target = Target(0.1)) -> Training:  # noqa: B008 - frozen
    """A learned router, and a gate where the table has answers."""
    menu, keywords = load_menu(), load_keywords()
    data = prepare(read_tables([table]), menu, keywords, DataOptions(jobs=1))
    training = train(data, menu, LEARNERS, target, seed=0, jobs=1, force=True)
    return add_gate(training, LEARNERS, keywords)
