"""`train-router --outcomes` on real stores."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

import training
from classifier import Router
from classifier.artifact import read_artifact
from classifier.locate import MODELS
from tests.helpers.challenges import always, fill, log_of
from tests.helpers.commands import Command, only_line, run
from tests.helpers.outcomes import Opener, wait_for
from tests.helpers.tables import outcome_rows, write_csv
from tests.helpers.traffic import made
from training.challenge.contest import newest
from training.versions import add_version, current, promote, versions

__all__ = ["run"]


@pytest.fixture
def stored(sqlite_url: str, open_store: Opener) -> str:
    made(900).fill(open_store(sqlite_url))
    return sqlite_url


@pytest.mark.slow
def test_learns_from_a_store_and_keeps_a_candidate(run: Command, stored: str, tmp_path: Path) -> None:
    result = run("--outcomes", stored, "--half-life", "30d", "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    for words in ("900 rows, outcomes form", "Answers that can be judged", "nothing is certified", "By estimate"):
        assert words in result.stdout, result.stdout
    assert not (tmp_path / "models" / "router.safetensors").exists()
    (version,) = versions(tmp_path / "models")
    assert set(version.note.figures) == {"saving"}
    artifact = read_artifact(version.path)
    told = artifact.header["training"]["outcomes"]
    assert told["decisions"] == 900
    assert told["half_life_days"] == 30
    assert datetime.fromisoformat(told["learned_until"]).tzinfo is not None
    assert sum(told["labels"].values()) >= 900
    assert Router(artifact).plan.promise is None
    assert json.loads((tmp_path / "figures.json").read_text())["outcomes"] == told


@pytest.mark.slow
def test_learns_from_a_store_beside_a_table_and_writes_where_asked(run: Command, stored: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", outcome_rows(300, 7))
    result = run("table.csv", "--outcomes", stored, "--out", "both.safetensors", "--report", "report.html")
    assert result.returncode == 0, result.stderr
    artifact = read_artifact(tmp_path / "both.safetensors")
    assert sum(table["rows"] for table in artifact.header["training"]["tables"]) == 1200
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "neither tables nor --store"),
        (("table.csv", "--half-life", "30d"), "--half-life is about outcomes"),
        (("table.csv", "--since", "2026-01-01"), "--since is about outcomes"),
        (("--outcomes", "sqlite:///absent.db"), "absent.db"),
        (("--outcomes", "nonsense"), "store URL"),
        (("--outcomes", "sqlite:///outcomes.db", "--half-life", "soon"), "such as 90d"),
        (("--outcomes", "sqlite:///outcomes.db", "--half-life", "0d"), "above 0"),
        (("--outcomes", "sqlite:///outcomes.db", "--since", "yesterday"), "ISO 8601"),
        (("--outcomes", "sqlite:///outcomes.db", "--since", "2100-01-01"), "no decisions"),
        (("--outcomes", "sqlite:///outcomes.db", "--keep-estimator", "nowhere/model.joblib"), "no folder nowhere"),
        (("--outcomes", "sqlite:///outcomes.db", "--margin", "2"), "--margin is 2"),
    ],
)
def test_says_in_one_line_what_is_wrong(
    run: Command, stored: str, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    write_csv(tmp_path / "table.csv", outcome_rows(60))
    before = {path.name for path in tmp_path.iterdir()}
    result = run(*(stored if part == "sqlite:///outcomes.db" else part for part in arguments))
    assert result.returncode == 2
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


@pytest.fixture
def in_service(
    trained: Path, sqlite_url: str, open_store: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A store that "always opus", which is in use, has filled, exploring much."""
    monkeypatch.chdir(tmp_path)
    artifact = always(trained, tmp_path / "opus.safetensors", "opus")
    promote(MODELS, add_version(MODELS, artifact))
    fill(open_store(sqlite_url), log_of(Router.load(artifact), 2500, explore=0.6))
    return sqlite_url


