"""Tables with every tier's outcome, as worlds to learn in: what a cascade would see of them, and what it would not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality import Case, read_case

from classifier.cascade.route import GateRates
from classifier.catalog import load_menu
from classifier.keywords import load_keywords
from training.gate.answers import read_answers
from training.gate.fit import fit_gate, judge_answers
from training.learners.fit import fit_model
from training.learners.matrix import FeatureMatrix
from training.learners.presets import Effort, learners_for
from training.log.simulation import SimulatedLog, simulate_log
from training.measure.evaluate import length_choice
from training.prepare.adequacy import pick_reference
from training.prepare.data import DataOptions, prepare
from training.tables import read_tables

RATES = GateRates(pass_adequate=0.95, pass_inadequate=0.25)
LENGTHS = (500, 5000)
GATE_FILE, GATE_TIERS, GATE_REFERENCE = (
    "zeroeval.parquet",
    ("gpt-4o-mini", "claude-3-haiku", "claude-3-5-sonnet"),
    "claude-3-5-sonnet",
)
_GATE_SHARE = 0.25
_GATE_PASSES = 0.9
_TEST_SHARE = 0.3

SIMULATED = {
    "claude_tiers": Case("claude_tiers.csv", ("haiku", "sonnet", "opus")),
    "routellm_mmlu": Case("routellm_mmlu.csv", ("mixtral-8x7b", "gpt-4-1106"), (0.6, 20.0)),
    "open_weights": Case(
        "open_weights.parquet",
        ("gemma-2-9b-it", "llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
        (0.1, 0.2, 0.9),
    ),
}
GATED = "zeroeval, learned gate"

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """n requests of which every tier's outcome is known; t tiers in price order.

    Attributes
    ----------
    quality, costs : (n, t) true adequacy and USD.
    groups : (n,) near-duplicates share one.
    sizes : (n,) characters, for the length rule.
    reference : place of the tier that cascades end at.
    passed : (n, t) verdicts of a real gate; None: verdicts are drawn by ``rates``.
    rates : of the gate; of a real one, what it was set up for.
    """

    name: str
    matrix: FeatureMatrix
    quality: _Float
    costs: _Float
    groups: NDArray[np.int64]
    sizes: NDArray[np.int64]
    reference: int
    rates: GateRates = RATES
    passed: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.groups)

    def rows(self, rows: NDArray[np.int64]) -> World:
        """Some of the requests, in the order given."""
        return replace(
            self,
            matrix=self.matrix.rows(rows),
            quality=self.quality[rows],
            costs=self.costs[rows],
            groups=self.groups[rows],
            sizes=self.sizes[rows],
            passed=None if self.passed is None else self.passed[rows],
        )

    def by_length(self) -> NDArray[np.int64]:
        """(n,): where the length rule begins: at the cheapest tier, the second or the last."""
        return length_choice(self.sizes, LENGTHS, (0, 1, self.quality.shape[1] - 1))

    def ends(self, seed: int) -> tuple[_Float, _Float]:
        """(n, t) quality of the answer and USD of all calls of the cascade that begins at each tier."""
        log = [self.log(np.full(len(self), start), seed, explore=0.0, audit=0.0) for start in range(len(self.costs.T))]
        rows = np.arange(len(self))
        quality = np.stack([self.quality[rows, each.observed.answered] for each in log], axis=1)
        return quality, np.stack([each.observed.spent for each in log], axis=1)

    def log(self, starts: NDArray[np.int64], seed: int, **options: object) -> SimulatedLog:
        """What a cascade writes that begins there; see `simulate_log`."""
        if self.passed is None:
            return simulate_log(
                self.quality,
                self.costs,
                starts,
                self.rates,
                seed=seed,
                reference=self.reference,
                tasks=self.matrix.tasks,
                **options,
            )
        # A gate that passes just what is "adequate" gives the real verdicts; audits then find the true adequacy.
        sure = GateRates(pass_adequate=1.0, pass_inadequate=0.0)
        log = simulate_log(
            self.passed.astype(np.float64),
            self.costs,
            starts,
            sure,
            seed=seed,
            reference=self.reference,
            tasks=self.matrix.tasks,
            **options,
        )
        audit = np.where(np.isnan(log.observed.audit), np.nan, self.quality)
        return replace(log, observed=replace(log.observed, audit=audit))


def read_world(folder: Path, name: str) -> World:
    """A world by its name, one of `NAMES`."""
    return _gated_world(folder) if name == GATED else _simulated_world(folder, name)


NAMES = (*SIMULATED, GATED)


def deal(world: World, seed: int) -> tuple[World, World]:
    """Traffic in random order (70%), and test rows; near-duplicates are on one side."""
    random = np.random.default_rng(seed)
    groups = random.permutation(int(world.groups.max()) + 1)
    test = np.isin(world.groups, groups[: round(_TEST_SHARE * len(groups))])
    traffic = random.permutation(np.flatnonzero(~test))
    return world.rows(traffic), world.rows(np.flatnonzero(test))


def _simulated_world(folder: Path, name: str) -> World:
    case = SIMULATED[name]
    rows = read_case(folder, case)
    return World(
        name,
        rows.matrix,
        rows.quality,
        rows.costs,
        rows.groups,
        rows.sizes,
        pick_reference(rows.quality, case.tiers, None),
    )


def _gated_world(folder: Path) -> World:
    """Requests of the rest of the table, with verdicts of a gate that was fitted on a quarter of it."""
    table = read_tables([folder / GATE_FILE])
    columns = [table.tiers.index(tier) for tier in GATE_TIERS]
    kept = replace(
        table,
        tiers=GATE_TIERS,
        scores=table.scores[:, columns],
        costs=table.costs[:, columns],
        tokens_out=table.tokens_out[:, columns],
    )
    keywords, learners = load_keywords(), learners_for(Effort.FASTEST)
    data = prepare(kept, load_menu(), keywords, DataOptions(reference=GATE_REFERENCE, jobs=1))
    answers = read_answers(replace(data, reference=-1), keywords)
    assert answers is not None
    groups = np.random.default_rng(0).permutation(int(data.groups.max()) + 1)
    mine = np.isin(data.groups, groups[: round(_GATE_SHARE * len(groups))])
    fit = np.flatnonzero(mine)
    router, cross_fitted = fit_model(learners, data.fit_rows(fit), data.quality[fit], data.adequate[fit])
    before = router.predict(data.matrix).quality
    before[fit] = cross_fitted.quality
    gate, judged = fit_gate(learners, answers.of(fit), before, data)
    own = answers.of(fit)
    right = data.quality[own.rows, own.places] > 0.5
    threshold = float(np.quantile(judged[right, 0], 1.0 - _GATE_PASSES))
    scores = np.zeros(data.quality.shape)
    scores[answers.rows, answers.places] = judge_answers(gate, answers.alone().evidence(before, data.reference))[:, 0]
    rest = np.flatnonzero(~mine)
    sizes = np.array([len(request.text) for request in data.table.requests])
    world = World(
        GATED,
        data.matrix,
        data.quality,
        data.costs,
        data.groups,
        sizes,
        data.reference,
        GateRates(pass_adequate=_GATE_PASSES),
        scores >= threshold,
    ).rows(rest)
    return replace(world, groups=np.unique(world.groups, return_inverse=True)[1])
