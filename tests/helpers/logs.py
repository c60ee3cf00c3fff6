"""Made requests of which every tier's outcome is known, and logs of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifier.cascade.route import GateRates
from classifier.catalog import LengthRule, Menu, Tier
from training.challenge.estimators import Log, log_of_starts
from training.log.simulation import SimulatedLog, simulate_log

RATES = GateRates(pass_adequate=0.9, pass_inadequate=0.4)
NAMES = ("small", "medium", "large")


def menu(names: tuple[str, ...] = NAMES, version: int = 1) -> Menu:
    """A menu whose models bear a version."""
    tiers = tuple(Tier(name, f"vendor/{name}-{version}", price, 5 * price) for price, name in enumerate(names, start=1))
    return Menu(tiers, {}, {}, LengthRule(names[0], names[len(names) // 2], names[-1]))


class World:
    """n requests, easy to hard; dearer tiers do better on hard ones."""

    def __init__(self, rows: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.hard = random.random(rows)
        self.expected = 0.95 * np.stack([1 - self.hard, 1 - 0.9 * self.hard**2, 1 - 0.8 * self.hard**4], axis=1)
        self.quality = (random.random((rows, 3)) < self.expected).astype(np.float64)
        self.cost = np.array([0.001, 0.005, 0.03]) * random.lognormal(0, 0.4, (rows, 1))
        self.task = (self.hard > 0.5).astype(np.int64)
        self.start = np.where(self.hard < 0.6, 0, 2)

    def log(self, seed: int, **shares: float) -> SimulatedLog:
        """A cascade that starts easy requests at the small tier and others at the large one."""
        return simulate_log(
            self.quality,
            self.cost,
            self.start,
            RATES,
            seed=seed,
            names=NAMES,
            tasks=[("easy", "hard")[task] for task in self.task],
            expected=self.expected,
            **shares,  # type: ignore[arg-type]
        )

    def quality_log(self, seed: int, **shares: float) -> Log:
        """What the log shows of quality at its starts, with a plain model."""
        return log_of_starts(self.log(seed, **shares).observed, self.quality)

    def value(self, policy: NDArray[np.float64]) -> float:
        """What a policy would have reached on these requests."""
        return float((policy * self.quality).sum(axis=1).mean())
