"""What the linear part of a model learned, in words.

Features are compared by how much they move decisions: the standard deviation, over the rows that the model was fitted
on, of what each adds to the calibrated log odds of the cheaper tier minus those of the reference. One measure serves
rare words, numbers and tasks alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from classifier.features import N_WORD_BUCKETS
from classifier.keywords import KeywordGroups
from classifier.model import DENSE_CLIP, LinearWeights
from classifier.traits import Trait, dense_traits, is_reason
from training.certify.comparison import LEARNED
from training.learners.matrix import FeatureMatrix
from training.report.data import Learned, LearnedFeature, LearnedGroup
from training.report.vocabulary import Term, find_terms
from training.training import Training

FORM = "Size, structure and form"
WORDS = "Words and pairs of neighbouring words"
SPELLING = "Spelling and character sequences"
TASKS = "Tasks"

_LISTED = 8
_LOOKED_AT = 40
_FALSE_SHARE = 0.1
_LEAST_ROWS = 5
_NOTHING = 1e-6
_EXAMPLES = 3


def learned(training: Training, keywords: KeywordGroups, *, words: bool) -> Learned:
    """The strongest features for and against the cheaper tier that is used most.

    Parameters
    ----------
    keywords : the groups that the features were made with.
    words : look up the words behind terms; they are pieces of prompts.
    """
    data, fit = training.data, training.split.fit
    cheaper = _cheaper_tier(training)
    weights, labels = training.model.linear.weights(), training.model.linear.space.tasks
    margin = _Margin(training.model.calibration.quality[:, 0], cheaper, data.reference)
    matrix = data.matrix.rows(fit)
    terms = _Terms.of(matrix, weights, margin, _gain(data.quality[fit], cheaper, data.reference))
    dense = _Dense.of(matrix, weights, margin)
    tasks = _Tasks.of(matrix, labels, weights, margin)
    groups = [_group(FORM, dense.features(keywords))]
    if words:
        texts = (data.table.requests[row].text for row in fit)
        groups.append(_group(WORDS, terms.strongest(texts)))
    groups.append(_group(TASKS, tasks.features()))
    parts = {WORDS: terms.words, SPELLING: terms.spelling, FORM: dense.spread, TASKS: tasks.spread}
    return Learned(
        learner=training.model.learner,
        cheaper=data.names[cheaper],
        trees=training.model.learned.tree_weights() is not None,
        words_left_out=not words,
        parts=tuple(
            LearnedFeature(name, spread, None)
            for name, spread in sorted(parts.items(), key=lambda part: -part[1])
            if spread > _NOTHING
        ),
        groups=tuple(group for group in groups if group.for_cheaper or group.for_reference),
    )


def _cheaper_tier(training: Training) -> int:
    """The tier below the reference that the learned router uses most; the cheapest one where there is none."""
    reference = training.data.reference
    routed = next(result for result in training.results if result.name == LEARNED)
    return int(np.argmax(routed.shares[:reference])) if reference else 0


@dataclass(frozen=True, slots=True)
class _Margin:
    """The cheaper tier's logit minus the reference's; its own where it is itself the reference."""

    slopes: NDArray[np.float64]
    cheaper: int
    reference: int

    def of(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """(k, t or more) weights on uncalibrated logits to (k,)."""
        own = logits[:, self.cheaper] * self.slopes[self.cheaper]
        if self.cheaper == self.reference:
            return np.asarray(own, np.float64)
        return np.asarray(own - logits[:, self.reference] * self.slopes[self.reference], np.float64)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What word n-grams and byte n-grams contribute.

    Attributes
    ----------
    buckets : (w,) of the words.
    moves : (w,) how much each moves decisions, signed.
    rows : (w,) rows that have it.
    sure : (w,) whether scores differ that way where a row has it, and not by chance.
    words, spelling : how much all words, and all byte n-grams, move them.
    """

    buckets: NDArray[np.uint32]
    moves: NDArray[np.float64]
    rows: NDArray[np.int64]
    sure: NDArray[np.bool_]
    words: float
    spelling: float

    @classmethod
    def of(cls, matrix: FeatureMatrix, weights: LinearWeights, margin: _Margin, gain: NDArray[np.float64]) -> _Terms:
        """``gain``: (n,) by how much the cheaper tier's answer was better on each row; NaN unknown."""
        split = int(np.searchsorted(weights.buckets, N_WORD_BUCKETS))
        present = matrix.terms[:, weights.buckets.astype(np.int64)]
        margins, squares = margin.of(weights.terms), weights.terms[:, -1].astype(np.float64)
        words, grams = present[:, :split], present[:, split:]
        # In a row of unit length a term adds its margin over the row's length.
        scale = _inverse_lengths(words, squares[:split])
        mean = words.T @ scale / len(matrix)
        square = words.T @ scale**2 / len(matrix)
        moves = margins[:split] * np.sqrt(np.maximum(square - mean**2, 0.0))
        spelled = (grams @ margins[split:]) * _inverse_lengths(grams, squares[split:])
        return cls(
            buckets=weights.buckets[:split],
            moves=moves,
            rows=np.bincount(words.indices, minlength=split),
            sure=_by_no_chance(words, moves, gain),
            words=float(((words @ margins[:split]) * scale).std()),
            spelling=float(spelled.std()),
        )

    def strongest(self, texts: Iterable[str]) -> list[LearnedFeature]:
        """The terms that move most on either side, with the words behind them; no common words, and none by chance."""
        moves = np.where(self.sure, self.moves, 0.0)
        order = np.argsort(moves, kind="stable")
        picked = np.unique(np.concatenate([order[:_LOOKED_AT], order[::-1][:_LOOKED_AT]]))
        names = find_terms(self.buckets[picked], texts)
        return [
            LearnedFeature(_spelled_out(names[bucket]), float(moves[place]), int(self.rows[place]))
            for place, bucket in zip(picked.tolist(), self.buckets[picked].tolist(), strict=True)
            if bucket in names and is_reason(names[bucket][0].words)
        ]


