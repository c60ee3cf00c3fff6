"""What certificates promise and what they cost: tests of kept quality compared where the truth is known.

    python benchmarks/bounds.py [--tables DIR] [--repeats 16] [--target 0.02] [--json FILE]

A population is a finite set of rows, their scores known for every rule; calibration rows are drawn from it with
replacement, so that they are independent and each rule's true loss is exact. Made populations: two tiers that agree
on 60% to 90% of the rows (or are graded in quarters), and a router that guesses the rows' difficulty. With
``--tables``: the real tables of ``quality.py``, plain logistic on TF-IDF fitted on half of the rows, the other half
being the population.

Each test certifies by fixed-sequence testing at 95% confidence. Shown for each: how much of the saving of the cheapest
rule within the target (known in hindsight) is certified, and how often the certified rule truly loses more than the
target: at most 5% is promised.

- exact, betting: `training.certify.bounds`, the two that are shipped: exact where scores are pass/fail, betting where
  graded.
- plug-in betting: bets sized once for all rows (Waudby-Smith and Ramdas, JRSS B 86, 2024, their fixed-time interval).
- empirical Bernstein: Maurer and Pontil, "Empirical Bernstein Bounds and Sample Variance Penalization", COLT 2009.
- Hoeffding-Bentkus: Bates et al., "Distribution-Free, Risk-Controlling Prediction Sets", JACM 68 (2021).
- Student: no guarantee for finite samples; what a test that knew the distribution would about reach.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from quality import CASES, Rows, read_case, tfidf_logistic
from rich.console import Console
from rich.table import Table
from scipy import special, stats

from classifier.policy import choose_many
from training.certify.bounds import betting_p_values, exact_p_value, paired_values
from training.certify.certify import HEADLINE, LADDER, certify_ladder

SIZES = (200, 500, 1000, 3000)
LEVEL = 0.05


@dataclass(frozen=True)
class Population:
    """Scores of the reference (n,) and of the rules (n, m), safest rule first; savings (m,) as shares of cost."""

    reference: NDArray[np.float64]
    router: NDArray[np.float64]
    savings: NDArray[np.float64]

    def losses(self) -> NDArray[np.float64]:
        """(m,) relative to the reference's mean."""
        return 1 - self.router.mean(axis=0) / self.reference.mean()

    def best_saving(self, target: float) -> float:
        """Of the rules within the target."""
        return float(max(self.savings[self.losses() <= target], default=0.0))


def made_population(correlation: float, gap: float, *, graded: bool = False) -> Population:
    """Two tiers whose successes share ``correlation``; rules send the rows that look easiest to the cheap one."""
    random = np.random.default_rng(0)
    shared, own, other, noise = random.normal(size=(4, 20_000))

    def score(luck: NDArray[np.float64], skill: float) -> NDArray[np.float64]:
        margin = skill - math.sqrt(correlation) * shared - math.sqrt(1 - correlation) * luck
        return np.round(4 * special.expit(2 * margin)) / 4 if graded else (margin > 0).astype(np.float64)

    reference, cheap = score(own, 0.85), score(other, 0.85 - gap)
    looks = shared + noise
    shares = np.linspace(0.02, 0.98, 30)
    router = np.where(looks[:, None] < np.quantile(looks, shares), cheap[:, None], reference[:, None])
    return Population(reference, router, 0.95 * shares)


def made_populations() -> dict[str, Population]:
    return {
        "agree on 90%": made_population(0.94, 0.15),
        "agree on 80%": made_population(0.75, 0.4),
        "agree on 60%": made_population(0.2, 0.7),
        "graded in quarters": made_population(0.75, 0.4, graded=True),
    }


