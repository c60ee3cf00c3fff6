"""What a decision rests on, in words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from classifier.escapes import for_terminal
from classifier.features import Features, dense_names, word_buckets
from classifier.loaded import Loaded
from classifier.request import Request
from classifier.text import scan_text

_NOTHING = 1e-4


@dataclass(frozen=True, slots=True)
class Explanation:
    """What spoke for and against a cheaper tier.

    The measure is the quality logit of the cheapest tier minus the reference's, against that of an average request.

    Attributes
    ----------
    tier, cheapest, reference : the chosen, the cheapest and the reference tier.
    for_cheaper, against_cheaper : (feature in words, its share in the measure), strongest first.
    """

    tier: str
    cheapest: str
    reference: str
    for_cheaper: tuple[tuple[str, float], ...]
    against_cheaper: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        lines = [for_terminal(f"chosen: {self.tier}")]
        for title, parts in (
            (f"speaks for {self.cheapest} being good enough", self.for_cheaper),
            (f"speaks for needing {self.reference}", self.against_cheaper),
        ):
            lines.append(for_terminal(f"{title}:"))
            lines += [f"  {value:+.3f}  {for_terminal(name)}" for name, value in parts] or ["  nothing in particular"]
        return "\n".join(lines)


def explain(loaded: Loaded, request: Request, tier: str, top: int) -> Explanation:
    """The ``top`` strongest features on either side, of a request that ``tier`` was chosen for."""
    features, model = loaded.extract(request), loaded.model
    parts = model.contributions(features)
    words = features.word_terms
    rows = [*parts.terms[:words], parts.terms[words:].sum(axis=0), *parts.dense, parts.task]
    names = [
        *_word_names(request, features),
        "spelling and characters (4-byte sequences)",
        *_dense_names(loaded, features),
        "the task label",
    ]
    # Where the cheapest tier is itself the reference, its own quality is what matters.
    margins = [row[0] - (row[model.reference] if model.reference else 0.0) for row in rows]
    named = sorted(zip(names, map(float, margins), strict=True), key=lambda part: -abs(part[1]))
    return Explanation(
        tier,
        loaded.tiers[0].name,
        loaded.rule.reference,
        tuple([part for part in named if part[1] > _NOTHING][:top]),
        tuple([part for part in named if part[1] < -_NOTHING][:top]),
    )


def _word_names(request: Request, features: Features) -> list[str]:
    """The words or pairs behind the word terms, in the terms' order."""
    words = scan_text(request.text).words
    texts = [word.decode("utf-8", "replace") for word in words]
    grams = [*texts, *map(" ".join, pairwise(texts))]
    by_bucket = dict(zip(word_buckets(words).tolist(), grams, strict=True))
    return [f'"{by_bucket[bucket]}"' for bucket in features.terms[: features.word_terms].tolist()]


def _dense_names(loaded: Loaded, features: Features) -> list[str]:
    """Names of the dense features with "more" or "less" than an average request has of each."""
    above = features.dense > loaded.model.weights.dense_mean
    names = dense_names(loaded.keywords)
    return [f"{'more' if more else 'less'}: {name}" for name, more in zip(names, above, strict=True)]
