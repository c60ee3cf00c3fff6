"""The learned part: features -> expected quality, P(adequate) and expected cost of every tier.

A linear model over term weights, dense features and the task gives, for each tier, a quality logit and a log cost.
Where the artifact has a forest, quality is a share of the linear model's plus the forest's. The quality logits are
calibrated (Platt, "Probabilistic Outputs for Support Vector Machines", 1999). P(adequate) of a tier is a calibrated
function of P(the reference is right and the tier is wrong).

A request's terms are binary, weighted by inverse document frequency; word n-grams, byte n-grams and the context's words
are each scaled to unit length.
The idf is folded into the weights and its square is one more column, so that a request costs one gather and two sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import MAX_NUMBER, Artifact, expect_at_most, header_field, require, require_weights, unfit
from classifier.catalog import MAX_LABEL_CHARS, MAX_TASKS
from classifier.compiled import COMPILED
from classifier.compiled.pool import Pool
from classifier.errors import ArtifactError
from classifier.features import N_BUCKETS, N_WORD_BUCKETS, FeatureRows, Features
from classifier.trees import MAX_DEPTH, MAX_TREES, Forest
from classifier.untrusted import quoted

if TYPE_CHECKING:
    from classifier.compiled import _forward

DENSE_CLIP = 4.0
LOGIT_LIMIT = 30.0
MAX_PROJECTED = 256
MAX_BENDS = 64
LEAST_PROBABILITY = 1e-3
_MISFIT = "its task labels or reference do not fit its menu"


@dataclass(slots=True)  # frozen, making one would take twice as long
class Prediction:
    """What the model expects of each tier, in price order; lists of t floats.

    Attributes
    ----------
    quality : expected score (P(adequate) where adequacy is a threshold), 0..1.
    adequate : P(the tier's answer is adequate), 0..1.
    cost : expected USD of the call.
    unsupported : places of tiers that were not observed on requests like this one; the learned rule picks none of them.
    """

    quality: list[float]
    adequate: list[float]
    cost: list[float]
    unsupported: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the model expects of n requests; (n, t) each, as in `Prediction`. ``unsupported`` None: no tier is."""

    quality: NDArray[np.float64]
    adequate: NDArray[np.float64]
    cost: NDArray[np.float64]
    unsupported: NDArray[np.bool_] | None = None

    def single(self) -> Iterator[Prediction]:
        """Those of each request."""
        columns = (self.quality.tolist(), self.adequate.tolist(), self.cost.tolist())
        if self.unsupported is None:
            return map(Prediction, *columns)
        return map(Prediction, *columns, [tuple(np.flatnonzero(row).tolist()) for row in self.unsupported])


@dataclass(frozen=True, slots=True)
class LinearWeights:
    """Weights of the linear model with t tiers: columns 0..t-1 are quality logits, t..2t-1 log costs in USD.

    Attributes
    ----------
    buckets : (m,) uint32, the terms known to the model, sorted.
    terms : (m, 2t + 1) float32, idf times weight; the last column is idf squared.
    dense_mean, dense_scale : (d,) float64, what dense features are standardised by; then clipped to +-`DENSE_CLIP`.
    dense : (d, 2t) float64.
    tasks : (k + 1, 2t) float64, one row for each known task label; the last, all zeros, for any other.
    bias : (2t,) float64.
    """

    buckets: NDArray[np.uint32]
    terms: NDArray[np.float32]
    dense_mean: NDArray[np.float64]
    dense_scale: NDArray[np.float64]
    dense: NDArray[np.float64]
    tasks: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TreeWeights:
    """A forest over standardised dense features, projected words and the task's mean quality.

    Attributes
    ----------
    forest : with d + p + t inputs and t outputs, what it adds to the expected quality.
    share : (t, t) float64, what the linear model's quality (t,) is multiplied by before the forest's is added.
    buckets : (q,) uint32, the word n-grams that are projected, sorted.
    projection : (q, p) float32, their idf times their place in p dimensions.
    shift : (p,), subtracted from the projected words.
    task_means : (k + 1, t), by task label; the last row for any other, or none.
    """

    forest: Forest
    share: NDArray[np.float64]
    buckets: NDArray[np.uint32]
    projection: NDArray[np.float32]
    shift: NDArray[np.float64]
    task_means: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Slopes and intercepts on the logit scale, and how the line bends.

    Attributes
    ----------
    quality : (t, 2), slope and intercept of each tier's quality logit.
    bends : (t, 2, k), for each tier k rising logits on that line, and what is added there: linear in between, constant
        beyond, and never so steep that order is lost. None: nothing is added.
    adequate : (t, 2), slope and intercept of each tier's adequacy logit, or None where adequacy is quality.
    """

    quality: NDArray[np.float64]
    adequate: NDArray[np.float64] | None
    bends: NDArray[np.float64] | None = None

    def qualities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected quality from what the model says, (..., t) logits."""
        lines = self.quality[:, 0] * logits + self.quality[:, 1]
        if self.bends is not None:
            bent = [np.interp(lines[..., tier], *bend) for tier, bend in enumerate(self.bends)]
            lines = lines + np.stack(bent, axis=-1)
        return sigmoid(lines)


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each feature of a request adds to the tiers' quality logits, against an average request.

    Attributes
    ----------
    terms : (k, t), by term.
    dense : (d, t), by dense feature.
    task : (t,).
    """

    terms: NDArray[np.float64]
    dense: NDArray[np.float64]
    task: NDArray[np.float64]


class Model:
    """Predicts from features; threads may share it."""

    def __init__(
        self,
        weights: LinearWeights,
        calibration: Calibration,
        task_labels: tuple[str, ...],
        reference: int,
        task_aliases: Mapping[str, str] = MappingProxyType({}),
        trees: TreeWeights | None = None,
        *,
        compiled: bool = COMPILED,
    ) -> None:
        """Index the weights for lookups; ``task_aliases`` are other spellings of the task labels."""
        self.weights = weights
        self.trees = trees
        self.calibration = calibration
        self.task_labels = task_labels
        self.reference = reference
        self._tiers = len(weights.bias) // 2
        rows = {label: row for row, label in enumerate(task_labels)}
        self._task_rows = {alias: rows[label] for alias, label in task_aliases.items() if label in rows} | rows
        self._terms = _Lookup(weights.buckets, weights.terms, N_BUCKETS)
        self._projection = None if trees is None else _Lookup(trees.buckets, trees.projection, N_WORD_BUCKETS)
        self._forward = self._compile() if compiled else None
        self._forwards = Pool(self.forward)

    @property
    def tiers(self) -> int:
        """How many tiers it knows."""
        return self._tiers

    @property
    def compiled(self) -> bool:
        """Whether `forward` may be called."""
        return self._forward is not None

    def predict(self, features: Features) -> Prediction:
        """Expectations for one request, in numpy: the definition, to which `forward` is the faster way."""
        outputs = self.outputs(features)
        quality = self.calibration.qualities(outputs[: self._tiers])
        cost = np.exp(np.minimum(outputs[self._tiers :], LOGIT_LIMIT))
        return Prediction(quality.tolist(), self._adequate(quality).tolist(), cost.tolist())

    def predict_many(self, rows: FeatureRows) -> Expectations:
        """Expectations for many requests; threads may call it at once."""
        if self._forward is None:
            shape = (len(rows), self._tiers)
            single = [self.predict(features) for features in rows]
            return Expectations(
                np.array([each.quality for each in single]).reshape(shape),
                np.array([each.adequate for each in single]).reshape(shape),
                np.array([each.cost for each in single]).reshape(shape),
            )
        tasks = np.array([self.task_row(task) for task in rows.tasks], np.int64)
        forward = self._forwards.take()
        expected = forward.predict_many(rows.terms, rows.ends, rows.word_terms, rows.dense, tasks)
        self._forwards.give(forward)
        return Expectations(*expected)

    def forward(self) -> _forward.Forward:
        """`predict`, compiled; each is for one thread at a time, and all share the weights."""
        assert self._forward is not None
        return self._forward.twin()

    def outputs(self, features: Features) -> NDArray[np.float64]:
        """What the model says before calibration: (2t,) quality logits and log costs."""
        weights, words = self.weights, features.word_terms
        known, context = self._terms.rows(features.terms), features.context_start
        word_sum, word_length = _unit_sum(known[:words])
        gram_sum, _ = _unit_sum(known[words:context])
        context_sum, _ = _unit_sum(known[context:])
        scaled, task = self._scaled(features), self.task_row(features.task)
        total: NDArray[np.float64] = scaled @ weights.dense
        total += word_sum + gram_sum + context_sum + weights.tasks[task] + weights.bias
        if self.trees is not None and self._projection is not None:
            placed = self._projection.rows(features.terms[:words]).sum(axis=0, dtype=np.float64)
            projected = placed / word_length
            inputs = np.concatenate((scaled, projected - self.trees.shift, self.trees.task_means[task]))
            grown = self.trees.forest.predict(inputs.astype(np.float32))
            total[: self._tiers] = blend_logits(total[: self._tiers], self.trees.share, grown)
        return total

    def contributions(self, features: Features) -> Contributions:
        """The linear model's parts of the calibrated quality logits; for explaining, not for speed."""
        slopes, tiers = self.calibration.quality[:, 0], self._tiers
        known = self._terms.rows(features.terms).astype(np.float64)
        for block in np.split(known, [features.word_terms, features.context_start]):
            block /= block[:, -1].sum() ** 0.5 or 1.0
        return Contributions(
            terms=known[:, :tiers] * slopes,
            dense=self._scaled(features)[:, None] * self.weights.dense[:, :tiers] * slopes,
            task=self.weights.tasks[self.task_row(features.task), :tiers] * slopes,
        )

    def _scaled(self, features: Features) -> NDArray[np.float64]:
        dense = (features.dense - self.weights.dense_mean) / self.weights.dense_scale
        return np.clip(dense, -DENSE_CLIP, DENSE_CLIP, out=dense)

    def task_row(self, task: str | None) -> int:
        """The row of a normalised task label among the tasks' weights; -1: one the model does not know, or none."""
        return self._task_rows.get(task, -1) if task is not None else -1

    def _compile(self) -> _forward.Forward:
        from classifier.compiled import _forward

        weights, calibration, trees = self.weights, self.calibration, self.trees
        forward = _forward.Forward(
            _forward.Scaler(weights.dense_mean, weights.dense_scale),
            _forward.TermRows(weights.buckets, weights.terms, N_BUCKETS),
            weights.dense,
            weights.tasks,
            weights.bias,
            calibration.quality,
            calibration.bends,
            calibration.adequate,
            self.reference,
        )
        if trees is not None:
            projection = _forward.TermRows(trees.buckets, trees.projection, N_WORD_BUCKETS)
            forward.grow(trees.forest.compiled(), trees.share, projection, trees.shift, trees.task_means)
        return forward

    def _adequate(self, quality: NDArray[np.float64]) -> NDArray[np.float64]:
        slopes = self.calibration.adequate
        if slopes is None:
            return quality
        adequate = sigmoid(slopes[:, 0] * loss_logit(quality, self.reference) + slopes[:, 1])
        adequate[self.reference] = 1.0
        return adequate


class _Lookup:
    """Rows by bucket; a bucket without a row has a row of zeros, so that a lookup needs no branch."""

    def __init__(self, buckets: NDArray[np.uint32], rows: NDArray[np.float32], size: int) -> None:
        self._place = np.zeros(size, np.int32)
        self._place[buckets] = np.arange(1, len(buckets) + 1)
        self._rows = np.concatenate((np.zeros((1, rows.shape[1]), np.float32), rows))

    def rows(self, buckets: NDArray[np.uint32]) -> NDArray[np.float32]:
        return self._rows.take(self._place.take(buckets), axis=0)


def _unit_sum(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Sum of term rows (k, 2t + 1), scaled to what it would be were the terms' idf vector of unit length; (2t,).

    The second value is that vector's length.
    """
    total = rows.sum(axis=0, dtype=np.float64)
    length = float(total[-1]) ** 0.5 or 1.0
    return total[:-1] / length, length


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-logits)), without overflow."""
    result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
    return result


def logit(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `sigmoid`; probabilities outside (0, 1) count as nearly 0 or 1."""
    inside = np.clip(probabilities, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
    result: NDArray[np.float64] = np.log(inside / (1.0 - inside))
    return result


def blend_logits(
    linear: NDArray[np.float64], share: NDArray[np.float64], grown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logits (..., t) of a share (t, t) of the linear model's quality, given as logits, plus the forest's."""
    return logit(sigmoid(linear) @ share + grown)


def loss_logit(quality: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    """Logit of P(not (reference right and tier wrong)) were the two independent; quality (..., t) to (..., t)."""
    return -logit(quality[..., [reference]] * (1.0 - quality))


def dump_model(model: Model) -> tuple[dict[str, object], dict[str, NDArray[np.generic]]]:
    """A model as header fields and tensors for `classifier.artifact.write_artifact`."""
    header: dict[str, object] = {
        "kind": "linear" if model.trees is None else "stack",
        "task_labels": list(model.task_labels),
        "reference": model.reference,
        "adequacy_is_quality": model.calibration.adequate is None,
    }
    weights, calibration = model.weights, model.calibration
    tensors: dict[str, NDArray[np.generic]] = {
        "buckets": weights.buckets,
        "terms": weights.terms,
        "dense_mean": weights.dense_mean,
        "dense_scale": weights.dense_scale,
        "dense": weights.dense,
        "tasks": weights.tasks,
        "bias": weights.bias,
        "calibration_quality": calibration.quality,
    }
    if calibration.bends is not None:
        tensors["calibration_bends"] = calibration.bends
    if calibration.adequate is not None:
        tensors["calibration_adequate"] = calibration.adequate
    if model.trees is not None:
        forest = model.trees.forest
        header["forest_depth"] = forest.depth
        tensors |= {
            "forest_features": forest.features,
            "forest_thresholds": forest.thresholds,
            "forest_children": forest.children,
            "forest_values": forest.values,
            "forest_roots": forest.roots,
            "linear_share": model.trees.share,
            "projection_buckets": model.trees.buckets,
            "projection": model.trees.projection,
            "projection_shift": model.trees.shift,
            "task_means": model.trees.task_means,
        }
    return header, tensors


def load_model(artifact: Artifact, tiers: int, dense_features: int, task_aliases: Mapping[str, str]) -> Model:
    """The model of an artifact with ``tiers`` tiers.

    Raises
    ------
    ArtifactError : a tensor or header field is missing or does not fit the others.
    """
    kind = header_field(artifact, "model", "kind", kind=str)
    if kind not in ("linear", "stack"):
        raise ArtifactError(
            f"{artifact.source}: model kind {quoted(kind)} is not known to this version; upgrade tierwise or retrain"
        )
    labels = _load_labels(artifact)
    reference = header_field(artifact, "model", "reference", kind=int)
    if not 0 <= reference < tiers:
        raise unfit(artifact, f"{_MISFIT}: model.reference", f"is {reference}", f"one of its {tiers} tiers, from 0")
    weights = _load_weights(artifact, tiers, dense_features, len(labels))
    same = header_field(artifact, "model", "adequacy_is_quality", kind=bool)
    calibration = Calibration(
        quality=require_weights(artifact, "calibration_quality", np.float64, (tiers, 2)),
        adequate=None if same else require_weights(artifact, "calibration_adequate", np.float64, (tiers, 2)),
        bends=_load_bends(artifact, tiers),
    )
    trees = _load_trees(artifact, weights, tiers) if kind == "stack" else None
    return Model(weights, calibration, labels, reference, task_aliases, trees)


def _load_labels(artifact: Artifact) -> tuple[str, ...]:
    labels = header_field(artifact, "model", "task_labels", kind=list)
    expect_at_most(artifact, "model.task_labels", len(labels), MAX_TASKS)
    if not all(isinstance(label, str) and len(label) <= MAX_LABEL_CHARS for label in labels):
        expected = f"texts of at most {MAX_LABEL_CHARS} characters"
        raise unfit(artifact, f"{_MISFIT}: model.task_labels", "holds something else", expected)
    return tuple(labels)


def _load_weights(artifact: Artifact, tiers: int, dense_features: int, labels: int) -> LinearWeights:
    outputs = 2 * tiers
    buckets = _buckets(artifact, "buckets", N_BUCKETS)
    weights = LinearWeights(
        buckets=buckets,
        terms=require_weights(artifact, "terms", np.float32, (len(buckets), outputs + 1)),
        dense_mean=require_weights(artifact, "dense_mean", np.float64, (dense_features,)),
        dense_scale=require(artifact, "dense_scale", np.float64, (dense_features,)),
        dense=require_weights(artifact, "dense", np.float64, (dense_features, outputs)),
        tasks=require_weights(artifact, "tasks", np.float64, (labels + 1, outputs)),
        bias=require_weights(artifact, "bias", np.float64, (outputs,)),
    )
    least = weights.dense_scale.min(initial=1.0)
    if least < 1 / MAX_NUMBER:
        raise unfit(artifact, "tensor 'dense_scale'", f"holds {least:g}", f"at least {1 / MAX_NUMBER:g}")
    if (weights.terms[:, -1] < 0).any():
        raise unfit(artifact, "tensor 'terms'", "ends with a column that holds negative squares", "0 or more")
    return weights


def _load_bends(artifact: Artifact, tiers: int) -> NDArray[np.float64] | None:
    if "calibration_bends" not in artifact.tensors:
        return None
    bends = require_weights(artifact, "calibration_bends", np.float64, (tiers, 2, None))
    expect_at_most(artifact, "the last axis of tensor 'calibration_bends'", bends.shape[2], MAX_BENDS)
    steps, rises = np.diff(bends, axis=2).transpose(1, 0, 2)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        straight = np.isfinite(rises / steps)
    if not bends.shape[2] or not ((steps > 0) & straight).all():
        raise unfit(
            artifact, "tensor 'calibration_bends'", "does not rise, or jumps", "rising logits with finite slopes"
        )
    return bends


def _buckets(artifact: Artifact, name: str, size: int) -> NDArray[np.uint32]:
    buckets = require(artifact, name, np.uint32, (None,))
    if len(buckets) and (buckets[-1] >= size or not (np.diff(buckets.astype(np.int64)) > 0).all()):
        raise unfit(artifact, f"tensor '{name}'", "is not sorted and distinct", f"rising buckets below {size}")
    return buckets


def _load_trees(artifact: Artifact, weights: LinearWeights, tiers: int) -> TreeWeights:
    buckets = _buckets(artifact, "projection_buckets", N_WORD_BUCKETS)
    shift = require_weights(artifact, "projection_shift", np.float64, (None,))
    expect_at_most(artifact, "tensor 'projection_shift'", len(shift), MAX_PROJECTED)
    return TreeWeights(
        forest=_load_forest(artifact, len(weights.dense_mean) + len(shift) + tiers, tiers),
        share=require_weights(artifact, "linear_share", np.float64, (tiers, tiers)),
        buckets=buckets,
        projection=require_weights(artifact, "projection", np.float32, (len(buckets), len(shift))),
        shift=shift,
        task_means=require_weights(artifact, "task_means", np.float64, (len(weights.tasks), tiers)),
    )


def _load_forest(artifact: Artifact, inputs: int, tiers: int) -> Forest:
    features = require(artifact, "forest_features", np.int32, (None,))
    nodes = len(features)
    forest = Forest(
        features=features,
        thresholds=require(artifact, "forest_thresholds", np.float32, (nodes,)),
        children=require(artifact, "forest_children", np.int32, (nodes,)),
        values=require_weights(artifact, "forest_values", np.float32, (nodes, tiers)),
        roots=require(artifact, "forest_roots", np.int32, (None,)),
        depth=header_field(artifact, "model", "forest_depth", kind=int),
    )
    expect_at_most(artifact, "tensor 'forest_roots'", len(forest.roots), MAX_TREES)
    # A step to the right of a child must not lead out either.
    for name, numbers, what, size in (
        ("features", features, "inputs", inputs),
        ("children", forest.children, "nodes", nodes - 1),
        ("roots", forest.roots, "nodes", nodes),
    ):
        if not _within(numbers, size):
            raise unfit(
                artifact,
                f"tensor 'forest_{name}'",
                f"leads to {what} that are not there",
                f"numbers from 0 below {size}",
            )
    if not 0 <= forest.depth <= MAX_DEPTH:
        raise unfit(artifact, "model.forest_depth", f"is {forest.depth}", f"a number from 0 to {MAX_DEPTH}")
    return forest


def _within(numbers: NDArray[np.integer[Any]], size: int) -> bool:
    return not numbers.size or bool(numbers.min() >= 0 and numbers.max() < size)
