"""Names of columns: which tier and measure they speak of, and what nearly has a name that is known."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Literal

Measure = Literal["score", "cost", "tokens_out", "response"]

PER_TIER: tuple[Measure, ...] = ("score", "cost", "tokens_out", "response")
_PREFIXES = tuple(f"{measure}__" for measure in PER_TIER)
_ALMOST_PER_TIER = re.compile(r"(score|cost|tokens_out|response)[_\-.: /]{1,3}(?=[^_\-.: /])", re.IGNORECASE)
_MOST_SHOWN = 30
_CLOSE = 0.75
_LONGEST = 200

# By preference: where a table has several of them for the same tiers, the first one is its score.
_WORDS: Mapping[Measure, tuple[str, ...]] = {
    "score": ("score", "rating", "grade", "quality", "correct", "is_correct", "passed", "pass", "accuracy"),
    "cost": ("cost", "cost_usd", "price", "usd"),
    "tokens_out": ("tokens_out", "output_tokens", "completion_tokens"),
    "response": ("response", "answer", "output", "completion"),
}
# "mean_score" is no tier's: it is a figure of all.
_FIGURES = ("mean", "avg", "average", "median", "max", "min", "sum", "total", "std", "overall", "final", "best", "raw")
_NO_TIERS = frozenset((*_FIGURES, "normalized", "normalised", "judge", "human", "quality", "user", "model", "tie"))
_PARTERS = " _-./:"


def tier_of(column: str, prefix: str) -> str:
    """The tier that a column with this prefix speaks of; empty: it has another."""
    return column[len(prefix) :] if column.startswith(prefix) else ""


def role_of_name(column: str) -> str:
    """A name, case and what parts words aside.

    >>> role_of_name(" Max Tokens"), role_of_name("maxTokens")
    ('max_tokens', 'max_tokens')
    """
    if len(column) > _LONGEST:
        return column
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[\s\-_]+", "_", parted).casefold()


def loose_measures(columns: Iterable[str]) -> dict[Measure, dict[str, str]]:
    """Measure -> tier -> column, of names such as ``haiku_score``, ``score_haiku``, ``haikuScore``, ``scores.haiku``.

    All columns of a measure are named alike; where two ways of naming are equally frequent, the measure is left out.
    """
    columns = [column for column in columns if len(column) <= _LONGEST]
    found: dict[Measure, dict[str, str]] = {}
    for measure, words in _WORDS.items():
        ways: defaultdict[tuple[int, bool], dict[str, str]] = defaultdict(dict)
        for column in columns:
            for place, word in enumerate(words):
                for is_suffix in (True, False):
                    tier = _loose_tier(column, word, is_suffix)
                    if tier:
                        ways[place, is_suffix].setdefault(tier, column)
        best = max(map(len, ways.values()), default=0)
        chosen = [tiers for _, tiers in sorted(ways.items(), key=lambda way: way[0][0]) if len(tiers) == best]
        if chosen and not _NO_TIERS & {tier.casefold() for tier in chosen[0]}:
            found[measure] = chosen[0]
    return found


def _loose_tier(column: str, word: str, is_suffix: bool) -> str:
    """What a column's name says beside a word such as "score": "haiku" in "haiku_score"; "" where it lacks the word."""
    name = column.strip()
    words = [f"{spelled}{plural}" for spelled in {word, word.replace("_", " ")} for plural in ("s", "")]
    found = next(filter(None, (_beside(name, each, is_suffix) for each in words)), "")
    if found or not is_suffix:
        return found
    capitals = word.title().replace("_", "")  # haikuScore
    heads = [name.removesuffix(each) for each in (capitals + "s", capitals) if name.endswith(each)]
    return next((head for head in heads if len(head) > 1 and (head[-1].islower() or head[-1].isdigit())), "")


def _beside(name: str, word: str, is_suffix: bool) -> str:
    """The rest of a name without a word at its end or beginning, apart by a separator or in brackets."""
    folded = name.casefold()
    if is_suffix:
        rest = name[: -len(word)] if folded.endswith(word) else ""
        return rest.rstrip(_PARTERS).strip() if rest[-1:] in tuple(_PARTERS) else ""
    rest = name[len(word) :] if folded.startswith(word) else ""
    bare = rest.strip()
    if bare[:1] in ("(", "[") and bare[-1:] in (")", "]"):
        return bare[1:-1].strip()
    return rest.lstrip(_PARTERS).strip() if rest[:1] in tuple(_PARTERS) else ""


def close_names(columns: Sequence[str], known: Iterable[str], *, scored: Container[str] | None = ()) -> list[str]:
    """For columns that are not used but nearly have a known name, a sentence that says so.

    Parameters
    ----------
    known : names that could be meant. scored : the tiers that have scores; None: this form's tiers need none.
    """
    names = [*known]
    hints = []
    for column in columns:
        if column in names or len(column) > _LONGEST or tier_of(column, "score__"):
            continue
        tier = next(filter(None, (tier_of(column, prefix) for prefix in _PREFIXES)), "")
        if tier:
            if scored is not None and tier not in scored:
                hints.append(f'column "{safe_name(column)}": there is no score__{tier} beside it')
            continue
        meant = _meant(column, names)
        if meant and meant not in columns:
            hints.append(f'column "{safe_name(column)}": did you mean "{meant}"?')
    return hints


def _meant(column: str, known: Sequence[str]) -> str:
    """The name that a column was probably meant to have: one that is known, or that of a tier's column."""
    almost = _ALMOST_PER_TIER.match(column)
    if almost:
        return f"{almost[1].lower()}__{column[almost.end() :]}"
    prefix, parted, tier = column.partition("__")
    if parted and tier:
        found = difflib.get_close_matches(prefix.strip().lower(), PER_TIER, 1, _CLOSE)
        return f"{found[0]}__{tier}" if found else ""
    plain = column.strip().lower()
    close = difflib.get_close_matches(plain, known, 1, _CLOSE)
    # A last letter or number that differs is another thing of the same kind: model_c is not model_a misspelled.
    return close[0] if close and close[0][:-1] != plain[:-1] else ""


def listed(columns: Sequence[str]) -> str:
    """Names for an error, at most 30 of them."""
    shown = ", ".join(safe_name(column) for column in columns[:_MOST_SHOWN])
    return shown + (f" and {len(columns) - _MOST_SHOWN} more" if len(columns) > _MOST_SHOWN else "")


def safe_name(column: str) -> str:
    """The name, unless it reads like text: the header of a table without one is its first row, prompt and all."""
    if column.startswith(_PREFIXES) and len(column) <= 120 and len(column.split()) == 1:
        return column
    if len(column) <= 40 and len(column.split()) <= 3 and column.isprintable():
        return column
    return f"<a name of {len(column)} characters; is the header missing?>"
