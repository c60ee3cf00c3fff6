"""What a decision rests on, in words that a colleague accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

from classifier.escapes import for_terminal
from classifier.features import Features, word_buckets
from classifier.loaded import Loaded
from classifier.model import Prediction
from classifier.request import Request
from classifier.text import scan_text
from classifier.traits import dense_traits, is_reason, said_of

WORDING = "its wording in general"
SURROUNDINGS = "what stands around what is asked"
TASK = "its task label"
# Of log odds, so at most half a percentage point of any probability: less is no reason.
_LEAST = 0.02


@dataclass(frozen=True, slots=True)
class Explanation:
    """What spoke for and against a cheaper tier.

    The measure is the quality logit of the cheapest tier minus the reference's, against that of an average request.

    Attributes
    ----------
    tier, cheapest, reference : the chosen, the cheapest and the reference tier.
    for_cheaper, against_cheaper : (reason in words, its share in the measure), strongest first.
    probability : P(the cheapest tier's answer is good enough); None: effects are given as shares in the measure.
    learned : False: nothing was learned, and there is no measure.
    """

    tier: str
    cheapest: str
    reference: str
    for_cheaper: tuple[tuple[str, float], ...]
    against_cheaper: tuple[tuple[str, float], ...]
    probability: float | None = None
    learned: bool = True

    def __str__(self) -> str:
        lines = [for_terminal(f"chosen: {self.tier}")]
        if not self.learned:
            return "\n".join([*lines, "by the menu's rules: nothing was learned that speaks for or against a tier"])
        for title, parts in (
            (f"speaks for {self.cheapest} being good enough", self.for_cheaper),
            (f"speaks for needing {self.reference}", self.against_cheaper),
        ):
            lines.append(for_terminal(f"{title}:"))
            lines += [for_terminal(f"  {name} ({self._effect(share)})") for name, share in parts]
            lines += [] if parts else ["  nothing in particular"]
        return "\n".join(lines)

    def _effect(self, share: float) -> str:
        """By how much a reason moves the probability, the linear part of the model taken for all of it."""
        if self.probability is None or not 0 < self.probability < 1:
            return f"{share:+.3f}"
        odds = log(self.probability / (1 - self.probability)) - share
        moved = abs(self.probability - 1 / (1 + exp(-odds)))
        by = f"{moved:.2f}" if moved >= 0.005 else "less than 0.01"
        return f"{'raises' if share > 0 else 'lowers'} P({self.cheapest}) by {by}"


def explain(loaded: Loaded, request: Request, tier: str, prediction: Prediction, top: int) -> Explanation:
    """The ``top`` strongest reasons on either side, of a request that ``tier`` was chosen for.

    Words that are numbers or common, scripts and letters are no reasons (`classifier.traits`), nor is what hardly moves
    the probability.
    """
    if loaded.learned is None:
        reference = loaded.tiers[loaded.reference].name
        return Explanation(tier, loaded.tiers[0].name, reference, (), (), learned=False)
    model = loaded.model
    ordered = sorted(_parts(loaded, request, loaded.extract(request)), key=lambda part: -abs(part[1]))
    sure = prediction.adequate[0] if model.reference else prediction.quality[0]
    return Explanation(
        tier,
        loaded.tiers[0].name,
        loaded.rule.reference,
        tuple([part for part in ordered if part[1] >= _LEAST][:top]),
        tuple([part for part in ordered if part[1] <= -_LEAST][:top]),
        float(sure),
    )


def _parts(loaded: Loaded, request: Request, features: Features) -> Iterator[tuple[str, float]]:
    """Everything that adds to the measure, by name; what has no name of its own counts as the wording."""
    model, words = loaded.model, features.word_terms
    parts = model.contributions(features)
    # Where the cheapest tier is itself the reference, its own quality is what matters.
    terms, dense, (task,) = (
        (rows[:, 0] - (rows[:, model.reference] if model.reference else 0.0)).tolist()
        for rows in (parts.terms, parts.dense, parts.task[None])
    )
    named, wording = said_of(dense_traits(loaded.keywords), dense, (features.dense > model.weights.dense_mean).tolist())
    for name, share in zip(_word_names(request, features), terms[:words], strict=True):
        if is_reason(name):
            yield f'"{name}"', share
        else:
            wording += share
    yield from named
    yield TASK, task
    yield WORDING, wording + sum(terms[words : features.context_start])
    yield SURROUNDINGS, sum(terms[features.context_start :])


def _word_names(request: Request, features: Features) -> list[str]:
    """The words or pairs behind the word terms, in the terms' order."""
    words = scan_text(request.text).words
    texts = [word.decode("utf-8", "replace") for word in words]
    grams = [*texts, *map(" ".join, pairwise(texts))]
    by_bucket = dict(zip(word_buckets(words).tolist(), grams, strict=True))
    return [by_bucket[bucket] for bucket in features.terms[: features.word_terms].tolist()]
