"""Training and evaluating from Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import training
from classifier import Router
from classifier.errors import InputError
from classifier.locate import find_artifact
from tests.helpers.commands import Command, run
from tests.helpers.outcomes import Opener
from tests.helpers.tables import outcome_rows, write_csv
from tests.helpers.traffic import made
from training import EvaluateOptions, Run, TrainOptions, evaluate_router, train_router
from training.certify.rule import Target
from training.learners.presets import Effort
from training.prepare.checks import check_spend
from training.versions import versions

__all__ = ["run"]


def quick(folder: Path, **options: object) -> TrainOptions:
    return TrainOptions(
        effort=Effort.FASTEST,
        tokens="estimate",
        jobs=1,
        seed=3,
        out=folder / "router.safetensors",
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory: pytest.TempPathFactory, outcomes_csv: Path) -> Run:
    return train_router([outcomes_csv], options=quick(tmp_path_factory.mktemp("run")))


@pytest.mark.slow
def test_a_notebook_gets_the_bytes_that_the_command_writes(
    run: Command, trained_run: Run, outcomes_csv: Path, tmp_path: Path
) -> None:
    result = run(outcomes_csv, "--seed", 3, "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "models/router.safetensors").read_bytes() == trained_run.artifact.read_bytes()
    figures, own = json.loads((tmp_path / "figures.json").read_text()), json.loads(json.dumps(trained_run.to_dict()))
    for told in (figures, own):
        del told["report"]["reproduction"]  # it names the command and the file
    assert own == figures


def test_a_run_says_what_it_came_to(trained_run: Run, tmp_path: Path) -> None:
    training = trained_run.training
    saving = f"{training.result.saving:.1%}"
    assert repr(trained_run) == (
        f"Run('{training.shipped.name}': saves {saving}, keeps {training.result.kept:.1%} on {len(training.test):,} "
        "test rows)"
    )
    page = trained_run._repr_html_()
    for words in (saving, "always opus", "oracle", "(shipped)"):
        assert words in page
    trained_run.report(tmp_path / "report.html", monthly_spend=1000)
    assert "a month" in (tmp_path / "report.html").read_text()
    assert Router.load(trained_run.artifact).artifact.digest == trained_run.digest
    assert trained_run.is_counted
    assert trained_run.ledger.is_file()


@pytest.mark.slow
def test_a_callback_hears_how_far_each_stage_is(outcomes_csv: Path, tmp_path: Path) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}
    options = quick(tmp_path, counted=False)
    train_router([outcomes_csv], options=options, progress=lambda stage, *far: heard.setdefault(stage, []).append(far))
    assert {"reading", "features", "fitting"} <= set(heard)
    for steps in heard.values():
        assert all(0 <= done <= total for done, total in steps)
        assert steps[-1][0] == steps[-1][1]
    assert not (tmp_path / "certified.json").exists()


def test_without_a_source_nothing_is_begun(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found neither tables nor an outcome store"):
        train_router(options=quick(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jobs": 0}, "jobs: found 0"),
        ({"seed": -1}, "seed: found -1"),
        ({"seed": "1"}, "seed: found '1'"),
        ({"min_rows": 0}, "min_rows: found 0"),
        ({"effort": "hard"}, "effort: found 'hard', expected one of fastest, balanced, best"),
        ({"since": datetime(2026, 1, 1)}, "since: found 2026-01-01 00:00:00, a time without a zone"),
    ],
)
def test_an_option_that_is_wrong_is_said_before_anything_is_read(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        TrainOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("numbers", [(1.0, 0.95), (-0.1, 0.95), (0.02, 1.0), (0.02, 0.4), (float("nan"), 0.95)])
def test_a_promise_out_of_range_is_no_target(numbers: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="expected a share from"):
        Target(*numbers)


def test_options_of_another_kind_are_refused(outcomes_csv: Path) -> None:
    with pytest.raises(InputError, match="options: found dict, expected TrainOptions"):
        train_router(outcomes_csv, options={"seed": 1})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="options: found dict, expected EvaluateOptions"):
        evaluate_router("x", outcomes_csv, {"seed": 1})  # type: ignore[arg-type]
    for spend in (-5.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="monthly_spend"):
            check_spend(spend)


@pytest.mark.slow
def test_one_table_needs_no_list_and_goes_where_the_models_folder_is(
    noise_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERWISE_MODELS", "kept")
    found = train_router(noise_csv, options=TrainOptions(effort=Effort.FASTEST, tokens="estimate", jobs=1))
    assert found.artifact == Path("kept/router.safetensors")
    assert find_artifact() == Path("kept/router.safetensors")


def test_outcomes_make_a_candidate(sqlite_url: str, open_store: Opener, tmp_path: Path) -> None:
    made(900).fill(open_store(sqlite_url))
    folder = tmp_path / "models"
    options = TrainOptions(effort=Effort.FASTEST, tokens="estimate", jobs=1, versions=folder, promote=False)
    found = train_router(outcomes=sqlite_url, options=options)
    (version,) = versions(folder)
    assert found.retrained is not None
    assert found.retrained.version.name == version.name
    assert found.artifact == version.path
    assert not found.shows_prompts
    told = found.to_dict()
    assert (told["version"], told["outcomes"]["decisions"]) == (version.name, 900)


def test_an_evaluation_is_the_commands(trained: Path, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "new.csv", outcome_rows(300, seed=5))
    found = evaluate_router(trained, [table], EvaluateOptions(jobs=1, max_quality_loss=0.05))
    figures = json.loads(json.dumps(found.to_dict()))
    assert figures["rows"] == 300
    assert figures["artifact"]["digest"] == Router.load(trained).artifact.digest
    assert f"saves {found.result.saving:.1%}" in repr(found)
    with pytest.raises(InputError, match="absent"):
        evaluate_router(tmp_path / "absent.safetensors", [table])


def test_the_package_brings_nothing_heavy_along_before_it_is_used() -> None:
    code = "import sys, training; print([n for n in ('sklearn', 'polars', 'scipy') if n in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
    assert set(training.__all__) <= set(dir(training))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        training.nothing  # noqa: B018
