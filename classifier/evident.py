"""The task that a request's text makes evident, where its caller gives no label: "Summarize ..." is a summarization.

It is evident where one of the first or last sentences begins, introductions aside, with a word that asks for the task,
and none of these sentences asks for another. Creative writing and code are asked for with the same verbs, so what is to
be written has to be named soon after. Everything else has no evident task. Words are those of ``evident.toml``.

In the synthetic sample it finds two in five of the tasks that it knows, and none wrongly
(`tests/classifier/test_evident.py`). On eleven published tables, nearly all of them questions and exams, it found 597
tasks in 61,000 prompts, of which one was wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from classifier.catalog import Menu, default_menu, normalise_label
from classifier.request import Request
from classifier.tasks import canonical_task
from classifier.untrusted import read_toml

_FILE = Path(__file__).with_name("evident.toml")
_HEAD, _TAIL = 300, 200  # characters that are read at either end
_FIRST, _LAST = 3, 2  # sentences
_INTRODUCING = 8  # words
_NAMED_WITHIN = 12  # words after a writing verb
_READ = _INTRODUCING + 1 + _NAMED_WITHIN

_SENTENCE = re.compile(r"[.!?:;\n。！？：；؟।]+")
_WORD = re.compile(r"\w+")
# What stands before a stem, in Chinese, and after it, in Japanese and Korean, where it asks.
_BEFORE = re.compile("(?:[请請你帮幫我再能]|麻烦|用?[0-9一二三四五两]{1,3}句话)*")
_AFTER = ("して", "せよ", "しなさい", "하세요", "하십시오", "해")


@dataclass(frozen=True, slots=True)
class _Asks:
    """What asks for a task, by word: its label."""

    introductions: frozenset[str]
    writing: frozenset[str]
    verbs: Mapping[str, str]
    objects: Mapping[str, str]
    stems: Mapping[str, str]


def evident_task(request: Request, menu: Menu) -> str | None:
    """The menu's label for the task that a request's text makes evident; None: none, or the menu has no such task."""
    found = {label for sentence in _sentences(request.text) for label in _asked(sentence)}
    return _label_of(found.pop(), menu) if len(found) == 1 else None


def known_task(menu: Menu, request: Request) -> str | None:
    """The menu's label for a request's task: as its caller says, else as its text makes evident; None: it has none."""
    blank = normalise_label(request.task) is None
    return evident_task(request, menu) if blank else canonical_task(request.task, menu)


def _sentences(text: str) -> Iterator[str]:
    """The first and the last sentences of a text."""
    head = [each for each in _SENTENCE.split(text[:_HEAD]) if each.strip()]
    yield from head[:_FIRST]
    if len(text) > _HEAD:
        tail = [each for each in _SENTENCE.split(text[-_TAIL:])[1:] if each.strip()]
        yield from tail[-_LAST:]
    else:
        yield from head[_FIRST:][-_LAST:]


def _asked(sentence: str) -> Iterator[str]:
    """The tasks that a sentence asks for."""
    asks = _asks()
    words = [match.group().lower() for match in islice(_WORD.finditer(sentence), _READ)]
    first = next((place for place, word in enumerate(words) if word not in asks.introductions), len(words))
    if first < len(words) and first <= _INTRODUCING and words[0] != "to":  # "To write well, ..." asks for nothing
        word, following = words[first], words[first + 1 : first + 1 + _NAMED_WITHIN]
        if word in asks.verbs:
            yield asks.verbs[word]
        elif word in asks.writing:
            yield from {asks.objects[each] for each in following if each in asks.objects}
    if not sentence.isascii():
        yield from (label for stem, label in asks.stems.items() if _asks_by(stem, sentence.strip()))


def _asks_by(stem: str, sentence: str) -> bool:
    """Whether a sentence in Chinese begins by a stem, or one in Japanese or Korean has it with an ending that asks."""
    before = _BEFORE.match(sentence)
    if before is not None and sentence.startswith(stem, before.end()):
        return True
    place = sentence.find(stem)
    return place >= 0 and sentence.startswith(_AFTER, place + len(stem))


def _label_of(label: str, menu: Menu) -> str | None:
    """The menu's own label for a task, which may be any of its usual spellings."""
    aliases = default_menu().task_aliases
    spellings = (label, *(alias for alias, known in aliases.items() if known == label))
    known = (canonical_task(each, menu) for each in spellings)
    return next((each for each in known if each in menu.task_table), None)


@cache
def _asks() -> _Asks:
    table: dict[str, Any] = read_toml(_FILE)
    asking: dict[str, dict[str, list[str]]] = table["asking"]

    def by_word(kind: str) -> dict[str, str]:
        return {word: label for label, words in asking.items() for word in words.get(kind, ())}

    return _Asks(
        introductions=frozenset(table["introductions"]),
        writing=frozenset(table["writing"]),
        verbs=by_word("verbs"),
        objects=by_word("objects"),
        stems=by_word("stems"),
    )
