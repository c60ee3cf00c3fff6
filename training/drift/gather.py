"""From a log and its alarms to what is shown of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.drift.data import DriftReport, EvidenceLine, PriceChange
from training.drift.findings import findings
from training.drift.monitor import Drift, Track
from training.drift.movement import FeatureTable, movements
from training.drift.streams import ANSWERS
from training.drift.tables import gate_views, series, task_views, tier_views
from training.log.observed import Observed

_POINTS = 240


def drift_report(
    observed: Observed,
    drift: Drift,
    *,
    novelty: NDArray[np.float64] | None = None,
    prices: Sequence[PriceChange] = (),
    table: FeatureTable | None = None,
    notes: Sequence[str] = (),
) -> DriftReport:
    """What `training.drift.monitor` found, with all that explains it.

    Parameters
    ----------
    observed, novelty : as given to `monitor`; one row or more.
    prices : of `training.drift.prices`. table : of `training.drift.movement`.
    notes : sentences to be shown besides.
    """
    split = lately_from(drift, len(observed))
    return DriftReport(
        artifact=observed.artifacts[int(observed.artifact[-1])],
        rows=len(observed),
        baseline=drift.options.baseline,
        level=drift.options.level,
        first=float(observed.time.min()),
        last=float(observed.time.max()),
        split=split,
        findings=findings(observed, drift, tuple(prices)),
        tiers=tier_views(observed, split),
        tasks=task_views(observed, split),
        gate=gate_views(observed, split),
        moved=movements(observed, split, table, novelty),
        features=None if table is None else table.source,
        prices=tuple(prices),
        evidence=tuple(_line(observed, track) for track in drift.tracks if len(track.rows)),
        series=series(observed, split),
        notes=(*notes, *_notes(observed, drift, table)),
    )


def lately_from(drift: Drift, rows: int) -> int:
    """The first row that counts as "lately": where what gave the first alarm began, else the last rows.

    These are as many as the baseline has. Rows of the baseline never do.
    """
    baseline, first = min(drift.options.baseline, rows), next(iter(drift.alarms), None)
    begun = rows - baseline if first is None or first.since is None else first.since
    return max(begun, baseline)


def _line(observed: Observed, track: Track) -> EvidenceLine:
    """At most some hundred points, the strongest of each stretch."""
    parts = np.array_split(np.arange(len(track.rows)), min(len(track.rows), _POINTS))
    best = [int(part[np.argmax(track.strength[part])]) for part in parts]
    return EvidenceLine(
        what=track.watched.what,
        tier=None if track.watched.tier is None else observed.tiers[track.watched.tier],
        alarm_row=track.alarm,
        points=tuple((int(track.rows[place]), float(track.strength[place]) / math.log(10)) for place in best),
    )


def _notes(observed: Observed, drift: Drift, table: FeatureTable | None) -> Iterator[str]:
    rows, baseline = len(observed), drift.options.baseline
    if rows <= baseline:
        yield f"too early to tell: {rows:,} requests are there, the first {baseline:,} only show what is usual"
    if table is not None and table.source is None:
        yield "the store keeps hashes of requests: of what they are like, the task, expectations and novelty are known"
    if table is not None and table.source is not None and not len(table.rows):
        yield "the stored features are of another version of tierwise: they are not compared"
    if not any(len(track.rows) for track in drift.tracks if track.watched.what == ANSWERS) and rows > baseline:
        yield "no gate judged answers: what becomes of their quality shows in audits and feedback alone"
