"""Which features of the requests moved, and how far: the population stability index.

With shares a and b of a feature's bins before and lately, PSI = sum (b - a) * log(b / a). Below 0.1 little has moved,
above 0.25 much (Siddiqi, "Credit Risk Scorecards", 2006). It describes and gives no alarm: of many features some move
by chance. Without any change it is about (bins - 1) * (1 / rows before + 1 / rows lately).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.features import Features, dense_names
from classifier.router import Router
from training.drift.data import FeatureShift
from training.drift.streams import row_means, task_codes
from training.log.observed import Observed

LITTLE, MUCH = 0.1, 0.25
_BINS = 10
_HALF = 0.5  # rows added to each bin, so that none is empty
_MOST_ROWS = 2000

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features of some of a log's rows.

    Attributes
    ----------
    source : "prompts" or "features", whichever the store keeps; None: neither, and there are no rows.
    names : of the columns.
    rows : (m,) places in the log. values : (m, d).
    """

    source: str | None
    names: tuple[str, ...]
    rows: NDArray[np.int64]
    values: _Float


def feature_table(observed: Observed, router: Router, split: int) -> FeatureTable:
    """The dense features of the requests as an artifact's model sees them; of at most 2,000 before and after a row."""
    asked, names = observed.asked, dense_names(router.keywords)
    source = next(
        (
            name
            for name, kept in (("prompts", asked.requests), ("features", asked.features))
            if any(each is not None for each in kept)
        ),
        None,
    )
    found: dict[int, _Float] = {}
    for begin, end in ((0, split), (split, len(observed))):
        for row in np.unique(np.linspace(begin, max(end - 1, begin), min(end - begin, _MOST_ROWS)).astype(np.int64)):
            dense = _dense(observed, router, int(row)) if source else None
            if dense is not None and len(dense) == len(names):
                found[int(row)] = dense
    values = np.array(list(found.values())).reshape(len(found), len(names))
    return FeatureTable(source, names, np.array(list(found), np.int64), values)


def movements(
    observed: Observed, split: int, table: FeatureTable | None, novelty: _Float | None
) -> tuple[FeatureShift, ...]:
    """Everything that is known of the requests before and after a row, what moved most first."""
    tasks = task_codes(observed)[1]
    lately = np.arange(len(observed)) >= split
    found = [_label("task", tasks, lately)]
    found += [
        _number(f"expected adequacy of {name}", "share", observed.expected[:, tier], lately)
        for tier, name in enumerate(observed.tiers)
    ]
    found.append(_number("expected cost", "usd", row_means(observed.expected_cost), lately))
    if novelty is not None:
        found.append(_number("novelty", "", novelty, lately))
    if table is not None:
        found += [
            _number(
                name, "share" if name.startswith("share") else "number", table.values[:, place], table.rows >= split
            )
            for place, name in enumerate(table.names)
        ]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: -each.psi))


def stability_index(before: Sequence[int] | NDArray[np.int64], after: Sequence[int] | NDArray[np.int64]) -> float:
    """PSI of counts in the same bins, with half a row added to each."""
    one, other = (np.asarray(counts, np.float64) + _HALF for counts in (before, after))
    one, other = one / one.sum(), other / other.sum()
    return float(((other - one) * np.log(other / one)).sum())


def _number(what: str, unit: str, values: _Float, lately: NDArray[np.bool_]) -> FeatureShift | None:
    known = np.isfinite(values)
    before, after = values[known & ~lately], values[known & lately]
    if not len(before) or not len(after):
        return None
    inner = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    # A value that many rows share gets a bin of its own.
    edges = np.unique(np.concatenate((inner, np.nextafter(inner, np.inf))))
    counts = [
        np.bincount(np.searchsorted(edges, part, side="right"), minlength=len(edges) + 1) for part in (before, after)
    ]
    means = [float(np.expm1(part.mean()) if unit == "number" else part.mean()) for part in (before, after)]
    return _moved(what, unit, (means[0], means[1]), counts)


def _label(what: str, codes: NDArray[np.int64], lately: NDArray[np.bool_]) -> FeatureShift | None:
    if not lately.any() or lately.all():
        return None
    size = int(codes.max()) + 1
    return _moved(what, "", (None, None), [np.bincount(codes[part], minlength=size) for part in (~lately, lately)])


def _moved(
    what: str, unit: str, means: tuple[float | None, float | None], counts: Sequence[NDArray[np.int64]]
) -> FeatureShift:
    before, after = counts
    bins = int(((before + after) > 0).sum())
    noise = (bins - 1) * (1 / before.sum() + 1 / after.sum())
    return FeatureShift(what, unit, *means, stability_index(before, after), float(noise))


def _dense(observed: Observed, router: Router, row: int) -> _Float | None:
    request, kept = observed.asked.requests[row], observed.asked.features[row]
    if request is not None:
        return router.features(request).dense
    return kept.dense if isinstance(kept, Features) else None  # else of another version, or sealed with another key
