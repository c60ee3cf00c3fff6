"""What a certificate assumes, and where the rows give reason to doubt it: one sentence each, for people who decide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.certify.certify import Rung
from training.prepare.data import RoutingData
from training.prepare.missing import LEVEL, Missing
from training.training import Training

_FEW_INDEPENDENT = 0.5


def assumptions(training: Training) -> Iterator[str]:
    """What must be true for the promise to hold."""
    yield (
        "Independent rows: no request depends on another, and tomorrow's requests are like these. Rows that belong "
        "together (a conversation, a document) need a group column."
    )
    yield "True scores: if the table calls a poor answer good, so does the promise."
    names = training.data.names
    chance = [f"{gap.rows:,} of {names[gap.tier]}" for gap in training.data.missing if gap.by_chance]
    if chance:
        yield (
            f"Scores missing by chance ({', '.join(chance)}): no test tells which. A cause that leaves no other trace "
            "cannot be seen."
        )
    yield from _frequent(training)
    yield _tries(training)


def independent(rung: Rung) -> str:
    """What a certificate was tested on, in words."""
    if rung.effective_rows == rung.rows:
        return f"{rung.rows:,} independent rows"
    return f"{rung.rows:,} groups of like rows, worth {rung.effective_rows:,} independent ones,"


def doubts(training: Training) -> Iterator[str]:
    """What makes the rows unfit for a promise, and what was done."""
    for gap in training.data.missing:
        if not gap.by_chance:
            yield _gap(training, gap)
    yield from _large(training)
    rung, rows = training.rule.asked, len(training.split.choose)
    if rung.requests < _FEW_INDEPENDENT * rows and training.data.missing:
        yield (
            f"scores are missing: of the {rows:,} rows for choosing only {rung.requests:,} have all that is needed. "
            "Score every tier on the same rows to certify more."
        )
    if 0 < rung.effective_rows < _FEW_INDEPENDENT * rung.requests:
        yield (
            f"few groups decide: the {rung.requests:,} rows that certify are {rung.rows:,} groups of like requests, "
            f"worth about {rung.effective_rows:,} independent rows. Requests from more sources would certify more."
        )
    if training.target.attempt is not None and training.target.attempt > 1 and not training.rule.certified:
        yield (
            f"this is try {training.target.attempt} on these rows, tested at {training.target.level:.2%} confidence: "
            "what earlier runs used of the error is gone. New rows start anew."
        )
    if training.runs:
        yield (
            "rows look clustered: those next to each other are far more alike than others. If topics, users or "
            "documents come and go, name what belongs together in a group column (--column group=YOURS); without it "
            "the promise counts each row as independent."
        )


def _tries(training: Training) -> str:
    attempt, confidence = training.target.attempt, training.target.confidence
    if attempt is None:
        return "One try, which no ledger counts. The best of several runs on the same rows may break the promise."
    if attempt == 1:
        return "One try on these rows. Further tries, with another seed or option, are tested more strictly."
    return (
        f"Try {attempt} on these rows: it was tested at {training.target.level:.2%} confidence, so that all tries "
        f"together keep {confidence:.0%}. New rows start anew."
    )


def gap_seen(gap: Missing, name: str) -> str:
    """What is missing of a tier, in a sentence."""
    whose = f", {gap.where}" if gap.where else ""
    known = "not by chance" if gap.p_value < LEVEL else "whether by chance is not known"
    return f"{gap.rows:,} of {gap.of:,} rows have no score of {name}{whose}: {known}. "


def _gap(training: Training, gap: Missing) -> str:
    name, reference = training.data.names[gap.tier], training.data.names[training.data.reference]
    seen = gap_seen(gap, name)
    if gap.tier == training.data.reference:
        return seen + f"There {name}, the reference, counts as right. Score it on them to certify more."
    support = training.support
    shut = support is not None and gap.tier in support.tiers
    left = f"Requests like them go to {reference}, and what" if shut else "What"
    return seen + f"{left} is picked without a score counts as lost. Score {name} on them to use it there."


def _large(training: Training) -> Iterator[str]:
    """Large groups of the user's own, which cannot be certified."""
    data = training.data
    rows = np.array([row for row in np.flatnonzero(training.large) if data.table.groups[row] is not None], np.int64)
    if not len(rows):
        return
    reference, groups = data.names[data.reference], len(np.unique(data.groups[rows]))
    what = "one group is" if groups == 1 else f"{groups:,} groups are"
    counts, them = ("it counts", "it") if groups == 1 else ("they count", "them")
    yield (
        f"{what} {len(rows) / len(data):.0%} of the rows ({len(rows):,}), too large to be certified beside the others: "
        f"{counts} as lost where a rule sends {them} to another tier than {reference}. {_scores_there(data, rows)} "
        "More groups would certify more."
    )


def _frequent(training: Training) -> Iterator[str]:
    """Prompts that are asked often, which the promise takes to stay so."""
    data = training.data
    rows = np.array([row for row in np.flatnonzero(training.large) if data.table.groups[row] is None], np.int64)
    if not len(rows):
        return
    prompts = len(np.unique(data.groups[rows]))
    what = "One prompt that is" if prompts == 1 else f"The {prompts:,} prompts that are"
    yield (
        f"{what} asked often ({len(rows) / len(data):.0%} of the rows) will be asked as often tomorrow: certified by "
        f"{'its' if prompts == 1 else 'their'} own rows. {_scores_there(data, rows)}"
    )


def _scores_there(data: RoutingData, rows: NDArray[np.int64]) -> str:
    means = [
        f"{name} {np.nanmean(data.scores[rows, tier]):.3f}"
        for tier, name in enumerate(data.names)
        if not np.isnan(data.scores[rows, tier]).all()
    ]
    return f"Mean scores there: {', '.join(means)}."
