"""Ten rounds of traffic: each is answered by the cascade of the router before, which then learns from what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from feedback_cases import World, deal
from numpy.typing import NDArray

from classifier.catalog import Tier
from classifier.policy import choose_many
from training.certify.rule import price_weights
from training.feedback.learn import learn
from training.learners.fit import FitRows, FittedModel, fit_model
from training.learners.learner import Learner
from training.log.observed import Asked, Observed
from training.measure.curves import Curve
from training.prepare.costs import fill_costs

TARGET = 0.98
EXPLORE, AUDIT = 0.02, 0.01
FULL, OURS, NAIVE, RANDOM = "all outcomes", "from the log", "naive", "random starts"
ARMS = (FULL, OURS, NAIVE, RANDOM)
_BONUSES = np.geomspace(0.002, 1.0, 100)

_Float = NDArray[np.float64]
Learners = dict[str, Learner]
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Running:
    """A router in use: its model, and the price weight that its cascades are weighed by."""

    model: FittedModel
    price_weight: float

    def starts(self, world: World) -> tuple[NDArray[np.int64], _Float]:
        """Where cascades begin, (n,), and the expected quality, (n, t)."""
        found = self.model.predict(world.matrix)
        share = found.cost / found.cost[:, world.reference].mean()
        return _cascade(found.quality, share, world, self.price_weight, 0.0), found.quality


@dataclass(frozen=True, slots=True)
class Round:
    """After one round.

    Attributes
    ----------
    saving : on the test rows at 98% of the reference's quality, by true outcomes, of the router alone: each request
        goes to one tier, whatever comes of it. 0: the reference alone keeps it.
    cascade : the same of the cascade that begins where the router says, costs of all its calls counted.
    spent, kept : what the round's cascades cost and what their answers were worth, as shares of the reference's.
    """

    saving: float
    cascade: float
    spent: float
    kept: float


def run_arm(arm: str, world: World, learners: Learners, *, rounds: int, seed: int) -> list[Round]:
    """One way of learning, over all rounds."""
    traffic, test = deal(world, seed)
    parts = np.array_split(np.arange(len(traffic)), rounds)
    running: Running | None = None
    logs: list[Observed] = []
    found = []
    for number, rows in enumerate(parts):
        part = traffic.rows(rows)
        starts, expected = (part.by_length(), None) if running is None else running.starts(part)
        explore = EXPLORE
        if arm == RANDOM:
            tiers = part.quality.shape[1]
            starts = np.random.default_rng((seed, number)).integers(tiers, size=len(rows))
            explore = (tiers - 1) / tiers
        logs.append(part.log(starts, seed * rounds + number, explore=explore, audit=AUDIT, expected=expected).observed)
        running = LEARN[arm](learners, joined(logs), traffic.rows(np.concatenate(parts[: number + 1])))
        given = part.quality[np.arange(len(rows)), logs[-1].answered]
        spent = float(logs[-1].spent.sum() / part.costs[:, world.reference].sum())
        kept = float(given.sum() / part.quality[:, world.reference].sum())
        found.append(Round(*savings(running.model, test, seed), spent, kept))
    return found


def joined(logs: list[Observed]) -> Observed:
    """Logs one after another, each under an artifact of its own."""
    arrays = {
        part.name: np.concatenate([getattr(log, part.name) for log in logs])
        for part in fields(Observed)
        if isinstance(getattr(logs[0], part.name), np.ndarray)
    }
    arrays["artifact"] = np.repeat(np.arange(len(logs)), [len(log) for log in logs])
    begins = np.cumsum([0.0] + [float(np.ptp(log.time)) + 60.0 for log in logs[:-1]])
    arrays["time"] = np.concatenate([log.time + begin for log, begin in zip(logs, begins, strict=True)])
    asked = Asked(*(tuple(one for log in logs for one in getattr(log.asked, part.name)) for part in fields(Asked)))
    return replace(
        logs[0], asked=asked, artifacts=tuple(f"round {number + 1}" for number in range(len(logs))), **arrays
    )


def savings(model: FittedModel, test: World, seed: int, target: float = TARGET) -> tuple[float, float]:
    """1 - the least cost whose quality reaches the target, as shares of the reference's: alone, and in its cascade.

    Settings are as in training: price weights, and bonuses for the reference at the weight that is best for quality.
    """
    found = model.predict(test.matrix)
    share = found.cost / found.cost[:, test.reference].mean()
    settings = _settings(found.quality, share, test)
    alone = [_alone(found.quality, share, test, *setting) for setting in settings]
    cascades = [_cascade(found.quality, share, test, *setting) for setting in settings]
    return _saving(alone, test.quality, test.costs, test, target), _saving(cascades, *test.ends(seed), test, target)


def _settings(quality: _Float, share: _Float, test: World) -> list[tuple[float, float]]:
    """Price weights and bonuses for the reference."""
    weights, rows = price_weights(share), np.arange(len(test))
    chosen = [_alone(quality, share, test, weight, 0.0) for weight in weights]
    base = test.costs[:, test.reference].sum()
    affordable = [test.costs[rows, each].sum() <= base for each in chosen]
    reached = [test.quality[rows, each].sum() for each in chosen]
    best = max(range(len(weights)), key=lambda place: (affordable[place], reached[place]))
    return [*((weight, 0.0) for weight in weights), *((weights[best], bonus) for bonus in _BONUSES)]


def _alone(quality: _Float, share: _Float, test: World, weight: float, bonus: float) -> NDArray[np.int64]:
    """(n,): the tier that each request goes to."""
    lifted = quality.copy()
    lifted[:, test.reference] += bonus
    return choose_many(lifted, share, weight)


def _cascade(quality: _Float, share: _Float, test: World, weight: float, bonus: float) -> NDArray[np.int64]:
    """(n,): where cascades begin: where that is worth most, as `classifier.cascade.route` weighs it.

    Trying a tier below the reference is worth its quality where the gate passes it, and what the next tier is worth
    where it does not; any other tier is asked directly.
    """
    worth = quality - weight * share
    worth[:, test.reference] += bonus
    for tier in reversed(range(test.reference)):
        kept = quality[:, tier] * test.rates.pass_adequate
        passing = kept + (1.0 - quality[:, tier]) * test.rates.pass_inadequate
        worth[:, tier] = kept - weight * share[:, tier] + (1.0 - passing) * worth[:, tier + 1]
    found: NDArray[np.int64] = worth.argmax(axis=1)
    return found


def _saving(settings: list[NDArray[np.int64]], quality: _Float, costs: _Float, test: World, target: float) -> float:
    """Along settings that begin at these places, where each place leads to a quality and a cost, (n, t)."""
    rows = np.arange(len(test))
    base = test.costs[:, test.reference].sum(), test.quality[:, test.reference].sum()
    points = [
        (costs[rows, chosen].sum() / base[0], quality[rows, chosen].sum() / base[1])
        for chosen in (*settings, np.full(len(test), test.reference))
    ]
    cost, kept = np.array(points).T
    return max(0.0, 1.0 - Curve(cost, kept).cost_at(target))


def known_costs(log: Observed, world: World) -> _Float:
    """(n, t) USD: what the log shows, others estimated from it; of a tier never tried, its price list's mean."""
    known = log.cost.copy()
    for tier in np.flatnonzero(np.isnan(known).all(axis=0)):
        known[:, tier] = world.costs[:, tier].mean()
    rows = len(log)
    tiers = [Tier(name, name, None, None) for name in log.tiers]
    nothing = np.full(rows, np.nan)
    return fill_costs(known, np.full(known.shape, np.nan), world.matrix.tokens, nothing, world.matrix.tasks, tiers).usd


