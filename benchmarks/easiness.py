"""How much easier, or harder, requests are than their features tell, for all tiers alike, on real outcome tables.

    python benchmarks/easiness.py --tables DIR

Rows of each table are predicted by models that did not see them. What a row's outcomes have in common beyond that is
easiness; its spread, in log-odds per standard deviation, is fitted with hardly any prior. Of a log it cannot be told
well: training on one expects about `training.feedback.completion.SPREAD`.
"""

from __future__ import annotations

import argparse
import os
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality import CASES, Case, read_case
from rich.console import Console
from rich.table import Table

from classifier.model import logit
from training.commands.show_training import progress_bars
from training.feedback.completion import SPREAD, fit_easiness
from training.learners.fit import FitRows, fit_model
from training.learners.presets import Effort, learners_for
from training.prepare.adequacy import pick_reference

CASES_BY_TABLE = {
    **{name: case for name, case in CASES.items() if not name.startswith(("claude_tiers, haiku sonnet", "zeroeval"))},
    "claude_tiers": CASES["claude_tiers, haiku sonnet opus"],
    "zeroeval": Case(
        "zeroeval.parquet", ("gpt-4o-mini", "claude-3-haiku", "gpt-4o", "claude-3-5-sonnet", "claude-3-opus")
    ),
}
_NO_PRIOR = 100.0
_LEAST = 0.01


def spread(quality: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Of easiness, by outcomes (n, t), and what was expected of them by models that did not see the rows."""
    outcomes = np.stack([1.0 - quality, quality], axis=-1)
    logits = logit(np.clip(expected, _LEAST, 1.0 - _LEAST))
    return fit_easiness(outcomes, logits, np.ones(len(quality)), deviation=_NO_PRIOR).spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=os.environ.get("TIERWISE_TABLES"), help="folder of the tables")
    arguments = parser.parse_args()
    if arguments.tables is None:
        parser.error("name the folder of the outcome tables with --tables or TIERWISE_TABLES")
    console = Console()
    table = Table("table", title=f"Spread of easiness (training on logs expects {SPREAD})", title_justify="left")
    for column in ("tiers", "rows", "all tiers", "pairs of tiers"):
        table.add_column(column, justify="right")
    with progress_bars(console) as progress:
        for number, (name, case) in enumerate(CASES_BY_TABLE.items()):
            rows = read_case(Path(arguments.tables), case)
            reference = pick_reference(rows.quality, case.tiers, None)
            _, found = fit_model(
                learners_for(Effort.FASTEST),
                FitRows(rows.matrix, rows.costs, rows.groups, reference),
                rows.quality,
                rows.quality,
            )
            tiers = len(case.tiers)
            pairs = [
                spread(rows.quality[:, list(pair)], found.quality[:, list(pair)])
                for pair in combinations(range(tiers), 2)
            ]
            table.add_row(
                name,
                str(tiers),
                f"{len(rows.quality):,}",
                f"{spread(rows.quality, found.quality):.2f}",
                f"{min(pairs):.2f} to {max(pairs):.2f}" if len(pairs) > 1 else "",
            )
            progress("tables", number + 1, len(CASES_BY_TABLE))
    console.print(table)


if __name__ == "__main__":
    main()
