"""How much further a table could be taken: families of learners, a learning curve and a bound from its noise.

    python benchmarks/limits.py --tables DIR [--only gsm8k] [--json FILE]

Folds, headline and prices are `quality.py`'s. Each family is fitted on a quarter, a half and all of each fold's
training rows: a headline that still falls at the right end is limited by data, one that does not by what light features
can tell. Beside it stands the share of the gains' variance that is left unexplained; headlines are noisy, that is not.

The bound takes pairs of requests and compares their gains: half the mean squared difference, as a share of the gains'
variance, is what the pair's likeness leaves unexplained (Devroye et al., "A Nearest Neighbor Estimate of the Residual
Variance", Electronic Journal of Statistics 12, 2018). Nearest rows that differ as much as any two say that no learner
on these features, however good, has more to find near by.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from quality import CASES, Rows, read_case, tfidf_logistic
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import KFold

from classifier.model import sigmoid
from training.learners.blend import BlendLearner
from training.learners.fit import gain_error
from training.learners.forest import ForestLearner
from training.learners.linear import LinearFit, LinearLearner, Space
from training.learners.neighbours import Neighbours
from training.learners.projection import TextView
from training.learners.task_means import TaskMeansLearner
from training.measure.curves import performance_gap_recovered, sweep

SHARES = (0.25, 0.5, 1.0)
DIMENSIONS = 64
BLOCK = 2048
Indices = NDArray[np.int64]
Family = Callable[[Rows, Indices, Indices, LinearFit], NDArray[np.float64]]


def logistic(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    return np.asarray(tfidf_logistic(rows, train, test)[0])


def task_means(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    fitted = TaskMeansLearner(LinearLearner()).fit(rows.matrix.rows(train), rows.quality[train], rows.costs[train])
    return sigmoid(fitted.outputs(rows.matrix.rows(test))[:, : rows.quality.shape[1]])


def own_linear(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    return sigmoid(linear.outputs(rows.matrix.rows(test))[:, : rows.quality.shape[1]])


def neighbours(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    return Neighbours.fit(rows.matrix.rows(train), rows.quality[train]).predict(rows.matrix.rows(test))


def boosting(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    seen, new = inputs(rows, train, test, linear)
    columns = [
        HistGradientBoostingClassifier(
            max_depth=3, learning_rate=0.05, max_iter=120, l2_regularization=20.0, max_features=0.3, random_state=0
        )
        .fit(seen, tier > 0.5)
        .predict_proba(new)[:, 1]
        for tier in rows.quality[train].T
    ]
    return np.stack(columns, axis=1)


def forest(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    seen, new = inputs(rows, train, test, linear)
    return ForestLearner().fit(seen, rows.quality[train], jobs=-1)[0].predict_many(new)


def stack(rows: Rows, train: Indices, test: Indices, linear: LinearFit) -> NDArray[np.float64]:
    fitted = BlendLearner().fit(rows.matrix.rows(train), rows.quality[train], rows.costs[train], jobs=-1)
    return sigmoid(fitted.outputs(rows.matrix.rows(test))[:, : rows.quality.shape[1]])


FAMILIES: dict[str, Family] = {
    "logistic on TF-IDF": logistic,
    "task means": task_means,
    "linear": own_linear,
    "nearest neighbours": neighbours,
    "boosting": boosting,
    "forest": forest,
    "linear and forest, stacked": stack,
}


def inputs(
    rows: Rows, train: Indices, test: Indices, linear: LinearFit
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    view = TextView.of(rows.matrix.rows(train), linear.space, rows.quality[train], DIMENSIONS)
    return view.inputs(rows.matrix.rows(train)), view.inputs(rows.matrix.rows(test))


def at_size(rows: Rows, share: float) -> dict[str, dict[str, float]]:
    """Every family's figures with a share of each fold's training rows; all see the linear model's expected costs."""
    expected_cost = np.empty_like(rows.costs)
    predicted = {name: np.empty_like(rows.quality) for name in FAMILIES}
    for every, test in KFold(5, shuffle=True, random_state=0).split(rows.prompts):
        train = np.sort(np.random.default_rng(0).permutation(every)[: round(share * len(every))])
        linear = LinearLearner().fit(rows.matrix.rows(train), rows.quality[train], rows.costs[train], jobs=-1)
        expected_cost[test] = np.exp(linear.outputs(rows.matrix.rows(test))[:, rows.quality.shape[1] :])
        for name, family in FAMILIES.items():
            predicted[name][test] = family(rows, train, test, linear)
    return {
        name: {
            "mean cost": sweep(expected, expected_cost, rows.quality, rows.costs, -1).mean_cost(),
            "APGR": performance_gap_recovered(expected, rows.quality),
            "unexplained": gain_error(expected, rows.quality) / float(gains(rows).var(axis=0).mean()),
        }
        for name, expected in predicted.items()
    }


def gains(rows: Rows) -> NDArray[np.float64]:
    return rows.quality[:, 1:] - rows.quality[:, :1]


def noise(rows: Rows) -> dict[str, float]:
    """Shares of the gains' variance that likeness leaves unexplained."""
    view = TextView.of(rows.matrix, Space.of(rows.matrix, LinearLearner()), rows.quality, DIMENSIONS)
    # Without the task means, which know the outcomes.
    seen = view.inputs(rows.matrix)[:, : -rows.quality.shape[1]]
    unit = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    nearest, alike = np.empty(len(unit), np.int64), np.empty(len(unit))
    for start in range(0, len(unit), BLOCK):
        likeness = unit[start : start + BLOCK] @ unit.T
        likeness[np.arange(len(likeness)), start + np.arange(len(likeness))] = -np.inf
        nearest[start : start + BLOCK] = likeness.argmax(axis=1)
        alike[start : start + BLOCK] = likeness.max(axis=1)
    gained = gains(rows)
    left = ((gained - gained[nearest]) ** 2).mean(axis=1) / 2 / float(gained.var(axis=0).mean())
    closest = np.argsort(-alike)[: max(1, len(alike) // 10)]
    same = rows.groups == rows.groups[nearest]
    return {
        "unexplained by the nearest row": float(left.mean()),
        "standard error": float(left.std() / len(left) ** 0.5),
        "by it in the closest tenth": float(left[closest].mean()),
        "by a near-duplicate": float(left[same].mean()) if same.any() else float("nan"),
        "share of rows with one": float(same.mean()),
    }


def show(console: Console, name: str, sizes: dict[str, Any], bound: dict[str, float]) -> None:
    table = Table(title=f"{name}: mean cost at 90-99% (variance of gains unexplained)", title_justify="left")
    table.add_column("family")
    for share in sizes:
        table.add_column(f"{share} of the rows", justify="right")
    table.add_column("APGR", justify="right")
    for family in FAMILIES:
        cells = [f"{found[family]['mean cost']:.3f} ({found[family]['unexplained']:.3f})" for found in sizes.values()]
        table.add_row(family, *cells, f"{list(sizes.values())[-1][family]['APGR']:.3f}")
    console.print(table)
    console.print(", ".join(f"{key} {value:.3f}" for key, value in bound.items()) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=os.environ.get("TIERWISE_TABLES"), help="folder of the tables")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if arguments.tables is None:
        parser.error("name the folder of the outcome tables with --tables or TIERWISE_TABLES")
    results = {}
    for name, case in CASES.items():
        if arguments.only in name:
            rows = read_case(Path(arguments.tables), case)
            sizes = {str(share): at_size(rows, share) for share in SHARES}
            results[name] = {"sizes": sizes, "noise": noise(rows)}
            show(Console(width=120), name, sizes, results[name]["noise"])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
