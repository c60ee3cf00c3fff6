"""What reading a large table takes beside polars reading the same columns: time and peak memory.

    python benchmarks/reading.py [--rows 1000000] [--repeats 3] [--table FILE] [--json FILE]

The table is the sample's, made longer by ``data/make_sample.py`` (600 bytes a row). Both ways run in turn, each time in
a process of its own, which has imported all it needs before the clock starts; of the repeats the median counts.
polars reads the columns with `scan_csv(...).collect(engine="streaming")`, and guesses their types from the first rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MAKER = ROOT / "data" / "make_sample.py"
WAYS = ("polars", "read_tables")
MOST_TIMES = 2.0
MOST_GIB = 1.5
_KIB_IN_GIB = 2**20


def read_once(way: str, path: Path) -> dict[str, Any]:
    """Seconds, peak GiB and rows of one reading in this process."""
    import polars as pl

    from training.tables import read_tables

    begin = time.perf_counter()
    if way == "polars":
        header = pl.scan_csv(path, n_rows=1).collect().columns
        rows = pl.scan_csv(path).select(header).collect(engine="streaming").height
    else:
        rows = len(read_tables([path]).requests)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_IN_GIB
    return {"seconds": seconds, "gib": peak, "rows": rows}


def measured(way: str, path: Path) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--once", way, "--table", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compared(path: Path, repeats: int) -> dict[str, Any]:
    """Medians of both ways, and how many times polars' time ours is."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            runs[way].append(measured(way, path))
    figures = {
        way: {
            "seconds": statistics.median(run["seconds"] for run in each),
            "gib": max(run["gib"] for run in each),
            "rows": each[0]["rows"],
        }
        for way, each in runs.items()
    }
    ratios = [ours["seconds"] / theirs["seconds"] for theirs, ours in zip(*runs.values(), strict=True)]
    return {"megabytes": path.stat().st_size / 1e6, **figures, "times": statistics.median(ratios)}


def show(figures: dict[str, Any]) -> None:
    print(f"{figures['megabytes']:,.0f} MB")
    for way in WAYS:
        found = figures[way]
        print(f"{way:<12} {found['seconds']:6.2f} s  {found['gib']:5.2f} GiB  {found['rows']:>9,} rows")
    print(f"read_tables takes {figures['times']:.2f} times as long as polars (wanted: at most {MOST_TIMES:g})")
    print(f"its peak is {figures['read_tables']['gib']:.2f} GiB (wanted: under {MOST_GIB:g})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--once", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(read_once(arguments.once, arguments.table)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.table or Path(folder, "long.csv")
        if arguments.table is None:
            subprocess.run([sys.executable, str(MAKER), "--rows", str(arguments.rows), "--out", str(path)], check=True)
        figures = compared(path, arguments.repeats)
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
