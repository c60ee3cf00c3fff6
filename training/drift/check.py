"""What a store's outcomes show, and the artifact in use -> what has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from classifier.artifact import header_field
from classifier.catalog import menu_from_header
from classifier.errors import InputError
from classifier.router import Router
from training.drift.data import DriftReport
from training.drift.gather import drift_report, lately_from
from training.drift.monitor import DriftOptions, monitor
from training.drift.movement import feature_table
from training.drift.prices import price_changes
from training.drift.rhythm import by_periods
from training.log.observed import Observed

_DIGITS = 12


def check_drift(
    observed: Observed,
    router: Router,
    options: DriftOptions | None = None,
    *,
    strict: bool = False,
    rhythm: timedelta | None = None,
) -> DriftReport:
    """What has changed since an artifact, or the menu's rules, began to decide, by what came of the decisions.

    Parameters
    ----------
    observed : of a store's outcomes, read with the router's menu.
    router : of the artifact or the rules; its menu has today's prices.
    strict : only this one's outcomes will do. Else, where it has none, those of the artifact that decided the
        latest request are looked at, and the report says so.
    rhythm : period of the traffic's rhythm, above 0: `training.drift.rhythm`; None: it has none.

    Raises
    ------
    InputError : there is no outcome of the artifact.
    """
    rows, notes = _in_force(observed, router, strict)
    rows = rows.rows(np.argsort(rows.time, kind="stable"))
    if rhythm is not None:
        rows, options = _whole_periods(rows, options or DriftOptions(), rhythm)
    drift = monitor(rows, options, rows.novelty)
    trained = router.menu
    if router.digest is not None:
        trained = menu_from_header(header_field(router.artifact, "menu", kind=dict), router.artifact.source)
    return drift_report(
        rows,
        drift,
        novelty=rows.novelty,
        prices=price_changes(trained, router.menu),
        table=feature_table(rows, router, lately_from(drift, len(rows))),
        notes=notes,
    )


def _whole_periods(observed: Observed, options: DriftOptions, rhythm: timedelta) -> tuple[Observed, DriftOptions]:
    """The requests of whole periods; while there are none, all, which then only show what is usual."""
    places = by_periods(observed.time, rhythm.total_seconds())
    if len(places):
        return observed.rows(places), options
    return observed, replace(options, baseline=max(options.baseline, len(observed)))


def _in_force(everything: Observed, router: Router, strict: bool) -> tuple[Observed, list[str]]:
    digest, called = router.digest, _called(router)
    if digest in everything.artifacts:
        number, notes = everything.artifacts.index(digest), []
    elif strict:
        raise InputError(
            f"drift: found no outcome that {called} decided, expected some; name no artifact, so that the one that "
            "decided the latest requests is looked at"
        )
    else:
        number = int(everything.artifact[int(np.argmax(everything.time))])
        latest = everything.artifacts[number]
        notes = [
            f"the router in use, {called}, has decided nothing in this store: looked at are the requests of "
            f"{'rules without an artifact' if latest is None else latest[:_DIGITS]}, which decided the latest"
        ]
    rows = np.flatnonzero(everything.artifact == number)
    others = len(everything) - len(rows)
    if others:
        notes.append(f"{others:,} requests of other artifacts are left out")
    return everything.rows(rows), notes


def _called(router: Router) -> str:
    """A router in a sentence."""
    return "by the menu's rules" if router.digest is None else f"{router.artifact.source} ({router.digest[:_DIGITS]})"
