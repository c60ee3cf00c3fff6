"""`tierwise`: one command, with one spelling of its options, that starts without what work needs."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

from classifier.artifact import read_artifact, write_artifact
from classifier.catalog import STRATEGIES
from classifier.locate import MODELS, MODELS_VARIABLE, find_artifact
from classifier.outcomes.store import DEFAULT_URL
from classifier.router import Router
from training.challenge.contest import in_use
from training.challenge.sequential import PromotionRule
from training.commands import models as models_command
from training.commands import options, outcomes
from training.commands.app import main, tierwise_app
from training.commands.command import prose
from training.drift.monitor import BASELINE, LEVEL
from training.versions import PromotionVerdict, add_version, current, promote, versions
from training.versions.cautions import cautions
from training.versions.store import note_verdict

ROOT = Path(__file__).parents[2]
HEAVY = {"sklearn", "polars", "scipy", "numpy", "joblib", "classifier", "sqlalchemy", "openai"}
PARTS = {
    "models": ["list", "show", "add", "promote", "rollback", "diff", "prune", "judge", "reprice"],
    "outcomes": ["stats", "export", "import", "prune", "vacuum", "delete", "drift"],
    "prices": ["show", "update"],
}
EVERY = [["train"], ["evaluate"], *([part, name] for part, names in PARTS.items() for name in names)]

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command in this process, in an empty folder; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG", options.STORE_VARIABLE, options.MODELS_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tierwise", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


def test_every_part_is_there(command: Command) -> None:
    code, out, _ = command("--help")
    assert code == 0
    assert all(f"│ {name} " in out for name in ("train", "evaluate", "models", "outcomes", "prices", "route"))
    for part, names in PARTS.items():
        code, out, _ = command(part, "--help")
        assert code == 0
        assert [
            line.split()[1]
            for line in out[out.index("Commands ─") :].splitlines()
            if line[2:3].isalpha() and line[0] == "│"
        ] == names


@pytest.mark.slow
def test_help_loads_nothing_that_work_needs() -> None:
    code = f"""
import contextlib, io, sys
sys.argv = ["tierwise"]
from training.commands.app import tierwise_app
for arguments in [[], *{[*EVERY, ["models"], ["outcomes"]]!r}]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        tierwise_app()([*arguments, "--help"], prog_name="tierwise", standalone_mode=False)
    assert "Usage: " + " ".join(["tierwise", *arguments]) in shown.getvalue(), arguments
print(sorted({HEAVY!r} & {{name.partition(".")[0] for name in sys.modules}}))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [[], ["models"], ["outcomes"], *EVERY])
def test_help_is_wrapped_once(command: Command, arguments: list[str]) -> None:
    _, out, _ = command(*arguments, "--help")
    text = out.partition("Example")[0].splitlines()
    for line, follower in pairwise(text):
        if line.strip() and follower.strip():  # a line ends only where the next one's first word finds no room
            assert len(line.rstrip()) + 1 + len(follower.split()[0]) > 79, line


def test_examples_fit_into_80_columns() -> None:
    texts = [tierwise_app().info.help, models_command.app.info.help, outcomes.app.info.help]
    texts += [entry.help for group in (models_command.app, outcomes.app) for entry in group.registered_commands]
    for text in texts:
        lines = [line for line in str(text).splitlines() if line.startswith("  ")]
        assert any(line.startswith("  [cyan]tierwise ") for line in lines)
        assert all(len(re.sub(r"\[/?(cyan)?\]", "", line)) <= 78 for line in lines)


def test_paragraphs_are_joined_and_examples_stay() -> None:
    assert prose("\nOne\ntwo.\n\n  cmd\n  What it does.\n\nThree\n") == "One two.\n\n  cmd\n  What it does.\n\nThree"


def test_what_is_repeated_for_a_quick_start_is_as_the_runtime_has_it() -> None:
    assert (options.MODELS, options.STORE) == (MODELS, DEFAULT_URL)
    assert (options.BASELINE, options.LEVEL, options.STRATEGIES) == (BASELINE, LEVEL, STRATEGIES)
    assert PromotionRule().margin == options.MARGIN
    assert options.MODELS_VARIABLE == MODELS_VARIABLE