def real_population(rows: Rows) -> Population:
    """Rules along the price weight of a router fitted on half of the groups; the rest are the population."""
    random = np.random.default_rng(0)
    fitted = random.permutation(int(rows.groups.max()) + 1)[rows.groups] % 2 == 0
    train, rest = np.flatnonzero(fitted), np.flatnonzero(~fitted)
    quality, cost = tfidf_logistic(rows, train, rest)
    reference = int(rows.quality[train].mean(axis=0).argmax())
    share = cost / cost[:, reference].mean()
    chosen = np.stack([choose_many(quality, share, weight) for weight in (0.0, *np.geomspace(1e-3, 3, 79))], axis=1)
    spent = np.take_along_axis(rows.costs[rest], chosen, axis=1).mean(axis=0) / rows.costs[rest, reference].mean()
    router = np.take_along_axis(rows.quality[rest], chosen, axis=1)
    kept = np.flatnonzero((spent <= 1) & np.append(True, (chosen[:, 1:] != chosen[:, :-1]).any(axis=0)))
    return Population(rows.quality[rest, reference], router[:, kept], 1 - spent[kept])


def plug_in_betting(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    shuffled = np.random.default_rng(0).permutation(values)
    rows = np.arange(1, len(values) + 1)[:, None]
    prior = ((high - low) / 2) ** 2
    means = np.cumsum(shuffled, axis=0) / (rows + 1)
    variances = (prior + np.cumsum((shuffled - means) ** 2, axis=0)) / (rows + 1)
    before = np.vstack([np.full((1, values.shape[1]), prior), variances[:-1]])
    bets = np.minimum(np.sqrt(2 * math.log(1 / LEVEL) / (len(values) * before)), 0.75 / high)
    capital = np.cumsum(np.log1p(-bets * shuffled), axis=0).max(axis=0)
    return np.exp(-np.maximum(capital, 0.0))


def empirical_bernstein(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The level at which the bound on the mean is zero: a quadratic in the root of log(2 / level)."""
    rows = len(values)
    linear = np.sqrt(2 * values.var(axis=0, ddof=1) / rows)
    square = 7 * (high - low) / (3 * (rows - 1))
    root = (np.sqrt(linear**2 + 4 * square * np.maximum(-values.mean(axis=0), 0.0)) - linear) / (2 * square)
    return np.minimum(2 * np.exp(-(root**2)), 1.0)


def hoeffding_bentkus(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    rows = len(values)
    edge = -low / (high - low)
    mean = np.clip((values.mean(axis=0) - low) / (high - low), 0.0, edge)
    divergence = special.rel_entr(mean, edge) + special.rel_entr(1 - mean, 1 - edge)
    bentkus = math.e * stats.binom.cdf(np.ceil(rows * mean - 1e-9), rows, edge)
    return np.minimum(np.minimum(np.exp(-rows * divergence), bentkus), 1.0)


def student(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    error = np.maximum(values.std(axis=0, ddof=1), 1e-12) / math.sqrt(len(values))
    p_values: NDArray[np.float64] = stats.t.cdf(values.mean(axis=0) / error, len(values) - 1)
    return p_values


def betting(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return betting_p_values(values, high, LEVEL)


OTHERS: dict[str, Callable[[NDArray[np.float64], float, float], NDArray[np.float64]]] = {
    "betting": betting,
    "plug-in betting": plug_in_betting,
    "empirical Bernstein": empirical_bernstein,
    "Hoeffding-Bentkus": hoeffding_bentkus,
    "Student (no guarantee)": student,
}
METHODS = ("exact", *OTHERS)


def certified(method: str, reference: NDArray[np.float64], router: NDArray[np.float64], target: float) -> int | None:
    """The cheapest certified rule, by fixed-sequence testing at the full level."""
    if method == "exact":
        p_values = (exact_p_value(reference, rule, target, relative=True) for rule in router.T)
        passed = sum(1 for _ in takewhile(lambda p_value: p_value <= LEVEL, p_values))
    else:
        values = paired_values(reference[:, None], router, target, relative=True)
        passed = int(np.logical_and.accumulate(OTHERS[method](values, -1.0, 1 - target) <= LEVEL).sum())
    return passed - 1 if passed else None


def draws(population: Population, size: int, repeats: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    random = np.random.default_rng(size)
    for _ in range(repeats):
        rows = random.integers(len(population.reference), size=size)
        yield population.reference[rows], population.router[rows]


def compare_methods(population: Population, target: float, repeats: int) -> list[dict[str, Any]]:
    """For each size and method: share of the best saving that is certified, and wrong certificates."""
    losses, best = population.losses(), population.best_saving(target)
    found = []
    for size in SIZES:
        rules = [
            [certified(method, reference, router, target) for method in METHODS]
            for reference, router in draws(population, size, repeats)
        ]
        for method, chosen in zip(METHODS, zip(*rules, strict=True), strict=True):
            given = [rule for rule in chosen if rule is not None]
            found.append(
                {
                    "rows": size,
                    "method": method,
                    "share of best saving": float(population.savings[given].sum() / repeats / best) if best else 0.0,
                    "wrong": int((losses[given] > target).sum()),
                    "draws": repeats,
                }
            )
    return found


LADDERS = {"each alone (not joint)": None, "equal shares": math.nan, "most to the headline": HEADLINE}


def compare_ladders(population: Population, size: int, repeats: int) -> list[dict[str, Any]]:
    """What certifying all targets together costs each of them, by the exact test."""
    losses, found = population.losses(), []
    for name, headline in LADDERS.items():
        savings, wrong = np.zeros(len(LADDER)), 0
        for reference, router in draws(population, size, repeats):
            if headline is None:
                rungs = [certify_ladder(reference, router, targets=(target,))[0] for target in LADDER]
            else:
                rungs = list(certify_ladder(reference, router, targets=LADDER, headline=headline))
            savings += [0.0 if rung.rule is None else population.savings[rung.rule] for rung in rungs]
            wrong += any(rung.rule is not None and losses[rung.rule] > rung.target for rung in rungs)
        best = np.array([population.best_saving(target) for target in LADDER])
        shares = np.divide(savings / repeats, best, out=np.zeros(len(LADDER)), where=best > 0)
        found.append({"ladder": name, "shares": shares.tolist(), "wrong": wrong, "draws": repeats})
    return found


def show_methods(console: Console, results: dict[str, list[dict[str, Any]]], target: float) -> None:
    table = Table(title=f"Share of the best saving certified at a loss of {target:.1%} (and wrong certificates)")
    for column in ("population", "rows", *METHODS):
        table.add_column(column, justify="left" if column == "population" else "right")
    for name, found in results.items():
        for size in SIZES:
            cells = [f"{row['share of best saving']:.0%} ({row['wrong']})" for row in found if row["rows"] == size]
            table.add_row(name if size == SIZES[0] else "", f"{size:,}", *cells)
    console.print(table)
    for method in METHODS:
        rows = [row for found in results.values() for row in found if row["method"] == method]
        wrong, drawn = sum(row["wrong"] for row in rows), sum(row["draws"] for row in rows)
        share = np.mean([row["share of best saving"] for row in rows])
        console.print(
            f"{method}: {share:.1%} of the best saving on average; {wrong} of {drawn:,} certificates wrong "
            f"({wrong / drawn:.1%}; chance explains up to {stats.binom.ppf(0.999, drawn, LEVEL) / drawn:.1%})"
        )


def show_ladders(console: Console, results: dict[str, list[dict[str, Any]]], size: int) -> None:
    table = Table(title=f"Ladder of targets certified together on {size:,} rows: share of the best saving, by target")
    for column in ("population", "shares of the error", *(f"{target:.1%}" for target in LADDER), "any wrong"):
        table.add_column(column, justify="left" if column in ("population", "shares of the error") else "right")
    for name, found in results.items():
        for place, row in enumerate(found):
            shares = [f"{share:.0%}" for share in row["shares"]]
            table.add_row("" if place else name, row["ladder"], *shares, f"{row['wrong']} of {row['draws']}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="folder of the real tables; without it, made populations only")
    parser.add_argument("--repeats", type=int, default=16, help="draws of calibration rows (default: 16)")
    parser.add_argument("--target", type=float, default=HEADLINE, help="relative loss allowed (default: 0.02)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    populations = made_populations()
    if arguments.tables:
        populations |= {name: real_population(read_case(arguments.tables, case)) for name, case in CASES.items()}
    methods = {
        name: compare_methods(population, arguments.target, arguments.repeats)
        for name, population in populations.items()
    }
    show_methods(console, methods, arguments.target)
    size = SIZES[2]
    ladders = {name: compare_ladders(population, size, arguments.repeats) for name, population in populations.items()}
    show_ladders(console, ladders, size)
    if arguments.json:
        figures = {"methods": methods, "ladders": ladders}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
