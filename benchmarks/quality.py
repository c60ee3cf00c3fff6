"""Cost at kept quality, on real outcome tables, by one fixed definition.

    python benchmarks/quality.py --tables DIR [--only claude_tiers] [--efforts fastest balanced best] [--json FILE]

Rows are dealt by scikit-learn's KFold(5, shuffle=True, random_state=0); each row is predicted by the model that did not
see its fold; the price weight is swept over the pooled predictions; a figure at a target is the least cost on that
curve whose quality is at least the target. Cost and quality are shares of always using the table's strongest (last)
tier. The headline is the mean over the targets 0.90, 0.91 ... 0.99. Intervals are 95% bootstrap intervals over redrawn
rows. ECE is the expected calibration error of the pooled predictions (ten bins of equally many rows), the mean over the
tiers; in brackets, what perfect predictions would show on as many rows.

Beside the learned router: the length rule with thresholds tuned in hindsight, a random mix of tiers, plain logistic
regression on TF-IDF (word 1-2-grams, sublinear, task one-hot, C=1), and the oracle that knows every outcome.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder

from classifier.keywords import load_keywords
from training.learners.calibrate import calibration_error, chance_error
from training.learners.fit import FitRows, fit_model
from training.learners.matrix import FeatureMatrix, build_matrix
from training.learners.presets import Effort, learners_for
from training.measure.curves import Curve, performance_gap_recovered, sweep
from training.measure.evaluate import mix_quality
from training.prepare.duplicates import near_duplicates
from training.prepare.split import group_rows
from training.tables import OutcomeTable, read_tables

DRAWS = 200


@dataclass(frozen=True)
class Case:
    """A table, the tiers of it that are routed between (cheapest first), and prices where it has no costs."""

    file: str
    tiers: tuple[str, ...]
    prices: tuple[float, ...] | None = None


CASES = {
    "claude_tiers, haiku sonnet": Case("claude_tiers.csv", ("haiku", "sonnet")),
    "claude_tiers, haiku sonnet opus": Case("claude_tiers.csv", ("haiku", "sonnet", "opus")),
    "zeroeval, gpt-4o-mini gpt-4o": Case("zeroeval.parquet", ("gpt-4o-mini", "gpt-4o")),
    "routellm_gsm8k": Case("routellm_gsm8k.csv", ("mixtral-8x7b", "gpt-4-1106"), (0.6, 20.0)),
    "open_weights, 9b 8b 51b": Case(
        "open_weights.parquet",
        ("gemma-2-9b-it", "llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
        (0.1, 0.2, 0.9),
    ),
    "routellm_mmlu": Case("routellm_mmlu.csv", ("mixtral-8x7b", "gpt-4-1106"), (0.6, 20.0)),
}


@dataclass(frozen=True)
class Rows:
    """A case, read: prompts and tasks, quality and costs (n, t), features."""

    prompts: list[str]
    tasks: list[str]
    quality: NDArray[np.float64]
    costs: NDArray[np.float64]
    matrix: FeatureMatrix
    sizes: NDArray[np.int64]
    groups: NDArray[np.int64]


def read_case(folder: Path, case: Case) -> Rows:
    table: OutcomeTable = read_tables([folder / case.file])
    columns = [table.tiers.index(tier) for tier in case.tiers]
    quality = table.scores[:, columns]
    costs = np.tile(case.prices, (len(quality), 1)) if case.prices else table.costs[:, columns]
    texts = [request.text for request in table.requests]
    matrix = build_matrix(table.requests, load_keywords(), "estimate")
    return Rows(
        prompts=texts,
        tasks=[request.task or "" for request in table.requests],
        quality=quality,
        costs=costs,
        matrix=matrix,
        sizes=np.array([len(text) for text in texts]),
        groups=group_rows(texts, [None] * len(texts), near_duplicates(matrix.terms)),
    )


def learned(effort: Effort) -> Any:
    def fit_and_predict(rows: Rows, train: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[Any, Any]:
        quality = rows.quality[train]
        # The whole of training: the learners compete on folds of the training rows, near-duplicates kept together.
        model, _ = fit_model(
            learners_for(effort),
            FitRows(rows.matrix.rows(train), rows.costs[train], rows.groups[train], quality.shape[1] - 1),
            quality,
            quality,
            jobs=-1,
        )
        predicted = model.predict(rows.matrix.rows(test))
        return predicted.quality, predicted.cost

    return fit_and_predict


def tfidf_logistic(rows: Rows, train: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[Any, Any]:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    tasks = OneHotEncoder(handle_unknown="ignore")
    labels = np.array(rows.tasks)[:, None]
    seen = sparse.hstack(
        [words.fit_transform([rows.prompts[row] for row in train]), tasks.fit_transform(labels[train])], format="csr"
    )
    new = sparse.hstack(
        [words.transform([rows.prompts[row] for row in test]), tasks.transform(labels[test])], format="csr"
    )
    predicted = [
        LogisticRegression(C=1.0, max_iter=300).fit(seen, column > 0.5).predict_proba(new)[:, 1]
        for column in rows.quality[train].T
    ]
    return np.stack(predicted, axis=1), np.tile(rows.costs[train].mean(axis=0), (len(test), 1))


LEARNERS = {"logistic": tfidf_logistic} | {effort.value: learned(effort) for effort in Effort}


def out_of_fold(rows: Rows, learner: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted, expected_cost = np.empty_like(rows.quality), np.empty_like(rows.costs)
    for train, test in KFold(5, shuffle=True, random_state=0).split(rows.prompts):
        predicted[test], expected_cost[test] = learner(rows, train, test)
    return predicted, expected_cost


def hindsight_length(rows: Rows) -> Curve:
    """Every pair of thresholds between sizes that occur, tuned on the very rows it is judged by."""
    order = np.argsort(rows.sizes, kind="stable")
    marks = np.unique(np.linspace(0, len(order), 300).astype(int))
    quality = np.vstack([np.zeros(rows.quality.shape[1]), np.cumsum(rows.quality[order], axis=0)])[marks]
    costs = np.vstack([np.zeros(rows.costs.shape[1]), np.cumsum(rows.costs[order], axis=0)])[marks]
    middle = rows.quality.shape[1] // 2
    one, two = np.triu_indices(len(marks))

    def total(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return sums[one, 0] + sums[two, middle] - sums[one, middle] + sums[-1, -1] - sums[two, -1]

    return Curve(total(costs) / costs[-1, -1], total(quality) / quality[-1, -1])


def random_mix(rows: Rows) -> Curve:
    cost, quality = rows.costs.mean(axis=0), rows.quality.mean(axis=0)
    budgets = np.linspace(cost.min(), cost.max(), 2000)
    reached = np.array([mix_quality(cost, quality, budget) for budget in budgets])
    return Curve(budgets / cost[-1], reached / quality[-1])


def figures(curve: Curve) -> dict[str, float]:
    return {"mean": curve.mean_cost(), "95%": curve.cost_at(0.95), "98%": curve.cost_at(0.98)}


def bootstrap(rows: Rows, predicted: NDArray[np.float64], expected_cost: NDArray[np.float64]) -> tuple[float, float]:
    """95% interval of the mean cost, the fitted predictions held fixed."""
    random = np.random.default_rng(0)
    means = []
    for _ in range(DRAWS):
        drawn = random.integers(len(rows.quality), size=len(rows.quality))
        curve = sweep(predicted[drawn], expected_cost[drawn], rows.quality[drawn], rows.costs[drawn], -1)
        means.append(curve.mean_cost())
    low, high = np.nanquantile(means, [0.025, 0.975])
    return float(low), float(high)


def mean_over_tiers(measure: Any, predicted: NDArray[np.float64], quality: NDArray[np.float64]) -> float:
    return float(np.mean([measure(*columns) for columns in zip(predicted.T, quality.T, strict=True)]))


def run_case(rows: Rows, learners: list[str], *, intervals: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "length (hindsight)": figures(hindsight_length(rows)),
        "random mix": figures(random_mix(rows)),
        "oracle": figures(sweep(rows.quality, rows.costs, rows.quality, rows.costs, -1)),
    }
    for name in learners:
        start = time.perf_counter()
        predicted, expected_cost = out_of_fold(rows, LEARNERS[name])
        curve = sweep(predicted, expected_cost, rows.quality, rows.costs, -1)
        found[name] = {
            **figures(curve),
            "APGR": performance_gap_recovered(predicted, rows.quality),
            "ECE": mean_over_tiers(calibration_error, predicted, rows.quality),
            "ECE by chance": mean_over_tiers(chance_error, predicted, rows.quality),
            "seconds": time.perf_counter() - start,
        }
        if intervals:
            found[name]["interval"] = bootstrap(rows, predicted, expected_cost)
    for name in learners[1:]:
        found[name]["relative to logistic"] = found[name]["mean"] / found["logistic"]["mean"]
    return found


def show(console: Console, name: str, count: int, found: dict[str, Any]) -> None:
    table = Table(title=f"{name} ({count:,} rows)", title_justify="left")
    for column in ("router", "mean cost at 90-99%", "at 95%", "at 98%", "APGR", "ECE", "seconds"):
        table.add_column(column, justify="left" if column == "router" else "right")
    for router, row in found.items():
        mean = f"{row['mean']:.3f}"
        if "interval" in row:
            mean += f" [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]"
        table.add_row(
            router,
            mean,
            f"{row['95%']:.3f}",
            f"{row['98%']:.3f}",
            f"{row['APGR']:.3f}" if "APGR" in row else "",
            f"{row['ECE']:.3f} ({row['ECE by chance']:.3f})" if "ECE" in row else "",
            f"{row['seconds']:.1f}" if "seconds" in row else "",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=os.environ.get("TIERWISE_TABLES"), help="folder of the tables")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    parser.add_argument("--efforts", nargs="+", choices=list(Effort), default=["balanced"], help="default: balanced")
    parser.add_argument("--no-intervals", action="store_true", help="leave the bootstrap out")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if arguments.tables is None:
        parser.error("name the folder of the outcome tables with --tables or TIERWISE_TABLES")
    console = Console()
    results = {}
    for name, case in CASES.items():
        if arguments.only in name:
            rows = read_case(Path(arguments.tables), case)
            results[name] = run_case(rows, ["logistic", *arguments.efforts], intervals=not arguments.no_intervals)
            show(console, name, len(rows.prompts), results[name])
    for effort in arguments.efforts:
        ratios = [found[effort]["relative to logistic"] for found in results.values()]
        console.print(
            f"{effort}: mean cost relative to logistic {np.mean(ratios):.3f} over the tables, worst {max(ratios):.3f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
