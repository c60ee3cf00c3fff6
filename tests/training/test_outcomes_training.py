"""`train-router --outcomes` on real stores."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from made_command import Command, only_line, run
from made_outcomes import Opener
from made_store import made
from made_tables import outcome_rows, write_csv

from classifier import Router
from classifier.artifact import read_artifact
from training.versions import versions

__all__ = ["run"]


@pytest.fixture
def stored(sqlite_url: str, open_store: Opener) -> str:
    made(900).fill(open_store(sqlite_url))
    return sqlite_url


def test_learns_from_a_store_and_keeps_a_candidate(run: Command, stored: str, tmp_path: Path) -> None:
    result = run("--outcomes", stored, "--half-life", "30d", "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    for words in ("900 rows, outcomes form", "Answers that can be judged", "nothing is certified", "By estimate"):
        assert words in result.stdout, result.stdout
    assert not (tmp_path / "models" / "router.safetensors").exists()
    (version,) = versions(tmp_path / "models")
    artifact = read_artifact(version.path)
    told = artifact.header["training"]["outcomes"]
    assert told["decisions"] == 900
    assert told["half_life_days"] == 30
    assert datetime.fromisoformat(told["learned_until"]).tzinfo is not None
    assert sum(told["labels"].values()) >= 900
    assert Router(artifact).plan.promise is None
    assert json.loads((tmp_path / "figures.json").read_text())["outcomes"] == told


def test_learns_from_a_store_beside_a_table_and_writes_where_asked(run: Command, stored: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", outcome_rows(300, 7))
    result = run("table.csv", "--outcomes", stored, "--out", "both.safetensors", "--report", "report.html")
    assert result.returncode == 0, result.stderr
    artifact = read_artifact(tmp_path / "both.safetensors")
    assert sum(table["rows"] for table in artifact.header["training"]["tables"]) == 1200
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "neither tables nor --outcomes"),
        (("table.csv", "--half-life", "30d"), "--half-life is about outcomes"),
        (("table.csv", "--since", "2026-01-01"), "--since is about outcomes"),
        (("--outcomes", "sqlite:///absent.db"), "absent.db"),
        (("--outcomes", "nonsense"), "store URL"),
        (("--outcomes", "sqlite:///outcomes.db", "--half-life", "soon"), "such as 90d"),
        (("--outcomes", "sqlite:///outcomes.db", "--half-life", "0d"), "above 0"),
        (("--outcomes", "sqlite:///outcomes.db", "--since", "yesterday"), "ISO 8601"),
        (("--outcomes", "sqlite:///outcomes.db", "--since", "2100-01-01"), "no decisions"),
    ],
)
def test_says_in_one_line_what_is_wrong(
    run: Command, stored: str, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    write_csv(tmp_path / "table.csv", outcome_rows(60))
    before = {path.name for path in tmp_path.iterdir()}
    result = run(*(stored if part == "sqlite:///outcomes.db" else part for part in arguments))
    assert result.returncode in (1, 2)
    assert result.returncode == (1 if "absent" in words else 2)
    assert words in only_line(result)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_store_of_another_menu_says_so(run: Command, sqlite_url: str, open_store: Opener, tmp_path: Path) -> None:
    made(100).fill(open_store(sqlite_url))
    (tmp_path / "other.toml").write_text(
        """
[[tiers]]
name = "one"
model = "vendor/one"
input_price = 1.0
output_price = 2.0

[[tiers]]
name = "two"
model = "vendor/two"
input_price = 3.0
output_price = 4.0
"""
    )
    result = run("--outcomes", sqlite_url, "--menu", "other.toml")
    assert result.returncode == 2
    line = only_line(result)
    assert "found none that a tier of the menu (one, two) answered" in line
