"""The learned gate's part of an artifact, which may be without it: a header field ``gate`` and tensors ``gate_*``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import MAX_NUMBER, Artifact, header_field, model_part
from classifier.errors import ArtifactError
from classifier.gates.evidence import EVIDENCE_VERSION, evidence_names
from classifier.gates.try_value import MOST_BINS, TryValue
from classifier.model import Model, dump_model, load_model

GATE_VERSION = 1
FIELD = "gate"
_PREFIX = "gate_"
_TRY_VALUES = "prospects"
_VERSIONS = (("version", GATE_VERSION), ("evidence", EVIDENCE_VERSION))
_OWN, _REFERENCE = 0, 1  # outputs of the gate's model


@dataclass(frozen=True, slots=True)
class CascadeSetting:
    """How a cascade with this gate is to be run.

    Attributes
    ----------
    price_weight : quality points that one reference call's cost is worth, in deciding which tiers are tried.
    threshold : the least score with which an answer is kept.
    cost : mean cost of a request, answers thrown away included, as a share of the reference's, on rows kept apart.
    pass_adequate, pass_inadequate : shares of good and of bad answers that pass, on rows that the gate did not see.
    try_values : what trying a tier is worth, by its name.
    """

    price_weight: float
    threshold: float
    cost: float
    pass_adequate: float
    pass_inadequate: float
    try_values: Mapping[str, TryValue]


@dataclass(frozen=True, slots=True)
class CascadePromise:
    """What is certified of router and gate together.

    Attributes
    ----------
    setting : the pair of router setting and threshold that it is about; where not certified, the most careful one.
    target : quality that may be lost: a share of the reference's where ``relative``, else points of score.
    confidence : with which it holds.
    certified : whether it could be certified.
    inherited : the gate is that of the artifact before, for which it was certified; this one has proven no worse on
        requests that both were compared on, which is another promise.
    """

    setting: CascadeSetting
    target: float
    relative: bool
    confidence: float
    certified: bool
    inherited: bool = False

    @property
    def usable(self) -> bool:
        """Whether a cascade may rely on it unasked."""
        return self.certified or self.inherited


@dataclass(frozen=True, slots=True)
class StoredGate:
    """A learned gate as an artifact holds it.

    Attributes
    ----------
    model : two outputs: quality of the answer that is judged, and of the reference's answer to the same request.
    tiers : names of those whose answers it has learned about.
    promise : what is certified of the cascade.
    """

    model: Model
    tiers: tuple[str, ...]
    promise: CascadePromise

    def renamed(self, names: Mapping[str, str]) -> StoredGate:
        """The gate with other names of its tiers: name -> new name."""
        setting = self.promise.setting
        try_values = {names[tier]: value for tier, value in setting.try_values.items()}
        promise = replace(self.promise, setting=replace(setting, try_values=try_values))
        return replace(self, tiers=tuple(names[tier] for tier in self.tiers), promise=promise)


def dump_gate(gate: StoredGate) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Header fields and tensors for `classifier.artifact.write_artifact`."""
    header, tensors = dump_model(gate.model)
    field = {
        "version": GATE_VERSION,
        "evidence": EVIDENCE_VERSION,
        "tiers": list(gate.tiers),
        "model": header,
        "cascade": _dumped(gate.promise),
    }
    return {FIELD: field}, {_PREFIX + name: tensor for name, tensor in tensors.items()}


def _dumped(promise: CascadePromise) -> dict[str, Any]:
    """A promise as artifacts hold it, where what trying a tier is worth has an older name."""
    fields = asdict(promise)
    fields["setting"][_TRY_VALUES] = fields["setting"].pop("try_values")
    return fields


def has_gate(artifact: Artifact) -> bool:
    """Whether an artifact holds a learned gate."""
    return FIELD in artifact.header


