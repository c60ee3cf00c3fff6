"""Two tables -> one: rows one after the other, tiers brought together by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.tables.outcomes import Logged, OutcomeTable


def join_tables(first: OutcomeTable, second: OutcomeTable) -> OutcomeTable:
    """All rows of both, of which at most one has logged rows.

    A tier that one of them does not have was not observed there.
    """
    tiers = tuple(dict.fromkeys((*first.tiers, *second.tiers)))
    both = (first, second)

    def stacked(name: str) -> NDArray[np.float64]:
        return np.vstack([_spread(getattr(table, name), table.tiers, tiers, np.nan) for table in both])

    answers = None
    if first.responses is not None or second.responses is not None:
        answers = [row for table in both for row in table.responses or [{}] * len(table.requests)]
    return OutcomeTable(
        requests=[*first.requests, *second.requests],
        tiers=tiers,
        scores=stacked("scores"),
        costs=stacked("costs"),
        tokens_out=stacked("tokens_out"),
        responses=answers,
        groups=[*first.groups, *second.groups],
        timestamps=np.concatenate([first.timestamps, second.timestamps]),
        labels=[*first.labels, *second.labels],
        sources=[*first.sources, *second.sources],
        problems=[*first.problems, *second.problems],
        files=[*first.files, *second.files],
        logged=_logged(both, tiers),
    )


def _logged(tables: Sequence[OutcomeTable], tiers: tuple[str, ...]) -> Logged | None:
    logs = [table.logged for table in tables if table.logged is not None]
    if not logs:
        return None
    parts = [table.logged or _plain(table) for table in tables]
    starts = np.cumsum([0, *(len(table.requests) for table in tables)])
    return replace(
        logs[0],
        rows=np.concatenate([part.rows for part in parts]),
        weights=np.vstack(
            [_spread(part.weights, table.tiers, tiers, 1.0) for part, table in zip(parts, tables, strict=True)]
        ),
        features={
            int(start) + row: features
            for part, start in zip(parts, starts, strict=False)
            for row, features in part.features.items()
        },
    )


def _plain(table: OutcomeTable) -> Logged:
    return Logged(np.zeros(len(table.requests), bool), np.ones(table.scores.shape), {})


def _spread(
    values: NDArray[np.float64], own: tuple[str, ...], tiers: tuple[str, ...], otherwise: float
) -> NDArray[np.float64]:
    """Columns by the names of all tiers."""
    spread = np.full((len(values), len(tiers)), otherwise)
    spread[:, [tiers.index(name) for name in own]] = values
    return spread
