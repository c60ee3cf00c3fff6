"""`tierwise-outcomes drift` over real stores."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from drift_world import changing_log

from classifier.outcomes import OutcomeStore, Record
from classifier.outcomes.privacy import kept
from classifier.request import Request
from classifier.router import Router
from tests.helpers.routers import Trained
from training.commands.options import STORE_VARIABLE
from training.commands.outcomes import main
from training.log.observed import Observed
from training.log.simulation import as_outcomes

AT = 900
ROWS = 1300
SECRET = "the vault opens with marzipan"


class Command(Protocol):
    def __call__(self, *arguments: object) -> tuple[int, str, str]: ...


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, linear: Trained
) -> Command:
    """The command in this process, in an empty folder, where an artifact is in use; exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(linear.path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv(STORE_VARIABLE, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tierwise-outcomes", "drift", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def router(linear: Trained) -> Router:
    """Of the artifact that the command finds."""
    return linear.router()


@pytest.fixture
def fill(command: Command, router: Router) -> Iterator[Any]:
    """Writes a log to the store that the command finds by default."""
    opened: list[OutcomeStore] = []

    def write(log: Observed, mode: str = "prompt") -> None:
        prompts = [f"{SECRET} {row}" + " and more" * (row >= AT) * 40 for row in range(len(log))]
        records: list[Record] = []
        for prompt, outcome in zip(prompts, as_outcomes(log, router.tiers[:3], prompts), strict=True):
            numbers = router.features(Request(prompt)) if mode == "features" else None
            records += [replace(outcome.decision, features=numbers, novelty=0.2), *outcome.feedback]
        opened.append(OutcomeStore())
        opened[-1].write([kept(record, mode, False, b"key") for record in records])

    yield write
    for store in opened:
        store.close()


def log_of(router: Router, **change: Any) -> Observed:
    return changing_log(ROWS, 1, at=AT, artifact=router.artifact.digest, **change)


@pytest.mark.slow
def test_nothing_changed_is_exit_code_0(command: Command, fill: Any, router: Router) -> None:
    fill(log_of(router))
    code, out, err = command()
    assert (code, err) == (0, "")
    assert f"1,300 requests decided by artifact {router.artifact.digest[:12]}" in out
    assert "Nothing has changed" in out
    assert "n / 20,000" in out


@pytest.mark.slow
def test_drift_is_exit_code_3_and_says_what_since_when_and_what_to_do(
    command: Command, fill: Any, router: Router
) -> None:
    fill(log_of(router, later_mix=(0.85, 0.15)))
    code, out, err = command("--report", "drift.html")
    assert (code, err) == (3, "")
    assert "the mix of tasks has changed: code generation from 49% to 17%, chat from 51% to 83%" in out
    assert "since about 2026-01-01" in out
    assert "retrain: tierwise train --store URL" in out
    assert SECRET not in out
    page = Path("drift.html").read_text()
    assert "the mix of tasks has changed" in page
    assert "marzipan" not in page
    assert "number of characters" in page  # which grew with the prompts


@pytest.mark.slow
def test_json_has_every_figure(command: Command, fill: Any, router: Router) -> None:
    fill(log_of(router, later_mix=(0.85, 0.15)), "features")
    code, out, _ = command("--json")
    found = json.loads(out)
    assert code == 3
    assert found["drifted"] is True
    assert found["features"] == "features"
    assert found["findings"][0]["kind"] == "requests"
    assert datetime.fromisoformat(found["findings"][0]["since"]).tzinfo == UTC
    assert found["moved"][0]["psi"] > 0.25
    assert {line["what"] for line in found["evidence"]} >= {"tasks", "novelty", "answers", "cost"}


@pytest.mark.slow
def test_hashes_alone_still_tell(command: Command, fill: Any, router: Router) -> None:
    fill(log_of(router, later_mix=(0.85, 0.15)), "hash")
    code, out, _ = command()
    assert code == 3
    assert "the mix of tasks has changed" in out
    assert "The store keeps hashes of requests" in out


@pytest.mark.slow
def test_todays_prices_are_compared_with_the_artifacts(command: Command, fill: Any, router: Router) -> None:
    fill(log_of(router))
    first, *others = router.menu.tiers
    tiers = [replace(first, input_price=99.0, output_price=100.0), *others]
    Path("today.toml").write_text(
        "".join(
            f'[[tiers]]\nname = "{tier.name}"\nmodel = "{tier.model}"\ninput_price = {tier.input_price}\n'
            f"output_price = {tier.output_price}\n"
            for tier in tiers
        )
    )
    code, out, _ = command("--menu", "today.toml")
    assert code == 3
    assert f"{first.name}'s prices per 1M tokens are $99 in, $100 out; the artifact was trained with" in out


@pytest.mark.slow
def test_a_period_and_a_baseline_can_be_chosen(command: Command, fill: Any, router: Router) -> None:
    fill(log_of(router, later_mix=(0.85, 0.15)))
    begin = datetime.fromtimestamp(log_of(router).time[AT], UTC).isoformat()
    assert command("--since", begin, "--baseline", "100")[0] == 0
    assert command("--until", begin)[0] == 0
    code, out, _ = command("--until", begin, "--baseline", 900)
    assert code == 0
    assert "Too early to tell" in out


@pytest.mark.slow
def test_where_the_artifact_decided_nothing_the_latest_one_is_looked_at(
    command: Command, fill: Any, router: Router
) -> None:
    fill(changing_log(600, 1, artifact="cd" * 32))
    code, out, _ = command()
    assert code == 0
    assert f"{'cd' * 6}, which decided the latest" in " ".join(out.split())
    code, _, err = command("--model", router.artifact.source)
    assert code == 2
    assert "found no outcome that" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_other_artifacts_requests_are_left_out(command: Command, fill: Any, router: Router) -> None:
    log = log_of(router)
    fill(
        replace(log, artifacts=("cd" * 32, router.artifact.digest), artifact=(np.arange(ROWS) >= 200).astype(np.int64))
    )
    code, out, _ = command()
    assert code == 0
    assert "1,100 requests decided by" in out
    assert "200 requests of other artifacts are left out" in out


def test_bad_options_are_one_line_and_exit_code_2(command: Command, fill: Any, router: Router) -> None:
    fill(changing_log(5, 1))
    for arguments, words in [(("--level", "0"), "expected a number above 0"), (("--since", "soon"), "ISO 8601")]:
        code, _, err = command(*arguments)
        assert code == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1


def test_an_empty_store_is_bad_input(command: Command, fill: Any) -> None:
    fill(changing_log(1, 1).rows(np.arange(0)))
    code, _, err = command()
    assert code == 2
    assert "found none that a tier of the menu" in " ".join(err.split())


def test_help_tells_the_exit_codes_and_examples(command: Command) -> None:
    code, out, _ = command("--help")
    assert code == 0
    assert "tierwise outcomes drift" in out.split("Examples", 1)[1]
    assert "3 drift" in out


@pytest.mark.slow
def test_whole_periods_can_be_compared(command: Command, fill: Any, router: Router) -> None:
    fill(log_of(router, later_mix=(0.85, 0.15)))  # of 21 hours
    code, out, _ = command("--rhythm", "1d")
    assert code == 0
    assert "Too early to tell" in out
    code, out, _ = command("--rhythm", "2h")
    assert code == 3
    assert "1,200 requests decided by" in out
    assert command("--rhythm", "0h")[0] == 2
