"""What starting costs: importing the runtime, loading an artifact, the memory of both, and a command's --help.

    python benchmarks/startup.py [--artifact FILE] [--runs 7] [--json FILE]

Every figure is the median of fresh interpreters. numpy, which the runtime needs, is shown by itself; the modules that
take most of an import are those of ``python -X importtime``. Memory is the peak resident size, as Linux reports it,
beyond that of a bare interpreter. A command's ``--help`` is compared with ``import typer, rich`` and with the help of a
typer command that has one option and does nothing: all are started in turn, so that what slows one slows the others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from trained import HELP, artifact_of

# What a fresh interpreter runs; it prints seconds and peak memory in MiB.
_SCRIPT = """
import sys, time
start = time.perf_counter()
{imports}
imported = time.perf_counter()
{load}
loaded = time.perf_counter()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(imported - start, loaded - imported, int(status["VmHWM"].split()[0]) / 1024)
"""
_MODULES = 10
_IMPORTS = ("-c", "import typer, rich")
_ONE_OPTION = (
    "-c",
    """
import typer
app = typer.Typer(rich_markup_mode="rich")
@app.command(help="Do nothing.")
def nothing(file: str = typer.Option("", help="A file.")):
    pass
app(["--help"])
""",
)
_HELPS = ("", "train", "evaluate", "models", "models promote", "models judge", "outcomes", "outcomes stats", "route")


def run(imports: str, load: str, runs: int) -> tuple[float, float, float]:
    """Median seconds of importing and of loading, and peak MiB."""
    script = _SCRIPT.format(imports=imports, load=load)
    outputs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(runs)
    ]
    imported, loaded, memory = (statistics.median(map(float, column)) for column in zip(*outputs, strict=True))
    return imported, loaded, memory


def slowest_modules() -> list[tuple[str, float]]:
    """The modules that take most of the import by themselves, in milliseconds."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import classifier"], capture_output=True, text=True, check=True
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()[1:]]
    times = [(name.strip(), int(own) / 1000) for own, _, name in rows]
    return sorted(times, key=lambda row: -row[1])[:_MODULES]


def help_starts(runs: int) -> dict[str, float]:
    """Median seconds of each command's ``--help``, and of what it is compared with."""
    commands = {"import typer, rich": _IMPORTS, "a command of one option": _ONE_OPTION}
    commands |= {" ".join(("tierwise", *part.split())): ("-m", "tierwise", *part.split(), "--help") for part in _HELPS}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, arguments in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in taken.items()}


def show_helps(console: Console, starts: dict[str, float]) -> None:
    """A row a command, with its ratio to both of the others."""
    imports, bare, *commands = starts.items()
    table = Table("--help of", "ms", f"/ {imports[0]}", f"/ {bare[0]}")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, seconds in (imports, bare, *commands):
        table.add_row(name, f"{seconds * 1000:.0f}", f"{seconds / imports[1]:.2f}", f"{seconds / bare[1]:.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", type=Path, help=HELP)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    _, _, bare = run("pass", "pass", arguments.runs)
    numpy, _, numpy_memory = run("import numpy", "pass", arguments.runs)
    imported, _, memory = run("import classifier", "pass", arguments.runs)
    load = f"classifier.Router.load({str(artifact_of(arguments.artifact))!r})"
    _, loaded, loaded_memory = run("import classifier", load, arguments.runs)
    _, first, _ = run("import classifier", f"{load}.predict_model('Translate to French: good morning')", arguments.runs)
    figures = {
        "import classifier, ms": imported * 1000,
        "import classifier, MiB": memory - bare,
        "of which numpy, ms": numpy * 1000,
        "of which numpy, MiB": numpy_memory - bare,
        "load an artifact, ms": loaded * 1000,
        "load an artifact, MiB": loaded_memory - memory,
        "load and first decision, ms": first * 1000,
        "bare interpreter, MiB": bare,
    }
    console = Console()
    table = Table("", "median")
    table.columns[1].justify = "right"
    for name, value in figures.items():
        table.add_row(name, f"{value:,.1f}")
    console.print(table)
    modules = slowest_modules()
    console.print(", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in modules))
    starts = help_starts(arguments.runs)
    show_helps(console, starts)
    if arguments.json:
        found = {"figures": figures, "modules": dict(modules), "help": starts}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
