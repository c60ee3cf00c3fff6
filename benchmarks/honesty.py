"""Does the promise hold where rows are not what one would wish? Two real tables, spoiled in several ways.

    python benchmarks/honesty.py --tables DIR [--only missing] [--runs 200] [--rows 1400] [--json FILE]

Each run draws rows of a table, spoils them, and learns and certifies a rule as `train-router` does (linear learner).
The truth is what the certified rule loses on the table's other rows, where every score is known. The ways:

- missing: the cheap tier's scores are missing on one kind of request (the task it does worst, or the longest third),
  or of seven in ten of its failures, in turn;
- by chance: one score in ten of each tier is missing at random, for comparison;
- repeated: prompts that were asked often, 20 to 50% of the traffic, one prompt, twenty or forty, whose answers by the
  cheap tier are wrong more often than others;
- clusters: requests belong to 50 or 200 topics (in the group column), and all answers of the cheap tier to a topic
  fail with a probability near the loss allowed; tomorrow's topics are others;
- seeds: twenty seeds on the same rows, and the certified router that saves most is kept; with the ledger, and without.

Printed: how often a certificate (2%, 95%) was given, and how often it was wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from certificate import World, _along, _path, make_world
from joblib import Parallel, delayed
from numpy.typing import NDArray
from quality import CASES, Rows, read_case
from rich.console import Console
from rich.table import Table

from classifier.catalog import Tier
from classifier.request import make_request
from training.certify.certify import certify_ladder
from training.certify.ledger import share_of
from training.certify.rule import Target
from training.learners.linear import LinearLearner
from training.pipeline import LearnedRule, learn_rule
from training.prepare.adequacy import Adequacy, pick_reference
from training.prepare.data import RoutingData
from training.prepare.missing import find_missing
from training.tables import OutcomeTable

TABLES = ("claude_tiers, haiku sonnet", "routellm_mmlu")
TARGET = Target(0.02, 0.95)
CHEAP = 0
SEEDS = 20

_Float = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """What came of one run: whether anything was certified, what it saves there, and what it loses in truth."""

    certified: bool
    saving: float
    loss: float

    @property
    def wrong(self) -> bool:
        """A certificate was given, and more is lost."""
        return self.certified and self.loss > TARGET.loss


@dataclass(frozen=True)
class Spoiled:
    """Rows to learn from, and the truth.

    Attributes
    ----------
    rows : (n,) rows of the table, in any number of copies.
    scores : (n, t) what the table says of them, NaN where it does not.
    groups : (n,) what belongs together.
    tomorrow : (m,) rows of the table that tomorrow's requests are like. truth : (m, t) their scores.
    """

    rows: NDArray[np.int64]
    scores: _Float
    groups: NDArray[np.int64]
    tomorrow: NDArray[np.int64]
    truth: _Float


@dataclass(frozen=True)
class Draw:
    """A table, rows of it to learn from, others, and what chance and the run's number decide."""

    table: Rows
    own: NDArray[np.int64]
    others: NDArray[np.int64]
    random: np.random.Generator
    run: int


Way = Callable[[Draw], Spoiled]


def missing(draw: Draw) -> Spoiled:
    """Scores of the cheap tier are missing of one kind of request, or of its failures."""
    table, own, others, random = draw.table, draw.own, draw.others, draw.random
    scores = table.quality[own].copy()
    failures = (scores[:, CHEAP] < 0.5) & (random.random(len(own)) < 0.7)
    gone = failures if draw.run % 2 else _worst_kind(table)[own]
    scores[gone, CHEAP] = np.nan
    return Spoiled(own, scores, table.groups[own], others, table.quality[others])


def by_chance(draw: Draw) -> Spoiled:
    """One score in ten is missing at random."""
    table, own, others, random = draw.table, draw.own, draw.others, draw.random
    scores = np.where(random.random((len(own), table.quality.shape[1])) < 0.1, np.nan, table.quality[own])
    return Spoiled(own, scores, table.groups[own], others, table.quality[others])


