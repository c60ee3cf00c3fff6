"""The test rows on which a way of routing did worst: quality lost, and money spent for nothing."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.report.data import MistakeCase, Mistakes
from training.report.markup import printable
from training.training import Training

EXCERPT_CHARS = 160
_LISTED = 8
_SHARED_BY = 5
_LONG_START = 40
_ELLIPSIS = "\u2026"
_BLANKS = re.compile(r"\s+")


def mistakes(
    training: Training, chosen: NDArray[np.int64], complete: NDArray[np.bool_], *, prompts: bool
) -> Mistakes | None:
    """The worst rows among those whose every score was observed; None where there are none.

    Parameters
    ----------
    chosen : (m,) tier of each test row.
    complete : (m,) whether all of the row's scores are known.
    prompts : show excerpts of prompts.
    """
    if not complete.any():
        return None
    test, expected = training.test, training.predicted.quality
    rows = np.arange(len(test))
    starts = TemplateStarts(request.text for request in training.data.table.requests) if prompts else None
    reached, paid = test.quality[rows, chosen], test.costs[rows, chosen]
    lost = np.where(complete, test.quality[:, test.reference] - reached, 0.0)
    # The cheapest answer that was at least as good as the one paid for.
    as_good = np.argmin(np.where(test.quality >= reached[:, None] - 1e-12, test.costs, np.inf), axis=1)
    overpaid = np.where(complete, paid - test.costs[rows, as_good], 0.0)
    reference = np.full(len(test), test.reference)
    useful = overpaid * (test.quality[rows, as_good] > 0)
    # Of equal losses, the one the model was surest about comes first.
    worst = np.lexsort((-expected[rows, chosen], -lost))
    dearest = np.argsort(-useful, kind="stable")
    return Mistakes(
        rows=int(complete.sum()),
        lost_rows=int((lost > 1e-9).sum()),
        overpaid_rows=int((overpaid > 0).sum()),
        overpaid_share=float(overpaid.sum() / paid[complete].sum()),
        lost=_cases(training, worst[lost[worst] > 1e-9], chosen, reference, starts),
        overpaid=_cases(training, dearest[useful[dearest] > 0], chosen, as_good, starts),
    )


def excerpt(text: str, start: int = 0) -> str:
    """At most 160 characters of a text from ``start`` on, on one line."""
    # Blanks are joined only as far as is shown: prompts may be megabytes long.
    shown = text[start : start + 8 * EXCERPT_CHARS]
    line = (_ELLIPSIS if start else "") + printable(_BLANKS.sub(" ", shown).strip())
    whole = len(line) <= EXCERPT_CHARS and len(text) <= start + len(shown)
    return line if whole else line[: EXCERPT_CHARS - 1].rstrip() + _ELLIPSIS


class TemplateStarts:
    """Where prompts begin to differ from others: the instructions before every question tell a reader nothing."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Index all prompts of a table."""
        self._sorted = sorted(texts)

    def of(self, text: str) -> int:
        """Length of the beginning that five others share, up to the last whole word; 0 where it is short anyway."""
        place = bisect_left(self._sorted, text)
        near = [place - _SHARED_BY, place + _SHARED_BY]
        others = [self._sorted[other] for other in near if 0 <= other < len(self._sorted)]
        shared = max((_shared_length(text, other) for other in others), default=0)
        start = max(text.rfind(blank, 0, shared) for blank in " \n") + 1
        return start if _LONG_START <= start < len(text.rstrip()) else 0


def _shared_length(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.startswith(other[:middle]) else (low, middle - 1)
    return low


def _cases(
    training: Training,
    order: NDArray[np.int64],
    chosen: NDArray[np.int64],
    better: NDArray[np.int64],
    starts: TemplateStarts | None,
) -> tuple[MistakeCase, ...]:
    firsts = _first_of_each(training.test.groups, order.tolist())
    return tuple(_case(training, row, int(chosen[row]), int(better[row]), starts) for row in firsts)


def _first_of_each(groups: NDArray[np.int64], order: Iterable[int]) -> list[int]:
    """The first rows, one of each group: near-duplicates of a case say nothing new."""
    firsts: dict[int, int] = {}
    for row in order:
        firsts.setdefault(int(groups[row]), row)
        if len(firsts) == _LISTED:
            break
    return list(firsts.values())


def _case(training: Training, row: int, chosen: int, better: int, starts: TemplateStarts | None) -> MistakeCase:
    data, test = training.data, training.test
    place = int(training.split.test[row])
    source, text = data.table.sources[place], data.table.requests[place].text
    return MistakeCase(
        file=Path(source.file).name,
        row=source.row,
        task=test.tasks[row],
        chosen=data.names[chosen],
        better=data.names[better],
        chosen_score=float(test.quality[row, chosen]),
        better_score=float(test.quality[row, better]),
        chosen_cost=float(test.costs[row, chosen]),
        better_cost=float(test.costs[row, better]),
        expected=float(training.predicted.quality[row, chosen]),
        prompt=None if starts is None else excerpt(text, starts.of(text)),
    )
