"""Words that stand for scores: the one place that knows them.

Whole words mean the same wherever they stand. Single letters do not (P is "pass" beside F, and "partial" beside C and
I), so all words of a column are looked at before one is read.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

NOT_SCORED = math.nan

# What stands for no value in tables, case aside; spreadsheets write the ones that start with "#".
_BLANKS = ("", "nan", "na", "n/a", "n.a.", "null", "none", "nil", "nat", "<na>", "-", "--", "–", "—", "?")
_SPREADSHEET_ERRORS = ("#n/a", "#na", "#nv", "#null!", "#value!", "#wert!", "#ref!", "#div/0!", "#name?")
ABSENT = frozenset((*_BLANKS, *_SPREADSHEET_ERRORS))

_GOOD = (
    *("true", "yes", "pass", "passed", "passes", "success", "successful", "succeeded", "ok", "okay"),
    *("correct", "right", "good", "acceptable", "accept", "accepted", "adequate"),
    *("thumbs up", "thumbs_up", "up", "like"),
    *("wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "ja", "oui", "sí", "richtig"),  # Excel's own, abroad
    *("👍", "✓", "✔", "✔️", "✅"),
)
_BAD = (
    *("false", "no", "fail", "failed", "fails", "failure", "unsuccessful"),
    *("incorrect", "wrong", "bad", "unacceptable", "reject", "rejected", "inadequate", "thumbs down", "thumbs_down"),
    *("down", "dislike", "falsch", "faux", "falso", "onwaar", "nein", "non", "não"),
    *("👎", "✗", "✘", "❌", "✖", "✖️"),
)
_HALF = ("partial", "partially", "partially correct", "partially_correct", "partly", "partly correct", "half")
# The call or the judge broke, so nothing is known of the answer.
_UNKNOWN = ("error", "errored", "timeout", "timed out", "skip", "skipped", "not scored", "unscored", "ungraded")

_WORDS: Mapping[str, float] = (
    dict.fromkeys(_GOOD, 1.0)
    | dict.fromkeys(_BAD, 0.0)
    | dict.fromkeys(_HALF, 0.5)
    | dict.fromkeys(_UNKNOWN, NOT_SCORED)
)
# C, I, P and N are inspect_ai's: correct, incorrect, partial, no answer.
_LETTERS: tuple[tuple[frozenset[str], Mapping[str, float]], ...] = (
    (frozenset("ci"), {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0}),
    (frozenset("f"), {"p": 1.0, "f": 0.0}),
    (frozenset("t"), {"t": 1.0, "f": 0.0}),
    (frozenset("y"), {"y": 1.0, "n": 0.0}),
)


def folded_word(text: str) -> str:
    """A word as it is looked up: without blanks around it, case and brackets aside.

    >>> folded_word(" [PASS] ")
    'pass'
    """
    return text.strip().strip("[]").strip().casefold()


def word_scores(words: Collection[str]) -> dict[str, float]:
    """What the words of a column mean, 0..1; NaN: the answer was not scored. Words that are not known are left out.

    Parameters
    ----------
    words : all that stand in the column, as `folded_word` gives them.

    >>> word_scores({"c", "i", "n"})["c"], word_scores({"p", "f"})["p"], word_scores({"p", "maybe"})
    (1.0, 1.0, {})
    """
    known = {word: _WORDS[word] for word in words if word in _WORDS}
    letters = {word for word in words if len(word) == 1 and word.isascii() and word.isalpha()}
    fitting = [meaning for telling, meaning in _LETTERS if letters & telling and letters <= meaning.keys()]
    if len(fitting) == 1:
        known |= {letter: fitting[0][letter] for letter in letters}
    return known


def understood_words(meaning: Mapping[str, float]) -> str:
    """What words were taken to mean, in words: for the line that says so.

    >>> understood_words({"pass": 1.0, "fail": 0.0, "error": NOT_SCORED})
    'pass = 1, fail = 0, error = not scored'
    """
    order = sorted(meaning.items(), key=lambda item: (math.isnan(item[1]), -item[1] if item[1] == item[1] else 0.0))
    return ", ".join(f"{word} = {'not scored' if math.isnan(score) else f'{score:g}'}" for word, score in order)
