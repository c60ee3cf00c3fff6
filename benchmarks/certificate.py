"""Does the certificate keep its word, and what does it cost? Each real table split anew 200 times.

    python benchmarks/certificate.py --tables DIR [--only claude_tiers] [--repeats 200] [--json FILE]

Expectations of all rows are cross-fitted once (linear learner, near-duplicates together), novelty included. Then, each
time: the groups are shuffled; on one half the path of settings is ordered, as `train-router` does it; the other half
is the population, on which every setting's true loss is known; calibration rows, as many as 60% of it, are drawn from
it with replacement, so that they are independent; the ladder of losses is certified on them, all together.

Shown for each loss: how often it was certified, the saving that was certified, the saving of the cheapest setting that
truly keeps it (known in hindsight), and how often a certificate was wrong; then how often any was, which the
promise allows in 5% of the splits.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from quality import CASES, Case, Rows, read_case
from rich.console import Console
from rich.table import Table
from scipy import stats

from classifier.novelty import NOVEL
from training.certify.certify import certify_ladder
from training.certify.rule import RuleView, Target, order_rules, price_weights
from training.learners.calibrate import cross_fit, fit_calibration
from training.learners.fit import calibrated
from training.learners.linear import LinearLearner
from training.learners.novelty import fit_novelty, novelty_scores
from training.measure.evaluate import Outcomes

CALIBRATION_SHARE = 0.6
ALLOWANCE = 0.999


@dataclass(frozen=True)
class ScoredWorld:
    """A table's rows with what a model that did not see them expects."""

    expected: RuleView
    rows: Outcomes


def make_world(rows: Rows, most: int | None = None) -> ScoredWorld:
    """At most ``most`` rows of a table, drawn at random; None: all."""
    random = np.random.default_rng(0)
    kept = np.sort(random.permutation(len(rows.prompts))[:most])
    matrix, quality, costs, groups = rows.matrix.rows(kept), rows.quality[kept], rows.costs[kept], rows.groups[kept]
    reference = int(quality.mean(axis=0).argmax())
    outputs = cross_fit(LinearLearner(), matrix, quality, costs, groups)
    predicted = calibrated(outputs, fit_calibration(outputs, quality, quality, reference), reference)
    weights = LinearLearner().fit(matrix, quality, costs).weights()
    novel = novelty_scores(matrix, fit_novelty(matrix, groups, weights), weights) > NOVEL
    share = predicted.cost / costs[:, reference].mean()
    tasks = tuple(rows.tasks[row] or None for row in kept)
    return ScoredWorld(
        RuleView(predicted.quality, share, novel, reference),
        Outcomes(quality, costs, groups, rows.sizes[kept], tasks, reference),
    )


def simulate(world: ScoredWorld, repeats: int, target: Target | None = None, jobs: int = 1) -> dict[str, Any]:
    """Split, certify and check ``repeats`` times."""
    target = target or Target()
    splits = Parallel(n_jobs=jobs)(delayed(_one_split)(world, target, repeat) for repeat in range(repeats))
    given, saving, best, wrong = (np.stack(column) for column in zip(*splits, strict=True))
    return {
        "rows": len(world.rows),
        "calibration rows": int(CALIBRATION_SHARE * len(world.rows) / 2),
        "targets": list(target.ladder),
        "certified": given.mean(axis=0).tolist(),
        "saving": saving.mean(axis=0).tolist(),
        "best saving": best.mean(axis=0).tolist(),
        "wrong": wrong.sum(axis=0).tolist(),
        "any wrong": int(wrong.any(axis=1).sum()),
        "repeats": repeats,
        "allowed": int(stats.binom.ppf(ALLOWANCE, repeats, 1 - target.confidence)),
    }


def _one_split(world: ScoredWorld, target: Target, seed: int) -> tuple[NDArray[Any], ...]:
    """For each loss: certified or not, the saving certified and the best there was, and whether it was wrong."""
    random = np.random.default_rng(seed)
    groups = world.rows.groups
    half = (random.permutation(int(groups.max()) + 1) % 2 == 0)[groups]
    path = _path(world, np.flatnonzero(half))
    population = np.flatnonzero(~half)
    reference, reached, savings = _along(path, world, population)
    drawn = random.integers(len(population), size=int(CALIBRATION_SHARE * len(population)))
    rungs = certify_ladder(
        reference[drawn],
        reached[drawn],
        targets=target.ladder,
        confidence=target.confidence,
        headline=target.loss,
        bounds=False,
    )
    truth = 1 - reached.mean(axis=0) / reference.mean()
    best = [max(0.0, float(savings[truth <= loss].max(initial=0.0))) for loss in target.ladder]
    given = np.array([rung.rule is not None for rung in rungs])
    saving = np.array([0.0 if rung.rule is None else savings[rung.rule] for rung in rungs])
    wrong = np.array([rung.rule is not None and truth[rung.rule] > rung.target for rung in rungs])
    return given, saving, np.array(best), wrong


def _path(world: ScoredWorld, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    expected = _some(world.expected, rows)
    return order_rules(price_weights(expected.cost), expected, world.rows.part(rows))


def _along(
    path: NDArray[np.float64], world: ScoredWorld, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the reference (n,) and of every setting (n, k) on some rows, and the settings' savings (k,)."""
    expected, part = _some(world.expected, rows), world.rows.part(rows)
    chosen = np.stack([expected.choose(weight, bonus) for weight, bonus in path], axis=1)
    spent = np.take_along_axis(part.costs, chosen, axis=1).mean(axis=0)
    reached = np.take_along_axis(part.quality, chosen, axis=1)
    return part.quality[:, part.reference], reached, 1 - spent / part.costs[:, part.reference].mean()


def _some(expected: RuleView, rows: NDArray[np.int64]) -> RuleView:
    return RuleView(expected.quality[rows], expected.cost[rows], expected.novel[rows], expected.reference)


def show(console: Console, name: str, found: dict[str, Any]) -> None:
    title = f"{name}: {found['rows']:,} rows, {found['calibration rows']:,} for certifying, {found['repeats']} splits"
    table = Table(title=title, title_justify="left")
    for column in ("quality lost, at most", "certified", "saving", "best in hindsight", "given up", "wrong"):
        table.add_column(column, justify="right")
    for place, loss in enumerate(found["targets"]):
        saving, best = found["saving"][place], found["best saving"][place]
        table.add_row(
            f"{loss:.1%}",
            f"{found['certified'][place]:.0%}",
            f"{saving:.1%}",
            f"{best:.1%}",
            f"{best - saving:.1%}",
            str(found["wrong"][place]),
        )
    console.print(table)
    console.print(f"any certificate wrong: {found['any wrong']} of {found['repeats']} (allowed {found['allowed']})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the real tables")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    parser.add_argument("--repeats", type=int, default=200, help="splits of each table (default: 200)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    cases: dict[str, Case] = {name: case for name, case in CASES.items() if arguments.only in name}
    results = {}
    for name, case in cases.items():
        results[name] = simulate(make_world(read_case(arguments.tables, case)), arguments.repeats, jobs=-1)
        show(console, name, results[name])
    wrong, repeats = (sum(found[key] for found in results.values()) for key in ("any wrong", "repeats"))
    console.print(f"over all tables: {wrong} of {repeats:,} splits with a wrong certificate ({wrong / repeats:.1%})")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
