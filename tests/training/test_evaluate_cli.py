"""An artifact on new outcomes."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from classifier.router import Router
from tests.helpers.tables import outcome_rows, write_csv
from training.commands.evaluate import main
from training.replay import PromiseCheck, lost_share


class Evaluate(Protocol):
    def __call__(self, *arguments: object) -> tuple[int, str, str]: ...


@pytest.fixture(scope="module")
def new_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("new") / "new.csv", outcome_rows(600, seed=5))


@pytest.fixture
def evaluate(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Evaluate:
    """The command in this process, on the artifact; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)
    capsys.readouterr()

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evaluate-router", str(trained), *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


def read(path: str = "figures.json") -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_figures_are_those_of_routing_row_by_row(evaluate: Evaluate, trained: Path, new_csv: Path) -> None:
    code, out, err = evaluate(new_csv, "--json", "figures.json", "--monthly-spend", 100)
    assert (code, err) == (0, "")
    router = Router.load(trained)
    with new_csv.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    picked = [router.route(row["prompt"], max_tokens=int(row["max_tokens"]), task=row["task"]).tier for row in rows]
    cost = np.mean([float(row[f"cost__{tier}"]) for row, tier in zip(rows, picked, strict=True)])
    quality = np.mean([float(row[f"score__{tier}"]) for row, tier in zip(rows, picked, strict=True)])
    found = {result["name"]: result for result in read()["results"]}
    assert found["this artifact"]["cost"] == pytest.approx(cost)
    assert found["this artifact"]["quality"] == pytest.approx(quality)
    assert set(found) == {
        *("always haiku", "always sonnet", "always opus", "length 500 / 5000", "task table"),
        *("random mix, same cost", "this artifact", "oracle"),
    }
    for words in (f"{found['this artifact']['saving']:.1%}", "Promised: at most 2.00%", "ECE", "oracle", "$/month"):
        assert words in out
    assert {task["task"] for task in read()["tasks"]} == {"chat", "reasoning"}
    assert sum(task["rows"] for task in read()["tasks"]) == 600
    assert "trained on" not in out


def test_a_table_that_it_was_trained_on_is_told(evaluate: Evaluate, outcomes_csv: Path) -> None:
    assert "the artifact was trained on outcomes.csv: these figures flatter it" in evaluate(outcomes_csv)[1]


@pytest.mark.slow
def test_other_settings_may_be_asked_for(evaluate: Evaluate, new_csv: Path) -> None:
    savings = {}
    for options in (
        ("--max-quality-loss", 0),
        ("--max-quality-loss", 0.1),
        ("--budget", 0.3),
        ("--strategy", "length"),
    ):
        assert evaluate(new_csv, *options, "--json", "figures.json")[0] == 0
        result = next(result for result in read()["results"] if result["name"] == "this artifact")
        savings[options] = result["saving"]
    assert savings["--max-quality-loss", 0] == 0
    assert savings["--max-quality-loss", 0.1] > 0.4
    assert savings["--budget", 0.3] == pytest.approx(0.7, abs=0.08)
    assert savings["--strategy", "length"] > 0
    assert read()["promise"]["promised"] is None


def test_a_broken_promise_is_called_broken(evaluate: Evaluate, tmp_path: Path) -> None:
    rows = outcome_rows(600, seed=6)
    for row in rows:
        row["score__haiku"] = row["score__sonnet"] = 0.0
    code, out, _ = evaluate(write_csv(tmp_path / "worse.csv", rows))
    assert code == 0
    assert "the promise is broken" in out


def test_tiers_of_other_names_are_matched_and_their_order_does_not_matter(evaluate: Evaluate, tmp_path: Path) -> None:
    rows = outcome_rows(300, seed=7)
    plain = write_csv(tmp_path / "plain.csv", rows)
    names = {"haiku": "small", "sonnet": "medium", "opus": "large"}
    renamed = [
        {
            key.replace(*next(((old, new) for old, new in names.items() if old in key), ("", ""))): row[key]
            for key in row
        }
        for row in rows
    ]
    turned = [dict(reversed(row.items())) for row in renamed]
    evaluate(plain, "--json", "plain.json")
    code, _, err = evaluate(
        write_csv(tmp_path / "renamed.csv", turned),
        *(f"--tier={new}={old}" for old, new in names.items()),
        "--json",
        "renamed.json",
    )
    assert (code, err) == (0, "")
    assert read("renamed.json")["results"] == read("plain.json")["results"]


def test_a_table_without_one_of_the_tiers_is_refused_in_one_line(evaluate: Evaluate, tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if "haiku" not in key} for row in outcome_rows(100)]
    code, _, err = evaluate(write_csv(tmp_path / "two.csv", rows))
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "two.csv: no outcomes of haiku" in err
    assert "--tier haiku=MODEL" in err


def test_no_artifact_and_wishes_that_make_no_sense_are_refused(
    evaluate: Evaluate, new_csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(new_csv, "--budget", -1)[0] == 2
    assert evaluate(new_csv, "--strategy", "guess")[0] == 2
    monkeypatch.setattr(sys, "argv", ["evaluate-router", "absent.safetensors", str(new_csv)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "evaluate-router: absent.safetensors: no such file" in capsys.readouterr().err


@pytest.mark.slow
def test_missing_scores_stand_as_expectations_and_prove_nothing(evaluate: Evaluate, tmp_path: Path) -> None:
    rows = outcome_rows(300, seed=8)
    for number, row in enumerate(rows):
        row[f"score__{('haiku', 'sonnet', 'opus')[number % 3]}"] = ""
    code, out, _ = evaluate(write_csv(tmp_path / "gaps.csv", rows), "--json", "figures.json")
    assert code == 0
    assert "300 unobserved scores" in out
    assert read()["promise"] is None


@pytest.mark.parametrize(
    ("promised", "least", "most", "words"),
    [
        (None, 0.0, 0.01, "nothing is promised"),
        (0.02, 0.0, 0.02, "is kept"),
        (0.02, 0.021, 0.04, "is broken"),
        (0.02, 0.01, 0.03, "neither confirmed nor contradicted"),
    ],
)
def test_the_verdict_on_a_promise(promised: float | None, least: float, most: float, words: str) -> None:
    assert words in PromiseCheck(promised, True, 0.95, 0.02, least, most, 100).verdict


def test_lost_quality_in_shares_and_in_points() -> None:
    assert lost_share(0.8, 0.6, relative=True) == pytest.approx(0.25)
    assert lost_share(0.8, 0.6, relative=False) == pytest.approx(0.2)
    assert lost_share(0.0, 0.6, relative=True) == 0.0
