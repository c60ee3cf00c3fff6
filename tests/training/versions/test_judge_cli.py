"""tierwise-models judge: what it does, says and writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from classifier import Router
from classifier.artifact import read_artifact
from tests.helpers.challenges import BEGIN, always, fill, log_of, minutes, variant
from tests.helpers.outcomes import Opener
from training.challenge.contest import in_use
from training.commands.models import main
from training.versions import Version, add_version, current, note_of, versions

FOLDER = Path("models")
BEFORE = BEGIN - timedelta(days=1)
LAST_YEAR = datetime.now(UTC) - timedelta(days=365)

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command in this process; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG", "TIERWISE_OUTCOMES", "TIERWISE_MODELS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tierwise-models", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def folder(command: Command, trained: Path, sqlite_url: str, open_store: Opener) -> dict[str, Version]:
    """Always opus in use, the learned one and always haiku as candidates, and 1,200 requests."""
    paths = {
        "opus": always(trained, Path("opus.safetensors"), "opus"),
        "haiku": always(trained, Path("haiku.safetensors"), "haiku"),
        "learned": variant(trained, Path("learned.safetensors")),
    }
    kept = {
        name: add_version(
            FOLDER,
            path,
            note_of(
                read_artifact(path),
                why=name,
                learned_until=BEFORE,
                time=LAST_YEAR + timedelta(hours=number),
            ),
        )
        for number, (name, path) in enumerate(paths.items())
    }
    (FOLDER / "current").write_text(f"versions/{kept['opus'].name}.safetensors\t{LAST_YEAR.isoformat()}\tpromote\t\n")
    router = Router.load(in_use(FOLDER))
    fill(open_store(sqlite_url), log_of(router, 1200))
    return kept


@pytest.mark.slow
def test_judging_promotes_and_says_what_changes(command: Command, folder: dict[str, Version], sqlite_url: str) -> None:
    code, out, err = command("judge", "--store", sqlite_url, "--margin", 0.05, "--report", "challenge.html")
    assert (code, err) == (0, "")
    learned, haiku, opus = (folder[name].name for name in ("learned", "haiku", "opus"))
    assert out.startswith(f"In use: {learned}, instead of {opus}.\n")
    assert f"{learned}: may take over" in out
    assert f"{haiku}: worse" in out
    assert "USD per 1,000 requests" in out
    assert "thing" not in out
    assert current(FOLDER).name == learned
    page = Path("challenge.html").read_text(encoding="utf-8")
    assert "1 of 2 candidates may take over." in page
    assert "thing" not in page
    code, out, _ = command("judge", "--store", sqlite_url)
    assert (code, out) == (0, f"{learned} stays in use: no candidate learned from outcomes is pending.\n")


@pytest.mark.slow
def test_only_judging(command: Command, folder: dict[str, Version], sqlite_url: str) -> None:
    options = ("judge", "--store", sqlite_url, "--margin", 0.05, "--no-promote")
    code, out, _ = command(*options, "--monthly-spend", 6500)
    assert code == 0
    assert out.startswith(
        f"{folder['opus'].name} stays in use: {folder['learned'].name} passed, but was not promoted.\n"
    )
    assert "USD a month" in out
    assert "$6,500" in out
    assert current(FOLDER).name == folder["opus"].name
    listed = {entry["why"]: entry for entry in json.loads(command("list", "--json")[1])}
    assert listed["learned"]["verdict"]["promote"] is True
    assert listed["haiku"]["verdict"]["promote"] is False
    assert listed["haiku"]["learned_until"] == BEFORE.isoformat()
    assert listed["opus"]["verdict"] is None
    people = command("list")[1]
    assert "learned; passed on 1,200 requests" in people
    assert "haiku; not proven on 1,200 requests" in people
    shown = command("show", folder["haiku"].name)[1]
    assert f"against {folder['opus'].name}: not proven on 1,200 requests" in shown
    assert "- not proven at least as good" in shown
    assert "quality at least" in shown


@pytest.mark.slow
def test_nothing_is_promoted_where_a_variable_names_what_is_in_use(
    command: Command, folder: dict[str, Version], sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERWISE_ARTIFACT", "opus.safetensors")
    code, out, _ = command("judge", "--store", sqlite_url, "--margin", 0.05)
    assert code == 0
    assert out.startswith(f"opus.safetensors stays in use: {folder['learned'].name} passed, but was not promoted.\n")
    assert "$TIERWISE_ARTIFACT names the artifact in use, opus.safetensors, so no version is put into its place" in out
    assert current(FOLDER).name == folder["opus"].name
    monkeypatch.setenv("TIERWISE_ARTIFACT", "models/current")
    assert command("judge", "--store", sqlite_url, "--margin", 0.05)[1].startswith(f"In use: {folder['learned'].name}")


@pytest.mark.slow
def test_what_programs_read(command: Command, folder: dict[str, Version], sqlite_url: str) -> None:
    code, out, _ = command("judge", "--store", sqlite_url, "--margin", 0.05, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["champion"] == folder["opus"].name
    assert found["promoted"] == folder["learned"].name
    assert found["pending"] is None
    assert [one["version"] for one in found["judged"]] == [folder["haiku"].name, folder["learned"].name]
    learned = found["judged"][1]
    assert learned["verdict"] == "May take over"
    assert learned["promotion"]["promote"] is True
    assert learned["learned_until"] == BEFORE.isoformat()
    assert sum(move["requests"] for move in learned["moves"]) == learned["promotion"]["differing"]
    assert "thing" not in out


@pytest.mark.slow
def test_prompts_are_shown_only_where_asked(command: Command, folder: dict[str, Version], sqlite_url: str) -> None:
    command("judge", "--store", sqlite_url, "--no-promote", "--report", "challenge.html", "--show-prompts")
    assert "thing" in Path("challenge.html").read_text(encoding="utf-8")
    for note in (FOLDER / "versions").glob("*.json"):
        assert "thing" not in note.read_text(encoding="utf-8")


def test_without_candidates_the_store_is_not_read(command: Command, trained: Path) -> None:
    code, out, err = command("judge", "--store", "sqlite:////nowhere/at/all.db", "--report", "challenge.html")
    assert (code, err) == (0, "")
    assert out == "The rule router stays in use: no candidate learned from outcomes is pending.\n"
    assert "There is no candidate to judge." in Path("challenge.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_nothing_new_since_the_training(
    command: Command, folder: dict[str, Version], trained: Path, sqlite_url: str
) -> None:
    path = variant(trained, Path("late.safetensors"))
    note = note_of(read_artifact(path), why="late", learned_until=minutes(5000))
    add_version(FOLDER, path, note)
    code, out, _ = command("judge", "--store", sqlite_url, "--no-promote")
    assert code == 0
    assert "there are no outcomes since it was trained" in out
    assert next(each for each in versions(FOLDER) if each.note.why == "late").note.verdict.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--margin", "2"), 2, "--margin is 2; expected points of quality from 0 to below 1"),
        (("--confidence", "0.3"), 2, "--confidence is 0.3; expected a share above 0.5"),
        (("--store", "mysql://x/y"), 2, "expected sqlite"),
        (("--store", "sqlite:////nowhere/at/all.db"), 2, "all.db"),
        (("--report", "nowhere/x.html"), 2, "--report nowhere/x.html: there is no folder nowhere"),
    ],
)
def test_failures_are_one_line_and_leave_what_was_in_use(
    command: Command, folder: dict[str, Version], sqlite_url: str, options: tuple[str, ...], code: int, words: str
) -> None:
    found, out, err = command("judge", "--store", sqlite_url, "--no-promote", *options)
    assert (found, out) == (code, "")
    assert len(err.strip().splitlines()) == 1
    assert words in err
    assert current(FOLDER).name == folder["opus"].name


@pytest.mark.slow
def test_candidates_that_cannot_be_read_are_told_of(
    command: Command, folder: dict[str, Version], sqlite_url: str
) -> None:
    for name in ("haiku", "learned"):
        folder[name].path.write_bytes(b"half")
    code, out, _ = command("judge", "--store", sqlite_url)
    assert code == 0
    assert out.startswith(f"{folder['opus'].name} stays in use: no candidate could be judged.\n")
    assert folder["haiku"].name in out


@pytest.mark.slow
def test_a_store_that_is_not_there_yet_is_told_of(command: Command, folder: dict[str, Version]) -> None:
    code, _, err = command("judge", "--store", "sqlite:///none.db")
    assert code == 2
    assert err.endswith("nothing has been recorded there yet)\n")
