"""Figures in the pages are what commands wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pages
import pytest
from printed import PrintedTable, as_json, as_markdown, read_output
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A README with one figure, and the picture."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "README.md").touch()
    shutil.copytree(ROOT / "docs" / "figures", tmp_path / "docs" / "figures")
    (tmp_path / "README.md").write_text("<!-- figure: overhead -->\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "FIGURES", tmp_path / "docs" / "figures")
    monkeypatch.setattr(pages, "PICTURE", tmp_path / "docs" / "cost-quality.svg")
    pages.write()
    return tmp_path


def test_what_was_written_does_not_differ(site):
    assert list(pages.differences()) == []
    assert "0.27 ms" in (site / "README.md").read_text(encoding="utf-8")


def test_a_figure_that_was_changed_in_the_page_differs(site):
    page = site / "README.md"
    page.write_text(page.read_text(encoding="utf-8").replace("0.27", "0.17"), encoding="utf-8")
    (found,) = pages.differences()
    assert found.startswith("README.md: <!-- figure: overhead --> differs")


def test_a_picture_of_other_figures_differs(site):
    path = site / "docs" / "figures" / "curve.json"
    figures = json.loads(path.read_text(encoding="utf-8"))
    figures["curves"]["tierwise"][3][0] += 0.1
    path.write_text(json.dumps(figures), encoding="utf-8")
    (found,) = pages.differences()
    assert found.startswith("docs/cost-quality.svg differs")


@pytest.mark.parametrize(
    ("printed", "same"), [("cost  0.41", True), ("cost 12", True), ("price 0.4", False)], ids=lambda value: str(value)
)
def test_output_differs_by_its_words_not_by_its_numbers(site, printed, same):
    block = f"```console\n$ echo cost 0.4\n{printed}\n```"
    (site / "README.md").write_text(f"<!-- output: echo cost 0.4 -->\n{block}\n<!-- end -->\n", encoding="utf-8")
    assert (list(pages.differences()) == []) == same


def test_a_printed_table_is_read_with_its_title_and_written_as_markdown():
    shown = Table("router", title="mmlu", title_justify="left")
    shown.add_column("cost", justify="right")
    shown.add_row("oracle", "0.1")
    shown.add_row("learned", "0.4")
    output = StringIO()
    console = Console(file=output, width=80)
    console.print(shown)
    console.print("mean 0.25")
    printed = read_output(output.getvalue())
    assert printed == [PrintedTable("mmlu", ["router", "cost"], [["oracle", "0.1"], ["learned", "0.4"]]), "mean 0.25"]
    assert as_markdown(as_json("python bench.py", printed)).splitlines() == [
        "**mmlu**",
        "",
        "| router | cost |",
        "|---|---:|",
        "| oracle | 0.1 |",
        "| learned | 0.4 |",
        "",
        "mean 0.25",
        "",
        "<sub>`python bench.py`</sub>",
    ]


def test_every_file_of_figures_is_shown_in_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in pages.pages())
    names = {path.stem for path in (ROOT / "docs" / "figures").glob("*.json")} - {"curve"}
    assert {name for name in names if f"<!-- figure: {name} -->" not in text} == set()
    assert "<!-- curve -->" in text


@pytest.mark.slow
def test_the_pages_say_what_their_figures_say():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "pages.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