def test_an_option_is_spelled_alike_everywhere() -> None:
    older = {"--folder", "--outcomes", "--model"}
    for group in (tierwise_app(), models_command.app, outcomes.app):
        for entry in group.registered_commands:
            assert entry.callback is not None
            hints = get_type_hints(entry.callback, include_extras=True).values()
            given = [part for hint in hints for part in getattr(hint, "__metadata__", ()) if hasattr(part, "metavar")]
            spelled = {word for part in given for word in getattr(part, "param_decls", None) or ()}
            assert not spelled & older
            names = set(inspect.signature(entry.callback).parameters)
            assert not names & {"folder", "model", "as_json"}


def test_errors_name_what_was_typed(command: Command) -> None:
    for arguments, name in (
        (("models", "rollback"), "tierwise models"),
        (("outcomes", "stats"), "tierwise outcomes"),
        (("train", "gone.csv"), "tierwise train"),
        (("evaluate", "gone.safetensors", "gone.csv"), "tierwise evaluate"),
    ):
        code, out, err = command(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith(f"{name}: ")
        assert len(err.splitlines()) == 1
    assert "Usage: tierwise models promote" in command("models", "promote")[2]


def test_misspelt_commands_and_options_are_recognised(command: Command) -> None:
    assert "Did you mean 'promote'?" in command("models", "promot")[2]
    assert "models" in command("model")[2]
    assert "--models" in command("models", "list", "--model")[2]


def test_the_version(command: Command) -> None:
    from classifier import __version__

    assert command("--version") == (0, f"tierwise {__version__}\n", "")


def test_route_is_the_runtimes_own_command(command: Command) -> None:
    code, out, err = command("route", "Prove it.", "--strategy", "task", "--task", "summarization")
    assert (code, err) == (0, "")
    assert "task table" in out
    code, out, err = command("route", "x", "--artifact", "gone.safetensors")
    assert (code, err.partition(":")[0]) == (2, "tierwise route")


@pytest.mark.slow
def test_a_shell_completes_commands_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, completed in (("tierwise mod", {"models"}), ("tierwise models list --mo", {"--models"})):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_TIERWISE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "tierwise"], env=environment, capture_output=True, text=True, check=False
        )
        assert completed <= set(done.stdout.split()), done.stderr


def test_json_goes_to_a_file_or_to_standard_output(command: Command, trained: Path) -> None:
    add_version(Path("models"), trained)
    printed = json.loads(command("models", "list", "--json", "-")[1])
    assert json.loads(command("models", "list", "--json")[1]) == printed
    code, out, _ = command("models", "list", "--json", "list.json")
    assert code == 0
    assert printed[0]["name"] in out
    assert json.loads(Path("list.json").read_text(encoding="utf-8")) == printed
    one, other = Path("a.safetensors"), Path("b.safetensors")
    one.write_bytes(trained.read_bytes())
    other.write_bytes(trained.read_bytes())
    assert json.loads(command("models", "diff", one, other, "--json", "--models", "there")[1])["changes"] == []


