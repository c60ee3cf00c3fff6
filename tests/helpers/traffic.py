"""A store as a cascade would have filled it, of requests whose words tell how hard they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from classifier.cascade.route import GateRates
from classifier.catalog import Menu, Tier, default_menu
from classifier.features import extract
from classifier.keywords import load_keywords
from classifier.outcomes import Outcome, OutcomeStore
from classifier.request import make_request
from classifier.tokens import estimate_tokens
from tests.helpers.tables import TIERS, outcome_rows
from training.log.observed import Observed
from training.log.simulation import as_outcomes, simulate_log

RATES = GateRates(pass_adequate=0.95, pass_inadequate=0.3)
_KEYWORDS = load_keywords()


@dataclass(frozen=True)
class Made:
    """Requests, the truth, and what a cascade saw that began with the cheapest tier or explored."""

    rows: list[dict]
    quality: np.ndarray
    observed: Observed

    def outcomes(self, menu: Menu | None = None) -> list[Outcome]:
        tiers = tiers_of(menu or default_menu())
        found = as_outcomes(self.observed, tiers, [row["prompt"] for row in self.rows])
        return [
            replace(outcome, decision=replace(outcome.decision, max_tokens=row["max_tokens"]))
            for outcome, row in zip(found, self.rows, strict=True)
        ]

    def fill(self, store: OutcomeStore, menu: Menu | None = None) -> None:
        """Record everything as a running cascade would, in the store's own mode."""
        for outcome, row in zip(self.outcomes(menu), self.rows, strict=True):
            request = make_request(row["prompt"], max_tokens=row["max_tokens"], task=row["task"])
            features = extract(request, _KEYWORDS, estimate_tokens)
            store.record(replace(outcome.decision, features=features))
            for each in outcome.feedback:
                store.record_feedback(each.decision, each.score, tier=each.tier, source=each.source)
        assert store.flush(60)


def tiers_of(menu: Menu) -> list[Tier]:
    return [tier for name in TIERS if (tier := menu.find(name)) is not None]


def made(count: int = 900, seed: int = 0, rates: GateRates = RATES, **shares: float) -> Made:
    rows = outcome_rows(count, seed)
    quality, cost = (
        np.array([[row[f"{kind}__{tier}"] for tier in TIERS] for row in rows]) for kind in ("score", "cost")
    )
    log = simulate_log(
        quality,
        cost,
        np.zeros(count, np.int64),
        rates,
        seed=seed,
        names=TIERS,
        tasks=[row["task"] for row in rows],
        expected=np.tile(quality.mean(axis=0), (count, 1)),
        **{"explore": 0.2, "audit": 0.1, "feedback": 0.1, **shares},  # type: ignore[arg-type]
    )
    return Made(rows, quality, log.observed)
