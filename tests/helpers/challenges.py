"""Traffic that a champion's cascades answered, and artifacts that might do it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from classifier import Router, make_request
from classifier.artifact import read_artifact, write_artifact
from classifier.cascade.route import GateRates, find_route
from classifier.cascade.settings import usual_odds
from classifier.outcomes import Outcome, OutcomeStore
from tests.helpers.tables import TIERS, outcome_rows
from training.log.observed import Observed, observe
from training.log.simulation import as_outcomes, simulate_log

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RATES = GateRates(pass_adequate=0.95, pass_inadequate=0.3)


def variant(trained: Path, path: Path, **rule: Any) -> Path:
    """The trained artifact with other fields of its rule."""
    artifact = read_artifact(trained)
    header = {
        **artifact.header,
        "rule": {**artifact.header["rule"], **rule},
        "training": {**artifact.header["training"], "name": path.stem},
    }
    write_artifact(path, header, artifact.tensors)
    return path


def always(trained: Path, path: Path, tier: str) -> Path:
    """One that sends everything to a tier."""
    return variant(trained, path, strategy="always", always=tier)


def log_of(router: Router, rows: int, seed: int = 0, *, digest: str | None = None, **shares: float) -> list[Outcome]:
    """What a store holds of requests that a router's cascades answered; shares as in `simulate_log`."""
    asked = outcome_rows(rows, seed=seed + 100)
    requests = [make_request(row["prompt"], max_tokens=row["max_tokens"], task=row["task"]) for row in asked]
    odds = usual_odds(router)
    policy = np.array([find_route(decision, odds).places[0] for decision in router.route_many(requests)])
    forecasts = [router.forecast(request)[1] for request in requests]
    tiers = router.learned_tiers or router.tiers
    given = {"explore": 0.4, "audit": 0.1, "feedback": 1.0, **shares}
    observed = simulate_log(
        np.array([[row[f"score__{tier}"] for tier in TIERS] for row in asked]),
        np.array([[row[f"cost__{tier}"] for tier in TIERS] for row in asked]),
        policy,
        RATES,
        seed=seed,
        expected=np.array([each.adequate for each in forecasts]) if router.digest else None,
        tasks=[row["task"] for row in asked],
        names=TIERS,
        **given,  # type: ignore[arg-type]
    ).observed
    observed = replace(observed, artifacts=(digest or router.digest,))
    return [
        replace(outcome, decision=replace(outcome.decision, max_tokens=row["max_tokens"]))
        for outcome, row in zip(as_outcomes(observed, tiers, [row["prompt"] for row in asked]), asked, strict=True)
    ]


def only_features(router: Router) -> Callable[[Outcome], Outcome]:
    """Outcomes as a store in mode "features" keeps them."""

    def kept(outcome: Outcome) -> Outcome:
        decision = outcome.decision
        request = make_request(decision.prompt, max_tokens=decision.max_tokens, task=decision.task)
        return replace(outcome, decision=replace(decision, prompt=None, features=router.features(request)))

    return kept


def fill(store: OutcomeStore, outcomes: list[Outcome]) -> None:
    """Store outcomes at once."""
    store.write([record for outcome in outcomes for record in (outcome.decision, *outcome.feedback)])


def observed_of(router: Router, outcomes: list[Outcome]) -> Observed:
    """What outcomes show by the router's menu."""
    return observe(outcomes, router.menu)


def minutes(number: float) -> datetime:
    """So long after the first request of a log, which has one a minute."""
    return BEGIN + timedelta(minutes=number)
