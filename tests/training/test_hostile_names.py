"""Every command, with names and texts that a terminal or rich would obey: they are shown, and nothing is obeyed."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from classifier.outcomes import OutcomeStore
from tests.helpers.outcomes import START, attempt, decision
from tests.helpers.routers import Trained
from tests.helpers.tables import outcome_rows, write_csv

ROOT = Path(__file__).parents[2]
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
ESCAPE = "\x1b]0;pwned\x07\x1b[31m\x9b2J\u202e"
MARKUP = ("[/]", "[bold red]x", "[link=http://evil]y", ":bomb:")
HOSTILE = f"{ESCAPE}[/nope]=1+1"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in an empty folder: its exit code and all that it printed, nothing of which is obeyed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    for name in ("TIERWISE_CONFIG", "TIERWISE_ARTIFACT", "TIERWISE_OUTCOMES", "TIERWISE_MODELS"):
        monkeypatch.delenv(name, raising=False)

    def finish(command: str, *arguments: object) -> tuple[int, str]:
        module, _, entry = SCRIPTS.get(command, "classifier.__main__:main").partition(":")
        monkeypatch.setattr(sys, "argv", [command, *map(str, arguments)])
        try:
            code = getattr(import_module(module), entry)()
        except SystemExit as stopped:
            code = stopped.code
        printed = "".join(capsys.readouterr())
        assert not OBEYED.search(printed), (command, arguments, OBEYED.findall(printed), printed[:500])
        return int(code or 0), printed

    return finish


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outcome table with markup for tiers, and for tasks, columns, prompts and a file name what a terminal obeys."""
    names = dict(zip(("haiku", "sonnet", "opus"), ("[/]", "[bold red]x", ":bomb:"), strict=True))
    rows = [
        {
            **{re.sub("haiku|sonnet|opus", lambda tier: names[tier[0]], key): value for key, value in row.items()},
            "prompt": f"{row['prompt']} {HOSTILE}",
            "task": HOSTILE if number % 2 else MARKUP[number % 4],
            "[/]ignored": "",
            HOSTILE: "x",
        }
        for number, row in enumerate(outcome_rows(700))
    ]
    rows[5] = {**rows[5], "score__[/]": HOSTILE}
    return write_csv(tmp_path_factory.mktemp("hostile") / "[bold]t\x1b[31m[red].csv", rows)


def prices() -> list[str]:
    return [part for tier in ("[/]", "[bold red]x", ":bomb:") for part in ("--price", f"{tier}=1,5")]


def test_every_command_is_tried_here() -> None:
    assert set(SCRIPTS) == {"tierwise", "train-router", "evaluate-router", "tierwise-models", "tierwise-outcomes"}


