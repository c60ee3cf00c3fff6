"""What of a message's text is the answer: all but the thinking that some models write before it, or in between.

Upstreams that do not put a model's reasoning into a field of its own leave it in the text, marked in the model's own
way. Marks inside code are part of the answer, and so is a mark in the middle of a sentence that nothing closes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice

_MOST_CHARS = 2_000_000  # more than any model answers; a longer text is taken as it is
_MOST_MARKS = 4096
_LINE_CHARS = 200
_VISIBLE = re.compile(r"\S")

_THINK = r"(?:ant|longcat_|mm:|seed:|ling_)?think(?:ing)?|thoughts?|inner_monologue|internal_monologue"
_ALSO = (
    r"reasoning|reflection|scratchpad|chain_of_thought|cot"  # elsewhere than at the beginning, they may be asked for
)
_OPEN = (
    rf"<(?P<tag>{_THINK}|{_ALSO})(?:\s[^<>]{{0,200}})?(?P<sole>/)?>|\[(?P<square>THINK)\]|◁(?P<kimi>think)▷|"
    r"<\|(?P<bar>begin_of_thought|START_THINKING)\|>|<(?P<details>details)\s+type=[\"']reasoning[\"'][^<>]{0,200}>"
)
_CLOSE = (
    rf"</(?P<untag>{_THINK}|{_ALSO})\s*>|\[/(?P<unsquare>THINK)\]|◁/(?P<unkimi>think)▷|"
    r"<\|(?P<unbar>end_of_thought|END_THINKING)\|>|</(?P<undetails>details)>"
)
_FENCE = r"(?P<fence>^[ \t]{0,3}+(?:`{3,}+|~{3,}+)).*+"
_MARK = re.compile(rf"{_FENCE}|{_OPEN}|{_CLOSE}", re.IGNORECASE | re.MULTILINE)
_ONLY_FIRST = re.compile(_ALSO, re.IGNORECASE)
_HINT = re.compile(r"think|thought|reason|reflecti|scratchpad|monologue|<cot|<\|channel|^analysis", re.IGNORECASE)

# OpenAI's harmony format, as it is, or where a server has dropped the special tokens.
_CHANNEL = re.compile(
    r"<\|channel\|>\s{0,9}(\w{1,20})([^<]{0,200}(?:<\|constrain\|>[^<]{0,50})?)<\|message\|>|<\|\w{3,9}\|>"
)
_BARE_FINAL = re.compile(r"assistant\s?final", re.IGNORECASE)


def visible_text(text: str) -> str:
    """A text without the thinking in it; one that has none is returned as it is."""
    if len(text) > _MOST_CHARS or not _HINT.search(text):
        return text
    if "<|channel|>" in text:
        return "".join(_of_channels(text)).strip()
    if text.startswith("analysis"):
        final = _BARE_FINAL.search(text)
        if final is not None:
            return text[final.end() :].strip()
    return _Reading(text).visible()


def _of_channels(text: str) -> Iterator[str]:
    """What stands in channels that users see: the final one, and comments that call nothing."""
    seen, place = not text.startswith("assistant"), 0
    for mark in _CHANNEL.finditer(text):
        if seen:
            yield text[place : mark.start()]
        seen = mark[1] == "final" or (mark[1] == "commentary" and "to=" not in mark[2])
        place = mark.end()
    if seen:
        yield text[place:]


class _Reading:
    """One pass over a text, from mark to mark."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._marks = list(islice(_MARK.finditer(text), _MOST_MARKS))
        self._ends: dict[str, list[int]] = {}  # places of marks that end something, by its kind
        for place, mark in enumerate(self._marks):
            kind = mark["fence"].strip()[0] if mark["fence"] else _kind(mark, "un")
            if kind is not None:
                self._ends.setdefault(kind, []).append(place)
        self._kept: list[str] = []
        self._read = 0  # characters of which it is known what they are
        self._closed = False  # whether some thinking had a beginning and an end
        self._said = False  # whether anything that is kept can be seen
        self._last = len(text.rstrip())

    def visible(self) -> str:
        """The text without thinking."""
        place = 0
        while place < len(self._marks):
            mark = self._marks[place]
            if mark["fence"]:
                place = self._end(place, mark["fence"].strip()[0]) or place  # past the code
            elif not self._is_quoted(mark):
                place = self._close(place) if _kind(mark, "un") else self._open(place)
            place += 1
        if not self._read:
            return self._text
        return "".join([*self._kept, self._text[self._read :]]).lstrip()

    def _end(self, place: int, kind: str) -> int | None:
        """The next mark that ends a kind."""
        ends = self._ends.get(kind, [])
        found = bisect_right(ends, place)
        return ends[found] if found < len(ends) else None

    def _open(self, place: int) -> int:
        """Leave out what begins at a mark; the mark to go on behind."""
        mark = self._marks[place]
        if _ONLY_FIRST.fullmatch(mark["tag"] or "") and self._said_before(mark):
            return place
        end = place if mark["sole"] else self._end(place, _kind(mark, "") or "")
        if end is not None:
            self._leave_out(mark.start(), self._marks[end].end())
            self._closed = True
            return end
        before = self._text[max(self._read, mark.start() - _LINE_CHARS) : mark.start()]
        if before.rpartition("\n")[2].strip():
            return place
        self._leave_out(mark.start(), len(self._text))  # it was cut off while it was thinking
        return len(self._marks)

    def _close(self, place: int) -> int:
        """An end whose beginning is in the prompt's template, or was taken for that of a part."""
        mark = self._marks[place]
        if mark["undetails"] or (_ONLY_FIRST.fullmatch(mark["untag"] or "") and self._said_before(mark)):
            return place
        if self._closed and mark.end() >= self._last:
            self._leave_out(mark.start(), mark.end())
        else:
            self._kept.clear()
            self._read, self._closed, self._said = mark.end(), True, False
        return place

    def _is_quoted(self, mark: re.Match[str]) -> bool:
        """Whether a mark is spoken of: in backticks, or as a word in a sentence."""
        before, after = self._text[max(0, mark.start() - 1) : mark.start()], self._text[mark.end() : mark.end() + 1]
        return "`" in (before, after) or before == after == " "

    def _said_before(self, mark: re.Match[str]) -> bool:
        return self._said or _VISIBLE.search(self._text, self._read, mark.start()) is not None

    def _leave_out(self, start: int, end: int) -> None:
        self._said = self._said or _VISIBLE.search(self._text, self._read, start) is not None
        self._kept.append(self._text[self._read : start])
        self._read = end


def _kind(mark: re.Match[str], prefix: str) -> str | None:
    """Which of the ways a mark is of; tags by their name."""
    tag: str | None = mark[f"{prefix}tag"]
    if tag is not None:
        return tag.lower()
    return next((each for each in ("square", "kimi", "bar", "details") if mark[prefix + each]), None)