def from_all(learners: Learners, log: Observed, world: World) -> Running:
    """What training on every outcome gives."""
    model, expected = fit_model(
        learners, FitRows(world.matrix, world.costs, world.groups, world.reference), world.quality, world.quality
    )
    return Running(model, _price_weight(expected.quality, expected.cost, world.quality, world.reference))


def from_log(learners: Learners, log: Observed, world: World) -> Running:
    """What the project learns."""
    model, expected, labels = learn(
        learners,
        log,
        FitRows(world.matrix, known_costs(log, world), world.groups, world.reference),
        pass_adequate=world.rates.pass_adequate,
    )
    return Running(model, _price_weight(expected.quality, expected.cost, labels.values, world.reference))


def from_verdicts(learners: Learners, log: Observed, world: World) -> Running:
    """Every pass is a success, every failure a failure, and what was not tried is left out."""
    seen = np.where(np.isnan(log.verdict), log.audit, log.verdict)
    model, expected = fit_model(
        learners, FitRows(world.matrix, known_costs(log, world), world.groups, world.reference), seen, seen
    )
    return Running(model, _price_weight(expected.quality, expected.cost, expected.quality, world.reference))


LEARN = {FULL: from_all, OURS: from_log, NAIVE: from_verdicts, RANDOM: from_log}


def _price_weight(quality: _Float, cost: _Float, outcomes: _Float, reference: int) -> float:
    """The cheapest setting that keeps 98% of the reference's quality by these outcomes; quality is cross-fitted."""
    share, rows = cost / cost[:, reference].mean(), np.arange(len(cost))
    kept = []
    for weight in price_weights(share):
        chosen = choose_many(quality, share, weight)
        if outcomes[rows, chosen].mean() >= TARGET * outcomes[:, reference].mean():
            kept.append((float(share[rows, chosen].mean()), float(weight)))
    return min(kept)[1] if kept else 0.0
