"""Labels of what a cascade observed -> the table that a router is trained on, alone or beside files.

What is learned of a request is what the store kept of it: its text, else the features that were computed of it, else
(a store of hashes) nothing but its task. Rows of the first two kinds go together; rows of which only the task is known
are used where there are no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.errors import InputError
from classifier.features import Features, dense_names, request_form
from classifier.keywords import KeywordGroups
from training.feedback.labels import Labels
from training.log.observed import Observed
from training.log.rows import LoggedRows
from training.tables import FileSummary, OutcomeTable, RowProblem, Source, join_tables

LEAST_LABELS = 20
NOTHING_SHARED = (
    "the store's tiers ({store}) and the tables' ({tables}) have none in common; name the tables' by --tier NAME=MODEL"
)


@dataclass(frozen=True, slots=True)
class KeptRequests:
    """What the store kept of the requests, in rows.

    Attributes
    ----------
    requests, features, tasks : rows with their text; with features only; with their task only.
    foreign : rows whose features are of another kind than today's, and left out.
    used : rows that are learned from.
    thin : tiers with fewer known answers than `LEAST_LABELS`, which are left out: name to how many.
    """

    requests: int
    features: int
    tasks: int
    foreign: int
    used: int
    thin: Mapping[str, int]

    @property
    def by_task(self) -> bool:
        """There is nothing to learn from but tasks."""
        return self.used > 0 and not self.requests and not self.features

    @property
    def costs(self) -> tuple[str, ...]:
        """What is lost by what was not kept, a sentence each."""
        found = []
        if self.features:
            found.append(
                f"{self.features:,} requests were kept as features: they teach as much as their text would, but the "
                "report cannot show words or prompts, and another version of the features cannot use them"
            )
        if self.by_task:
            found.append(
                f"all {self.tasks:,} requests were kept as hashes: learned is how good the tiers are at each task, and "
                "no more, so requests of one task all go to one tier, and none counts as novel; record with "
                'OutcomeStore(keep="features") to learn from what is in requests without keeping their text'
            )
        elif self.tasks:
            found.append(
                f"{self.tasks:,} requests were kept as hashes and left out: nothing of them is known but their task"
            )
        if self.foreign:
            found.append(
                f"{self.foreign:,} requests were left out: their features are of another version, or sealed with a key "
                "that is not at hand; if so, set $TIERWISE_STORE_KEY"
            )
        found += [
            f"{tier} is left out: {count} of its answers can be judged, expected at least {LEAST_LABELS}; explore "
            "more, or add a table that has it"
            for tier, count in self.thin.items()
        ]
        return tuple(found)


def outcome_table(
    observed: Observed,
    labels: Labels,
    source: str,
    keywords: KeywordGroups,
    tables: OutcomeTable | None = None,
    *,
    menu: Menu,
    models: Mapping[str, str] | None = None,
    half_life: float | None = None,
) -> tuple[OutcomeTable, KeptRequests]:
    """The rows of a log as a table, then those of other tables.

    Parameters
    ----------
    source : the store, in words without a password.
    keywords : that features were computed with.
    tables : further rows; their tiers are those of the log that have the same model.
    menu : that the log was read with. models : the tables' names of tiers, to tiers or models of the menu.
    half_life : that the labels were made with.

    Raises
    ------
    InputError : no row can be learned from, or the tables have no tier of the log.
    """
    columns = len(dense_names(keywords))
    read = [None if kept is None else _of_this_kind(kept, columns) for kept in observed.asked.features]
    known = np.array([request is not None for request in observed.asked.requests])
    stored = ~known & np.array([isinstance(features, Features) for features in read])
    foreign = ~known & np.array([features is False for features in read])
    bare = ~known & ~stored & ~foreign
    rows = np.flatnonzero(known | stored) if (known | stored).any() else np.flatnonzero(bare)
    rows = rows[~np.isnan(labels.values[rows]).all(axis=1)]
    counts = (~np.isnan(labels.values[rows])).sum(axis=0)
    names = _names(observed.tiers, tables, menu, models or {})
    elsewhere = set() if tables is None else set(tables.tiers)
    kept_tiers = [
        place for place, count in enumerate(counts) if count >= LEAST_LABELS or (count and names[place] in elsewhere)
    ]
    thin = {
        observed.tiers[place]: int(count)
        for place, count in enumerate(counts)
        if place not in kept_tiers and (count or observed.tried[:, place].any())
    }
    kept = KeptRequests(int(known.sum()), int(stored.sum()), int(bare.sum()), int(foreign.sum()), len(rows), thin)
    if not len(rows) or not kept_tiers:
        raise InputError(f"{source}: {_too_little(len(observed), thin)}")
    features = {
        row: each if isinstance(each := read[row], Features) else _of_task(observed.asked.tasks[row], columns)
        for row in rows.tolist()
        if not known[row]
    }
    own_names = [names[place] for place in kept_tiers]
    table = _table(observed, labels, source, rows, kept_tiers, own_names, features, half_life)
    return (table if tables is None else _beside(tables, table)), kept


def _too_little(decisions: int, thin: Mapping[str, int]) -> str:
    """Why nothing can be learned from a log; ``thin`` as in `KeptRequests`."""
    judged = ", ".join(f"{count} of {tier}" for tier, count in thin.items() if count)
    if judged:
        return (
            f"found few answers that can be judged ({judged}), expected at least {LEAST_LABELS} of a tier; record more "
            "decisions, or give a table"
        )
    return (
        f"none of {decisions:,} decisions has an answer that can be judged, expected some; record gates' verdicts, "
        "audits or feedback, or give a table"
    )


def _beside(tables: OutcomeTable, table: OutcomeTable) -> OutcomeTable:
    if not set(table.tiers) & set(tables.tiers):
        raise InputError(NOTHING_SHARED.format(store=", ".join(table.tiers), tables=", ".join(tables.tiers)))
    return join_tables(tables, table)


def _of_this_kind(kept: Features | bytes, columns: int) -> Features | bool:
    """Features as stored; False: they cannot be read, or are of another kind."""
    return kept if isinstance(kept, Features) and len(kept.dense) == columns else False


def _names(tiers: Sequence[str], tables: OutcomeTable | None, menu: Menu, models: Mapping[str, str]) -> tuple[str, ...]:
    """What the tables call the log's tiers, where they have them."""
    found = {}
    for name in () if tables is None else tables.tiers:
        tier = menu.find(models.get(name, name))
        if tier is not None:
            found[tier.name] = name
    return tuple(found.get(tier, tier) for tier in tiers)


