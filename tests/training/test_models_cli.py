"""The command: what it keeps, shows, compares, and puts into use."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from classifier import Router
from classifier.artifact import read_artifact, write_artifact
from tests.helpers.tables import outcome_rows, write_csv
from training.commands.models import main
from training.versions import current, versions
from training.versions.files import locked

FOLDER = Path("models")
COMMANDS = ["list", "show", "add", "promote", "rollback", "diff", "judge", "prune", "reprice"]


class Command(Protocol):
    def __call__(self, *arguments: object) -> tuple[int, str, str]: ...


@pytest.fixture
def command(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """The command in this process, in a folder with two artifacts; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    Path("learned.safetensors").write_bytes(trained.read_bytes())
    artifact = read_artifact(trained)
    rule = {**artifact.header["rule"], "strategy": "always", "always": "sonnet"}
    write_artifact("always.safetensors", {**artifact.header, "rule": rule}, artifact.tensors)
    capsys.readouterr()

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tierwise-models", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "new.csv", outcome_rows(300, seed=5))


def fill(command: Command) -> None:
    """Learned in use, and always sonnet promoted after it."""
    assert command("add", "learned.safetensors", "--promote", "--why", "the first")[0] == 0
    assert command("add", "always.safetensors", "--promote", "--why", "the second")[0] == 0


def listed(command: Command) -> dict[str, dict[str, Any]]:
    return {entry["why"]: entry for entry in json.loads(command("list", "--json")[1])}


def test_nothing_is_kept_at_first(command: Command) -> None:
    code, out, err = command("list")
    assert (code, err) == (0, "")
    assert "tierwise models add models/router.safetensors" in out
    assert json.loads(command("list", "--json")[1]) == []


def test_keep_promote_and_roll_back(command: Command) -> None:
    code, out, err = command("add", "learned.safetensors", "--why", "the first")
    assert (code, err) == (0, "")
    (version,) = versions(FOLDER)
    assert out == f"Kept as {version.name} (candidate).\nNext: tierwise models promote {version.name}\n"
    code, out, err = command("promote", "latest")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"In use: {version.name}."
    assert out.splitlines()[-1].startswith("Next: restart what routes")
    code, out, _ = command("add", "always.safetensors", "--promote", "--why", "the second")
    assert code == 0
    assert Router.load().strategy == "always"
    assert {why: entry["state"] for why, entry in listed(command).items()} == {
        "the first": "previous",
        "the second": "current",
    }
    second = current(FOLDER)
    code, out, err = command("rollback", "--why", "too [bold]plain")
    said = f"In use: {version.name}, instead of {second.name}.\nNext: tierwise models list\n"
    assert (code, out, err) == (0, said, "")
    assert Router.load().strategy == "learned"
    assert listed(command)["too [bold]plain"]["state"] == "withdrawn"


def test_the_last_outcome_learned_from_is_noted(command: Command) -> None:
    command("add", "learned.safetensors", "--learned-until", "2026-11-24T03:00")
    (entry,) = json.loads(command("list", "--json")[1])
    assert entry["learned_until"] == "2026-11-24T03:00:00+00:00"


def test_the_list_for_people(command: Command) -> None:
    fill(command)
    code, out, err = command("list")
    assert (code, err) == (0, "")
    for why, entry in listed(command).items():
        shares = [f"{entry['figures'][name]:.1%}" for name in ("saving", "kept")]
        cells = [entry["name"], entry["state"], "1,500", *shares, "outcomes.csv", *why.split()]
        assert cells in [line.split() for line in out.splitlines()]


def test_show_says_what_an_artifact_is(command: Command) -> None:
    fill(command)
    code, out, err = command("show")
    assert (code, err) == (0, "")
    for words in ("current: the second", "always sonnet", "$30 in, $150 out per 1M tokens", "from outcomes.csv"):
        assert words in out
    assert "learned" in command("show", "previous")[1]
    assert "learned" in command("show", "learned.safetensors")[1]


@pytest.mark.slow
def test_a_difference_for_people_and_for_programs(command: Command, table: Path) -> None:
    fill(command)
    code, out, err = command("diff", "previous", "current", "--table", table)
    assert (code, err) == (0, "")
    assert "always sonnet" in out
    assert "of 300 requests" in out
    assert "thing" not in out
    found = json.loads(command("diff", "previous", "current", "--table", table, "--json")[1])
    assert {"part": "rule", "name": "strategy", "before": "learned", "after": "always sonnet"} in found["changes"]
    traffic = found["traffic"]
    old, new = Router.load("learned.safetensors"), Router.load("always.safetensors")
    rows = outcome_rows(300, seed=5)
    for move in traffic["moves"]:
        for example in move["examples"]:
            row = rows[example["row"] - 1]
            asked = {"max_tokens": row["max_tokens"], "task": row["task"]}
            assert old.route(row["prompt"], **asked).tier == move["before"]
            assert new.route(row["prompt"], **asked).tier == move["after"] == "sonnet"
            assert set(example) == {"file", "row"}
    assert traffic["moved"] == sum(move["requests"] for move in traffic["moves"]) > 0


