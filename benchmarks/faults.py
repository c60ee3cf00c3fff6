"""What callers of a cascade see of upstreams that do everything wrong.

    python benchmarks/faults.py [--runs 1000] [--deadline 2] [--artifact FILE] [--json FILE]

Every fault of `tests/helpers/faulty_upstream.py`, synchronous and asynchronous, plain and streamed, at the first tier
alone and at every tier, over and over until the number of runs is reached; four at a time. Then the faults of size once
more, one at a time, for what each adds to the process's memory. Five figures have to hold:

- answerable but unanswered: the other tiers would have answered, and the caller got an error before anything was said;
- the largest overrun: seconds from the deadline, or from the longest gap of a stream, to what the caller got;
- undocumented exceptions: neither the client's own nor this package's;
- the largest memory growth of one run;
- requests that followed a redirect to another port.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import multiprocessing
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from trained import HELP, artifact_of

from classifier import Router

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.helpers.faulty_runs import Case, cases, run_all
from tests.helpers.faulty_upstream import FAULTS, LARGE, FaultyUpstream


def memory_growth(url: str, router: Router, case: Case, deadline: float) -> float:
    """MiB that one run adds to the most that the process has held; Linux only, 0 elsewhere."""
    refs = Path("/proc/self/clear_refs")
    if not refs.exists():
        return 0.0
    refs.write_text("5")
    before = _peak()
    run_all(url, router, [case], deadline, 1)
    return _peak() - before


def _peak() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def serve(address: Connection) -> None:
    """Run the upstream until the other end says something; then tell how many requests went where a redirect led."""
    with FaultyUpstream() as upstream:
        address.send(upstream.base_url)
        address.poll(None)
        address.send(len(upstream.strayed))


def measure(url: str, router: Router, runs: int, deadline: float) -> dict[str, Any]:
    """The figures, and the runs behind those that do not hold."""
    every = list(cases())
    outcomes = run_all(url, router, itertools.islice(itertools.cycle(every), runs), deadline)
    large = [case for case in every if case.fault in LARGE and case.everywhere]
    grown = {json.dumps(asdict(case)): memory_growth(url, router, case, deadline) for case in large}
    return {
        "runs": len(outcomes),
        "faults": len(FAULTS),
        "answerable but unanswered": sum(each.unanswered for each in outcomes),
        "largest overrun, s": round(max(each.late for each in outcomes), 3),
        "undocumented exceptions": sum(not each.documented for each in outcomes),
        "largest memory growth of a run, MiB": round(max(grown.values()), 1),
        "largest growth by": max(grown, key=grown.__getitem__),
        "bad": [asdict(each) for each in outcomes if each.unanswered or not each.documented or each.late > 0.5][:20],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--deadline", type=float, default=2.0, help="seconds of each request")
    parser.add_argument("--artifact", type=Path, help=HELP)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    router = Router.load(artifact_of(arguments.artifact))
    here, there = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(there,), daemon=True).start()
    figures = measure(here.recv(), router, arguments.runs, arguments.deadline)
    here.send("done")
    figures["sent elsewhere"] = here.recv()
    table = Table(title="A cascade over upstreams that do everything wrong")
    table.add_column("")
    table.add_column("", justify="right")
    for name, figure in figures.items():
        table.add_row(name, str(figure)) if name != "bad" else None
    console = Console()
    console.print(table)
    for each in figures["bad"]:
        console.print(each)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
