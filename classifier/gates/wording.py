"""Does the answer refuse, or hedge? Told by its wording."""

from __future__ import annotations

import re
from dataclasses import dataclass

from classifier.gates.answer import Answer
from classifier.gates.asked import asked_for
from classifier.gates.gate import SimpleGate, Verdict
from classifier.gates.phrases import fold, load_phrases

_HEAD_CHARS = 600
_TAIL_CHARS = 600
_FULL_WEIGHT_CHARS = 100  # a refusal comes at once, at most after a sentence of regret
_LEAST_WEIGHT = 0.2
_BRIEF_CHARS = 1000  # a longer answer says more than that it refuses
_LONG_CHARS = 3000
_HEDGES_FOR_ZERO = 3

# What others say, in quotation marks, and code: no words of the answer's own. Bounded, or a lone mark would cost much.
_QUOTED = re.compile(
    r'"[^"\n]{1,300}+"|“[^”\n]{1,300}+”|„[^“”\n]{1,300}+[“”]|«[^»\n]{1,300}+»|»[^«\n]{1,300}+«'
    r"|「[^」\n]{1,300}+」|『[^』\n]{1,300}+』|^>.*|`[^`\n]{1,300}+`",
    re.MULTILINE,
)
# A block in a language that people do not speak.
_CODE = re.compile(
    r"^[ \t]{0,3}```(?!(?:text|txt|plain|plaintext|markdown|md|json)?[ \t]*$)[\w+#.-]{1,40}[ \t]*$"
    r".*?(?:^[ \t]{0,3}```|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NoRefusal(SimpleGate):
    """Fails an answer that declines to answer.

    An answer refuses when the upstream says so (the message's ``refusal``), or when it begins with the wording of a
    refusal in one of some thirty languages. Only the first 600 characters are looked at, without what stands in
    quotation marks or is code. The score is 1 without such wording; else it is lower the nearer to the beginning it
    stands, and the shorter the answer.

    Wording that the request asks for is none: a letter that rejects, a translation, a part in a play
    (`classifier.gates.asked`). An answer that refuses to write it still fails.
    """

    threshold: float = 0.5
    name: str = "no refusal"

    def judge(self, answer: Answer) -> Verdict:
        """Judge by the refusal field and the wording."""
        if answer.refusal is not None:
            return self.verdict(0.0, False, "the model refused")
        strength = refusal_strength(answer.text)
        if strength and is_asked_for(answer):
            return self.verdict(1.0, True, "worded like a refusal, as the request asks")
        score = 1 - strength
        passed = score >= self.threshold
        return self.verdict(score, passed, "no sign of a refusal" if score == 1 else "worded like a refusal")


@dataclass(frozen=True, slots=True)
class NoHedging(SimpleGate):
    """Fails an answer that says it is unsure, in one of some twenty languages.

    The first and the last 600 characters are looked at, without what stands in quotation marks. Each wording takes a
    third off the score: one is let through by the default threshold, two are not.
    """

    threshold: float = 0.5
    name: str = "no hedging"

    def judge(self, answer: Answer) -> Verdict:
        """Judge by the number of hedges."""
        hedges = hedge_count(answer.text)
        score = max(0.0, 1 - hedges / _HEDGES_FOR_ZERO)
        return self.verdict(score, score >= self.threshold, f"{hedges} hedging phrases")


def refusal_strength(text: str) -> float:
    """How much a text is worded like a refusal, 0..1."""
    places = load_phrases("refusal").find(fold(_own_words(text[:_HEAD_CHARS])))
    if not places:
        return 0.0
    late = max(0, places[0] - _FULL_WEIGHT_CHARS) / (_HEAD_CHARS - _FULL_WEIGHT_CHARS)
    lengthy = (len(text) - _BRIEF_CHARS) / (_LONG_CHARS - _BRIEF_CHARS)
    weight = max(_LEAST_WEIGHT, 1 - late * (1 - _LEAST_WEIGHT))
    return weight * (1 - 0.5 * min(1.0, max(0.0, lengthy)))


def is_asked_for(answer: Answer) -> bool:
    """Whether the request asks for text with the wording of a refusal that the answer has."""
    return asked_for(answer, _own_words(answer.text[:_HEAD_CHARS]))


def hedge_count(text: str) -> int:
    """How many hedging phrases a text begins and ends with."""
    window = text if len(text) <= _HEAD_CHARS + _TAIL_CHARS else f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"
    return len(load_phrases("hedging").find(fold(_own_words(window))))


def _own_words(text: str) -> str:
    """A text without what it quotes; all of it where the rest says nothing, as in JSON."""
    rest = _QUOTED.sub(" ", _CODE.sub(" ", text))
    return rest if any(map(str.isalpha, rest)) else _CODE.sub(" ", text)
