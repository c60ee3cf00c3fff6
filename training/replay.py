"""An existing artifact on new data: what it would have done, cost and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.decision import Decision
from classifier.errors import ArtifactError, InputError
from classifier.novelty import NOVEL
from classifier.router import Router
from training.certify.certify import upper_bound
from training.certify.comparison import baselines, compare
from training.certify.rule import against
from training.imports import open_exports
from training.learners.calibrate import calibration_error, chance_error
from training.measure.evaluate import (
    MixComparison,
    Outcomes,
    Result,
    compare_to_mix,
    evaluate,
    fixed_weights,
    interval,
    redraw,
)
from training.prepare.adequacy import Adequacy
from training.prepare.checks import check_jobs, checked_options
from training.prepare.data import DataOptions, RoutingData, prepare
from training.progress import Progress, StageProgress
from training.tables import Columns, OutcomeTable, ReadOptions, read_tables

ROUTER = "this artifact"
_LISTED_TASKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What an evaluation can be told; every default is the command's.

    Attributes
    ----------
    columns, models, prices, strict, reading : of the tables, as in `training.run.TrainOptions`; their tiers are matched
        to the artifact's.
    adequacy : when an answer is good enough; None: as in the artifact's training.
    strategy, max_quality_loss, budget : how to route, as in `classifier.Router.load`; None: as the artifact does.
    seed : of the bootstrap's intervals.
    jobs : parallel workers; -1 is one a core.
    """

    columns: Columns = field(default_factory=Columns)
    models: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    strict: bool = False
    reading: ReadOptions = field(default_factory=ReadOptions)
    adequacy: Adequacy | None = None
    strategy: str | None = None
    max_quality_loss: float | None = None
    budget: float | None = None
    seed: int = 0
    jobs: int = -1

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        InputError : one is out of range.
        """
        if not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed: found {self.seed!r}, expected a whole number of 0 or more")
        check_jobs(self.jobs)


@dataclass(frozen=True, slots=True)
class PromiseCheck:
    """Quality lost against the reference, on rows that observed every tier.

    Attributes
    ----------
    promised : quality that may be lost; None where nothing is promised.
    relative : in shares of the reference's quality, else in points of score.
    lost : observed.
    least, most : confidence bounds of the true loss: the lower end of the bootstrap's 95% interval, and the bound of
        `training.certify.certify.upper_bound` at ``confidence``.
    rows : that observed every tier.
    """

    promised: float | None
    relative: bool
    confidence: float
    lost: float
    least: float
    most: float
    rows: int

    @property
    def verdict(self) -> str:
        """What these rows say of the promise, in words."""
        if self.promised is None:
            return "nothing is promised at this setting"
        if self.most <= self.promised:
            return "the promise is kept"
        if self.least > self.promised:
            return "the promise is broken: retrain on data like this"
        return "the promise is neither confirmed nor contradicted; more rows would tell"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation:
    """What an artifact does on new data.

    Attributes
    ----------
    results : every way of routing; ``result`` is the artifact's.
    tasks : the artifact's, on the tasks with most rows.
    mix : the artifact against a random mix of tiers of the same cost.
    kept : the promise, checked.
    calibration : calibration error of the expected score, and what chance alone would show, by tier.
    novel : share of the rows that are unlike the training rows.
    elsewhere : rows that went to a tier outside the table; the dearest tier of the table stands for it.
    filled : scores that were never observed and stand as the model's expectation; ``lost`` : those that are missing not
        by chance and count as lost.
    seen : files of the table that the artifact was trained on.
    """

    router: Router
    data: RoutingData
    results: tuple[Result, ...]
    result: Result
    tasks: tuple[tuple[str, int, Result], ...]
    mix: MixComparison
    kept: PromiseCheck | None
    calibration: dict[str, tuple[float, float]]
    novel: float
    elsewhere: int
    filled: int
    lost: int
    seen: tuple[str, ...]

    def __repr__(self) -> str:
        saving = f"saves {self.result.saving:.1%}, keeps {self.result.kept:.1%}"
        return f"Evaluation({self.router.artifact.source!r}: {saving} on {len(self.data):,} rows)"

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return {
            "artifact": {"digest": self.router.artifact.digest, "plan": asdict(self.router.plan)},
            "rows": len(self.data),
            "reference": self.data.names[self.data.reference],
            "tiers": list(self.data.names),
            "results": [asdict(result) for result in self.results],
            "tasks": [{"task": name, "rows": rows, **asdict(result)} for name, rows, result in self.tasks],
            "against_random_mix": asdict(self.mix),
            "promise": None if self.kept is None else {**asdict(self.kept), "verdict": self.kept.verdict},
            "calibration_error": {
                name: {"error": error, "chance": chance} for name, (error, chance) in self.calibration.items()
            },
            "novel": self.novel,
            "elsewhere": self.elsewhere,
            "filled": self.filled,
            "lost": self.lost,
            "trained_on": list(self.seen),
        }


def trained_adequacy(router: Router) -> Adequacy:
    """When an answer counted as good enough in the artifact's training."""
    noted = router.artifact.header.get("training", {})
    found = noted.get("adequacy") if isinstance(noted, dict) else None
    return Adequacy(found.get("at"), found.get("tolerance", 0.0)) if isinstance(found, dict) else Adequacy()


