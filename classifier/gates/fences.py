"""Fenced code blocks of a Markdown text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FENCE = re.compile(r"[ \t>]{0,64}(`{3,}|~{3,})[ \t]*([\w+#.-]{0,40})(?!.*`)")


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
    """The fenced blocks of a text, in order, in one pass. The last one may lack its closing fence."""
    fence, label, lines = "", "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, label, lines = found[1], found[2].lower(), []
        elif found and not found[2] and found[1].startswith(fence):
            yield CodeBlock(label, "\n".join(lines), True)
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield CodeBlock(label, "\n".join(lines), False)


def sole_block(text: str) -> CodeBlock | None:
    """The block of a text that has only one, closed, and nothing else visible around it; else None."""
    stripped = text.strip()
    if not stripped.startswith(("```", "~~~")):
        return None
    blocks = code_blocks(stripped)
    first, second = next(blocks, None), next(blocks, None)
    ends = first is not None and first.closed and second is None and is_fence(stripped.rpartition("\n")[2])
    return first if ends else None