@pytest.mark.slow
def test_a_router_of_hostile_names_is_trained_kept_compared_and_asked(
    run: Run, table: Path, tmp_path: Path, linear: Trained
) -> None:
    out = tmp_path / "[bold]\x1b[2J.safetensors"
    quick = ("--fastest", "--tokens", "estimate", "--jobs", 1, "--force")
    files = ("--report", "r[bold].html", "--json", "r.json")
    code, printed = run("train-router", table, "--out", out, *quick, *prices(), *files)
    assert code == 0, printed
    assert all(name in printed for name in ("[/]", "[bold red]x", ":bomb:", r"\x1b[31m", r"\x1b]0;pwned\x07"))
    assert not OBEYED.search(Path("r.json").read_text(encoding="utf-8"))
    page = Path("r[bold].html").read_text(encoding="utf-8")
    assert not OBEYED.search(page.replace("\u202e", ""))  # which an element of its own keeps from turning the page
    code, printed = run("evaluate-router", out, table)
    assert code == 0, printed
    assert "[bold red]x" in printed
    for arguments, shown in (
        (("add", out, "--why", HOSTILE, "--promote"), "In use"),
        (("list",), "[/nope]"),
        (("list", "--json"), "[/nope]"),
        (("show",), "[bold red]x"),
        (("diff", "current", linear.path), "[bold red]x"),
        (("diff", "current", out, "--table", table, "--show-prompts"), "requests"),
        (("prune",), "Nothing"),
        (("judge",), ""),
    ):
        code, printed = run("tierwise-models", *arguments)
        assert "Traceback" not in printed
        assert shown in printed
    code, printed = run("python -m classifier", f"prove {HOSTILE}", "--artifact", out, "--task", HOSTILE)
    assert code == 0
    assert "P([bold red]x is adequate)" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("train-router", f"gone{HOSTILE}.csv"),
        ("train-router", "--price", f"a{HOSTILE}", "x.csv"),
        ("train-router", f"--{HOSTILE}"),
        ("train-router", "x.csv", "--seed", HOSTILE),
        ("evaluate-router", f"gone{HOSTILE}", "x.csv"),
        ("evaluate-router", "a", "b", f"--{HOSTILE}"),
        ("tierwise", HOSTILE),
        ("tierwise", "train", f"gone{HOSTILE}.csv"),
        ("tierwise", "models", "show", HOSTILE),
        ("tierwise", "route", "x", "--strategy", HOSTILE),
        ("tierwise", "route", "x", "--artifact", f"gone{HOSTILE}"),
        ("tierwise-models", HOSTILE),
        ("tierwise-models", "promote", HOSTILE),
        ("tierwise-models", "show", HOSTILE, HOSTILE),
        ("tierwise-models", "list", "--folder", HOSTILE),
        ("tierwise-models", "rollback", "--why", HOSTILE),
        ("tierwise-outcomes", "stats", "--store", f"sqlite:///gone{HOSTILE}.db"),
        ("tierwise-outcomes", "export", f"x.{HOSTILE}"),
        ("tierwise-outcomes", "import", f"gone{HOSTILE}"),
        ("tierwise-outcomes", "prune", "--older-than", HOSTILE),
        ("tierwise-outcomes", "drift", "--since", HOSTILE),
        ("python -m classifier", "hello", "--artifact", f"gone{HOSTILE}"),
        ("python -m classifier", "hello", f"--{HOSTILE}"),
        ("python -m classifier", "hello", HOSTILE),
    ],
)
def test_a_mistake_is_told_without_obeying_it(run: Run, arguments: tuple[str, ...]) -> None:
    code, printed = run(*arguments)
    assert code in (0, 1, 2)
    assert "Traceback" not in printed


def test_a_store_of_hostile_names_is_shown_exported_and_taken_back(run: Run, tmp_path: Path) -> None:
    names = {"tier": MARKUP[0], "error": HOSTILE, "purpose": "answer", "passed": True}
    with OutcomeStore(f"sqlite:///{tmp_path}/o.db") as store:
        for number in range(5):
            attempts = (attempt(0, **names, gates=({"gate": HOSTILE, "passed": True, "score": 1.0},)),)
            fields = {
                "prompt": HOSTILE,
                "task": HOSTILE,
                "chosen": HOSTILE,
                "answered": MARKUP[0],
                "attempts": attempts,
            }
            record = decision(START + timedelta(minutes=number), **fields)
            store.record(record)
            store.record_feedback(record.id, 1.0, tier=MARKUP[1], source=HOSTILE)
        assert store.flush(60)
    url = f"sqlite:///{tmp_path}/o.db"
    code, printed = run("tierwise-outcomes", "stats", "--store", url)
    assert code == 0
    assert "[/]" in printed
    assert r"\x1b]0;pwned\x07" in printed
    for arguments in (
        ("stats", "--json"),
        ("export", "e[bold].csv"),
        ("export", "e.jsonl", "--records"),
        ("drift",),
        ("drift", "--json"),
        ("delete", HOSTILE),
        ("prune", "--older-than", "90d", "--dry-run"),
        ("vacuum",),
    ):
        code, printed = run("tierwise-outcomes", *arguments, "--store", url)
        assert code in (0, 2, 3), printed
        assert "Traceback" not in printed
    Path("bad[bold].jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    assert run("tierwise-outcomes", "import", "bad[bold].jsonl", "--store", url)[0] == 2
    assert run("tierwise-outcomes", "import", "e.jsonl", "--store", "sqlite:///again.db")[0] == 0
