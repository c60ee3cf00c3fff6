"""What is learned from a cascade's own log, beside what training on every outcome would give.

    python benchmarks/feedback.py --tables DIR [--table NAME] [--rounds 10] [--seeds 3] [--part rounds] [--json FILE]

Rows of a table with every outcome are dealt by seed into traffic (70%) and test rows, near-duplicates together. Traffic
comes in rounds. In the first the length rule says where a route begins; it climbs to the reference where the gate fails
an answer. After each round a router is trained on all that was seen up to then, and begins the next round's routes: 2%
begin elsewhere, 1% of the answers are audited by the reference. Outcomes that the cascade did not see are used in no
arm but "all outcomes".

rounds      saving at 98% of the reference's quality on the test rows, along the router's settings, by true outcomes: of
            the cascade that begins where the router says, which is what runs, and of the router alone; after the last
            round as a share of what all outcomes give, and in points of saving beside them and beside naive, seed by
            seed, with 95% intervals
promotion   how often a challenger takes over: one that is worse by more than the margin, and one that should
estimates   how often 95% intervals hold the truth, and root mean square errors
drift       how soon a change of the requests' lengths, or a drop in the cheapest tier's quality, is seen, and what one
            retraining on 750 requests makes of it

The gate passes 95% of the right and 25% of the wrong answers, at random. In "zeroeval, learned gate" answers and
verdicts are real: the gate was fitted on a quarter of the rows, with all their outcomes, which take no other part; it
passes what it expects to be right as surely as 90% of that quarter's right answers.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from feedback_cases import NAMES, World, read_world
from feedback_drift import drift
from feedback_estimates import accuracy
from feedback_promotion import decisions
from feedback_rounds import ARMS, FULL, NAIVE, run_arm
from joblib import Parallel, delayed
from rich.console import Console
from rich.table import Table
from scipy import stats

from training.commands.show_training import progress_bars
from training.learners.presets import Effort, learners_for
from training.progress import StageProgress

PARTS = ("rounds", "promotion", "estimates", "drift")
PROMOTION_SEEDS, ESTIMATE_RUNS, DRIFT_SEEDS = 100, 300, 10


def rounds(world: World, arguments: argparse.Namespace, progress: StageProgress) -> dict[str, Any]:
    learners = learners_for(Effort(arguments.effort))
    runs = [(arm, seed) for arm in ARMS for seed in range(arguments.seeds)]
    found: dict[str, Any] = {arm: [] for arm in ARMS}
    made = Parallel(n_jobs=arguments.jobs, return_as="generator")(
        delayed(run_arm)(arm, world, learners, rounds=arguments.rounds, seed=seed) for arm, seed in runs
    )
    for number, ((arm, _), run) in enumerate(zip(runs, made, strict=True)):
        found[arm].append([asdict(each) for each in run])
        progress("rounds", number + 1, len(runs))
    return found


def show_rounds(console: Console, world: World, found: dict[str, Any]) -> None:
    for measure, title in (("cascade", "the cascade"), ("saving", "the router alone")):
        _show_savings(console, f"{world.name}, {title}: saving at 98% of the reference's quality", found, measure)


def _show_savings(console: Console, title: str, found: dict[str, Any], measure: str) -> None:
    table = Table(title=title, title_justify="left")
    count = len(found[FULL][0])
    shown = sorted({0, 1, count // 2, count - 1} & set(range(count)))
    table.add_column("learned from")
    for number in shown:
        table.add_column(f"round {number + 1}", justify="right")
    for name in ("of all outcomes'", "points to these", "points to naive", "spent while learning", "quality meanwhile"):
        table.add_column(name, justify="right")
    last = {arm: _last(runs, measure) for arm, runs in found.items()}
    best = last[FULL].mean()
    for arm, runs in found.items():
        curve = np.array([[each[measure] for each in run] for run in runs])
        means = [f"{np.mean([each[part] for run in runs for each in run]):.1%}" for part in ("spent", "kept")]
        table.add_row(
            arm,
            *(f"{curve[:, number].mean():.1%}" for number in shown),
            f"{last[arm].mean() / best:.0%}" if best > 0 else "-",
            *("" if arm == other else _within(100 * (last[arm] - last[other])) for other in (FULL, NAIVE)),
            *(("", "") if arm == FULL else means),
        )
    console.print(table)


def _last(runs: Any, measure: str) -> Any:
    return np.array([run[-1][measure] for run in runs])


def _within(differences: Any) -> str:
    """The mean over seeds with its 95% interval."""
    count, mean = len(differences), differences.mean()
    if count == 1:
        return f"{mean:+.1f} (one run)"
    half = stats.t.ppf(0.975, count - 1) * differences.std(ddof=1) / np.sqrt(count)
    return f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=os.environ.get("TIERWISE_TABLES"), help="folder of the tables")
    parser.add_argument("--table", choices=NAMES, action="append", help="default: all")
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--seeds", type=int, default=3, help="of the rounds; 100 of promotion, 300 of estimates, 10 of drift"
    )
    parser.add_argument("--jobs", type=int, default=-1, help="of the rounds, at the same time (default: one a core)")
    parser.add_argument("--effort", choices=list(Effort), default="fastest", help="default: fastest")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if arguments.tables is None:
        parser.error("name the folder of the outcome tables with --tables or TIERWISE_TABLES")
    if arguments.rounds < 2 or arguments.seeds < 1:
        parser.error(f"found {arguments.rounds} rounds, {arguments.seeds} seeds; expected 2 or more, and 1 or more")
    console = Console(width=None if Console().is_terminal else 200)
    results: dict[str, Any] = {}
    for name in arguments.table or NAMES:
        world = read_world(Path(arguments.tables), name)
        results[name] = {}
        for part in arguments.part or PARTS:
            with progress_bars(console) as progress:
                results[name][part] = run_part(part, world, arguments, progress)
            show(console, part, world, results[name][part])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def run_part(part: str, world: World, arguments: argparse.Namespace, progress: StageProgress) -> dict[str, Any]:
    report = partial(progress, part)
    if part == "rounds":
        return rounds(world, arguments, progress)
    if part == "promotion":
        made = decisions(world, seeds=PROMOTION_SEEDS, rounds=arguments.rounds, report=report)
        return {kind: asdict(each) for kind, each in made.items()}
    if part == "drift":
        return asdict(drift(world, learners_for(Effort(arguments.effort)), seeds=DRIFT_SEEDS, report=report))
    return {name: asdict(each) for name, each in accuracy(world, runs=ESTIMATE_RUNS, report=report).items()}


def show(console: Console, part: str, world: World, found: dict[str, Any]) -> None:
    if part == "rounds":
        show_rounds(console, world, found)
    elif part == "promotion":
        table = Table(title=f"{world.name}: challengers promoted within all rounds", title_justify="left")
        for column in ("answers valued by", "worse by more than the margin", "better or cheaper, and no worse"):
            table.add_column(column, justify="left" if column == "answers valued by" else "right")
        for kind, each in found.items():
            harmful, promoted = f"{each['harmful']} of {each['worse']}", f"{each['promoted']} of {each['better']}"
            table.add_row(kind, harmful, promoted)
        console.print(table)
    elif part == "drift":
        console.print(
            f"{world.name}: seen within 1,000 requests: a change of the mix {found['mix']:.0%}, a drop in quality "
            f"{found['quality']:.0%}; {found['false_alarms']} false alarms in {found['quiet']:,} requests"
        )
        usual, dropped, retrained, informed = (
            f"{quality:.1%} ({cost:.0%})"
            for quality, cost in (found[stage] for stage in ("usual", "dropped", "retrained", "informed"))
        )
        console.print(
            f"share of the reference's quality (and cost) before the drop {usual}, after it {dropped}, retrained "
            f"{retrained}, retrained on every outcome {informed}"
        )
    else:
        table = Table(title=f"{world.name}: value of a policy from a log", title_justify="left")
        for column in ("estimator", "intervals that hold the truth", "root mean square error"):
            table.add_column(column, justify="left" if column == "estimator" else "right")
        for name, each in found.items():
            table.add_row(name, f"{each['coverage']:.1%}", f"{each['error']:.4f}")
        console.print(table)


if __name__ == "__main__":
    main()