def evaluate_router(
    artifact: str | Path,
    tables: str | Path | Sequence[str | Path],
    options: EvaluateOptions | None = None,
    *,
    progress: StageProgress | None = None,
) -> Evaluation:
    """Say what an artifact does on new outcomes: cost, quality, and whether its promise holds.

    Parameters
    ----------
    artifact : a file that `training.train_router` wrote, or a pointer such as ``models/current``.
    tables : files of outcomes of all tiers that the artifact chooses from; rows that it was trained on flatter it.
    progress : called with a stage's name, how much of it is done, and how much there is.

    Raises
    ------
    InputError : the artifact, a table or an option cannot be used, or the tables lack a tier of the artifact.
    """
    options = checked_options(options, EvaluateOptions)
    tables = [tables] if isinstance(tables, str | Path) else tables
    router = _load(artifact, options)
    reading, features = (partial(progress, name) if progress else None for name in ("reading", "features"))
    table = read_tables(
        tables,
        options.columns,
        strict=options.strict,
        options=options.reading,
        progress=reading,
        exports=open_exports,
    )
    return replay(router, table, options, progress=features)


def replay(
    router: Router, table: OutcomeTable, options: EvaluateOptions, *, progress: Progress | None = None
) -> Evaluation:
    """Route a table's requests with a router and compare what it reached with the other ways of routing.

    Raises
    ------
    InputError : the table cannot be used, or lacks a tier that the artifact has learned about.
    """
    adequacy, seed = options.adequacy or trained_adequacy(router), options.seed
    tokens = str(router.artifact.header["features"]["tokens"])
    preparing = DataOptions(adequacy, router.rule.reference, options.models, options.prices, tokens, options.jobs)
    data = _in_order(prepare(table, router.menu, router.keywords, preparing, progress=progress), router)
    decisions = router.route_many(table.requests)
    expected = np.array([decision.prediction.quality for decision in decisions])
    tiers = len(data.tiers)
    position = np.array([decision.position for decision in decisions])
    chosen = np.minimum(position, tiers - 1)
    rows = _outcomes(data, expected)
    results = compare(baselines(data.names, rows, router.menu), chosen, rows, seed, ROUTER)
    return Evaluation(
        router=router,
        data=data,
        results=results,
        result=next(result for result in results if result.name == ROUTER),
        tasks=tuple(_by_task(rows, chosen, seed)),
        mix=compare_to_mix(chosen, rows, seed=seed),
        kept=_kept(router, data, chosen, seed),
        calibration={
            name: (calibration_error(guessed, seen), chance_error(guessed, seen))
            for name, guessed, seen in zip(data.names, expected.T, data.quality.T, strict=True)
        },
        novel=_novel(decisions),
        elsewhere=int((position >= tiers).sum()),
        filled=int((np.isnan(data.quality) & ~data.lost).sum()),
        lost=int(data.lost.sum()),
        seen=_seen(router, table),
    )


