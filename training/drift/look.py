"""A store's outcomes and the artifact in force -> what has changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np

from classifier.artifact import header_field
from classifier.catalog import menu_from_header
from classifier.errors import InputError
from classifier.outcomes.records import Outcome
from classifier.router import Router
from training.drift.data import DriftReport
from training.drift.gather import drift_report, lately_from
from training.drift.monitor import DriftOptions, monitor
from training.drift.movement import feature_table
from training.drift.prices import price_changes
from training.drift.rhythm import by_periods
from training.feedback.observed import Observed, observe

_DIGITS = 12


def look_for_drift(
    outcomes: Iterable[Outcome],
    router: Router,
    options: DriftOptions | None = None,
    *,
    strict: bool = False,
    rhythm: timedelta | None = None,
) -> DriftReport:
    """What has changed since an artifact began to decide, by what came of its decisions.

    Parameters
    ----------
    outcomes : of `classifier.outcomes.OutcomeStore.outcomes`; read once, as a stream.
    router : of the artifact; its menu has today's prices.
    strict : only this artifact's outcomes will do. Else, where it has none, those of the artifact that decided the
        latest request are looked at, and the report says so.
    rhythm : period of the traffic's rhythm, above 0: `training.drift.rhythm`; None: it has none.

    Raises
    ------
    InputError : there is no outcome of the menu, or none of the artifact.
    StoreError : the store cannot be read.
    """
    novelty: dict[str, float] = {}
    everything = observe(_noting(outcomes, novelty), router.menu)
    observed, notes = _in_force(everything, router, strict)
    observed = observed.rows(np.argsort(observed.time, kind="stable"))
    if rhythm is not None:
        observed, options = _whole_periods(observed, options or DriftOptions(), rhythm)
    known = np.array([novelty[row] for row in observed.asked.ids])
    drift = monitor(observed, options, known)
    trained = menu_from_header(header_field(router.artifact, "menu", kind=dict), router.artifact.source)
    return drift_report(
        observed,
        drift,
        novelty=known,
        prices=price_changes(trained, router.menu),
        table=feature_table(observed, router, lately_from(drift, len(observed))),
        notes=notes,
    )


def _whole_periods(observed: Observed, options: DriftOptions, rhythm: timedelta) -> tuple[Observed, DriftOptions]:
    """The requests of whole periods; while there are none, all, which then only show what is usual."""
    places = by_periods(observed.time, rhythm.total_seconds())
    if len(places):
        return observed.rows(places), options
    return observed, replace(options, baseline=max(options.baseline, len(observed)))


def _noting(outcomes: Iterable[Outcome], novelty: dict[str, float]) -> Iterator[Outcome]:
    """The outcomes as they come, while their decisions' novelty is noted, NaN where unknown."""
    for outcome in outcomes:
        noted = outcome.decision.novelty
        novelty[outcome.decision.id] = math.nan if noted is None else noted
        yield outcome


def _in_force(everything: Observed, router: Router, strict: bool) -> tuple[Observed, list[str]]:
    digest, source = router.artifact.digest, router.artifact.source
    if digest in everything.artifacts:
        number, notes = everything.artifacts.index(digest), []
    elif strict:
        raise InputError(
            f"drift: found no outcome that {source} ({digest[:_DIGITS]}) decided, expected some; leave --model out for "
            "the artifact that decided the latest requests"
        )
    else:
        number = int(everything.artifact[int(np.argmax(everything.time))])
        latest = everything.artifacts[number]
        notes = [
            f"{source} ({digest[:_DIGITS]}) has decided nothing in this store: looked at are the requests of "
            f"{'no artifact in particular' if latest is None else latest[:_DIGITS]}, which decided the latest"
        ]
    rows = np.flatnonzero(everything.artifact == number)
    others = len(everything) - len(rows)
    if others:
        notes.append(f"{others:,} requests of other artifacts are left out")
    return everything.rows(rows), notes