@pytest.mark.slow
def test_a_better_router_comes_into_use_and_the_report_says_what_changes(
    run: Command, in_service: str, tmp_path: Path
) -> None:
    watched = Router.watch("models/current", interval=0.05)
    before = watched.artifact.digest
    result = run("--outcomes", in_service, "--margin", "0.15", "--report", "report.html", "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    assert "may take over" in result.stdout
    now = current(MODELS)
    assert now is not None
    assert Router.load("models/current").artifact.digest != before
    wait_for(lambda: watched.artifact.digest != before)
    assert now.note.verdict is not None
    assert now.note.verdict.promote
    told = json.loads((tmp_path / "figures.json").read_text())
    assert told["version"] == told["contest"]["promoted"] == now.name
    assert told["drift"]["drifted"] is False
    page = (tmp_path / "report.html").read_text()
    for text in (page, (tmp_path / "figures.json").read_text()):
        assert not re.search(r"thing\d", text), "a prompt's words"
    for words in ("What changes", "Has the world changed?", "Which requests go elsewhere"):
        assert words in page, words
    moves = {(move["before"], move["after"]) for move in told["contest"]["judged"][0]["moves"]}
    assert ("opus", "haiku") in moves
    # What is in use came from this store: the next candidate is judged against it, by what comes.
    again = run("--outcomes", in_service)
    assert again.returncode == 0, again.stderr
    assert current(MODELS) == now
    watched.close()


@pytest.mark.slow
def test_nothing_comes_into_use_unasked(run: Command, in_service: str, tmp_path: Path) -> None:
    before = current(MODELS)
    result = run("--outcomes", in_service, "--no-promote")
    assert result.returncode == 0, result.stderr
    assert current(MODELS) == before
    candidate = newest(MODELS)
    assert candidate is not None
    assert (MODELS / "candidate").read_text().strip() == f"versions/{candidate.name}.safetensors"
    assert candidate.note.verdict is not None
    # Without a store, what is written is not what is in use, and that is said.
    write_csv(tmp_path / "table.csv", outcome_rows(300, 7))
    assert "models/current says what is in use" in run("table.csv").stdout


def start(url: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "training.commands.train",
        "--outcomes",
        url,
        "--fastest",
        "--tokens",
        "estimate",
        "--jobs",
        "1",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(training.__file__).parents[1]), "COLUMNS": "200"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_leaves_a_router_in_use(in_service: str, tmp_path: Path) -> None:
    """However far it has come: reading, fitting, writing, judging."""
    before = current(MODELS)
    for seconds in (1.0, 2.5, 4.0, 5.5):
        with start(in_service, tmp_path) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        now = current(MODELS)
        assert now is not None
        assert now == before or process.returncode == 0 or now.note.verdict is not None
        assert Router.load("models/current").predict_model("hello", max_tokens=10)
    with start(in_service, tmp_path) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    assert Router.load("models/current").predict_model("hello", max_tokens=10)


@pytest.mark.slow
def test_two_runs_at_once_do_not_clash(in_service: str, tmp_path: Path) -> None:
    runs = [start(in_service, tmp_path) for _ in range(2)]
    for each in runs:
        _, errors = each.communicate(timeout=180)
        # The second may find that another version came into use meanwhile, and say so.
        assert each.returncode == 0 or (each.returncode == 1 and b"is in use by now" in errors), errors.decode()
    assert any(each.returncode == 0 for each in runs)
    assert Router.load("models/current").predict_model("hello", max_tokens=10)
    for version in versions(MODELS):
        Router.load(version.path)
    assert not list(tmp_path.rglob("*.draft"))


def test_a_password_in_the_stores_url_is_shown_nowhere(
    run: Command, postgres_url: str, open_store: Opener, tmp_path: Path
) -> None:
    made(200).fill(open_store(postgres_url))
    url = make_url(postgres_url).set(password="marzipan").render_as_string(hide_password=False)
    result = run("--outcomes", url, "--report", "report.html", "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    shown = [result.stdout, *(path.read_text() for path in tmp_path.rglob("*.*") if path.suffix in (".html", ".json"))]
    assert all("marzipan" not in text for text in shown)
    for version in versions(MODELS):
        assert b"marzipan" not in version.path.read_bytes()
    assert "postgresql://" in (tmp_path / "report.html").read_text()
