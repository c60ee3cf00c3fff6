"""Writes figures into the marked places of README and docs/, or says where they differ.

    scripts/docs                                       write every marked place
    scripts/docs --check                               change nothing; exit code 1 where a place differs
    scripts/docs --measure drift [--tables DIR]        run what prints docs/figures/drift.json, and keep what it prints

Three kinds of marked places end with ``<!-- end -->``:

    <!-- figure: NAME -->      the figures of docs/figures/NAME.json, as a benchmark printed them
    <!-- curve -->             the headline figures of docs/figures/curve.json; its picture is docs/cost-quality.svg
    <!-- output: COMMAND -->   a command and what it prints, run in an empty folder beside ``data``

What commands print is compared with its numbers left out: their last digits depend on the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from picture import draw, headline
from printed import as_json, as_markdown, console, read_output

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"
PICTURE = ROOT / "docs" / "cost-quality.svg"
PLACE = re.compile(r"(<!-- (figure|curve|output)(?:: (.+?))? -->\n)(.*?)(<!-- end -->)", re.DOTALL)
OURS = {
    "tierwise": [sys.executable, "-m", "tierwise"],
    "train-router": [sys.executable, "-m", "tierwise", "train"],
}
NUMBER = re.compile(r"\d[\d,.]*")


def pages() -> list[Path]:
    """Every page that users read."""
    return [ROOT / "README.md", ROOT / "models" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def curve() -> dict[str, object]:
    """The figures of the picture."""
    return dict(json.loads((FIGURES / "curve.json").read_text(encoding="utf-8")))


def run(command: str, after: str | None = None) -> list[str]:
    """What a command of this checkout prints in a folder of its own, where another has run before it."""
    here = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1", "TIERWISE_ARTIFACT": ""}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").symlink_to(ROOT / "data")
        for each in filter(None, (after, command)):
            first, *rest = shlex.split(each)
            words, environment = [*OURS.get(first, [first]), *rest], {**os.environ, **here}
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{each}: exit code {done.returncode}\n{done.stderr}")
    return [line.rstrip() for line in done.stdout.strip("\n").splitlines()]


def content(kind: str, name: str | None) -> str:
    """What belongs in a marked place."""
    if kind == "curve":
        return headline(curve())
    if kind == "output":
        return console(str(name), run(str(name)))
    return as_markdown(json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8")))


def written(page: str) -> str:
    """The page with every marked place filled."""
    return PLACE.sub(lambda place: f"{place[1]}{content(place[2], place[3])}\n{place[5]}", page)


def differences() -> Iterator[str]:
    """One line for each marked place, or picture, that does not say what it should."""
    for path in pages():
        for place in PLACE.finditer(path.read_text(encoding="utf-8")):
            expected = f"{content(place[2], place[3])}\n"
            same = _shape(expected) == _shape(place[4]) if place[2] == "output" else expected == place[4]
            if not same:
                yield f"{path.relative_to(ROOT)}: {place[1].strip()} differs from what belongs there: run scripts/docs"
    if PICTURE.read_text(encoding="utf-8") != draw(curve()):
        yield f"{PICTURE.relative_to(ROOT)} differs from docs/figures/curve.json: run scripts/docs"


def write() -> None:
    """Fill every marked place, and draw the picture."""
    PICTURE.write_text(draw(curve()), encoding="utf-8")
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = written(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


def measure(name: str, tables: Path | None) -> None:
    """Run the command of a file of figures, and keep what it prints."""
    path = FIGURES / f"{name}.json"
    figures = json.loads(path.read_text(encoding="utf-8"))
    command = str(figures["command"])
    if "DIR" in command and tables is None:
        raise SystemExit(f"{command}: name the folder of the outcome tables with --tables")
    if "console" in figures:
        figures["console"] = run(command, figures.get("after"))
    else:
        words = [str(tables) if word == "DIR" else word for word in shlex.split(command)]
        done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        figures = as_json(command, read_output(done.stdout))
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; say what differs")
    parser.add_argument("--measure", metavar="NAME", help="run the command of docs/figures/NAME.json first")
    parser.add_argument("--tables", type=Path, help="folder of the outcome tables")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.tables)
    if arguments.check:
        found = list(differences())
        raise SystemExit("\n".join(found) if found else 0)
    write()


def _shape(block: str) -> list[str]:
    """The words of a console block: no numbers, whatever its spaces and rules."""
    return re.sub(r"[─━┃│┏┓┡┩└┘┬┴┳╇┗┛+]", " ", NUMBER.sub("#", block)).split()


if __name__ == "__main__":
    main()
