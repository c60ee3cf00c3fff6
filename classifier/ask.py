"""What a person asks, apart from what a program puts around it.

Agents and editors wrap a short question in blocks of their own: reminders, the state of a workspace, attached files.
Such blocks stand in tags that no markup language has (``<system-reminder>``, ``<environment_details>``), or the
question itself stands in one (``<user_query>``). Reading is bounded: a text's first and last 8,192 characters are
searched, and at most 64 tags are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SEARCHED = 2**13  # characters at either end
_MOST_TAGS = 64
_LONGEST_BLOCK = 2**18
_MOST_FOLLOWED = 2**20  # characters, of all blocks together
_OPENING = re.compile(r"<([A-Za-z][\w.:-]{1,59})(?:\s[^<>]{0,200})?>")
# Names with a hyphen, an underscore or a capital inside are a program's own; so are these.
_OWN_NAME = re.compile(r"[-_.:]|[a-z][A-Z]")
_SURROUNDINGS = frozenset(
    [
        "attachment",
        "attachments",
        "background",
        "context",
        "documents",
        "environment",
        "files",
        "history",
        "ide",
        "instructions",
        "memory",
        "metadata",
        "notes",
        "reminder",
        "rules",
        "selection",
        "state",
        "system",
        "tools",
        "workspace",
    ]
)
_ASKS = frozenset(
    [
        "ask",
        "feedback",
        "prompt",
        "query",
        "question",
        "request",
        "task",
        "userinput",
        "usermessage",
        "userprompt",
        "userquery",
        "userquestion",
        "userrequest",
        "usertask",
    ]
)
_HEADING = re.compile(r"^#{1,6} ?[Mm]y request(?: for [^\n]{1,40})?:?[ \t]*$", re.MULTILINE)
# How agents without tool messages begin a user's message that reports a result: "[read_file for 'a.py'] Result:".
_REPORT = re.compile(r"\s{0,20}\[[a-z]\w{1,40}(?: for [^\n]{1,1000})?\] Result:")
_HEADING_WORDS = "y request"
_SEPARATORS = str.maketrans("", "", "-_.:")


class AskParts(NamedTuple):
    """A text, parted: what is asked, and what stands around it; texts in order, none of them blank."""

    ask: list[str]
    around: list[str]


class _Block(NamedTuple):
    start: int
    end: int
    inside: tuple[int, int]
    asks: bool
    of_user: bool


def may_be_wrapped(text: str) -> bool:
    """Whether there may be anything around what a text asks."""
    if len(text) > 2 * _SEARCHED:
        text = text[:_SEARCHED] + text[-_SEARCHED:]
    # A single character is looked for at a fraction of the cost.
    return ("<" in text and "</" in text) or ("#" in text and _HEADING_WORDS in text)


def split_message(texts: Sequence[str], patience: int = _MOST_FOLLOWED) -> AskParts:
    """Part the texts of one message; one that reports what a tool did asks only what stands in blocks that ask."""
    report = bool(texts) and _REPORT.match(texts[0]) is not None
    asked = AskParts([], [])
    for text in texts:
        ask, around = split_ask(text, patience)
        patience = max(0, patience - len(text))
        if report and not _has_asking(text):
            ask, around = [], [text]
        asked.ask.extend(ask)
        asked.around.extend(around)
    return asked


def _has_asking(text: str) -> bool:
    """Whether a text holds a block that asks."""
    return may_be_wrapped(text) and any(block.asks for block in _blocks(text, _SEARCHED))


def split_ask(text: str, patience: int = _MOST_FOLLOWED) -> AskParts:
    """Part a text; where nothing would be left to ask, everything stands around it.

    Parameters
    ----------
    patience : characters of blocks that are followed to their ends, at most.
    """
    if not may_be_wrapped(text):
        return AskParts([text] if text and not text.isspace() else [], [])
    heading = _last_heading(text) if _HEADING_WORDS in text else None
    if heading is not None:
        return AskParts(_spoken(text[heading[1] :]), _spoken(text[: heading[0]]))
    blocks = list(_blocks(text, min(patience, _MOST_FOLLOWED)))
    asking = [block for block in blocks if block.asks]
    if len(asking) == 1 or (asking and asking[-1].of_user):
        first, last = asking[-1].inside
        outside = text[: asking[-1].start], text[asking[-1].end :]
        return AskParts(_spoken(text[first:last]), [part for each in outside for part in _spoken(each)])
    ask: list[str] = []
    around: list[str] = []
    place = 0
    for block in blocks:
        if block.asks:
            continue
        ask += _spoken(text[place : block.start])
        around.append(text[block.start : block.end])
        place = block.end
    return AskParts(ask + _spoken(text[place:]), around) if place else AskParts([text], [])


def _spoken(text: str) -> list[str]:
    """The text without blanks around it, if anything is left."""
    stripped = text.strip()
    return [stripped] if stripped else []


def _last_heading(text: str) -> tuple[int, int] | None:
    """Where the last heading stands that announces a request."""
    found = None
    for start in {0, max(0, len(text) - _SEARCHED)}:
        for match in _HEADING.finditer(text, start, start + _SEARCHED):
            if found is None or match.start() > found[0]:
                found = match.span()
    return found


def _blocks(text: str, patience: int) -> Iterator[_Block]:
    """The outermost blocks that a program put there, or that hold the question."""
    place = last = tags = followed = 0
    while tags < _MOST_TAGS and followed < patience:
        if _SEARCHED <= place < len(text) - _SEARCHED:
            place = len(text) - _SEARCHED
        limit = len(text) if place >= len(text) - _SEARCHED else _SEARCHED
        match = _OPENING.search(text, place, limit)
        if match is None:
            if limit == len(text):
                return
            place = max(place, len(text) - _SEARCHED)
            continue
        tags, place = tags + 1, match.end()
        name = match[1]
        plain = name.lower().translate(_SEPARATORS)
        begins_line = match.start() == 0 or text[match.start() - 1] == "\n" or match.start() == last
        asks = plain in _ASKS and (begins_line or plain.startswith("user"))
        if not (asks or (plain in _SURROUNDINGS and begins_line) or (_OWN_NAME.search(name) and plain not in _ASKS)):
            continue
        closing = f"</{name}>"
        furthest = min(len(text), place + _LONGEST_BLOCK, place + patience - followed)
        end = text.find(closing, place, furthest)
        followed += (end if end >= 0 else furthest) - place
        if end >= 0:
            yield _Block(match.start(), end + len(closing), (place, end), asks, plain.startswith("user"))
            place = last = end + len(closing)