def _gain(quality: NDArray[np.float64], cheaper: int, reference: int) -> NDArray[np.float64]:
    """(n,): what `_Margin` is about, as it was observed."""
    return quality[:, cheaper] - (0.0 if cheaper == reference else quality[:, reference])


def _by_no_chance(words: sparse.csr_matrix, moves: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(w,): whether rows with a term differ from the others in the direction that it moves decisions.

    Of the terms that pass, at most about a tenth do so by chance (Benjamini and Hochberg, "Controlling the False
    Discovery Rate", JRSS B 57, 1995), by a z-test of the difference in means, on terms of at least five rows.
    """
    known = np.flatnonzero(~np.isnan(gain))
    present, seen = words[known], gain[known]
    rows = np.bincount(present.indices, minlength=words.shape[1])
    rest = len(known) - rows
    passed = np.zeros(words.shape[1], bool)
    tested = np.flatnonzero((rows >= _LEAST_ROWS) & (rest >= _LEAST_ROWS))
    if not len(tested) or not seen.std():
        return passed
    sums = (present.T @ seen)[tested]
    apart = sums / rows[tested] - (seen.sum() - sums) / rest[tested]
    z = apart / (seen.std() * np.sqrt(1 / rows[tested] + 1 / rest[tested]))
    chance = stats.false_discovery_control(2 * stats.norm.sf(np.abs(z)))
    passed[tested] = (chance <= _FALSE_SHARE) & (apart * moves[tested] > 0)
    return passed


def _inverse_lengths(terms: sparse.csr_matrix, squares: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt(terms @ squares)
    inverse: NDArray[np.float64] = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return inverse


def _spelled_out(terms: tuple[Term, ...]) -> str:
    """The words of a bucket; a second term that shares it is named where it is nearly as frequent."""
    first, *others = terms
    also = [term.words for term in others[:1] if term.texts * 2 >= first.texts]
    return " or ".join(f"\u201c{words}\u201d" for words in [first.words, *also])


@dataclass(frozen=True, slots=True)
class _Dense:
    """What dense features contribute.

    Attributes
    ----------
    values : (n, d) scaled, as the model sees them.
    margins : (d,) what one more of each adds.
    spread : how much all together move decisions.
    """

    values: NDArray[np.float64]
    margins: NDArray[np.float64]
    spread: float

    @classmethod
    def of(cls, matrix: FeatureMatrix, weights: LinearWeights, margin: _Margin) -> _Dense:
        scaled = np.clip((matrix.dense - weights.dense_mean) / weights.dense_scale, -DENSE_CLIP, DENSE_CLIP)
        margins = margin.of(weights.dense)
        return cls(scaled, margins, float((scaled @ margins).std()))

    def features(self, keywords: KeywordGroups) -> Iterator[LearnedFeature]:
        """How much each trait moves decisions; positive where having it speaks for the cheaper tier."""
        traits = dense_traits(keywords)
        for trait in dict.fromkeys(trait for trait in traits if trait is not None):
            places = [place for place, own in enumerate(traits) if own == trait]
            added = self.values[:, places] @ self.margins[places]
            has = self.values[:, places].sum(axis=1)
            sign = np.sign(((added - added.mean()) * (has - has.mean())).sum())
            yield LearnedFeature(_with_examples(trait, keywords), float(sign * added.std()), None)


@dataclass(frozen=True, slots=True)
class _Tasks:
    """What task labels contribute: (k,) how much each moves decisions, signed; rows that have it; all together."""

    labels: tuple[str, ...]
    moves: NDArray[np.float64]
    rows: NDArray[np.int64]
    spread: float

    @classmethod
    def of(cls, matrix: FeatureMatrix, labels: tuple[str, ...], weights: LinearWeights, margin: _Margin) -> _Tasks:
        added = margin.of(weights.tasks)
        place: dict[str | None, int] = {label: row for row, label in enumerate(labels)}
        # The last row of the weights is for any other task, or none.
        own = np.array([place.get(task, len(labels)) for task in matrix.tasks])
        rows = np.bincount(own, minlength=len(added))[:-1]
        share = rows / len(matrix)
        return cls(labels, added[:-1] * np.sqrt(share * (1 - share)), rows, float(added[own].std()))

    def features(self) -> Iterator[LearnedFeature]:
        for label, move, rows in zip(self.labels, self.moves.tolist(), self.rows.tolist(), strict=True):
            yield LearnedFeature(label, move, rows)


def _group(name: str, features: Iterable[LearnedFeature]) -> LearnedGroup:
    ordered = sorted(features, key=lambda feature: -abs(feature.weight))
    return LearnedGroup(
        name,
        tuple([feature for feature in ordered if feature.weight > _NOTHING][:_LISTED]),
        tuple([feature for feature in ordered if feature.weight < -_NOTHING][:_LISTED]),
    )


def _with_examples(trait: Trait, keywords: KeywordGroups) -> str:
    """A trait in words; with examples where it is a keyword group of the user's own."""
    group = next((place for place, name in enumerate(keywords.names) if f"'{name}'" in trait.more), None)
    return trait.more if group is None else f"{trait.more} ({_examples(keywords, group)})"


def _examples(keywords: KeywordGroups, group: int) -> str:
    entries = [word.decode("utf-8") for word, groups in keywords.words.items() if group in groups]
    entries += [text for text, owner in keywords.substrings if owner == group]
    return ", ".join(entries[:_EXAMPLES]) + (", \u2026" if len(entries) > _EXAMPLES else "")
