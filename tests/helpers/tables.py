"""Small real outcome tables: words tell how hard a prompt is, tiers differ in what they can do."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

EASY = ("translate", "greet", "list", "repeat", "name", "spell")
HARD = ("prove", "derive", "optimise", "refute", "integrate", "schedule")
THINGS = tuple(f"thing{number}" for number in range(40))
TIERS = ("haiku", "sonnet", "opus")
PRICES = {"haiku": 0.001, "sonnet": 0.005, "opus": 0.03}


def outcome_rows(count: int, seed: int = 0, *, signal: bool = True) -> list[dict[str, Any]]:
    """Wide rows; without ``signal`` the scores have nothing to do with the prompt."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        hard = bool(random.random() < 0.5)
        verb = str(random.choice(HARD if hard else EASY))
        things = " and ".join(random.choice(THINGS, 3))
        matters = hard if signal else bool(random.random() < 0.5)
        chance = {"haiku": 0.1, "sonnet": 0.7, "opus": 0.95} if matters else dict.fromkeys(TIERS, 0.98)
        row: dict[str, Any] = {
            "prompt": f"{verb} {things}, case {number}",
            "task": "reasoning" if hard else "chat",
            "max_tokens": int(random.integers(50, 2000)),
        }
        for tier in TIERS:
            row[f"score__{tier}"] = float(random.random() < chance[tier])
            row[f"cost__{tier}"] = PRICES[tier] * float(random.uniform(0.5, 1.5))
        rows.append(row)
    return rows


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