def _table(
    observed: Observed,
    labels: Labels,
    source: str,
    rows: NDArray[np.int64],
    tiers: list[int],
    names: Sequence[str],
    features: Mapping[int, Features],
    half_life: float | None,
) -> OutcomeTable:
    """``features`` : of rows whose requests are not known."""
    asked, cells = observed.asked, np.ix_(rows, np.array(tiers, np.int64))
    requests = [asked.requests[row] or request_form(features[row]) for row in rows.tolist()]
    summary = FileSummary(
        path=source,
        format="store",
        form="outcomes",
        rows_read=len(observed) + observed.left_out.rows,
        rows_kept=len(rows),
        repeats=0,
        sha256=_digest([asked.ids[row] for row in rows]),
        ignored=(),
        hints=(),
    )
    problems: list[RowProblem] = []
    return OutcomeTable(
        requests=requests,
        tiers=tuple(names),
        scores=labels.values[cells],
        costs=observed.cost[cells],
        tokens_out=np.full((len(rows), len(tiers)), np.nan),
        responses=None,
        # A request whose text is not known is alone, but for those with the same hash.
        groups=[asked.hashes[row] or (None if asked.requests[row] else asked.ids[row]) for row in rows],
        timestamps=observed.time[rows],
        labels=[None] * len(rows),
        sources=[Source(source, int(row) + 1) for row in rows],
        problems=problems,
        files=[summary],
        logged=LoggedRows(
            rows=np.ones(len(rows), bool),
            weights=np.where(labels.weights[cells] > 0, labels.weights[cells], 1.0),
            features={place: features[row] for place, row in enumerate(rows.tolist()) if row in features},
            half_life=half_life,
            observed=observed.rows(rows).columns(tiers, names),
        ),
    )


def _of_task(task: str | None, columns: int) -> Features:
    return Features(np.empty(0, np.uint32), 0, np.zeros(columns), task, 0.0)


def _digest(ids: Sequence[str]) -> str:
    """Which decisions a table is made of."""
    return hashlib.sha256("\n".join(ids).encode("utf-8", "surrogatepass")).hexdigest()
