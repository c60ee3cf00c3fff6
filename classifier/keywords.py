"""Keyword groups: words that hint at a kind of request, in many languages, from a file that people can read and edit.

A group's feature is the number of its distinct entries found in the request. ``keywords.toml`` holds the default
groups; an artifact carries the groups it was trained with, so that editing the file changes nothing until the next
training.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.errors import ConfigError
from classifier.text import UNSPACED_CLASSES, TextScan

DEFAULT_FILE = Path(__file__).with_name("keywords.toml")


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
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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
    names: list[str] = []
    words: dict[bytes, tuple[int, ...]] = {}
    substrings: list[tuple[str, int]] = []
    for position, group in enumerate(groups):
        name = group.get("name") if isinstance(group, Mapping) else None
        if not isinstance(name, str):
            raise ConfigError(f"{where}: keyword group {position + 1}: expected a table with a name")
        names.append(name)
        for word in _entries(group, "words", where):
            key = word.encode("utf-8")
            words[key] = (*words.get(key, ()), position)
        substrings += [(text, position) for text in _entries(group, "substrings", where)]
    return KeywordGroups(tuple(names), words, tuple(substrings))


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
            f"{where}: keyword group '{group['name']}': expected '{key}' to be a list of lower-case texts"
        )
    return entries
