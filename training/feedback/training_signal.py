"""A store's outcomes -> what there is to learn from them: observations, what their verdicts are worth, labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.outcomes import Outcome
from training.feedback.gate_truth import GateTruth, gate_truth
from training.feedback.labels import AUDITED, IMPLIED, JUDGED, UNKNOWN, VERDICT, LabelOptions, Labels, make_labels
from training.feedback.nesting import imply, nesting
from training.log.observed import Observed, gate_rows, observe
from training.tables import OutcomeTable

_SOURCES = {VERDICT: "gate", AUDITED: "audits", JUDGED: "feedback", IMPLIED: "implied"}


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSignal:
    """What outcomes teach.

    Attributes
    ----------
    observed : what was seen.
    gates : how far each gate can be believed, by its name; "" for answers that none looked at.
    labels : of every answer of which something is known.
    """

    observed: Observed
    gates: Mapping[str, GateTruth]
    labels: Labels

    @property
    def notes(self) -> tuple[str, ...]:
        """What is weak in them, a sentence each."""
        found = []
        for name, truth in self.gates.items():
            prefix = f"gate '{name}': " if len(self.gates) > 1 and name else ""
            found += [prefix + note for note in truth.notes]
        left = self.observed.left_out
        if left.models:
            models = ", ".join(f"{model} ({count:,})" for model, count in sorted(left.models.items()))
            found.append(f"calls of models that today's menu does not have are left out: {models}")
        if left.rows:
            found.append(f"{left.rows:,} decisions are left out: no tier of today's menu answered them")
        if left.without_propensity:
            found.append(
                f"{left.without_propensity:,} decisions do not say how likely they were; they are taken to be certain"
            )
        if self.labels.clipped > 0:
            found.append(
                f"{self.labels.clipped:.1%} of the weights for choosing the setting would be larger than allowed"
            )
        return tuple(found)

    @property
    def sources(self) -> dict[str, int]:
        """How many labels come from where."""
        counts = {name: int((self.labels.source == kind).sum()) for kind, name in _SOURCES.items()}
        return {name: count for name, count in counts.items() if count}


def read_signal(
    outcomes: Iterable[Outcome],
    menu: Menu,
    *,
    options: LabelOptions | None = None,
    tables: OutcomeTable | None = None,
    models: Mapping[str, str] | None = None,
) -> TrainingSignal:
    """Learn what verdicts are worth, each gate's by its own audits, and label what was observed.

    Parameters
    ----------
    outcomes : of `classifier.outcomes.OutcomeStore.outcomes`; read once, as a stream.
    menu : today's.
    tables : whose rows with several tiers' scores tell, too, which tiers are nested; models : their names of tiers.

    Raises
    ------
    InputError : there is no outcome of this menu.
    StoreError : the store cannot be read.
    """
    observed = observe(outcomes, menu)
    gates = {name: gate_truth(observed.rows(rows)) for name, rows in gate_rows(observed).items()}
    labels = _labels(observed, gates, options or LabelOptions())
    known = labels.certain
    if tables is not None:
        known = np.vstack([known, _scores(tables, observed.tiers, menu, models or {})])
    return TrainingSignal(observed, gates, imply(labels, nesting(known)))


def _labels(observed: Observed, gates: Mapping[str, GateTruth], options: LabelOptions) -> Labels:
    """Labels of all rows, each by its own gate."""
    latest = float(observed.time.max())
    shape = observed.tried.shape
    values, weights, source = np.full(shape, np.nan), np.zeros(shape), np.full(shape, UNKNOWN)
    clipped = known = 0.0
    for name, rows in gate_rows(observed).items():
        found = make_labels(observed.rows(rows), gates[name], options, now=latest)
        values[rows], weights[rows], source[rows] = found.values, found.weights, found.source
        count = float((found.source != UNKNOWN).sum())
        clipped, known = clipped + found.clipped * count, known + count
    return Labels(values, weights, source, clipped / known if known else 0.0)


def _scores(tables: OutcomeTable, tiers: tuple[str, ...], menu: Menu, models: Mapping[str, str]) -> NDArray[np.float64]:
    """(m, t) the tables' scores of the log's tiers."""
    scores = np.full((len(tables.requests), len(tiers)), np.nan)
    for column, name in enumerate(tables.tiers):
        tier = menu.find(models.get(name, name))
        if tier is not None and tier.name in tiers:
            scores[:, tiers.index(tier.name)] = tables.scores[:, column]
    return scores