def test_the_folder_of_versions_by_option_older_option_and_variable(
    command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("models", "add", trained, "--models", "one", "--promote")[0] == 0
    assert command("models", "add", trained, "--folder=two", "--promote")[0] == 0
    monkeypatch.setenv(options.MODELS_VARIABLE, "three")
    code, out, _ = command("models", "add", trained)
    assert code == 0
    assert out.splitlines()[-1].endswith("--models three")
    assert command("models", "promote", "latest")[0] == 0
    for folder in ("one", "two", "three"):
        (version,) = versions(Path(folder))
        assert version.state == "current"
    assert not Path("models").exists()
    assert find_artifact() == versions(Path("three"))[0].path
    assert Router.load().strategy == "learned"


def changed(trained: Path, path: str, **header: object) -> Path:
    artifact = read_artifact(trained)
    write_artifact(path, {**artifact.header, **header}, artifact.tensors)
    return Path(path)


def other_prices(trained: Path) -> Path:
    menu = read_artifact(trained).header["menu"]
    tiers = [{**tier, "input_price": 7.0} if tier["name"] == "haiku" else tier for tier in menu["tiers"]]
    return changed(trained, "prices.safetensors", menu={**menu, "tiers": tiers})


def test_another_menu_is_promoted_only_where_somebody_agrees(
    command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("models")
    first = promote(folder, add_version(folder, trained))
    second = add_version(folder, other_prices(trained))
    before = first.name
    code, out, err = command("models", "promote", second.name)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"tierwise models: {second.name}: its menu differs from the one in use: haiku; give --yes to promote it all "
        "the same"
    ]
    assert (current(folder) or second).name == before
    code, out, err = command("models", "promote", second.name, "--yes")
    assert (code, err) == (0, "")
    assert out.startswith("Warning: its menu differs from the one in use: haiku.\nIn use: ")
    answers = iter(["n", "y"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", _answering(answers))
    assert command("models", "promote", before)[0] == 1
    assert (current(folder) or first).name == second.name
    assert command("models", "promote", before)[0] == 0
    assert (current(folder) or second).name == before


def other_reference(trained: Path) -> Path:
    header = read_artifact(trained).header
    model = {**header["model"], "reference": header["tiers"].index("haiku")}
    return changed(trained, "reference.safetensors", model=model, rule={**header["rule"], "reference": "haiku"})


def test_what_is_warned_of_before_a_promotion(command: Command, trained: Path) -> None:
    folder, rule = Path("models"), read_artifact(trained).header["rule"]
    promote(folder, add_version(folder, trained))
    always = changed(trained, "always.safetensors", rule={**rule, "strategy": "always", "always": "haiku"})
    other = add_version(folder, always)
    assert cautions(folder, other) == []
    verdict = PromotionVerdict(datetime(2026, 11, 24, tzinfo=UTC), "the old one", promote=False, rows=900)
    note_verdict(folder, other, verdict)
    judged = next(version for version in versions(folder) if version.name == other.name)
    assert cautions(folder, judged) == ["it was judged against the old one and not proven on 900 requests"]
    code, out, err = command("models", "promote", other.name)
    assert (code, out) == (2, "")
    assert "judged against the old one and not proven on 900 requests; give --yes" in err
    assert command("models", "add", "always.safetensors", "--promote")[0] == 2
    assert command("models", "add", "always.safetensors", "--promote", "--yes")[0] == 0
    assert command("models", "promote", other.name)[0] == 0  # what is in use stays so without a question


def test_another_reference_is_warned_of(command: Command, trained: Path) -> None:
    folder = Path("models")
    reference = Router(read_artifact(trained)).rule.reference
    promote(folder, add_version(folder, other_reference(trained)))
    version = add_version(folder, trained)
    assert cautions(folder, version) == [f"its reference is {reference}, that of the version in use is haiku"]


def test_nothing_is_compared_with_what_ships_with_the_package_or_cannot_be_read(
    command: Command, trained: Path
) -> None:
    folder = Path("models")
    version = add_version(folder, other_prices(trained))
    assert cautions(folder, version) == []
    in_use = promote(folder, add_version(folder, trained))
    assert len(cautions(folder, version)) == 1
    in_use.path.write_bytes(b"broken")
    assert cautions(folder, version) == []


def test_the_variable_for_the_artifact_goes_before_the_folder(
    command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("models")
    kept = promote(folder, add_version(folder, trained))
    assert in_use(folder) == find_artifact() == kept.path
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(trained))
    assert in_use(folder) == find_artifact() == trained
    code, out, _ = command("models", "promote", kept.name)
    assert code == 0
    assert f"Warning: $TIERWISE_ARTIFACT names {trained}" in out


def _answering(answers: object) -> Callable[..., bool]:
    def confirm(question: str, *, abort: bool) -> bool:
        assert question == "Promote it all the same?"
        if next(answers) != "y":  # type: ignore[call-overload]
            raise typer.Abort
        return True

    return confirm