def _load(artifact: str | Path, options: EvaluateOptions) -> Router:
    try:
        return Router.load(
            artifact,
            strategy=options.strategy,
            max_quality_loss=options.max_quality_loss,
            budget=options.budget,
        )
    except ArtifactError as error:
        raise InputError(str(error)) from error


def _in_order(data: RoutingData, router: Router) -> RoutingData:
    """The data with the artifact's tiers, in its order."""
    wanted = [tier.name for tier in router.learned_tiers]
    missing = [name for name in wanted if name not in data.names]
    if missing:
        files = ", ".join(summary.path for summary in data.table.files)
        raise InputError(
            f"{files}: no outcomes of {', '.join(missing)}, which {router.artifact.source} chooses from; found tiers "
            f"{', '.join(data.names)}; name a table's tier with --tier {missing[0]}=MODEL, or add its score column"
        )
    order = [data.names.index(name) for name in wanted]
    return replace(
        data,
        tiers=tuple(data.tiers[place] for place in order),
        spelt=tuple(data.spelt[place] for place in order),
        scores=data.scores[:, order],
        quality=data.quality[:, order],
        adequate=data.adequate[:, order],
        costs=data.costs[:, order],
        cost_sources=tuple(data.cost_sources[place] for place in order),
        reference=wanted.index(router.rule.reference),
    )


def _outcomes(data: RoutingData, expected: NDArray[np.float64]) -> Outcomes:
    requests = data.table.requests
    return Outcomes(
        quality=data.completed(np.arange(len(data)), expected),
        costs=data.costs,
        groups=data.groups,
        sizes=np.array([request.chars + (request.max_tokens or 0) for request in requests], np.int64),
        tasks=data.matrix.tasks,
        reference=data.reference,
    )


def _by_task(rows: Outcomes, chosen: NDArray[np.int64], seed: int) -> Iterator[tuple[str, int, Result]]:
    labels = np.array([task or "" for task in rows.tasks])
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    for place in np.lexsort((names, -counts))[:_LISTED_TASKS]:
        own = np.flatnonzero(labels == names[place])
        weights = fixed_weights(chosen[own], rows.quality.shape[1])
        yield str(names[place]), len(own), evaluate(str(names[place]), weights, rows.part(own), seed=seed)


def _kept(router: Router, data: RoutingData, chosen: NDArray[np.int64], seed: int) -> PromiseCheck | None:
    complete = ~np.isnan(data.quality[:, data.by_chance]).any(axis=1)
    if not complete.any():
        return None
    rule, picked = router.rule, chosen[complete]
    reference, reached = against(data.quality[complete], picked, data.reference)
    means = redraw(np.column_stack([reference, reached]), data.groups[complete], seed)
    losses = [lost_share(*pair, relative=rule.relative) for pair in means.tolist()]
    return PromiseCheck(
        promised=router.plan.promise,
        relative=rule.relative,
        confidence=rule.confidence,
        lost=lost_share(float(reference.mean()), float(reached.mean()), relative=rule.relative),
        least=interval(np.array(losses)).low,
        most=upper_bound(
            reference, reached, relative=rule.relative, confidence=rule.confidence, groups=data.groups[complete]
        ),
        rows=int(complete.sum()),
    )


def lost_share(reference: float, reached: float, *, relative: bool) -> float:
    """Mean quality lost: a share of the reference's where ``relative``, 0 where it has none; else points."""
    lost = reference - reached
    return (lost / reference if reference > 0 else 0.0) if relative else lost


def _novel(decisions: list[Decision]) -> float:
    return float(np.mean([decision.forecast.novelty > NOVEL for decision in decisions]))


def _seen(router: Router, table: OutcomeTable) -> tuple[str, ...]:
    noted: Any = router.artifact.header.get("training", {})
    tables = noted.get("tables", []) if isinstance(noted, dict) else []
    known = {entry.get("sha256") for entry in tables if isinstance(entry, dict)}
    return tuple(Path(summary.path).name for summary in table.files if summary.sha256 in known)
