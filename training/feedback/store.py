"""An outcome store -> what a router is learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from classifier.catalog import Menu
from classifier.errors import InputError
from classifier.keywords import KeywordGroups
from classifier.outcomes import OutcomeStore
from training.feedback.labels import LabelOptions
from training.feedback.table import KeptRequests, outcome_table
from training.feedback.training_signal import TrainingSignal, read_signal
from training.progress import Progress, counted
from training.tables import OutcomeTable


@dataclass(frozen=True, slots=True, eq=False)
class ReadStore:
    """An outcome store, read to be learned from.

    Attributes
    ----------
    url : of the store; name : the same without a password.
    decisions : that were read.
    signal : what they teach.
    table : its rows, and those of the tables given beside it.
    kept : what the store kept of the requests.
    """

    url: str = field(repr=False)
    name: str
    decisions: int
    signal: TrainingSignal
    table: OutcomeTable
    kept: KeptRequests

    @property
    def notes(self) -> tuple[str, ...]:
        """What is weak or missing in it, a sentence each."""
        return (*self.kept.costs, *self.signal.notes)


def read_store(
    url: str,
    menu: Menu,
    keywords: KeywordGroups,
    *,
    tables: OutcomeTable | None = None,
    models: Mapping[str, str] | None = None,
    since: datetime | None = None,
    options: LabelOptions | None = None,
    progress: Progress | None = None,
) -> ReadStore:
    """Read a store, alone or beside tables.

    Parameters
    ----------
    models : the tables' names of tiers, to tiers or models of the menu.
    since : aware; None: all outcomes.

    Raises
    ------
    InputError : the URL is wrong, or the store has nothing to learn from.
    StoreError : the store cannot be read.
    """
    store = OutcomeStore(url)
    total = store.count(since=since)
    if not total:
        raise InputError(
            f"{store.name}: found no decisions, expected some; check its URL and from when on outcomes count"
        )
    read = counted(store.outcomes(since=since), progress, total)
    try:
        signal = read_signal(read, menu, options=options, tables=tables, models=models)
    except InputError as error:
        raise InputError(f"{store.name}: {error}") from error
    table, kept = outcome_table(
        signal.observed,
        signal.labels,
        store.name,
        keywords,
        tables,
        menu=menu,
        models=models,
        half_life=None if options is None else options.half_life,
    )
    return ReadStore(url, store.name, total, signal, table, kept)
