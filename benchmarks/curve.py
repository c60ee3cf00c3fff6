"""The cost-quality curve of README's picture, by the definition of `quality`.

    python benchmarks/curve.py --tables DIR [--only routellm_mmlu] --json docs/figures/curve.json

Each curve is the least cost at which a quality is reached; both are shares of always using the table's last tier. The
learned router is judged on rows that its model did not see (five folds). The interval is a 95% bootstrap interval over
redrawn rows. ``scripts/docs`` draws the picture from the file that this writes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from quality import CASES, DRAWS, LEARNERS, Rows, hindsight_length, out_of_fold, random_mix, read_case

from training.measure.curves import Curve, sweep

TARGETS = (0.95, 0.98)
POINTS = 80


def outline(curve: Curve, low: float, high: float) -> list[list[float]]:
    """Points (cost, quality) at evenly spaced qualities, as far as the curve reaches."""
    heights = np.linspace(low, min(high, float(curve.quality.max())), POINTS)
    return [[round(curve.cost_at(height), 4), round(float(height), 4)] for height in heights]


def intervals(rows: Rows, predicted: NDArray[np.float64], expected_cost: NDArray[np.float64]) -> list[list[float]]:
    """Of the cost at each target, the fitted predictions held fixed."""
    random = np.random.default_rng(0)
    costs = []
    for _ in range(DRAWS):
        drawn = random.integers(len(rows.quality), size=len(rows.quality))
        curve = sweep(predicted[drawn], expected_cost[drawn], rows.quality[drawn], rows.costs[drawn], -1)
        costs.append([curve.cost_at(target) for target in TARGETS])
    return np.round(np.nanquantile(costs, [0.025, 0.975], axis=0).T, 4).tolist()


def measure(rows: Rows) -> dict[str, Any]:
    """The figures of one case."""
    predicted, expected_cost = out_of_fold(rows, LEARNERS["balanced"])
    learned = sweep(predicted, expected_cost, rows.quality, rows.costs, -1)
    curves = {
        "oracle": sweep(rows.quality, rows.costs, rows.quality, rows.costs, -1),
        "tierwise": learned,
        "length rule, tuned in hindsight": hindsight_length(rows),
        "random mix": random_mix(rows),
    }
    cheap, best = rows.quality.mean(axis=0)[[0, -1]]
    return {
        "rows": len(rows.quality),
        "right": [round(float(cheap), 4), round(float(best), 4)],
        "targets": list(TARGETS),
        "costs": {name: [round(curve.cost_at(t), 4) for t in TARGETS] for name, curve in curves.items()},
        "intervals": intervals(rows, predicted, expected_cost),
        "curves": {name: outline(curve, float(cheap / best), 1.0) for name, curve in curves.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the real tables")
    parser.add_argument("--only", default="routellm_mmlu", choices=list(CASES), help="the case (%(default)s)")
    parser.add_argument("--json", type=Path, required=True, help="write the figures to this file")
    arguments = parser.parse_args()
    case = CASES[arguments.only]
    figures = {"case": arguments.only, "tiers": list(case.tiers), **measure(read_case(arguments.tables, case))}
    arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in figures.items() if key != "curves"}, indent=1))


if __name__ == "__main__":
    main()
