"""Logs of a cascade in a world that changes, or does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from classifier.cascade.route import GateRates
from training.log.observed import Observed
from training.log.simulation import simulate_log

NAMES = ("small", "medium", "large")
PRICES = np.array([0.001, 0.005, 0.03])


# One parameter a kind of change, each with a default.
def changing_log(
    rows: int,
    seed: int,
    *,
    at: int | None = None,
    mix: Sequence[float] = (0.5, 0.5),
    later_mix: Sequence[float] | None = None,
    drop: float = 0.0,
    tier: int = 0,
    dearer: float = 1.0,
    later_rates: GateRates | None = None,
    audit: float = 0.01,
    artifact: str = "ab" * 32,
) -> Observed:
    """A log of tasks "chat" and "code"; from row ``at`` on, something is other than before.

    Parameters
    ----------
    mix, later_mix : shares of the tasks. drop : adequacy that a tier loses. dearer : what its costs are multiplied by.
    later_rates : of the gate.
    """
    random = np.random.default_rng(seed)
    at = rows if at is None else at
    later = np.arange(rows) >= at
    share = np.where(later, (later_mix or mix)[0], mix[0])
    code = random.random(rows) >= share
    hard = np.clip(random.beta(2, 4, rows) + 0.15 * code, 0, 1)
    expected = np.stack([0.95 - 0.6 * hard, 0.97 - 0.35 * hard, 0.98 - 0.1 * hard], axis=1)
    true = expected.copy()
    true[later, tier] -= drop
    quality = (random.random((rows, 3)) < true).astype(np.float64)
    usual = PRICES * random.lognormal(0, 0.4, (rows, 1))
    cost = usual * random.lognormal(0, 0.2, (rows, 3))
    cost[later, tier] *= dearer
    policy = np.where(hard < 0.45, 0, np.where(hard < 0.6, 1, 2))
    tasks = [("chat", "code")[each] for each in code.astype(int)]
    rates = GateRates(0.95, 0.3)

    def log(each: GateRates) -> Observed:
        made = simulate_log(
            quality, cost, policy, each, seed=seed, expected=expected, tasks=tasks, names=NAMES, audit=audit
        )
        return replace(made.observed, expected_cost=usual, artifacts=(artifact,))

    if later_rates is None:
        return log(rates)
    return _joined(log(rates), log(later_rates), at)


def _joined(before: Observed, after: Observed, at: int) -> Observed:
    """The first rows of one log, and the others of another."""
    arrays = {}
    for name in ("answered", "tried", "by_audit", "verdict", "score", "audit", "cost", "spent"):
        arrays[name] = np.concatenate((getattr(before, name)[:at], getattr(after, name)[at:]))
    return replace(before, **arrays)