def load_gate(artifact: Artifact) -> StoredGate:
    """The gate of an artifact.

    Raises
    ------
    ArtifactError : there is none, it was made for another version, or its parts do not fit each other.
    """
    if not has_gate(artifact):
        raise ArtifactError(
            f"{artifact.source}: holds no learned gate; train with a table that has response__<tier> columns"
        )
    for key, known in _VERSIONS:
        found = header_field(artifact, FIELD, key, kind=int)
        if found != known:
            remedy = "upgrade tierwise" if found > known else "train a new one with train-router"
            raise ArtifactError(f"{artifact.source}: has gate {key} {found}, this tierwise reads {known}; {remedy}")
    ladder = header_field(artifact, "tiers", kind=list)
    tiers = header_field(artifact, FIELD, "tiers", kind=list)
    if not tiers or not all(tier in ladder for tier in tiers):
        raise ArtifactError(f"{artifact.source}: its gate's tiers do not fit its menu; retrain with train-router")
    model = load_model(model_part(artifact, FIELD, _PREFIX), 2, len(evidence_names(ladder)), {})
    if model.reference != _REFERENCE:
        raise ArtifactError(f"{artifact.source}: its gate's reference is not the second output; retrain it")
    return StoredGate(model, tuple(tiers), _load_promise(artifact, tiers))


def keep_score(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 less the quality that keeping an answer is expected to lose against asking the reference; 0..1.

    Parameters
    ----------
    quality : (..., 2), expected of the answer and of the reference's.
    """
    scores: NDArray[np.float64] = np.minimum(1.0, 1.0 - (quality[..., _REFERENCE] - quality[..., _OWN]))
    return scores


def _load_promise(artifact: Artifact, tiers: Sequence[str]) -> CascadePromise:
    def number(*keys: str) -> float:
        return header_field(artifact, FIELD, "cascade", *keys, kind=float)

    names = ("price_weight", "threshold", "cost", "pass_adequate", "pass_inadequate")
    values = {name: number("setting", name) for name in names}
    shares = (values["threshold"], values["pass_adequate"], values["pass_inadequate"], number("confidence"))
    sound = all(0 <= share <= 1 for share in shares) and all(0 <= value <= MAX_NUMBER for value in values.values())
    if not sound or not 0 <= number("target") <= 1:
        raise _unsound(artifact)
    return CascadePromise(
        CascadeSetting(**values, try_values={tier: _load_try_value(artifact, tier) for tier in tiers}),
        number("target"),
        header_field(artifact, FIELD, "cascade", "relative", kind=bool),
        number("confidence"),
        header_field(artifact, FIELD, "cascade", "certified", kind=bool),
        artifact.header[FIELD]["cascade"].get("inherited") is True,
    )


def inherit_gate(before: Artifact, ladder: Sequence[str]) -> StoredGate | None:
    """The gate of the artifact before, for one that takes its place.

    None where it has none that a cascade would rely on, it was made for another version, or its learned tiers are
    others than ``ladder``: what it sees of an answer depends on them.
    """
    if not has_gate(before) or header_field(before, "tiers", kind=list) != list(ladder):
        return None
    if any(header_field(before, FIELD, key, kind=int) != known for key, known in _VERSIONS):
        return None
    gate = load_gate(before)
    if not gate.promise.usable:
        return None
    return replace(gate, promise=replace(gate.promise, certified=False, inherited=True))


def _load_try_value(artifact: Artifact, tier: str) -> TryValue:
    def numbers(name: str) -> tuple[float, ...]:
        values = header_field(artifact, FIELD, "cascade", "setting", _TRY_VALUES, tier, name, kind=list)
        if not all(type(value) in (int, float) and abs(value) <= MAX_NUMBER for value in values):
            raise _unsound(artifact)
        return tuple(map(float, values))

    try_value = TryValue(numbers("edges"), numbers("kept"), numbers("gain"))
    bins = len(try_value.kept)
    if not 0 < bins <= MOST_BINS or (bins, bins) != (len(try_value.gain), len(try_value.edges) + 1):
        raise _unsound(artifact)
    if any(not 0 <= share <= 1 for share in try_value.kept) or list(try_value.edges) != sorted(set(try_value.edges)):
        raise _unsound(artifact)
    return try_value


def _unsound(artifact: Artifact) -> ArtifactError:
    return ArtifactError(f"{artifact.source}: its gate's figures are out of range; retrain with train-router")
