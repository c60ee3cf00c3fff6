"""An outcome table made ready for training: tiers matched and in price order, costs complete, answers judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu, Tier, normalise_label
from classifier.errors import InputError
from classifier.keywords import KeywordGroups
from classifier.request import Request
from classifier.tasks import canonical_task
from classifier.text import excerpt_of
from classifier.tokens import estimate_tokens
from training.learners.fit import FitRows
from training.learners.matrix import FeatureMatrix, build_matrix, joined, stack_features
from training.log.observed import Observed
from training.log.rows import LoggedRows
from training.prepare.adequacy import Adequacy, expand_labels, judge, pick_reference
from training.prepare.costs import fill_costs
from training.prepare.duplicates import near_duplicates
from training.prepare.missing import Missing, find_missing
from training.prepare.split import group_rows
from training.prepare.tiers import match_tiers, price_order
from training.progress import Progress
from training.tables import OutcomeTable

MIN_ROWS = 50


@dataclass(frozen=True, slots=True)
class DataOptions:
    """How a table is to be understood.

    Attributes
    ----------
    adequacy : when an answer is good enough.
    reference : name of the reference tier; None: the best mean score.
    models : data tier -> tier or model of the menu.
    prices : data tier -> USD per 1M tokens in and out.
    tokens : token counter by name.
    jobs : joblib workers.
    """

    adequacy: Adequacy = field(default_factory=Adequacy)
    reference: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tokens: str = "estimate"
    jobs: int = -1


@dataclass(frozen=True, slots=True)
class RoutingData:
    """n requests with what t tiers made of them; tiers in price order.

    Attributes
    ----------
    table : what was read.
    tiers : the menu's entry of each tier.
    spelt : each tier's name in the table.
    matrix : the requests' features.
    scores, quality, adequate : (n, t), NaN where not observed; see `training.prepare.adequacy.judge`.
    costs : (n, t) USD, complete; ``cost_sources`` says in words where each tier's come from.
    cost_known : whether the table itself says what calls cost.
    reference : position of the reference tier.
    groups : (n,) group numbers; rows of one group belong on one side of every split.
    adequacy : when an answer counts as good enough.
    weights : (n, t) how many rows' worth a score counts; None: one each, no row was observed by a router's choice.
    observed : what was seen of the rows that a router in use observed, one each, in their order; tiers as here.
    missing : of tiers that a table's rows miss scores of, which, and whether by chance.
    """

    table: OutcomeTable
    tiers: tuple[Tier, ...]
    spelt: tuple[str, ...]
    matrix: FeatureMatrix
    scores: NDArray[np.float64]
    quality: NDArray[np.float64]
    adequate: NDArray[np.float64]
    costs: NDArray[np.float64]
    cost_sources: tuple[str, ...]
    cost_known: bool
    reference: int
    groups: NDArray[np.int64]
    adequacy: Adequacy
    weights: NDArray[np.float64] | None = None
    observed: Observed | None = None
    missing: tuple[Missing, ...] = ()

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def names(self) -> tuple[str, ...]:
        """The tiers' names, in price order."""
        return tuple(tier.name for tier in self.tiers)

    @property
    def logged(self) -> NDArray[np.bool_]:
        """(n,): rows that a router in use observed."""
        return _logged(self.table)

    @property
    def by_chance(self) -> tuple[int, ...]:
        """Places of the tiers that a table's rows miss scores of by chance: the rows that have them stand for all."""
        return tuple(gap.tier for gap in self.missing if gap.by_chance)

    @property
    def gaps(self) -> tuple[int, ...]:
        """Places of the tiers that a table's rows miss scores of not by chance: what is missing counts as lost."""
        return tuple(gap.tier for gap in self.missing if not gap.by_chance)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """(n, t): scores that are missing not by chance, so that they count as lost where the tier is picked."""
        gaps = [tier for tier in self.gaps if tier != self.reference]
        return _lost(self.quality, gaps, self.logged)

    def completed(self, rows: NDArray[np.int64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, t) qualities of some rows: where one was not observed, 0 if it counts as lost, else what is expected."""
        quality = self.quality[rows]
        stands = np.where(self.lost[rows], 0.0, expected)
        return np.where(np.isnan(quality), stands, quality)

    def fit_rows(self, rows: NDArray[np.int64]) -> FitRows:
        """Some rows, to fit on."""
        return FitRows(self.matrix.rows(rows), self.costs[rows], self.groups[rows], self.reference)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,): rows whose requests are known, not only their features."""
        known = np.ones(len(self), bool)
        if self.table.logged is not None:
            known[list(self.table.logged.features)] = False
        return known


def _logged(table: OutcomeTable) -> NDArray[np.bool_]:
    return np.zeros(len(table.requests), bool) if table.logged is None else table.logged.rows


def prepare(
    table: OutcomeTable,
    menu: Menu,
    keywords: KeywordGroups,
    options: DataOptions,
    *,
    progress: Progress | None = None,
) -> RoutingData:
    """Bring a table and a menu together.

    Raises
    ------
    InputError : too few rows or tiers, nothing to tell apart or to save, a tier without a price, an option that does
        not fit.
    """
    _refuse_too_little(table)
    costs_known = [bool(np.isfinite(column).any()) for column in table.costs.T]
    matched = match_tiers(table.tiers, menu, models=options.models, prices=options.prices, costs_known=costs_known)
    requests = [
        replace(request, task=canonical_task(request.task, menu) or normalise_label(request.task))
        for request in table.requests
    ]
    matrix = _matrix(table, requests, keywords, options, progress)
    limits = np.array([np.nan if request.max_tokens is None else request.max_tokens for request in requests])
    filled = fill_costs(table.costs, table.tokens_out, matrix.tokens, limits, matrix.tasks, matched, _written(table))
    order = price_order(filled.usd)
    tiers = tuple(matched[place] for place in order)
    data_names = tuple(table.tiers[place] for place in order)
    scores = expand_labels(table.scores[:, order], table.labels, data_names)
    groups = group_rows(_texts(table, requests), table.groups, near_duplicates(matrix.terms))
    missing = _missing(table, matrix, scores, groups, options.jobs)
    comparable = _with_losses(table, scores, missing)
    reference = pick_reference(comparable, data_names, _data_name(options.reference, tiers, data_names))
    adequate, quality = _judged(table, scores, reference, options.adequacy)
    _refuse_one_class(quality, data_names, options.adequacy)
    _refuse_free_reference(filled.usd[:, order[reference]], data_names[reference])
    return RoutingData(
        table=table,
        tiers=tiers,
        spelt=data_names,
        matrix=matrix,
        scores=scores,
        quality=quality,
        adequate=adequate,
        costs=filled.usd[:, order],
        cost_sources=tuple(filled.how[place] for place in order),
        cost_known=any(costs_known),
        reference=reference,
        groups=groups,
        adequacy=options.adequacy,
        weights=None if table.logged is None else table.logged.weights[:, order],
        observed=_observed(table, data_names),
        missing=missing,
    )


def _written(table: OutcomeTable) -> NDArray[np.float64]:
    """(n, t) estimated tokens of the answers' texts; NaN where there is none, or where a tier's costs are known."""
    tokens = np.full(table.costs.shape, np.nan)
    unsaid = np.isnan(table.costs).any(axis=0) & np.isnan(table.tokens_out).all(axis=0)
    for place in np.flatnonzero(unsaid).tolist():
        for row, responses in enumerate(table.responses or ()):
            if table.tiers[place] in responses:
                tokens[row, place] = estimate_tokens(excerpt_of(responses[table.tiers[place]]))
    return tokens


def _missing(
    table: OutcomeTable,
    matrix: FeatureMatrix,
    scores: NDArray[np.float64],
    groups: NDArray[np.int64],
    jobs: int,
) -> tuple[Missing, ...]:
    """What the tables' own rows miss; what a router in use did not observe, its propensities tell of."""
    own = np.flatnonzero(~_logged(table))
    texts = [table.requests[row].text for row in own.tolist()]
    return find_missing(matrix.rows(own), scores[own], groups[own], texts, jobs=jobs)


def _with_losses(table: OutcomeTable, scores: NDArray[np.float64], missing: Sequence[Missing]) -> NDArray[np.float64]:
    """Scores to compare tiers by: one that is missing not by chance counts as 0, or what was left out would flatter."""
    gaps = [gap.tier for gap in missing if not gap.by_chance]
    return np.where(_lost(scores, gaps, _logged(table)), 0.0, scores)


def _lost(scores: NDArray[np.float64], gaps: Sequence[int], logged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n, t): scores that a table's own rows miss, of the tiers ``gaps``."""
    lost = np.zeros(scores.shape, bool)
    lost[:, gaps] = np.isnan(scores[:, gaps]) & ~logged[:, None]
    return lost


def _observed(table: OutcomeTable, names: tuple[str, ...]) -> Observed | None:
    """What the table's log saw of tiers of these names."""
    if not isinstance(table.logged, LoggedRows):
        return None
    seen = table.logged.observed
    return seen.columns([seen.tiers.index(name) if name in seen.tiers else -1 for name in names], names)


def _matrix(
    table: OutcomeTable,
    requests: list[Request],
    keywords: KeywordGroups,
    options: DataOptions,
    progress: Progress | None,
) -> FeatureMatrix:
    """Features of all rows: computed, or where a store kept nothing else, as they were stored."""
    if table.logged is None or not table.logged.features:
        return build_matrix(requests, keywords, options.tokens, jobs=options.jobs, progress=progress)
    stored = table.logged.features
    told = [request for row, request in enumerate(requests) if row not in stored]
    tasks = [request.task for request in requests]
    hidden = stack_features([replace(stored[row], task=tasks[row]) for row in sorted(stored)])
    if not told:
        return hidden
    built = build_matrix(told, keywords, options.tokens, jobs=options.jobs, progress=progress)
    first = np.array([row not in stored for row in range(len(requests))])
    place = np.empty(len(requests), np.int64)
    place[first], place[~first] = np.arange(len(told)), len(told) + np.arange(len(stored))
    return joined(built, hidden).rows(place)


def _texts(table: OutcomeTable, requests: list[Request]) -> list[str]:
    """What tells requests apart: their texts; those that are not known are all different."""
    hidden = {} if table.logged is None else table.logged.features
    return [f"\x00{row}" if row in hidden else request.whole for row, request in enumerate(requests)]


def _judged(
    table: OutcomeTable, scores: NDArray[np.float64], reference: int, rule: Adequacy
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Adequacy and quality; what a router in use observed is adequacy already."""
    adequate, quality = judge(scores, reference, rule)
    if table.logged is not None:
        rows = table.logged.rows
        adequate, quality = adequate.copy(), quality.copy()
        adequate[rows], quality[rows] = scores[rows], scores[rows]
        if rule.at is None:
            adequate[rows, reference] = np.nan
        if rows.all():
            adequate = quality
    return adequate, quality


def _data_name(wanted: str | None, tiers: tuple[Tier, ...], names: tuple[str, ...]) -> str | None:
    """The data's name for a tier that the user may have called by its menu name."""
    if wanted is None:
        return None
    label = normalise_label(wanted)
    return next(
        (name for name, tier in zip(names, tiers, strict=True) if label in map(normalise_label, (name, *tier.names()))),
        wanted,
    )


def _refuse_too_little(table: OutcomeTable) -> None:
    files = ", ".join(summary.path for summary in table.files)
    if len(table.requests) < MIN_ROWS:
        raise InputError(
            f"{files}: {len(table.requests)} usable rows, expected at least {MIN_ROWS} "
            "(a few hundred for figures worth trusting); add rows or further tables"
        )
    if len(table.tiers) < 2:
        raise InputError(
            f"{files}: found one tier ({', '.join(table.tiers)}), expected at least two to choose from; "
            "add score__<tier> columns or a table with another tier's outcomes"
        )


def _refuse_one_class(quality: NDArray[np.float64], names: tuple[str, ...], rule: Adequacy) -> None:
    seen = quality[~np.isnan(quality)]
    if np.ptp(seen) > 0:
        return
    advice = f"always use {names[0]}, the cheapest" if seen[0] > 0 else "check how the scores were made"
    if rule.at is None:
        found = f"every tier has score {seen[0]:g} on every row"
    else:
        found = (
            f"with adequacy from a score of {rule.at:g}, every answer is {'adequate' if seen[0] > 0 else 'inadequate'}"
        )
        advice = f"use another threshold, or {advice}"
    raise InputError(f"{found}: there is nothing to learn, expected answers that differ; {advice}")


def _refuse_free_reference(costs: NDArray[np.float64], name: str) -> None:
    if not costs.any():
        raise InputError(
            f"calls of the reference tier {name} cost nothing: there is nothing to save, expected a cost above 0; "
            f"always use {name}, correct its prices or costs, or name another tier as the reference"
        )
