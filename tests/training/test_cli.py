"""`train-router` on real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from classifier import Router
from classifier.artifact import read_artifact
from tests.helpers.commands import Command, only_line, run
from tests.helpers.tables import outcome_rows, write_csv
from training.certify.ledger import LEDGER

__all__ = ["run"]


@pytest.mark.slow
def test_is_a_command_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.commands.train", "absent.csv"]
    finished = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert "absent.csv" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.slow
def test_learns_writes_and_routes(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    result = run(outcomes_csv, "--monthly-spend", 10000, "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    for words in (
        "1,500 rows, wide form",
        "haiku",
        "reference",
        "reasoning",
        "always opus",
        "length 500 / 5000",
        "length, tuned",
        "task table",
        "random mix",
        "oracle",
        "Learned router saves",
        "$10,000 a month become",
        "Certified on",
        "max_quality_loss",
        "Certified for the task by itself",
    ):
        assert words in result.stdout, words
    router = Router.load(tmp_path / "models/router.safetensors")
    easy = router.predict_model("greet thing11 and thing12 and thing23, case 150", 300, "chat")
    hard = router.predict_model("prove thing11 and thing12 and thing23, case 150", 300, "reasoning")
    assert (easy, hard) == ("tokenfast/claude-haiku-4-5-20251001", "tokenfast/claude-opus-4-6")
    for loss in (0.0, 0.1):
        model = router.predict_model("greet thing11 and thing12 and thing23, case 150", max_quality_loss=loss)
        assert ("opus" in model) == (loss == 0)
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert {task["name"] for task in figures["report"]["unseen_tasks"]} == {"chat", "reasoning"}
    assert len(figures["certificate"]["ladder"]) == 7
    assert figures["shipped"] == "learned router"
    assert figures["rows"]["fit"] + figures["rows"]["choose"] + figures["rows"]["test"] == 1500


@pytest.mark.slow
def test_certifies_each_task_by_itself_where_asked(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    result = run(outcomes_csv, "--certify-per", "task", "--max-quality-loss", 0.05)
    assert result.returncode == 0, result.stderr
    assert "Certified for each task by itself" in result.stdout
    router = Router.load(tmp_path / "models/router.safetensors")
    assert set(router.rule.tasks or {}) == {"chat", "reasoning"}
    prompt = "greet thing11 and thing12 and thing23, case 150"
    assert router.route(prompt, max_tokens=300, task="chat").tier == "haiku"
    assert router.route(prompt, max_tokens=300, task="poetry").tier == router.route(prompt).tier == "opus"


@pytest.mark.slow
def test_says_first_that_nothing_was_learned_and_ships_a_floor(run: Command, tmp_path: Path, noise_csv: Path) -> None:
    result = run(noise_csv)
    assert result.returncode == 0, result.stderr
    verdict = result.stdout.index("not better than a random mix")
    assert verdict < result.stdout.index("always haiku")
    assert "rows would settle it" in result.stdout or "more rows would not change that" in result.stdout
    assert "the best rule without learning is shipped instead" in result.stdout
    assert Router.load(tmp_path / "models/router.safetensors").strategy in ("always", "length")


@pytest.mark.slow
def test_force_ships_the_learned_router_all_the_same(run: Command, tmp_path: Path, noise_csv: Path) -> None:
    result = run(noise_csv, "--force")
    assert result.returncode == 0, result.stderr
    assert "not better than a random mix" in result.stdout
    assert Router.load(tmp_path / "models/router.safetensors").strategy == "learned"


@pytest.mark.slow
def test_warns_when_nearly_everything_goes_to_one_tier(run: Command, tmp_path: Path, noise_csv: Path) -> None:
    assert "go to one tier" in run(noise_csv).stdout


@pytest.mark.slow
def test_compares_with_the_tier_that_is_used_today(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    result = run(outcomes_csv, "--today", "sonnet", "--monthly-spend", 1000, "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    assert "Against always sonnet, which you use today" in " ".join(result.stdout.split())
    assert json.loads((tmp_path / "figures.json").read_text())["report"]["today"]["tier"] == "sonnet"


@pytest.mark.slow
def test_a_misspelt_tier_of_today_is_noticed_before_anything_is_learned(
    run: Command, tmp_path: Path, outcomes_csv: Path
) -> None:
    result = run(outcomes_csv, "--today", "sonet")
    assert result.returncode == 2
    assert "did you mean sonnet" in only_line(result).lower().replace("'", "")
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_a_ledger_that_cannot_be_written_is_said(
    run: Command, tmp_path: Path, outcomes_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.certify.ledger._PATIENCE", 0.1)
    (tmp_path / "models").mkdir()
    with FileLock(tmp_path / "models" / f".{LEDGER}.lock"):
        assert "nobody counts this try" in run(outcomes_csv).stdout
    assert "nobody counts this try" not in run(outcomes_csv).stdout


@pytest.mark.slow
def test_a_seed_gives_the_same_bytes(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    for name in ("one", "two"):
        assert run(outcomes_csv, "--seed", 7, "--out", f"{name}.safetensors").returncode == 0
    one, two = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert "date" not in read_artifact(tmp_path / "one.safetensors").header["training"]


@pytest.mark.slow
def test_reproducible_builds_set_the_date(
    run: Command, tmp_path: Path, outcomes_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert run(outcomes_csv).returncode == 0
    assert read_artifact(tmp_path / "models/router.safetensors").header["training"]["date"] == "1970-01-02"


@pytest.mark.slow
def test_the_artifact_holds_no_prompt_and_no_path(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    assert run(outcomes_csv).returncode == 0
    content = (tmp_path / "models/router.safetensors").read_bytes()
    assert b"thing1" not in content
    assert str(outcomes_csv.parent).encode() not in content
    assert b"outcomes.csv" in content


@pytest.mark.slow
def test_tiers_of_its_own_need_prices_and_the_message_shows_both_lists(run: Command, tmp_path: Path) -> None:
    rows = [
        {"prompt": row["prompt"], "score__mixtral": row["score__haiku"], "score__gpt-4": row["score__opus"]}
        for row in outcome_rows(200)
    ]
    table = write_csv(tmp_path / "own.csv", rows)
    refused = run(table)
    assert refused.returncode == 2
    message = only_line(refused)
    for words in ("mixtral", "gpt-4", "haiku", "opus", "give a price for mixtral", "cost__<tier>", "router.toml"):
        assert words in message, words
    assert not (tmp_path / "models").exists()
    accepted = run(table, "--price", "mixtral=0.6,0.6", "--price", "gpt-4=10,30")
    assert accepted.returncode == 0, accepted.stderr
    assert [tier.model for tier in Router.load(tmp_path / "models/router.safetensors").learned_tiers] == [
        "mixtral",
        "gpt-4",
    ]


@pytest.mark.slow
def test_tiers_are_mapped_to_models(run: Command, tmp_path: Path) -> None:
    rows = [
        {"prompt": row["prompt"], "score__cheap": row["score__haiku"], "score__dear": row["score__opus"]}
        for row in outcome_rows(200)
    ]
    table = write_csv(tmp_path / "mapped.csv", rows)
    result = run(table, "--tier", "cheap=claude-haiku-4-5", "--tier", "dear=claude-opus-4-6")
    assert result.returncode == 0, result.stderr
    router = Router.load(tmp_path / "models/router.safetensors")
    assert [tier.name for tier in router.learned_tiers] == ["haiku", "opus"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["labelled", "long", "pairwise", "messages"])
def test_every_form_becomes_a_router(run: Command, tmp_path: Path, form: str) -> None:
    rows = outcome_rows(300)
    prompts = [row["prompt"] for row in rows]
    if form == "labelled":
        table = [
            {
                "prompt": row["prompt"],
                "tier": next((t for t in ("haiku", "sonnet") if row[f"score__{t}"]), "opus"),
            }
            for row in rows
        ]
    elif form == "long":
        table = [
            {"prompt": row["prompt"], "model": tier, "score": row[f"score__{tier}"], "cost": row[f"cost__{tier}"]}
            for row in rows
            for tier in ("haiku", "opus")
        ]
    elif form == "pairwise":
        verdict = {(1.0, 0.0): "model_a", (0.0, 1.0): "model_b", (1.0, 1.0): "tie", (0.0, 0.0): "tie (bothbad)"}
        table = [
            {
                "prompt": row["prompt"],
                "model_a": "haiku",
                "model_b": "opus",
                "winner": verdict[row["score__haiku"], row["score__opus"]],
            }
            for row in rows
        ]
    else:
        table = [
            {**row, "messages": json.dumps([{"role": "user", "content": prompt}])}
            for row, prompt in zip(rows, prompts, strict=True)
        ]
        for row in table:
            del row["prompt"]
    result = run(write_csv(tmp_path / "table.csv", table))
    assert result.returncode == 0, result.stderr
    assert f"{'wide' if form == 'messages' else form} form" in result.stdout
    assert Router.load(tmp_path / "models/router.safetensors").predict_model("greet thing1")


@pytest.mark.slow
def test_missing_scores_are_missing(run: Command, tmp_path: Path) -> None:
    rows = outcome_rows(400)
    for number, row in enumerate(rows):
        row[f"score__{('haiku', 'sonnet', 'opus')[number % 3]}"] = ""
    result = run(write_csv(tmp_path / "partial.csv", rows))
    assert result.returncode == 0, result.stderr
    assert "unobserved test scores" in result.stdout


@pytest.mark.slow
def test_several_files_at_once(run: Command, tmp_path: Path) -> None:
    one = write_csv(tmp_path / "one.csv", outcome_rows(200, seed=1))
    two = write_csv(tmp_path / "two.csv", outcome_rows(200, seed=2))
    result = run(one, two)
    assert result.returncode == 0, result.stderr
    assert "one.csv" in result.stdout
    assert "two.csv" in result.stdout


@pytest.mark.slow
def test_adequacy_by_threshold(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    result = run(outcomes_csv, "--adequate-at", 0.8)
    assert result.returncode == 0, result.stderr
    assert "score at least 0.8" in result.stdout
    model = read_artifact(tmp_path / "models/router.safetensors").header["model"]
    assert model["adequacy_is_quality"]


@pytest.mark.slow
def test_a_broken_table_leaves_the_old_artifact_alone(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    assert run(outcomes_csv).returncode == 0
    before = (tmp_path / "models/router.safetensors").read_bytes()
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"prompt,score__haiku\n\xff\xfe\xfa,1\n")
    assert run(broken).returncode == 2
    assert (tmp_path / "models/router.safetensors").read_bytes() == before
    left = {path.name for path in (tmp_path / "models").iterdir() if not path.name.endswith(".lock")}
    assert left == {"router.safetensors", "certified.json"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.csv"], ["absent.csv"]),
        (["outcomes", "--reference", "gpt-9"], ["the reference 'gpt-9'", "haiku", "opus"]),
        (["outcomes", "--reference", "opsu"], ['(did you mean "opus"?)']),
        (["outcomes", "--price", "sonet=1,2"], ['(did you mean "sonnet"?)']),
        (["outcomes", "--column", "promtp=question"], ['(did you mean "prompt"?)']),
        (["outcomes", "--price", "haiku=cheap"], ["--price haiku", "IN,OUT"]),
        (["outcomes", "--price", "nothing=1,2"], ["nothing", "haiku"]),
        (["outcomes", "--tier", "haiku"], ["--tier", "NAME=MODEL"]),
        (["outcomes", "--column", "promt=question"], ["promt", "prompt"]),
        (["outcomes", "--tokens", "klingon"], ["klingon", "estimate"]),
        (["outcomes", "--menu", "absent.toml"], ["absent.toml"]),
        (["outcomes", "--best"], ["--fastest", "--best"]),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(
    run: Command, tmp_path: Path, outcomes_csv: Path, arguments: list[str], words: list[str]
) -> None:
    result = run(*(outcomes_csv if part == "outcomes" else part for part in arguments))
    assert result.returncode == 2
    message = only_line(result)
    for word in words:
        assert word in message, message


def test_three_rows_are_too_few(run: Command, tmp_path: Path) -> None:
    message = only_line(run(write_csv(tmp_path / "three.csv", outcome_rows(3))))
    assert "3 usable rows" in message
    assert "at least 50" in message


def test_a_single_class_has_nothing_to_teach(run: Command, tmp_path: Path) -> None:
    rows = outcome_rows(60)
    for row in rows:
        row |= {f"score__{tier}": 1.0 for tier in ("haiku", "sonnet", "opus")}
    message = only_line(run(write_csv(tmp_path / "same.csv", rows)))
    assert "nothing to learn" in message
    assert "haiku" in message


def test_one_tier_is_no_choice(run: Command, tmp_path: Path) -> None:
    rows = [{"prompt": row["prompt"], "score__haiku": row["score__haiku"]} for row in outcome_rows(60)]
    assert "at least two" in only_line(run(write_csv(tmp_path / "one.csv", rows)))


def test_help_teaches_by_example(run: Command, tmp_path: Path) -> None:
    result = run("--help")
    assert result.returncode == 0
    for words in ("tierwise train data.csv", "--monthly-spend", "pairwise", "Exit codes"):
        assert words in result.stdout


@pytest.mark.slow
def test_an_unwritable_place_is_one_line_and_exit_code_1(run: Command, tmp_path: Path, outcomes_csv: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    result = run(outcomes_csv, "--out", "file/router.safetensors")
    assert result.returncode == 1
    only_line(result)


def test_rows_of_one_group_cannot_be_split(run: Command, tmp_path: Path) -> None:
    rows = [{**row, "group": "all"} for row in outcome_rows(80)]
    message = only_line(run(write_csv(tmp_path / "one_group.csv", rows)))
    assert "1 groups of like prompts" in message
    assert "group column" in message


def test_a_reference_that_costs_nothing_leaves_nothing_to_save(run: Command, tmp_path: Path) -> None:
    rows = [{**row, "cost__opus": 0.0, "cost__haiku": 0.0, "cost__sonnet": 0.0} for row in outcome_rows(80)]
    assert "nothing to save" in only_line(run(write_csv(tmp_path / "free.csv", rows), "--reference", "opus"))


def test_without_any_source_the_command_names_itself_once(run: Command, tmp_path: Path) -> None:
    result = run()
    assert result.returncode == 2
    assert only_line(result).startswith("train-router: found neither tables nor --store, expected one of them;")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_table_cuts_a_figure_or_a_name(
    run: Command, outcomes_csv: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run(outcomes_csv, "--monthly-spend", 1000, "--today", "sonnet").stdout
    assert "\u2026" not in shown
    assert max(map(len, shown.splitlines()[1:])) <= max(width, 80)
    for words in ("tokenfast/claude-opus-4-6", "100.0%", "learned router"):
        assert words in "".join(shown.split("\n")).replace("  ", " ") or words in shown
