"""A training run as an artifact: header and tensors, written in one piece, and kept as a version."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from classifier.artifact import read_artifact, write_artifact
from classifier.catalog import menu_to_header
from classifier.errors import RouterError
from classifier.features import FEATURE_VERSION
from classifier.files import atomic_write
from classifier.gates.learned import LearnedGate
from classifier.gates.stored import StoredGate, dump_gate
from classifier.keywords import KeywordGroups, dump_keywords
from classifier.model import Prediction, dump_model
from classifier.novelty import NOVEL, dump_novelty
from classifier.router import Router
from classifier.rule import Rule, dump_rule
from classifier.support import dump_support
from classifier.version import __version__
from training.feedback.labels import LabelOptions
from training.feedback.store import ReadStore
from training.gate.answers import table_answers
from training.learners.weights import effective_rows, known_weights
from training.prepare.spending import priced_tokens, spending_header
from training.training import TrainedGate, Training, shipped_menu
from training.versions import Version, add_version, note_of
from training.versions.reprice import SPENDING

_PROOF_ROWS = 100
_PROOF_TOLERANCE = 1e-4


def compile_artifact(
    training: Training,
    keywords: KeywordGroups,
    tokens: str,
    path: Path,
    *,
    dated: bool,
    provenance: Mapping[str, Any] | None = None,
    inherited: StoredGate | None = None,
) -> str:
    """Write the artifact, then read it back and check that it predicts what the training side predicts.

    Parameters
    ----------
    tokens : name of the token counter that the features were made with.
    dated : note today's date (``SOURCE_DATE_EPOCH``'s where that is set); without, equal runs give equal bytes.
    provenance : further fields for the header's training summary.
    inherited : the gate of the artifact before, where the run has learned none.

    Returns
    -------
    The artifact's digest.

    Raises
    ------
    RouterError : the artifact does not predict what was trained; nothing is left in its place.
    """
    model = training.model.runtime()
    fields, tensors = dump_model(model)
    data = training.data
    rule = runtime_rule(training)
    header = {
        "menu": menu_to_header(shipped_menu(training)),
        "tiers": list(data.names),
        "features": {"version": FEATURE_VERSION, "tokens": tokens, "keywords": dump_keywords(keywords)},
        "model": fields,
        "rule": dump_rule(rule),
        SPENDING: _spending(training),
        "training": {**summary(training), **_made(dated), **(provenance or {})},
    }
    all_tensors = {**tensors, **dump_novelty(training.novelty)}
    if training.support is not None:
        support_header, support_tensors = dump_support(training.support.runtime(), data.names)
        header |= support_header
        all_tensors |= support_tensors
    gate = inherited if training.gate is None else _stored_gate(training, training.gate)
    if gate is not None:
        gate_header, gate_tensors = dump_gate(gate)
        header |= gate_header
        all_tensors |= gate_tensors
    with atomic_write(path) as draft:
        digest = write_artifact(draft, header, all_tensors)
        router = Router.load(draft, menu=shipped_menu(training))
        _prove(router, training)
        if training.gate is not None:
            _prove_gate(LearnedGate.load(router), training, training.gate)
    return digest


def _spending(training: Training) -> dict[str, Any]:
    """What each setting of the path spends on the rows that say what it costs, for new prices."""
    data, rows, rule = training.data, training.split.choose, training.rule
    expected = training.scorer.view_with_outcomes(rows)[0]
    chosen = [expected.choose(setting.price_weight, setting.reference_bonus) for setting in rule.path]
    tokens = priced_tokens(data.costs[rows], data.matrix.tokens[rows], data.tiers)
    return spending_header(tokens, np.stack(chosen, axis=1))


def runtime_rule(training: Training) -> Rule:
    """The decision rule in the runtime's form."""
    rule, target = training.rule, training.target
    tasks = {task: rung.rule for task, rung in rule.tasks.items()} if target.per_task else None
    floor = training.shipped.strategy != "learned"
    return Rule(
        strategy=training.shipped.strategy,
        reference=training.data.names[training.data.reference],
        reference_cost=training.reference_cost,
        path=rule.path,
        chosen=rule.place,
        target=target.loss,
        relative=target.relative,
        confidence=target.confidence,
        certified=floor or rule.certified,
        ladder=() if floor else rule.promises,
        tasks=None if floor else tasks,
        always=training.shipped.always,
    )


