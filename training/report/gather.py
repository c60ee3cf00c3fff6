"""From a training run to what its report shows."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.keywords import KeywordGroups
from classifier.version import __version__
from training.certify.comparison import LEARNED, ORACLE
from training.measure.curves import Curve, average_quality, calls_for_gap, performance_gap_recovered, sweep
from training.measure.evaluate import (
    Interval,
    Outcomes,
    cheapest_adequate,
    evaluate,
    fixed_weights,
    mix_quality,
)
from training.report.advice import limits, next_steps
from training.report.data import (
    Confusion,
    CurveData,
    DataNotes,
    FileNotes,
    MoneySummary,
    ProblemKind,
    RangedFigure,
    Reliability,
    ReportData,
    Reproduction,
    RouteSummary,
    TaskSummary,
    TierSummary,
)
from training.report.ladder import ladder_steps
from training.report.learned import learned
from training.report.mistakes import mistakes
from training.report.offer import offer_first, offered, offers_cascade
from training.report.reliability import reliability
from training.report.today import reference_spend, saving_today, today_summary
from training.report.unseen import UnseenTask
from training.report.untaken import why_not_taken
from training.report.verdict import verdict
from training.tables import OutcomeTable, RowProblem
from training.training import Training

NO_TASK = "(no task)"
_LISTED_TASKS = 12
_LISTED_ROWS = 10
_CURVE_POINTS = 240
_QUALITY_TARGETS = (0.95, 0.98, 1.0)
_GAP_SHARES = (0.5, 0.8)
_PACKAGES = ("numpy", "scipy", "scikit-learn", "polars")


# One parameter a wish of the report, each with a default.
def report_data(
    training: Training,
    keywords: KeywordGroups,
    *,
    monthly_spend: float | None = None,
    prompts: bool = True,
    command: str | None = None,
    artifact: Path | None = None,
    digest: str | None = None,
    date: str | None = None,
    unseen_tasks: Sequence[UnseenTask] = (),
    today: str | None = None,
) -> ReportData:
    """Everything that the report of a training run shows.

    Parameters
    ----------
    keywords : the groups that the features were made with.
    monthly_spend : USD spent a month without routing; None: money is shown per 1,000 requests.
    today : name of the tier that it is spent on; None: the reference.
    prompts : show excerpts of prompts, and words found in them.
    command : the command line that was run.
    artifact, digest : the artifact that was written and `compile_artifact`'s digest of it.
    date : ISO date; None in reproducible runs.
    unseen_tasks : of `training.report.unseen.leave_tasks_out`.

    Raises
    ------
    InputError : no tier has the name ``today``.
    """
    data, test = training.data, training.test
    chosen = training.chosen
    complete = np.isnan(data.quality[training.split.test]).sum(axis=1) == 0
    mix = training.mix
    return ReportData(
        tiers=tuple(_tiers(training)),
        reference=data.names[data.reference],
        shipped=training.shipped.name,
        target=training.target.loss,
        test_rows=len(test),
        verdict=verdict(training),
        money=_money(training, reference_spend(training, monthly_spend, today)),
        gain=_estimate(mix.gain, mix.interval),
        routes=tuple(_routes(training, today)),
        curve=_curve(training),
        ladder=tuple(ladder_steps(training)),
        tasks=tuple(_tasks(training)),
        unseen_tasks=tuple(unseen_tasks),
        reliability=tuple(_reliability(training)),
        confusion=_confusion(test, chosen, complete),
        learned=learned(training, keywords, words=prompts),
        mistakes=mistakes(training, chosen, complete, prompts=prompts),
        notes=_notes(training),
        reproduction=_reproduction(training, command, artifact, digest, date),
        today=today_summary(training, today, monthly_spend),
        next_steps=tuple(next_steps(training)),
        limits=tuple(limits(training)),
    )


def _estimate(value: float, interval: Interval) -> RangedFigure:
    return RangedFigure(value, interval.low, interval.high)


def _tiers(training: Training) -> Iterator[TierSummary]:
    data = training.data
    for place, tier in enumerate(data.tiers):
        scores, judged = data.scores[:, place], data.adequate[:, place]
        known = judged[~np.isnan(judged)]
        yield TierSummary(
            name=tier.name,
            model=tier.model,
            score=float(np.nanmean(scores)),
            adequate=float(known.mean()) if len(known) else None,
            cost=float(data.costs[:, place].mean()),
            cost_source=data.cost_sources[place],
            rows=int((~np.isnan(scores)).sum()),
            never_chosen=place in training.never_chosen,
        )


def _money(training: Training, monthly_spend: float | None) -> MoneySummary:
    saving = training.result
    before = monthly_spend
    if before is None:
        before = 1000 * float(training.test.costs[:, training.test.reference].mean())
    after = RangedFigure(
        before * (1 - saving.saving),
        before * (1 - saving.saving_interval.high),
        before * (1 - saving.saving_interval.low),
    )
    return MoneySummary("per 1,000 requests" if monthly_spend is None else "a month", before, after)


def _routes(training: Training, today: str | None) -> Iterator[RouteSummary]:
    better, reasons = offers_cascade(training), why_not_taken(training)
    for result in offer_first(training):
        yield RouteSummary(
            name=result.name,
            kind={LEARNED: "learned", ORACLE: "oracle"}.get(result.name, "baseline"),
            shipped=result is training.result,
            cost=result.cost,
            quality=result.quality,
            saving=_estimate(result.saving, result.saving_interval),
            kept=_estimate(result.kept, result.kept_interval),
            shares=result.shares,
            offered=better and result is offered(training),
            why_not=reasons.get(result.name),
            saving_today=saving_today(training, result, today),
        )


def _curve(training: Training) -> CurveData:
    test, predicted = training.test, training.predicted
    base_cost, base_quality = (values[:, test.reference].mean() for values in (test.costs, test.quality))
    whole = sweep(predicted.quality, predicted.cost, test.quality, test.costs, test.reference)
    costs, quality = test.costs.mean(axis=0), test.quality.mean(axis=0)
    corners = sorted(costs.tolist())
    mix = Curve(
        np.array(corners) / base_cost, np.array([mix_quality(costs, quality, cost) for cost in corners]) / base_quality
    )
    low, high = float(mix.cost[0]), float(mix.cost[-1])
    two_unequal = len(quality) == 2 and quality[1] > quality[0]
    return CurveData(
        learned=_thinned(whole),
        mix=tuple(zip(mix.cost.tolist(), mix.quality.tolist(), strict=True)),
        peers=tuple(
            (name, _thinned(sweep(peer.quality, peer.cost, test.quality, test.costs, test.reference)))
            for name, peer in training.peers.items()
        ),
        cost_at=tuple((target, _known(whole.cost_at(target))) for target in _QUALITY_TARGETS),
        average=_known(average_quality(whole, low, high)),
        mix_average=_known(average_quality(mix, low, high)),
        gap_recovered=performance_gap_recovered(predicted.quality, test.quality) if two_unequal else None,
        calls_for=tuple((share, calls_for_gap(predicted.quality, test.quality, share)) for share in _GAP_SHARES)
        if two_unequal
        else (),
    )


def _thinned(curve: Curve) -> tuple[tuple[float, float], ...]:
    """At most some hundred points of a curve, its ends among them."""
    points = np.column_stack([curve.cost, curve.quality])
    moved = np.concatenate([[True], (np.abs(np.diff(points, axis=0)) > 1e-6).any(axis=1)])
    points = points[moved]
    picked = np.unique(np.linspace(0, len(points) - 1, _CURVE_POINTS).round().astype(int))
    return tuple((float(cost), float(quality)) for cost, quality in points[picked])


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _tasks(training: Training) -> Iterator[TaskSummary]:
    """The tasks with most rows, then all others together; nothing where no row has a task."""
    test, chosen, seed = training.test, training.chosen, training.seed
    learned = training.shipped.strategy == "learned"
    counts = Counter(test.tasks)
    if set(counts) == {None}:
        return
    listed = [task for task, _ in counts.most_common(_LISTED_TASKS)]
    if len(counts) == _LISTED_TASKS + 1:
        listed = [task for task, _ in counts.most_common()]
    names = np.array([listed.index(task) if task in listed else len(listed) for task in test.tasks])
    for place, task in enumerate(listed):
        certified = None if task is None or not learned else training.rule.task_keeps(task)
        yield _task(task or NO_TASK, test, np.flatnonzero(names == place), chosen, seed, certified)
    rest = len(counts) - len(listed)
    if rest:
        yield _task(f"{rest} other tasks", test, np.flatnonzero(names == len(listed)), chosen, seed, None)


def _task(
    name: str, test: Outcomes, rows: NDArray[np.int64], chosen: NDArray[np.int64], seed: int, certified: bool | None
) -> TaskSummary:
    result = evaluate(name, fixed_weights(chosen[rows], test.quality.shape[1]), test.part(rows), seed=seed)
    return TaskSummary(
        name=name,
        rows=len(rows),
        shares=result.shares,
        saving=_estimate(result.saving, result.saving_interval),
        kept=_estimate(result.kept, result.kept_interval),
        certified=certified,
    )


def _reliability(training: Training) -> Iterator[Reliability]:
    data, predicted, rows = training.data, training.predicted, training.split.test
    measures = [("score", predicted.quality, data.quality[rows])]
    if data.adequate is data.quality:
        measures = [("adequacy", predicted.quality, data.quality[rows])]
    else:
        measures.append(("adequacy", predicted.adequate, data.adequate[rows]))
    for measure, expected, observed in measures:
        for place, name in enumerate(data.names):
            if measure == "adequacy" and len(measures) > 1 and place == data.reference:
                continue  # No worse than itself: there is nothing to predict.
            found = reliability(name, measure, expected[:, place], observed[:, place])
            if found is not None:
                yield found


def _confusion(test: Outcomes, chosen: NDArray[np.int64], complete: NDArray[np.bool_]) -> Confusion | None:
    if not complete.any():
        return None
    tiers = test.quality.shape[1]
    counts = np.zeros((tiers, tiers), np.int64)
    np.add.at(counts, (cheapest_adequate(test)[complete], chosen[complete]), 1)
    return Confusion(tuple(map(tuple, counts.tolist())), int((~complete).sum()))


def _notes(training: Training) -> DataNotes:
    data, table = training.data, training.data.table
    return DataNotes(
        files=tuple(
            FileNotes(
                name=Path(file.path).name,
                form=file.form,
                rows_read=file.rows_read,
                rows_kept=file.rows_kept,
                repeats=file.repeats,
                ignored=file.ignored,
                hints=file.hints,
                sha256=file.sha256,
            )
            for file in table.files
        ),
        problems=tuple(_problem_kinds(table)),
        rows=len(data),
        duplicates=len(data) - len(np.unique(data.groups)),
        missing_scores=int(np.isnan(data.scores).sum()),
        filled=training.filled,
        lost=training.lost,
    )


def _problem_kinds(table: OutcomeTable) -> Iterator[ProblemKind]:
    kinds: dict[tuple[str, str | None, str, bool], list[RowProblem]] = {}
    for problem in table.problems:
        kinds.setdefault((problem.file, problem.column, problem.expected, problem.skipped), []).append(problem)
    for alike in sorted(kinds.values(), key=len, reverse=True):
        first = alike[0]
        yield ProblemKind(
            file=Path(first.file).name,
            column=first.column,
            found=first.found,
            expected=first.expected,
            skipped=first.skipped,
            count=len(alike),
            rows=tuple(problem.row for problem in alike[:_LISTED_ROWS]),
        )


def _reproduction(
    training: Training, command: str | None, artifact: Path | None, digest: str | None, date: str | None
) -> Reproduction:
    split = training.split
    return Reproduction(
        command=command,
        seed=training.seed,
        artifact=None if artifact is None else artifact.name,
        digest=digest,
        date=date,
        versions=(
            ("tierwise", __version__),
            ("python", platform.python_version()),
            *((package, version(package)) for package in _PACKAGES),
        ),
        price_weight=training.rule.setting.price_weight,
        reference_bonus=training.rule.setting.reference_bonus,
        fit_rows=len(split.fit),
        choose_rows=len(split.choose),
        test_rows=len(split.test),
        split_by=split.by,
    )