def repeated(draw: Draw) -> Spoiled:
    """Some prompts are much of the traffic; the cheap tier fails at them with a probability of their own."""
    table, own, others, random = draw.table, draw.own, draw.others, draw.random
    share, prompts = ((0.3, 1), (0.5, 1), (0.3, 20), (0.2, 40))[draw.run % 4]
    popular = random.choice(own, prompts, replace=False)
    fails = random.beta(1, 12, prompts)

    def mixed(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], _Float]:
        often = random.random(len(rows)) < share
        which = random.integers(prompts, size=len(rows))
        asked = np.where(often, popular[which], rows)
        scores = table.quality[asked].copy()
        scores[often] = 1.0
        scores[often, CHEAP] = random.random(int(often.sum())) >= fails[which[often]]
        return asked, scores

    asked, scores = mixed(own)
    tomorrow, truth = mixed(random.choice(others, 4 * len(others)))
    return Spoiled(asked, scores, table.groups[asked], tomorrow, truth)


def clusters(draw: Draw) -> Spoiled:
    """Topics, at which the cheap tier fails or not, as a whole."""
    table, own, others, random = draw.table, draw.own, draw.others, draw.random
    topics, fails = ((50, 0.04), (200, 0.03))[draw.run % 2]
    topic = random.integers(topics, size=len(own))
    bad = random.random(topics) < fails
    scores, truth = table.quality[own].copy(), table.quality[others].copy()
    scores[bad[topic], CHEAP] = 0.0
    truth[:, CHEAP] *= 1 - fails
    return Spoiled(own, scores, topic, others, truth)


WAYS: Mapping[str, Way] = {"missing": missing, "by chance": by_chance, "repeated": repeated, "clusters": clusters}


def certify_spoiled(table: Rows, way: Way, size: int, run: int) -> Run:
    """One run."""
    random = np.random.default_rng([run, size])
    drawn = random.permutation(len(table.prompts))
    spoiled = way(Draw(table, drawn[:size], drawn[size : size + 4_000], random, run))
    data = _data(table, spoiled.rows, spoiled.scores, spoiled.groups)
    learned = learn_rule(data, {"linear": LinearLearner()}, TARGET, seed=run)
    if not learned.rule.certified:
        return Run(False, 0.0, 0.0)
    chosen = _route(learned, table, spoiled.tomorrow)
    rows, reference = np.arange(len(chosen)), data.reference
    reached, base = spoiled.truth[rows, chosen].mean(), spoiled.truth[:, reference].mean()
    spent = table.costs[spoiled.tomorrow, chosen].mean() / table.costs[spoiled.tomorrow, reference].mean()
    return Run(True, float(1 - spent), float(1 - reached / base))