def _stored_gate(training: Training, gate: TrainedGate) -> StoredGate:
    return StoredGate(gate.model.runtime(), tuple(training.data.names[tier] for tier in gate.tiers), gate.promise)


def summary(training: Training) -> dict[str, Any]:
    """The run's figures as plain data: for the artifact's header and for ``--json``."""
    data, split, rule = training.data, training.split, training.rule
    return {
        "rows": {"fit": len(split.fit), "choose": len(split.choose), "test": len(split.test), "split_by": split.by},
        "tables": [
            {"file": Path(table.path).name, "sha256": table.sha256, "form": table.form, "rows": table.rows_kept}
            for table in data.table.files
        ],
        "seed": training.seed,
        "reference": data.names[data.reference],
        "target": asdict(training.target),
        "adequacy": asdict(data.adequacy),
        "certificate": {
            "ladder": [asdict(rung) for rung in rule.ladder],
            "tasks": {task: asdict(rung) for task, rung in rule.tasks.items()},
            "cascade": None if training.gate is None else asdict(training.gate.rung),
        },
        "shipped": training.shipped.name,
        "against_random_mix": asdict(training.mix),
        "test": [asdict(result) for result in training.results],
        "never_chosen": [data.names[tier] for tier in training.never_chosen],
    }


def _made(dated: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "versions": {
            "tierwise": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scikit-learn")},
        }
    }
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None and epoch.isdigit():
        made["date"] = datetime.fromtimestamp(int(epoch), UTC).date().isoformat()
    elif dated:
        made["date"] = datetime.now(UTC).date().isoformat()
    return made


def _prove(router: Router, training: Training) -> None:
    """Runtime and training must predict the same, or the figures would not be those of what is shipped."""
    for place, row in enumerate(training.split.test[:_PROOF_ROWS]):
        prediction, novelty = _forecast(router, training, int(row))
        same = (novelty > NOVEL) == training.expected.novel[place]
        shut = training.expected.unsupported
        same = same and (shut is None or prediction.unsupported == tuple(np.flatnonzero(shut[place])))
        if not same or not np.allclose(prediction.quality, training.predicted.quality[place], atol=_PROOF_TOLERANCE):
            raise RouterError(
                f"the artifact predicts other than the model it was made from (test row {place + 1}); "
                "nothing was written; please report this with the versions installed"
            )


def _forecast(router: Router, training: Training, row: int) -> tuple[Prediction, float]:
    """What the artifact expects of a row: of its request, or where only its features are known, of these."""
    logged = training.data.table.logged
    features = None if logged is None else logged.features.get(row)
    if features is not None:
        features = replace(features, task=training.data.matrix.tasks[row])
        _, prediction, novelty = router.forecast_of(features)
        return prediction, novelty
    _, prediction, novelty = router.forecast(training.data.table.requests[row])
    return prediction, novelty


def _prove_gate(gate: LearnedGate, training: Training, trained: TrainedGate) -> None:
    """The same for the gate."""
    held = set(training.split.test[:_PROOF_ROWS].tolist())
    for row, place, answer in table_answers(training.data):
        if row in held and place in trained.tiers:
            score = gate.judge(answer).score
            if not np.isclose(score, min(1.0, trained.scores[row, place]), atol=_PROOF_TOLERANCE):
                raise RouterError(
                    f"the artifact's gate judges other than the one it was made from (row {row + 1}); "
                    "nothing was written; please report this with the versions installed"
                )


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
