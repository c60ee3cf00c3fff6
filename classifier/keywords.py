"""Keyword groups: words that hint at a kind of request, in many languages, from a file that people can read and edit.

A group's feature is the number of its distinct entries found in the request. ``keywords.toml`` holds the default
groups; an artifact carries the groups it was trained with, so that editing the file changes nothing until the next
training. How many entries there may be is bounded, since each is looked for in every request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.errors import ConfigError
from classifier.text import UNSPACED_CLASSES, TextScan
from classifier.untrusted import quoted, read_toml

DEFAULT_FILE = Path(__file__).with_name("keywords.toml")
MAX_GROUPS = 256
MAX_WORDS = 20_000  # of all groups together
MAX_SUBSTRINGS = 1_000
MAX_CHARS = 100  # of an entry or a group's name
MAX_ALIKE = 128  # substrings with the same beginning, which are tried one after another wherever it stands

_PREFIX_BYTES = 3  # by which substrings are looked for: a character of most scripts without spaces


@dataclass(frozen=True, slots=True)
class KeywordGroups:
    """Keyword groups, indexed for counting.

    Attributes
    ----------
    names : the groups' names in the order of their features.
    words : lower-cased UTF-8 word -> positions of its groups; matched as whole words.
    substrings : (text, position of its group), for scripts whose characters are each a word; matched anywhere.
    """

    names: tuple[str, ...]
    words: Mapping[bytes, tuple[int, ...]]
    substrings: tuple[tuple[str, int], ...]

    def count(self, scan: TextScan, distinct: Set[bytes]) -> list[int]:
        """Distinct entries of each group that the text holds; ``distinct`` are the scan's words without repeats."""
        counts = [0] * len(self.names)
        for word in distinct & self.words.keys():
            for group in self.words[word]:
                counts[group] += 1
        if self.substrings and scan.classes[UNSPACED_CLASSES].any():
            for text, group in self.substrings:
                if text in scan.window:
                    counts[group] += 1
        return counts


def load_keywords(path: str | Path | None = None) -> KeywordGroups:
    """Read groups from a TOML file (default: the packaged ``keywords.toml``).

    Raises
    ------
    ConfigError : the file is missing, is not TOML, or a group is not as `parse_keywords` expects.
    """
    file = Path(path) if path is not None else DEFAULT_FILE
    try:
        content = read_toml(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: cannot read keyword groups: {error}") from error
    groups = [
        {"name": f"{name} language" if kind == "languages" else name, "words": [], "substrings": []} | _table(group)
        for kind in ("groups", "languages")
        for name, group in _table(content.get(kind, {})).items()
    ]
    return parse_keywords(groups, str(file))


def parse_keywords(groups: Sequence[Any], where: str) -> KeywordGroups:
    """Groups from ``[{"name": ..., "words": [...], "substrings": [...]}, ...]``; their order is that of the features.

    Raises
    ------
    ConfigError : a group is not a table, or one of its lists holds anything but lower-case text.
    """
    _expect_at_most(where, "keyword groups", len(groups), MAX_GROUPS)
    names: list[str] = []
    words: dict[bytes, list[int]] = {}
    substrings: list[tuple[str, int]] = []
    for position, group in enumerate(groups):
        name = group.get("name") if isinstance(group, Mapping) else None
        if not isinstance(name, str):
            raise ConfigError(f"{where}: keyword group {position + 1}: expected a table with a name")
        _expect_at_most(where, f"characters in the name of keyword group {position + 1}", len(name), MAX_CHARS)
        names.append(name)
        for word in _entries(group, "words", where):
            words.setdefault(word.encode("utf-8"), []).append(position)
        substrings += [(text, position) for text in _entries(group, "substrings", where)]
    _expect_at_most(where, "keywords", sum(map(len, words.values())), MAX_WORDS)
    _check_substrings(where, [text.encode("utf-8") for text, _ in substrings])
    return KeywordGroups(tuple(names), {word: tuple(places) for word, places in words.items()}, tuple(substrings))


def dump_keywords(groups: KeywordGroups) -> list[dict[str, Any]]:
    """The inverse of `parse_keywords`: plain lists, for an artifact's header."""
    dumped: list[dict[str, Any]] = [{"name": name, "words": [], "substrings": []} for name in groups.names]
    for word, positions in groups.words.items():
        for position in positions:
            dumped[position]["words"].append(word.decode("utf-8"))
    for text, position in groups.substrings:
        dumped[position]["substrings"].append(text)
    return dumped


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _entries(group: Mapping[str, Any], key: str, where: str) -> list[str]:
    entries = group.get(key)
    if not isinstance(entries, list) or not all(isinstance(e, str) and e and e == e.lower() for e in entries):
        raise ConfigError(
            f"{where}: keyword group {quoted(group['name'])}: expected '{key}' to be a list of lower-case texts"
        )
    longest = max(map(len, entries), default=0)
    _expect_at_most(where, f"characters in an entry of keyword group {quoted(group['name'])}", longest, MAX_CHARS)
    return entries


def _check_substrings(where: str, texts: Sequence[bytes]) -> None:
    _expect_at_most(where, "keyword substrings", len(texts), MAX_SUBSTRINGS)
    prefix = min([_PREFIX_BYTES, *map(len, texts)])
    alike = max(Counter(text[:prefix] for text in texts).values(), default=0)
    _expect_at_most(where, f"keyword substrings with the same first {prefix} bytes", alike, MAX_ALIKE)


def _expect_at_most(where: str, what: str, found: int, most: int) -> None:
    if found > most:
        raise ConfigError(f"{where}: found {found} {what}, expected at most {most}; leave some out")
