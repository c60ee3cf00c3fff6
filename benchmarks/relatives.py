"""Two tiers of one model at two efforts: does what is known of one help to learn the other?

    python benchmarks/relatives.py --tables DIR [--seeds 2] [--json FILE]

The tiers are made from a published table. The low effort is a model of it as it is. The high effort is right where the
low one is, but for 3%, and where that is wrong, with a probability that rises with the share of the table's other
models that are right: what a longer thought solves is not what is out of reach. The low effort is observed on all rows,
the high one on some, as when a tier is new.

- apart: each tier is learned from its own rows.
- relatives: rows where the high effort was not observed get what the rows with both say of it, as training does
  (`training.learners.relatives`).

Shown is what is lost on rows that neither saw, in log loss of P(high is right) above that of learning from all rows,
and how many rows learning apart needs to lose as little.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality import CASES, Case, Rows, read_case
from rich.console import Console
from rich.table import Table

from training.learners.fit import FitRows, fit_model
from training.learners.presets import Effort, learners_for
from training.learners.relatives import fill_by_relatives

TABLES = {
    "zeroeval": Case(
        "zeroeval.parquet", ("gpt-4o-mini", "claude-3-haiku", "gpt-4o", "claude-3-5-sonnet", "claude-3-opus")
    ),
    "open_weights": CASES["open_weights, 9b 8b 51b"],
}
COUNTS = (50, 100, 200, 400, 800)
_TEST = 0.3
_FORGETS, _LEAST, _SOLVES = 0.03, 0.03, 0.6
_LEAST_PROBABILITY = 0.01
LOW, HIGH = 0, 1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """Log loss above that of all rows, by how many rows the high effort was observed on."""

    table: str
    rows: int
    apart: float
    relatives: float
    needed: float | None


def efforts(scores: Floats, random: np.random.Generator) -> Floats:
    """(n, 2) scores, 0 or 1, of one model at two efforts, from those of a table's models, the first of which it is."""
    low = (scores[:, 0] > 0.5).astype(float)
    solved = random.random(len(low)) < _LEAST + _SOLVES * np.nanmean(scores[:, 1:], axis=1)
    kept = random.random(len(low)) >= _FORGETS
    return np.stack([low, np.where(low == 1, kept, solved)], axis=1)


def expected(rows: Rows, quality: Floats, fit: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(m,) of the high effort on the test rows, and (n, 2) of the rows for fitting, by models that did not see them."""
    data = FitRows(rows.matrix.rows(fit), np.ones((len(fit), 2)) * [0.001, 0.004], rows.groups[fit], HIGH)
    model, crossed = fit_model(learners_for(Effort.FASTEST), data, quality[fit], quality[fit])
    return model.predict(rows.matrix.rows(test)).quality[:, HIGH], crossed.quality


def log_loss(probability: Floats, truth: Floats) -> float:
    inside = np.clip(probability, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return float(-np.mean(truth * np.log(inside) + (1 - truth) * np.log(1 - inside)))


def measure(rows: Rows, seed: int) -> dict[int, tuple[float, float]]:
    """By rows with the high effort, the losses of learning apart and as relatives, above learning from all rows."""
    random = np.random.default_rng(seed)
    truth = efforts(rows.quality, random)
    order = random.permutation(len(truth))
    test, fit = np.split(order, [round(_TEST * len(order))])
    best = log_loss(expected(rows, truth, fit, test)[0], truth[test, HIGH])
    found: dict[int, tuple[float, float]] = {}
    for count in COUNTS:
        quality = truth.copy()
        quality[fit[count:], HIGH] = np.nan
        alone, crossed = expected(rows, quality, fit, test)
        quality[fit] = fill_by_relatives(quality[fit], crossed, [(HIGH, LOW)])
        shared, _ = expected(rows, quality, fit, test)
        found[count] = (log_loss(alone, truth[test, HIGH]) - best, log_loss(shared, truth[test, HIGH]) - best)
    return found


def needed(apart: Floats, loss: float) -> float | None:
    """Rows at which learning apart loses that little, on a line between the logarithms; None: more than were tried."""
    falling = np.minimum.accumulate(apart)
    if loss < falling[-1]:
        return None
    return float(np.exp(np.interp(-loss, -falling, np.log(COUNTS))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=os.environ.get("TIERWISE_TABLES"), help="folder of the tables")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.tables is None:
        parser.error("name the folder of the outcome tables with --tables or TIERWISE_TABLES")
    losses = []
    for name, case in TABLES.items():
        rows = read_case(Path(arguments.tables), case)
        runs = [measure(rows, seed) for seed in range(arguments.seeds)]
        means = np.array([[run[count] for count in COUNTS] for run in runs]).mean(axis=0)
        losses += [
            Loss(name, count, *means[place].tolist(), needed(means[:, 0], float(means[place, 1])))
            for place, count in enumerate(COUNTS)
        ]
    show(losses)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(loss) for loss in losses], indent=2) + "\n")


def show(losses: list[Loss]) -> None:
    table = Table("table", title="Log loss of the high effort above that of all rows", title_justify="left")
    for column in ("rows with it", "apart", "relatives", "apart needs"):
        table.add_column(column, justify="right")
    for loss in losses:
        rows = f"more than {COUNTS[-1]}" if loss.needed is None else f"{loss.needed:,.0f}"
        table.add_row(loss.table, f"{loss.rows:,}", f"{loss.apart:.4f}", f"{loss.relatives:.4f}", rows)
    Console().print(table)


if __name__ == "__main__":
    main()
