"""How soon drift is seen, and how often it is seen where there is none.

    python benchmarks/drift.py [--runs 40]

Logs of a cascade over three tiers, two tasks and a gate that passes 95% of the adequate answers and 30% of the others,
with 1% audits (`drift_world`). In each, something changes in one step after 2,000 requests, or nothing does.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from drift_world import changing_log
from joblib import Parallel, delayed
from rich.console import Console
from rich.table import Table

from training.commands.show_training import progress_bars
from training.drift.monitor import BASELINE, monitor

AT, AFTER, QUIET = 2_000, 2_500, 4_000
CHANGES: dict[str, dict[str, Any]] = {
    "mix of two tasks, 50/50 to 80/20": {"later_mix": (0.8, 0.2)},
    "a tier's calls cost 1.2 times as much (a third of the requests come to it)": {"dearer": 1.2, "tier": 1},
    "a tier gives 25 in 100 adequate answers fewer (61% of the requests begin there)": {"drop": 0.25},
    "20 in 100 fewer": {"drop": 0.20},
    "15 in 100 fewer": {"drop": 0.15},
    "another tier gives 25 in 100 fewer (a third of the requests come to it)": {"drop": 0.25, "tier": 1},
    "another tier gives 15 in 100 fewer": {"drop": 0.15, "tier": 1},
}


def delay(change: dict[str, Any], seed: int) -> float:
    """Requests from the change to the first alarm after it; infinite where there is none, NaN where one came before."""
    found = monitor(changing_log(AT + AFTER, seed, at=AT, **change)).alarm
    if found is None:
        return np.inf
    return found - AT + 1.0 if found >= AT else np.nan


def false_alarm(seed: int) -> bool:
    """Whether there is an alarm where nothing changes."""
    return monitor(changing_log(BASELINE + QUIET, seed)).alarm is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40, help="of each change, and of logs without one (%(default)s)")
    runs = parser.parse_args().runs
    console = Console(width=None if Console().is_terminal else 160)
    table = Table(title="Requests from a change to the alarm", title_justify="left")
    for name in ("change", "half within", "nine of ten within", "seen within 1,000"):
        table.add_column(name, justify="left" if name == "change" else "right")
    with progress_bars(console) as progress:
        for name, change in CHANGES.items():
            found = np.array(_all(delayed(delay)(change, seed) for seed in range(runs)))
            known = np.sort(found[~np.isnan(found)])
            cells = [known[int(np.ceil(share * len(known))) - 1] for share in (0.5, 0.9)]
            shown = ["-" if np.isinf(cell) else f"{cell:,.0f}" for cell in cells]
            table.add_row(name, *shown, f"{(known <= 1_000).mean():.0%}")
            progress("changes", list(CHANGES).index(name) + 1, len(CHANGES))
        quiet = sum(_all(delayed(false_alarm)(1_000 + seed) for seed in range(runs)))
    console.print(table)
    console.print(f"{quiet} alarms in {runs} logs of {QUIET:,} watched requests ({runs * QUIET:,}) without a change")


_all = Parallel(n_jobs=-1)


if __name__ == "__main__":
    main()
