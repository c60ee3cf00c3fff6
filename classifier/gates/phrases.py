"""Wordings that give an answer away, in many languages, from a file that people can read and edit (`phrases.toml`)."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from ahocorasick_rs import AhoCorasick

_FILE = Path(__file__).with_name("phrases.toml")

# Characters that are written in several ways, or left out at will: apostrophes, the dotless i, the forms of alef.
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032\u00b4\u0060\uff07", "'"),
        **dict.fromkeys("\u0622\u0623\u0625", "\u0627"),
        "\u0131": "i",
    }
)
# Soft hyphens, joiners and marks of direction; the dot that Turkish capitals leave; Arabic and Hebrew vowel points.
_LEFT_OUT = re.compile("[\u00ad\u0307\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u200b-\u200f\u2060-\u2064\ufeff]+")
_APOSTROPHE = "'"
_BETWEEN_ASCII_WORDS = re.compile("[^a-z0-9_']+")
# All but letters, digits, apostrophes, and the vowel signs of Indic and Thai writing.
_BETWEEN_WORDS = re.compile("(?:[^\\w'\u0900-\u0dff\u0e00-\u0eff]|[\u0964\u0965])+")


class Phrases:
    """Phrases to look for, all at once (Aho and Corasick, "Efficient String Matching", 1975).

    Attributes
    ----------
    words : as `fold` makes them, with a space at each end: whole words.
    anywhere : as `fold` makes them, without: found inside words, too.
    """

    def __init__(self, words: tuple[str, ...], anywhere: tuple[str, ...]) -> None:
        self.words, self.anywhere = words, anywhere
        self._search = AhoCorasick(words + anywhere)

    def find(self, folded: str) -> list[int]:
        """Where phrases begin in a folded text, in order; of those that overlap, where the first one does.

        A phrase counts once, however often it stands there.
        """
        found: dict[int, tuple[int, int]] = {}
        for phrase, place, end in self._search.find_matches_as_indexes(folded, overlapping=True):
            found.setdefault(phrase, (place, end))
        places: list[int] = []
        free = 0
        for place, end in sorted(found.values()):
            if place >= free:
                places.append(place)
            free = max(free, end - 1)  # whole words may share the space between them
        return places

    def all_places(self, folded: str) -> list[int]:
        """Where phrases begin in a folded text, each as often as it stands there."""
        return [place for _, place, _ in self._search.find_matches_as_indexes(folded, overlapping=True)]


@cache
def load_phrases(kind: str) -> Phrases:
    """The packaged phrases of one kind ("refusal", "hedging"), of all languages."""
    with _FILE.open("rb") as file:
        languages: dict[str, dict[str, Any]] = tomllib.load(file)[kind]
    words, anywhere = dict[str, None](), dict[str, None]()
    for group in languages.values():
        within = group.get("anywhere", False)
        gap = "" if within else " "  # the beginnings bring their own where such a script puts one
        phrases = [f"{begin}{gap}{more}" for begin in group.get("begin", ()) for more in group.get("go_on", ())]
        if within:
            anywhere |= dict.fromkeys(fold(phrase).strip() for phrase in phrases + group["phrases"])
        else:
            words |= dict.fromkeys(map(fold, phrases + group["phrases"]))
    return Phrases(tuple(words), tuple(anywhere))


def fold(text: str) -> str:
    """The form in which texts and phrases are compared: words in lower case, one space around each.

    Compatibility forms, case, punctuation, kinds of apostrophe, vowel points and invisible characters make no
    difference.
    """
    if text.isascii():
        return f" {_BETWEEN_ASCII_WORDS.sub(' ', text.lower().replace('`', _APOSTROPHE)).strip()} "
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_ALIKE)
    return f" {_BETWEEN_WORDS.sub(' ', _LEFT_OUT.sub('', folded)).strip()} "
