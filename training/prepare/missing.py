"""Scores that are missing: by chance, or of certain requests?

A score that is missing says nothing, and a certificate is about all the traffic. Where scores are missing by chance,
the rows that have them stand for the others. Where they are missing because of what the request is, or of how the
answer turned out, they do not: a tier that was scored where it does well looks better than it is.

Missing by chance is taken for shown where at least `LEAST_MISSING` scores are missing, at most half of all, and no
test at 2% tells which: not by what the request looks like, by how good the tier is expected to be on it, nor by what
the other tiers scored (Little, "A Test of Missing Completely at Random for Multivariate Data", JASA 83, 1988, with
cross-fitted predictions in place of normal means). What depends on the missing score alone, and on nothing that goes
along with it, no test can see: the certificate says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from classifier.text import scan_text
from training.learners.calibrate import cross_fit
from training.learners.linear import LinearLearner
from training.learners.matrix import FeatureMatrix

LEAST_MISSING = 20
LEVEL = 0.02
MOST_MISSING = 0.5

_LEAST_SEEN = 20
_LEAST_GROUPS = 2
_STARK = 0.5
_STANDS_OUT = 0.01
_LISTED_TASKS = 3
_LISTED_WORDS = 4
_LOOKED_AT = 2_000
_LEAST_ROWS_OF_WORD = 10
_LONGER = 1.5

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Missing:
    """Scores of one tier that are missing.

    Attributes
    ----------
    tier : place of the tier.
    rows : how many are missing. of : rows in all.
    by_chance : whether that is shown to be by chance.
    p_value : of the hypothesis that it is; NaN where too few are missing, or seen, to tell.
    where : of which requests they are missing, in words; empty where nothing stands out.
    """

    tier: int
    rows: int
    of: int
    by_chance: bool
    p_value: float
    where: str


def find_missing(
    matrix: FeatureMatrix,
    scores: _Float,
    groups: NDArray[np.int64],
    texts: Sequence[str],
    *,
    jobs: int = 1,
) -> tuple[Missing, ...]:
    """What is missing of each tier, and whether by chance; of tiers that miss nothing, nothing.

    Parameters
    ----------
    scores : (n, t), NaN where missing.
    groups : (n,) group numbers.
    texts : (n,) the requests'; empty where they are not known.
    """
    gone = np.isnan(scores)
    places = [tier for tier in range(scores.shape[1]) if gone[:, tier].any()]
    if not places:
        return ()
    p_values = dict(zip(places, _p_values(matrix, scores, groups, places, jobs), strict=True))
    return tuple(
        Missing(
            tier=tier,
            rows=int(gone[:, tier].sum()),
            of=len(scores),
            by_chance=bool(p_values[tier] >= LEVEL and gone[:, tier].mean() <= MOST_MISSING),
            p_value=p_values[tier],
            where=describe(gone[:, tier], matrix.tasks, texts),
        )
        for tier in places
    )


def _p_values(
    matrix: FeatureMatrix, scores: _Float, groups: NDArray[np.int64], places: Sequence[int], jobs: int
) -> list[float]:
    """Of each place: the smallest p-value of its tests, times their number (Bonferroni); NaN: it cannot be told."""
    gone = np.isnan(scores)
    telling = [tier for tier in places if _can_tell(gone[:, tier])]
    if not telling or len(np.unique(groups)) < _LEAST_GROUPS:
        return [np.nan] * len(places)
    wanted = np.column_stack([scores[:, telling], 1.0 - gone[:, telling]])
    outputs = cross_fit(LinearLearner(), matrix, wanted, np.ones(wanted.shape), groups, jobs=jobs)
    found = {}
    for at, tier in enumerate(telling):
        missing = gone[:, tier]
        tests = [
            _apart(outputs[:, at], missing),
            _apart(outputs[:, len(telling) + at], missing, "less"),
            *(_apart(scores[:, other], missing) for other in range(scores.shape[1]) if other != tier),
        ]
        known = [p_value for p_value in tests if not np.isnan(p_value)]
        found[tier] = min(1.0, len(known) * min(known)) if known else np.nan
    return [found.get(tier, np.nan) for tier in places]


def _can_tell(missing: NDArray[np.bool_]) -> bool:
    return int(missing.sum()) >= LEAST_MISSING and int((~missing).sum()) >= _LEAST_SEEN


def _apart(values: _Float, missing: NDArray[np.bool_], alternative: str = "two-sided") -> float:
    """P-value of values being alike where the score is missing and where it is not (Mann and Whitney's test).

    NaN: too little is known. ``alternative`` "less": only values that are smaller where it is missing speak against it.
    """
    one, other = values[missing & ~np.isnan(values)], values[~missing & ~np.isnan(values)]
    if min(len(one), len(other)) < 2:
        return float("nan")
    if np.ptp(np.concatenate([one, other])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(one, other, alternative=alternative).pvalue)


def describe(missing: NDArray[np.bool_], tasks: Sequence[str | None], texts: Sequence[str]) -> str:
    """Of which requests something is missing, in words; empty where nothing stands out.

    Parameters
    ----------
    missing : (n,).
    """
    return _by_task(missing, tasks) or _by_length(missing, texts) or _by_words(missing, texts)


def _by_task(missing: NDArray[np.bool_], tasks: Sequence[str | None]) -> str:
    rows, gone = Counter(tasks), Counter(task for task, lost in zip(tasks, missing, strict=True) if lost)
    share = float(missing.mean())
    stark = [
        task
        for task, count in gone.most_common()
        if task is not None and count / rows[task] >= max(_STARK, 2 * share) and rows[task] < len(tasks)
    ]
    if not stark:
        return ""
    listed = ", ".join(f"{task} ({gone[task]:,} of {rows[task]:,})" for task in stark[:_LISTED_TASKS])
    more = len(stark) - _LISTED_TASKS
    return f"mostly of the task {listed}" + (f" and {more} more" if more > 0 else "")


def _by_length(missing: NDArray[np.bool_], texts: Sequence[str]) -> str:
    sizes = np.array([len(text) for text in texts], np.float64)
    if not 0 < missing.sum() < len(sizes) or np.ptp(sizes) == 0:
        return ""
    gone, seen = float(np.median(sizes[missing])), float(np.median(sizes[~missing]))
    apart = stats.mannwhitneyu(sizes[missing], sizes[~missing]).pvalue < _STANDS_OUT
    if not apart or max(gone, seen) < _LONGER * max(min(gone, seen), 1.0):
        return ""
    which = "long" if gone > seen else "short"
    return f"mostly of {which} requests (median {gone:,.0f} characters, of the others {seen:,.0f})"


def _by_words(missing: NDArray[np.bool_], texts: Sequence[str]) -> str:
    """By words whose requests miss the score most, by a test of proportions."""
    rows = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), _LOOKED_AT)).astype(np.int64))
    every: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for row in rows.tolist():
        words = {word.decode("utf-8", "replace") for word in scan_text(texts[row]).words}
        every.update(words)
        if missing[row]:
            gone.update(words)
    share = float(missing[rows].mean())
    if not 0 < share < 1:
        return ""
    scored = {
        word: (gone[word] - count * share) / np.sqrt(count * share * (1 - share))
        for word, count in every.items()
        if count >= _LEAST_ROWS_OF_WORD and word.isalpha() and len(word) > 2
    }
    sure = stats.norm.isf(_STANDS_OUT / max(len(scored), 1))
    telling = sorted((word for word, score in scored.items() if score > sure), key=lambda word: -scored[word])
    listed = ", ".join(f"\u201c{word}\u201d" for word in telling[:_LISTED_WORDS])
    return f"mostly of requests with words such as {listed}" if listed else ""
