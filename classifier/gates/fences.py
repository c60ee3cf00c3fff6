"""Fenced code blocks of a Markdown text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST_CHARS = 1_000_000  # more than any model answers; what comes later is not looked at
_FENCE = re.compile(r"^[ \t>]{0,64}+(`{3,}+|~{3,}+)[ \t]*+([\w+#.-]{0,40}+)(?!.*`)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block.

    Attributes
    ----------
    label : its language as written, in lower case; "" where it has none.
    code : what is inside.
    closed : whether there is a closing fence.
    """

    label: str
    code: str = field(repr=False)
    closed: bool


def is_fence(line: str) -> bool:
    """Whether a line opens or closes a code block."""
    return _FENCE.match(line) is not None


def code_blocks(text: str) -> Iterator[CodeBlock]:
    """The fenced blocks of a text, in order, in one pass. The last one may lack its closing fence.

    Of a longer text the first million characters are read.
    """
    text = text[:_MOST_CHARS]
    opening: re.Match[str] | None = None
    for found in _FENCE.finditer(text):
        if opening is None:
            opening = found
        elif not found[2] and found[1].startswith(opening[1]):
            yield _block(text, opening, found.start() - 1, closed=True)
            opening = None
    if opening is not None:
        yield _block(text, opening, len(text), closed=False)


def _block(text: str, opening: re.Match[str], end: int, closed: bool) -> CodeBlock:
    line_end = text.find("\n", opening.end())
    code = text[line_end + 1 : end] if 0 <= line_end < end else ""
    return CodeBlock(opening[2].lower(), code, closed)


def sole_block(text: str) -> CodeBlock | None:
    """The block of a text that has only one, closed, and nothing else visible around it; else None.

    A text of more than a million characters has none.
    """
    stripped = text.strip()
    if len(stripped) > _MOST_CHARS:
        return None
    if not stripped.startswith(("```", "~~~")):
        return None
    blocks = code_blocks(stripped)
    first, second = next(blocks, None), next(blocks, None)
    ends = first is not None and first.closed and second is None and is_fence(stripped.rpartition("\n")[2])
    return first if ends else None
