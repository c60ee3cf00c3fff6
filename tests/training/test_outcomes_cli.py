"""The command: what it shows, exports, takes back and removes."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import pytest

from classifier.errors import InputError
from classifier.features import extract
from classifier.keywords import load_keywords
from classifier.outcomes import AttemptRecord, DecisionRecord, Outcome, OutcomeStore, new_id
from classifier.outcomes.lines import from_line, to_line
from classifier.request import Request
from classifier.tokens import estimate_tokens
from tests.helpers.tables import PRICES, outcome_rows
from training.commands.options import STORE_VARIABLE
from training.commands.outcomes import main
from training.commands.values import age
from training.log.export import table_row, tier_scores
from training.tables import read_tables

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Command(Protocol):
    def __call__(self, *arguments: object) -> tuple[int, str, str]: ...


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command in this process, in an empty folder; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    capsys.readouterr()

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tierwise-outcomes", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def store(command: Command) -> Iterator[OutcomeStore]:
    """The store that the command finds by default."""
    with OutcomeStore() as opened:
        yield opened


BESIDE = ("source_of_cost", "cached_tokens", "reasoning_tokens")  # of a tier, that training does not read


def attempt(position: int, tier: str, **fields: Any) -> AttemptRecord:
    return AttemptRecord(**{"position": position, "purpose": "answer", "tier": tier, "model": tier, **fields})


def decision(number: int = 0, **fields: Any) -> DecisionRecord:
    """Small failed its gate, large answered."""
    moment = START + timedelta(hours=number)
    tried = (
        attempt(0, "small", passed=False, score=0.3, cost=0.001, tokens_out=50, response="short"),
        attempt(1, "large", cost=0.01, tokens_out=70, error=None),
    )
    given = {"id": new_id(moment), "time": moment, "chosen": "small", "rule": "learned", "prompt": f"question {number}"}
    return DecisionRecord(**{**given, "answered": "large", "propensity": 0.9, "attempts": tried, **fields})


def fill(store: OutcomeStore) -> list[DecisionRecord]:
    made = [
        decision(0, task="chat", max_tokens=300, prompt='with "quotes", commas,\r\nlines and 世界 🎉'),
        decision(1, prompt=None, messages=[{"role": "user", "content": "in a message"}]),
        decision(2, tools=[{"type": "function", "function": {"name": "f"}}], response_format={"type": "json_object"}),
        decision(3, prompt="cut \ud83d in half and \x00"),
        decision(4, attempts=(attempt(0, "large", error="timeout"),), answered=None),
    ]
    store.write(made)
    store.record_feedback(made[0].id, 0.75)
    assert store.flush(60)
    return made


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_train_router_reads_what_is_exported(command: Command, store: OutcomeStore, name: str) -> None:
    made = fill(store)
    code, out, err = command("export", name)
    assert (code, err) == (0, "")
    assert f"Wrote {name}: 4 rows, tiers large, small." in out
    assert "Left out 1 decisions without a score" in out
    table = read_tables([name])
    assert not table.problems
    assert [request.text for request in table.requests] == [
        made[0].prompt,
        "in a message",
        "question 2",
        "cut \ufffd in half and " + ("\x00" if name.endswith("jsonl") else "\ufffd"),
    ]
    assert (table.requests[0].task, table.requests[0].max_tokens) == ("chat", 300)
    assert (table.requests[2].tools, table.requests[2].json_format) == (1, True)
    scores = dict(zip(table.tiers, table.scores.T, strict=True))
    assert scores["small"].tolist() == [0.0] * 4
    assert scores["large"][0] == 0.75
    assert np.isnan(scores["large"][1:]).all()
    costs = dict(zip(table.tiers, table.costs.T, strict=True))
    assert costs["small"].tolist() == [0.001] * 4
    assert dict(zip(table.tiers, table.tokens_out.T, strict=True))["large"][0] == 70
    assert table.timestamps.tolist() == [each.time.timestamp() for each in made[:4]]
    beside = {f"{name}__{tier}" for name in BESIDE for tier in ("small", "large")}
    assert {"decision", "propensity"} <= set(table.files[0].ignored) <= {"decision", "propensity", *beside}
    assert not table.files[0].hints
    assert [path.name for path in Path().iterdir() if "draft" in path.name] == []


def test_decision_and_propensity_stand_beside_what_is_read(command: Command, store: OutcomeStore) -> None:
    made = fill(store)
    command("export", "out.parquet")
    frame = pl.read_parquet("out.parquet")
    assert frame["decision"].to_list() == [each.id for each in made[:4]]
    assert frame["propensity"].to_list() == [0.9] * 4
    assert frame.schema["score__small"] == pl.Float64


def test_answers_are_exported_where_they_were_kept(command: Command) -> None:
    with OutcomeStore(store_responses=True) as store:
        store.record(decision())
    command("export", "out.csv")
    responses = read_tables(["out.csv"]).responses
    assert responses == [{"small": "short"}]


def test_gates_scores_in_place_of_their_verdicts(command: Command, store: OutcomeStore) -> None:
    fill(store)
    assert command("export", "out.csv", "--scores", "gate")[0] == 0
    table = read_tables(["out.csv"])
    assert dict(zip(table.tiers, table.scores.T, strict=True))["small"].tolist() == [0.3] * 4


def test_a_span_of_time(command: Command, store: OutcomeStore) -> None:
    fill(store)
    command("export", "out.csv", "--since", "2026-03-01T13:00", "--until", "2026-03-01T15:00:00Z")
    assert [request.text for request in read_tables(["out.csv"]).requests] == ["in a message", "question 2"]
    code, _, err = command("export", "out.csv", "--since", "yesterday")
    assert code == 2
    assert "--since yesterday: expected an ISO 8601 time" in err


@pytest.mark.slow
def test_a_router_is_trained_from_a_store(command: Command, store: OutcomeStore, tmp_path: Path) -> None:
    from training.commands.train import app

    rows = outcome_rows(700)
    made = []
    for number, row in enumerate(rows):
        tried = tuple(
            attempt(place, tier, passed=bool(row[f"score__{tier}"]), cost=row[f"cost__{tier}"])
            for place, tier in enumerate(PRICES)
        )
        fields = {name: row[name] for name in ("prompt", "task", "max_tokens")}
        made.append(decision(number, chosen="haiku", answered="opus", attempts=tried, **fields))
    store.write(made)
    assert command("export", "out.parquet")[0] == 0
    app(["out.parquet", "--fastest", "--tokens", "estimate", "--jobs", "1", "--out", "r"], standalone_mode=False)
    assert (tmp_path / "r").stat().st_size > 10_000


def outcome(*feedback: tuple[float, str, str | None], **fields: Any) -> Outcome:
    from classifier.outcomes import FeedbackRecord

    made = decision(**fields)
    given = [FeedbackRecord(new_id(), made.id, START, score, source, tier) for score, source, tier in feedback]
    return Outcome(made, tuple(given))


@pytest.mark.parametrize(
    ("found", "scores"),
    [
        (outcome(), {"small": 0.0}),
        (outcome((0.5, "user", None)), {"small": 0.0, "large": 0.5}),
        (outcome((0.5, "user", "small"), (0.9, "audit", "small")), {"small": 0.5}),
        (outcome((0.9, "audit", "small")), {"small": 0.9}),
        (outcome((0.0, "user", None), (1.0, "user", None)), {"small": 0.0, "large": 1.0}),
        (outcome((0.0, "user", None), (1.0, "expert", None)), {"small": 0.0, "large": 0.5}),
        (outcome((1.0, "user", None), answered=None), {"small": 0.0}),
        (outcome(attempts=(attempt(0, "judge", purpose="judge", passed=True),)), {}),
        (outcome(attempts=(attempt(0, "a", passed=False), attempt(1, "a", passed=True))), {"a": 1.0}),
        (outcome(attempts=(attempt(0, "a", error="timeout"),)), {}),
    ],
)
def test_whose_word_a_score_is(found: Outcome, scores: dict[str, float]) -> None:
    assert tier_scores(found) == scores


def test_a_gates_score_out_of_range_is_none() -> None:
    found = outcome(attempts=(attempt(0, "a", score=7.5, passed=True), attempt(1, "b", score=1.0, passed=True)))
    assert tier_scores(found, gate_scores=True) == {"b": 1.0}


def test_a_judges_cost_is_not_a_tiers() -> None:
    row = table_row(outcome(attempts=(attempt(0, "a", cost=0.1), attempt(1, "a", purpose="judge", cost=9.0))))
    assert row["cost__a"] == 0.1


@pytest.mark.parametrize(("mode", "name"), [("features", "out.csv"), ("hash", "out.parquet"), ("hash", "out.jsonl")])
def test_a_store_without_prompts_has_nothing_to_export(command: Command, mode: str, name: str) -> None:
    with OutcomeStore(keep=mode) as store:
        store.record(decision())
    code, out, err = command("export", name)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "prompts were not kept" in err
    assert not Path(name).exists()


def test_some_prompts_are_exported_and_the_others_told_of(command: Command, store: OutcomeStore) -> None:
    store.write([decision(0), decision(1, prompt=None), decision(2, prompt=None)])
    code, out, _ = command("export", "out.csv")
    assert code == 0
    assert "Left out 2 decisions whose prompts were not kept." in out


def test_decisions_that_nobody_judged_have_nothing_to_export(command: Command, store: OutcomeStore) -> None:
    store.write([decision(attempts=())])
    Path("out.csv").write_text("as it was")
    code, _, err = command("export", "out.csv")
    assert code == 2
    assert "none of 1 decisions has both its prompt and a score" in err
    assert Path("out.csv").read_text() == "as it was"
    assert command("export", "out.csv", "--since", "2027-01-01")[2].startswith(
        "tierwise-outcomes: export: found no decisions"
    )


def test_records_move_to_another_store_without_loss_and_only_once(command: Command, store: OutcomeStore) -> None:
    fill(store)
    assert command("export", "all.jsonl", "--records")[0] == 0
    for _ in range(2):
        code, out, _ = command("import", "all.jsonl", "--store", "sqlite:///other.db")
        assert code == 0
        assert "Read all.jsonl: 6 records." in out
    with OutcomeStore("sqlite:///other.db") as other:
        assert list(other.outcomes()) == list(store.outcomes())


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_only_their_owner_can_read_exports(command: Command, store: OutcomeStore, name: str) -> None:
    fill(store)
    before = os.umask(0)
    try:
        assert command("export", name)[0] == 0
        assert command("export", "all.jsonl", "--records")[0] == 0
    finally:
        os.umask(before)
    assert {stat.S_IMODE(Path(each).stat().st_mode) for each in (name, "all.jsonl")} == {0o600}


def test_sealed_features_leave_and_come_back_sealed(command: Command) -> None:
    found = extract(Request("translate thing0"), load_keywords(), estimate_tokens)
    with OutcomeStore(keep="features") as store:
        store.record(decision(features=found))
    assert command("export", "all.jsonl", "--records")[0] == 0
    (line,) = Path("all.jsonl").read_text().splitlines()
    record = from_line(line)
    assert isinstance(record, DecisionRecord)
    assert isinstance(record.features, bytes)
    assert found.terms.tobytes() not in record.features
    assert command("import", "all.jsonl", "--store", "sqlite:///other.db")[0] == 0
    with OutcomeStore("sqlite:///other.db") as other:
        (outcome,) = other.outcomes()
    assert outcome.decision.features.terms.tolist() == found.terms.tolist()


def test_lines_that_are_no_records_are_left_out_and_a_file_of_them_refused(
    command: Command, store: OutcomeStore
) -> None:
    fill(store)
    command("export", "all.jsonl", "--records")
    with Path("all.jsonl").open("a") as file:
        file.write('\nnonsense\n{"format": 1')
    assert (
        "6 records; 2 lines that are no records left out"
        in command("import", "all.jsonl", "--store", "sqlite:///other.db")[1]
    )
    Path("table.jsonl").write_text('{"prompt": "hello"}\n')
    code, _, err = command("import", "table.jsonl")
    assert code == 2
    assert "no line that is a record" in err
    assert command("import", "absent.jsonl")[0] == 2
    assert command("import")[0] == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", "prompt,small\nhello,1\n"),
        ("long.jsonl", to_line(decision(id="x" * 300))),
        ("blank.jsonl", "\n\n"),
        ("absent.jsonl", None),
    ],
)
def test_an_import_of_what_is_no_record_leaves_nothing_behind(command: Command, name: str, content: str | None) -> None:
    Path("good.jsonl").write_text(to_line(decision()))
    if content is not None:
        Path(name).write_text(content)
    before = sorted(Path().iterdir())
    assert command("import", name)[0] == (0 if name == "blank.jsonl" else 2)
    assert sorted(Path().iterdir()) == before
    if name in ("table.csv", "absent.jsonl"):
        assert command("import", "good.jsonl", name)[0] == 2
        assert sorted(Path().iterdir()) == before


def test_what_waits_is_taken_up(command: Command, store: OutcomeStore) -> None:
    store.write([decision()])
    folder = Path("outcomes.db.spill")
    folder.mkdir()
    (folder / "1.jsonl").write_text(to_line(decision(1)) + "nonsense\n" + to_line(decision(2)))
    assert "3 records wait on this machine" in command("stats")[1]
    assert "Stored 2 records that waited." in command("import", "--spilled")[1]
    assert store.count() == 3
    assert store.spilled() == 0


def test_stats_for_people_and_for_programs(
    command: Command, store: OutcomeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    code, out, _ = command("stats")
    assert code == 0
    assert "5 decisions, 2026-03-01 12:00 to 2026-03-01 16:00 UTC" in out
    assert "Escalated: 100.0% of those answered; 1 without an answer" in out
    assert "timeout" in out
    assert "question" not in out
    monkeypatch.setenv(STORE_VARIABLE, "sqlite:///outcomes.db")
    figures = json.loads(command("stats", "--json")[1])
    assert (figures["decisions"], figures["escalation_rate"], figures["spilled"]) == (5, 1.0, 0)
    assert figures["tiers"]["small"]["verdicts"] == {"checked": 4, "passed": 0}
    assert figures["first"] == "2026-03-01T12:00:00+00:00"


def test_pruning_vacuuming_and_deleting(command: Command, store: OutcomeStore) -> None:
    old, new = decision(), decision(time=datetime.now(UTC))
    store.write([old, new])
    assert "Would remove 1 decisions before" in command("prune", "--older-than", "30d", "--dry-run")[1]
    assert store.count() == 2
    assert "Removed 1 decisions before" in command("prune", "--older-than", "30d")[1]
    assert command("vacuum")[:2] == (0, "Done.\n")
    assert f"{new.id}: deleted" in command("delete", new.id)[1]
    assert f"{new.id}: not stored, and will not be" in command("delete", new.id)[1]
    assert store.count() == 0


@pytest.mark.parametrize("arguments", [("stats",), ("export", "o.csv"), ("prune", "--older-than", "1d"), ("vacuum",)])
def test_a_store_that_is_not_there_is_told_of_in_one_line(command: Command, arguments: tuple[str, ...]) -> None:
    code, _, err = command(*arguments, "--store", "sqlite:///absent.db")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "absent.db: no such file" in err
    assert not Path("absent.db").exists()


def test_wrong_options_are_refused_in_one_line(command: Command, store: OutcomeStore) -> None:
    store.write([])
    for arguments, words in [
        (("stats", "--store", "outcomes.db"), "expected sqlite:///outcomes.db"),
        (("export", "out.txt"), "found extension .txt"),
        (("export", "out.csv", "--records"), "expected one of .jsonl"),
        (("prune", "--older-than", "soon"), "expected a number and a unit"),
    ]:
        code, _, err = command(*arguments)
        assert code == 2
        assert len(err.strip().splitlines()) == 1
        assert words in err


def test_ages() -> None:
    assert age("x", "90d") == timedelta(days=90)
    assert age("x", " 1.5 H") == timedelta(minutes=90)
    assert age("x", "2w") == timedelta(days=14)
    for text in ("", "d", "90", "-1d", "9" * 400 + "d", "1y"):
        with pytest.raises(InputError):
            age("--older-than", text)


@pytest.mark.parametrize("name", ["stats", "export", "import", "prune", "vacuum", "delete"])
def test_help_teaches_by_example(command: Command, name: str) -> None:
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"tierwise outcomes {name}" in out.split("Example", 1)[1]


def test_a_csv_has_every_column_even_where_a_tier_is_seen_late(command: Command, store: OutcomeStore) -> None:
    store.write([decision(0, attempts=(attempt(0, "small", passed=True),)), decision(1)])
    command("export", "out.csv")
    with Path("out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["score__small"] == "1.0"
    assert rows[0]["cost__large"] == ""
