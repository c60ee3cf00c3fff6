"""What is learned from, judged by and shown of outcomes that the menu's rules decided, before anyone had trained."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from classifier import Router
from classifier.artifact import read_artifact
from classifier.catalog import default_menu, with_tiers
from classifier.outcomes import Outcome
from tests.helpers.challenges import BEGIN, fill, log_of, observed_of, only_features
from tests.helpers.commands import Command, run
from tests.helpers.menus import tier_table, write_menu
from tests.helpers.outcomes import Opener
from training.challenge.challenge import challenge
from training.challenge.contest import RULE_ROUTER, contest, router_in_use
from training.drift.check import check_drift
from training.log.observed import observe
from training.versions import Version, add_version, note_of, versions
from training.versions.cautions import cautions

__all__ = ["run"]

FOLDER = Path("models")
BEFORE = BEGIN - timedelta(days=1)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG", "TIERWISE_MODELS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def rules() -> Router:
    """Over haiku, sonnet and opus."""
    return Router(menu=with_tiers(default_menu(), [tier for tier in default_menu().tiers if tier.name != "gemini"]))


@pytest.fixture(scope="module")
def outcomes(rules: Router) -> list[Outcome]:
    return log_of(rules, 1500)


@pytest.fixture
def candidate(trained: Path) -> Version:
    note = note_of(read_artifact(trained), learned_until=BEFORE)
    return add_version(FOLDER, trained, note)


def test_they_bear_no_artifact_and_are_read_all_the_same(rules: Router, outcomes: list[Outcome]) -> None:
    observed = observed_of(rules, outcomes)
    assert observed.artifacts == (None,)
    assert len(observed) == 1500
    assert (observed.planned >= 0).all()
    assert observed.tiers[observed.reference] == "opus"


def test_drift_is_looked_for_where_rules_route(rules: Router, outcomes: list[Outcome]) -> None:
    found = check_drift(observed_of(rules, outcomes), rules, strict=True)
    assert (found.artifact, found.rows, found.drifted, found.prices) == (None, 1500, False, ())
    assert found.moved


def test_after_the_first_training_drift_looks_at_what_the_rules_decided(
    rules: Router, outcomes: list[Outcome], trained: Path
) -> None:
    router = Router(read_artifact(trained))
    found = check_drift(observed_of(router, outcomes), router)
    assert "looked at are the requests of rules without an artifact" in found.notes[0]


def test_the_first_candidate_is_judged_against_the_rules_and_put_into_use_by_people(
    outcomes: list[Outcome], candidate: Version
) -> None:
    menu = default_menu()
    found = contest(FOLDER, observe(outcomes, menu), menu)
    (judged,) = found.judged
    assert found.champion == RULE_ROUTER
    assert (judged.challenge.champion, judged.challenge.rows, judged.challenge.left_out) == (None, 1500, ())
    assert found.promoted is None
    assert json.loads(candidate.path.with_suffix(".json").read_text())["verdict"]["against"] == RULE_ROUTER


def test_where_the_menu_refuses_the_artifact_in_use_its_rules_stand_for_it(
    outcomes: list[Outcome], candidate: Version
) -> None:
    Path("models/router.safetensors").write_bytes(candidate.path.read_bytes())
    assert router_in_use(FOLDER).digest is not None
    assert cautions(FOLDER, candidate) == []
    opus = next(tier for tier in default_menu().tiers if tier.name == "opus")
    write_menu(tier_table("mini", "openai/mini", 1.0) + tier_table("opus", opus.model, 9.0))
    running = router_in_use(FOLDER)
    assert (running.digest, [tier.name for tier in running.tiers]) == (None, ["mini", "opus"])
    found = contest(FOLDER, observe(outcomes, running.menu), running.menu)
    assert found.judged == ()
    assert "has no haiku or sonnet" in found.remarks[0]
    assert found.remarks[0].endswith("Candidates are judged against the menu's rules")
    (caution,) = cautions(FOLDER, candidate)
    assert caution.startswith("the menu here refuses it: ")
    assert "has no haiku or sonnet" in caution


def test_features_that_rules_recorded_are_those_of_a_model_trained_here(
    rules: Router, outcomes: list[Outcome], trained: Path
) -> None:
    kept = list(map(only_features(rules), outcomes[:300]))
    found = challenge(observed_of(rules, kept), rules.menu, rules, Router(read_artifact(trained)), BEFORE)
    assert (found.rows, found.left_out) == (300, ())


@pytest.mark.slow
def test_training_on_other_tiers_than_the_menus_says_that_the_artifact_will_not_route(
    run: Command, outcomes_csv: Path
) -> None:
    write_menu()
    result = run(str(outcomes_csv), "--fastest", "--tokens", "estimate")
    assert result.returncode == 0, result.stderr
    said = " ".join(result.stdout.split())
    assert "It will not route here: models/router.safetensors: trained on the tiers haiku, sonnet and opus" in said


@pytest.mark.slow
def test_a_router_is_trained_from_them_alone_and_kept_as_a_candidate(
    run: Command, outcomes: list[Outcome], sqlite_url: str, open_store: Opener
) -> None:
    fill(open_store(sqlite_url), [replace(each) for each in outcomes])
    result = run("--outcomes", sqlite_url, "--report", "report.html")
    assert result.returncode == 0, result.stderr
    assert "The rule router stays in use" in result.stdout
    (version,) = versions(FOLDER)
    router = Router(read_artifact(version.path))
    assert router.rule.reference == "opus"
    assert {tier.name for tier in router.learned_tiers} == {"haiku", "sonnet", "opus"}
    assert "the menu’s rules" in Path("report.html").read_text(encoding="utf-8")