def test_prompts_are_shown_only_where_asked(command: Command, table: Path) -> None:
    options = ("diff", "learned.safetensors", "always.safetensors", "--table", table)
    assert "thing" in command(*options, "--show-prompts")[1]
    moves = json.loads(command(*options, "--show-prompts", "--json")[1])["traffic"]["moves"]
    assert all("thing" in example["prompt"] for move in moves for example in move["examples"])


def test_a_sample_is_the_same_each_time(command: Command, table: Path) -> None:
    options = ("diff", "learned.safetensors", "always.safetensors", "--table", table, "--sample", 50, "--json")
    first, second = (json.loads(command(*options)[1])["traffic"] for _ in range(2))
    assert first == second
    assert first["requests"] == 50


def test_several_tables_are_told_apart(command: Command, table: Path) -> None:
    other = write_csv(table.with_name("other.csv"), outcome_rows(50, seed=6))
    code, out, _ = command("diff", "learned.safetensors", "always.safetensors", "--table", table, "--table", other)
    assert code == 0
    assert "of 350 requests" in out
    assert "new.csv 1" in out


def test_what_does_not_differ(command: Command, table: Path) -> None:
    code, out, _ = command("diff", "learned.safetensors", "learned.safetensors", "--table", table)
    assert code == 0
    assert "The same artifact." in out
    assert "0 of 300 requests (0.0%)" in out


def test_pruning(command: Command) -> None:
    fill(command)
    command("rollback")
    name = next(version.name for version in versions(FOLDER) if version.state == "withdrawn")
    assert command("prune", "--keep", 0, "--dry-run")[1] == f"Would remove {name} (withdrawn).\n"
    assert command("prune", "--keep", 0)[1] == f"Removed {name} (withdrawn).\n"
    assert command("prune", "--keep", 0)[1] == "Nothing to remove.\n"


def test_another_folder(command: Command) -> None:
    assert command("add", "learned.safetensors", "--folder", "there", "--promote")[0] == 0
    assert current(Path("there")) is not None
    assert not FOLDER.exists()
    assert command("show", "--folder", "there")[0] == 0
    assert Router.load("there/current").strategy == "learned"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rollback",), "no version was promoted before"),
        (("promote", "latest"), "latest: no such version in models"),
        (("show",), "current: no such version in models"),
        (("show", "gone.safetensors"), "gone.safetensors: no such file"),
        (("add", "gone.safetensors"), "gone.safetensors: no such file"),
        (("add", "empty.safetensors"), "it is empty"),
        (("add", "learned.safetensors", "--learned-until", "soon"), "--learned-until soon: expected an ISO 8601 time"),
        (("diff", "learned.safetensors", "empty.safetensors"), "it is empty"),
        (("diff", "learned.safetensors", "always.safetensors", "--sample", "5"), "found no --table"),
        (("diff", "learned.safetensors", "always.safetensors", "--table", "gone.csv"), "gone.csv"),
    ],
)
def test_bad_input_is_one_line(command: Command, arguments: tuple[str, ...], words: str) -> None:
    Path("empty.safetensors").write_bytes(b"")
    before = sorted(Path().iterdir())
    code, out, err = command(*arguments)
    assert sorted(Path().iterdir()) == before
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("tierwise-models: ")
    assert words in err


def test_pruning_where_nothing_is_kept_makes_no_folder(command: Command) -> None:
    for arguments in (("prune",), ("prune", "--dry-run")):
        code, out, _ = command(*arguments)
        assert (code, out.strip()) == (0, "Nothing to remove.")
    assert not FOLDER.exists()


def test_a_damaged_version_is_not_promoted(command: Command) -> None:
    command("add", "learned.safetensors")
    (version,) = versions(FOLDER)
    version.path.write_bytes(version.path.read_bytes()[:-1])
    code, _, err = command("promote", "latest")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert version.name in err


def test_a_folder_that_another_command_changes_is_told_of(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(command)
    monkeypatch.setattr("training.versions.files._WAIT_SECONDS", 0.0)
    with locked(FOLDER / "versions"):
        code, out, err = command("rollback")
    assert (code, out) == (1, "")
    assert err == "tierwise-models: models/versions: another command is changing it; try again when that has ended\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_example(command: Command, name: str) -> None:
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"tierwise models {name}" in out.split("Example", 1)[1]