def _route(learned: LearnedRule, table: Rows, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the certified rule picks for rows that are not in its data."""
    distinct, places = np.unique(rows, return_inverse=True)
    data = _data(table, distinct, table.quality[distinct], table.groups[distinct])
    support = learned.scorer.support
    if support is not None:
        support = replace(support, unsupported=support.judge(data.matrix, len(data.names)))
    scorer = replace(learned.scorer, data=replace(data, reference=learned.scorer.data.reference), support=support)
    every = np.arange(len(distinct))
    expected = scorer.view(every, scorer.predict(every))
    return learned.rule.choose(expected, data.matrix.tasks)[places]


def _data(table: Rows, rows: NDArray[np.int64], scores: _Float, groups: NDArray[np.int64]) -> RoutingData:
    """Rows of a table as training prepares them; every call of a tier costs its mean, which leaves out a regression."""
    matrix = table.matrix.rows(rows)
    texts = [table.prompts[row] for row in rows]
    costs = np.tile(table.costs.mean(axis=0), (len(rows), 1))
    names = tuple(f"tier {place}" for place in range(scores.shape[1]))
    gaps = find_missing(matrix, scores, groups, texts)
    comparable = scores.copy()
    for gap in gaps:
        if not gap.by_chance:
            comparable[:, gap.tier] = np.nan_to_num(scores[:, gap.tier])
    reference = pick_reference(comparable, names, None)
    nothing: list[str | None] = [None] * len(rows)
    unknown = np.full(len(rows), np.nan)
    outcomes = OutcomeTable(
        [make_request(text) for text in texts], names, scores, costs, np.full(scores.shape, np.nan), None,
        nothing, unknown, nothing, [], [], [],
    )  # fmt: skip
    return RoutingData(
        table=outcomes,
        tiers=tuple(Tier(name, name, 1.0, 1.0) for name in names),
        spelt=names,
        matrix=matrix,
        scores=scores,
        quality=scores,
        adequate=(scores >= scores[:, [reference]]).astype(np.float64) + np.where(np.isnan(scores), np.nan, 0.0),
        costs=costs,
        cost_sources=("",) * len(names),
        cost_known=True,
        reference=reference,
        groups=groups,
        adequacy=Adequacy(),
        missing=gaps,
    )


def _worst_kind(table: Rows) -> NDArray[np.bool_]:
    """Rows of the task that the cheap tier does worst, or the longest third where there is one task."""
    tasks = np.array([str(task) for task in table.tasks])
    names = np.unique(tasks)
    if 1 < len(names) <= 10:
        means = [table.quality[tasks == name, CHEAP].mean() for name in names]
        return np.asarray(tasks == names[int(np.argmin(means))])
    sizes = np.array([len(prompt) for prompt in table.prompts])
    return np.asarray(sizes > np.quantile(sizes, 2 / 3))


def best_of_seeds(world: World, size: int, run: int, *, ledger: bool) -> Run:
    """One user who tries many seeds and keeps the certified router that saves most."""
    count = len(world.rows)
    random = np.random.default_rng([run, size, SEEDS])
    data = random.choice(count, size, replace=False)
    others = np.setdiff1d(np.arange(count), data)
    best = Run(False, 0.0, 0.0)
    for number in range(1, SEEDS + 1):
        dealt = random.permutation(data)
        fit, choose = dealt[: size // 2], dealt[size // 2 : size * 4 // 5]
        path = _path(world, fit)
        reference, reached, savings = _along(path, world, choose)
        level = 1 - (1 - TARGET.confidence) * (share_of(number) if ledger else 1.0)
        (rung,) = certify_ladder(reference, reached, targets=(TARGET.loss,), confidence=level, bounds=False)
        if rung.rule is not None and savings[rung.rule] > best.saving:
            base, truly, _ = _along(path[[rung.rule]], world, others)
            best = Run(True, float(savings[rung.rule]), float(1 - truly[:, 0].mean() / base.mean()))
    return best


def simulate(folder: Path, only: str, runs: int, size: int, jobs: int = -1) -> Iterator[tuple[str, str, list[Run]]]:
    """Table, way and runs, one after another."""
    for name in TABLES:
        table = read_case(folder, CASES[name])
        rows = min(size, len(table.prompts) // 2)
        for way, spoil in WAYS.items():
            if only in way:
                yield (
                    name,
                    way,
                    list(
                        Parallel(n_jobs=jobs)(delayed(certify_spoiled)(table, spoil, rows, run) for run in range(runs))
                    ),
                )
        world = make_world(table, 9_000) if only in "seeds" else None
        for ledger in (True, False) if world is not None else ():
            way = f"{SEEDS} seeds" + (", the ledger kept" if ledger else ", no ledger")
            tries = (delayed(best_of_seeds)(world, rows, run, ledger=ledger) for run in range(runs))
            yield name, way, list(Parallel(n_jobs=jobs)(tries))


def summary(runs: list[Run]) -> dict[str, Any]:
    """Of some runs: how many certified, and how many wrongly."""
    given = [run for run in runs if run.certified]
    return {
        "runs": len(runs),
        "certified": len(given),
        "wrong": sum(run.wrong for run in runs),
        "mean saving": float(np.mean([run.saving for run in runs])),
        "mean loss": float(np.mean([run.loss for run in given])) if given else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the real tables")
    parser.add_argument("--only", default="", help="only ways whose name holds this")
    parser.add_argument("--runs", type=int, default=200, help="runs of each table and way (default: 200)")
    parser.add_argument("--rows", type=int, default=1_400, help="rows that a run learns from (default: 1,400)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    shown = Table(title=f"promise: at most {TARGET.loss:.0%} lost, {TARGET.confidence:.0%} confidence")
    for column in ("table", "rows are spoiled by", "runs", "certified", "wrong", "mean saving"):
        shown.add_column(column, justify="left" if column in ("table", "rows are spoiled by") else "right")
    found: dict[str, dict[str, Any]] = {}
    for name, way, runs in simulate(arguments.tables, arguments.only, arguments.runs, arguments.rows):
        one = found.setdefault(name, {})[way] = summary(runs)
        shown.add_row(
            name, way, *(str(one[key]) for key in ("runs", "certified", "wrong")), f"{one['mean saving']:.1%}"
        )
        console.print(f"{name}, {way}: {one['wrong']} of {one['runs']} certificates wrong")
    console.print(shown)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
