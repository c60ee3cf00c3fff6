"""Every Python, TOML and console block of the pages runs as printed, page by page, from top to bottom."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from classifier import set_shared_router

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# What runs, and what is only shown: no other language may stand in a page, so that no block is left out unseen.
RUNS = {"python", "toml", "console"}
SHOWN = {"", "text", "ini"}

# Commands that cannot run here, by how they begin.
CANNOT_RUN = {
    "python3 -m venv": "installs the package; CI does so in each run",
    ". .venv/bin/activate && scripts/test": "runs the tests, this one included",
    "train-router data/sample.csv": "trains on the whole example table for minutes",
    "scripts/docs": "has a test of its own",
}

# Written by scripts/docs, and checked by it.
MARKED = re.compile(r"<!-- (?:figure|curve|output)\b.*?<!-- end -->", re.DOTALL)


def written_by_hand(path: Path) -> str:
    """The page without its marked places; lines keep their numbers."""
    return MARKED.sub(lambda place: "\n" * place[0].count("\n"), path.read_text(encoding="utf-8"))


def commands_of(block: str) -> list[str]:
    lines = block.splitlines()
    assert all(line.startswith("$ ") for line in lines), f"output belongs in a marked place: {block}"
    return [line.removeprefix("$ ") for line in lines]


def run_console(example: Example) -> None:
    for command in commands_of(example.parsed):
        if not command.startswith(tuple(CANNOT_RUN)):
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def write_file(example: Example) -> None:
    name = re.match(r"# (\S+)\n", example.parsed)
    assert name, "the first line of a TOML block names its file"
    Path(name[1]).write_text(example.parsed, encoding="utf-8")


def read(path: Path) -> Document:
    document = Document(written_by_hand(path), str(path))
    evaluators: dict[str, Callable[[Example], None]] = {"console": run_console, "toml": write_file}
    parsers = [CodeBlockParser(language, evaluator) for language, evaluator in evaluators.items()]
    for parser in (PythonCodeBlockParser(), *parsers):
        for region in parser(document):
            document.add(region)
    return document


@pytest.fixture(autouse=True)
def _own_router():
    yield
    set_shared_router(None)


@pytest.mark.slow
@pytest.mark.parametrize("path", [page for page in PAGES if list(read(page).examples())], ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_as_printed(path, folder):
    if path.name == "retraining.md":
        put_into_use(folder / "models" / "router.safetensors")
    for example in read(path).examples():
        example.evaluate()


@pytest.mark.parametrize("path", PAGES, ids=lambda page: page.name)
def test_no_block_of_a_page_is_left_out_unseen(path):
    fences = re.findall(r"^```(.*)$", written_by_hand(path), re.MULTILINE)
    assert set(fences[::2]) <= RUNS | SHOWN
    assert set(fences[1::2]) <= {""}
    assert len(list(read(path).examples())) == sum(fence in RUNS for fence in fences[::2])


def test_each_command_that_cannot_run_is_in_a_page():
    shown = [line for page in PAGES for line in written_by_hand(page).splitlines() if line.startswith("$ ")]
    for start in CANNOT_RUN:
        assert any(line.removeprefix("$ ").startswith(start) for line in shown), start


def test_a_page_links_to_places_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text(encoding="utf-8")):
            name, anchor = target
            other = page.parent / name if name else page
            assert other.exists(), f"{page.name}: {name}"
            if anchor:
                assert anchor.removeprefix("#") in anchors(other), f"{page.name}: {name}{anchor}"


def test_readme_is_short_and_names_every_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    for page in PAGES[1:]:
        assert f"docs/{page.name}" in text
        assert page.name == "README.md" or f"({page.name})" in index


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def put_into_use(artifact: Path) -> None:
    """Make an artifact the version in use, as a team has one that retrains."""
    for command in (f"tierwise models add {artifact}", "tierwise models promote latest"):
        subprocess.run(command, shell=True, check=True, capture_output=True)
