"""What a report recommends: what the artifact does by itself, or the certified cascade where that saves more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.gate.train import replay_on_test
from training.measure.evaluate import Result
from training.training import Training


def offers_cascade(training: Training) -> bool:
    """Whether router and gate together are certified and save more than what is shipped."""
    gate = training.gate
    return gate is not None and gate.promise.certified and gate.result.saving > training.result.saving


def offered(training: Training) -> Result:
    """The way of routing that comes first."""
    return training.gate.result if training.gate is not None and offers_cascade(training) else training.result


def offer_first(training: Training) -> tuple[Result, ...]:
    """Every way of routing; where the cascade is the better offer, it and the router stand before all others."""
    if not offers_cascade(training):
        return training.results
    first = (offered(training), training.result)
    return (*first, *(result for result in training.results if result not in first))


def offer_by_row(training: Training) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Tier whose answer is kept, USD spent and quality reached on each test row, (m,) each, of what comes first."""
    test, rows = training.test, np.arange(len(training.test))
    if training.gate is not None and offers_cascade(training):
        done = replay_on_test(training, training.gate.promise, training.gate.scores)
        return done.kept, done.cost, done.quality
    return training.chosen, test.costs[rows, training.chosen], test.quality[rows, training.chosen]
