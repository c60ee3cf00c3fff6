"""Training on what a router in use observed: from an outcome store to a table, and from a run to a kept candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from classifier.artifact import read_artifact
from classifier.catalog import Menu
from classifier.errors import InputError
from classifier.keywords import KeywordGroups
from classifier.outcomes import OutcomeStore
from classifier.router import Router
from training.challenge.challenge import Challenge
from training.challenge.contest import Contest
from training.drift.check import check_drift
from training.drift.data import DriftReport
from training.drift.page import drift_json
from training.drift.section import drift_section
from training.feedback.labels import LabelOptions
from training.feedback.table import KeptRequests, outcome_table
from training.feedback.training_signal import TrainingSignal, read_signal
from training.learners.weights import effective_rows, known_weights
from training.progress import Progress, counted
from training.report.changes_page import contest_json
from training.report.markup import Html
from training.report.sections import Heading
from training.report.sections.changes import changes_section
from training.tables import OutcomeTable
from training.training import Training
from training.versions import Version, add_version, note_of


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


@dataclass(frozen=True, slots=True, eq=False)
class Retrained:
    """What a run on outcomes came to.

    Attributes
    ----------
    version : the new candidate.
    contest : of it, and of the others that are pending, with what is in use.
    drift : what has changed since that began to decide; None: the store does not show it deciding.
    """

    version: Version
    contest: Contest
    drift: DriftReport | None

    @property
    def challenge(self) -> Challenge | None:
        """What came of the new candidate's."""
        return next((one.challenge for one in self.contest.judged if one.version.name == self.version.name), None)

    def sections(self, monthly_spend: float | None) -> list[tuple[Heading, Html]]:
        """What the report says of it."""
        found = []
        if self.challenge is not None:
            found.append((Heading("changes", "What changes"), changes_section(self.challenge, monthly_spend)))
        if self.drift is not None:
            found.append((Heading("drift", "Has the world changed?"), drift_section(self.drift)))
        return found

    def figures(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "version": self.version.name,
            "contest": contest_json(self.contest),
            "drift": None if self.drift is None else drift_json(self.drift),
        }


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
        raise InputError(f"{store.name}: found no decisions, expected some; check --store and --since")
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


def running_reference(running: Router, store: ReadStore) -> str | None:
    """The reference of the router in use, where the store knows enough of it; None: the data shall say."""
    return running.rule.reference if running.rule.reference in store.table.tiers else None


def learned_until(training: Training) -> datetime | None:
    """The time of the latest logged row that something was learned from; None where no row was logged.

    What was logged after it may judge the artifact.
    """
    data, split = training.data, training.split
    rows = np.concatenate([split.fit, split.choose])
    logged = rows[data.logged[rows]]
    if not len(logged):
        return None
    return datetime.fromtimestamp(float(data.table.timestamps[logged].max()), UTC)


def keep_candidate(training: Training, folder: Path, compiled: Callable[[Path], str]) -> Version:
    """Write an artifact and keep it among the versions of a folder, as a candidate.

    A run that is cut leaves nothing there but a draft, which ``tierwise-models prune`` removes.

    Parameters
    ----------
    compiled : writes the artifact to a path.

    Raises
    ------
    RouterError : another command is changing the folder.
    """
    with TemporaryDirectory() as place:
        path = Path(place) / "candidate.safetensors"
        compiled(path)
        until = learned_until(training)
        why = "" if until is None else f"outcomes up to {until:%Y-%m-%d %H:%M} UTC"
        origin = [Path(file.path).name if file.form != "outcomes" else file.path for file in training.data.table.files]
        note = note_of(read_artifact(path), why=why, origin=origin, learned_until=until)
        if training.rule.estimated is not None:  # a quality that is mostly expected is no figure to list
            note = replace(note, figures={name: value for name, value in note.figures.items() if name == "saving"})
        return add_version(folder, path, note)


def provenance(store: ReadStore, training: Training, options: LabelOptions) -> dict[str, Any]:
    """What an artifact says of the outcomes that it was learned from."""
    until, data = learned_until(training), training.data
    known = known_weights(np.where(data.logged[:, None], data.quality, np.nan), data.weights)
    return {
        "outcomes": {
            "store": store.name,
            "decisions": store.decisions,
            "learned_until": None if until is None else until.isoformat(),
            "labels": store.signal.sources,
            "effective_rows_for_choosing": {
                name: effective_rows(column) for name, column in zip(data.names, known.T, strict=True)
            },
            "half_life_days": options.half_life,
            "largest_weight_for_choosing": options.clip,
            "by_task_only": store.kept.by_task,
        }
    }


def changed_world(store: ReadStore, running: Router) -> DriftReport | None:
    """What has changed since the router in use began to decide; None where the store does not show it deciding."""
    try:
        return check_drift(store.signal.observed, running, strict=True)
    except InputError:
        return None
