"""Text from files, requests and options, made fit to be printed: a terminal shows what it holds and obeys none of it.

What moves the cursor, turns the direction of writing, hides text or cannot be encoded is written as Python would write
it in a string literal: C0 and C1 control characters, line separators, controls of bidirectional text, byte order marks,
annotation and tag characters, lone surrogates. All other characters stay, joiners that scripts and emoji need included.
"""

from __future__ import annotations

import json
import re

_OBEYED = (
    "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_EVERY = re.compile(f"[{_OBEYED}]")
_BUT_LINES = re.compile(f"(?!\n)[{_OBEYED}]")


def for_terminal(text: object) -> str:
    """A text on one line that no terminal obeys; line breaks are escaped, too."""
    return _EVERY.sub(lambda found: ascii(found[0])[1:-1], str(text))


def lines_for_terminal(text: object) -> str:
    """The same for a text of several lines, whose breaks stay."""
    return _BUT_LINES.sub(lambda found: ascii(found[0])[1:-1], str(text))


def json_text(value: object, *, allow_nan: bool = True) -> str:
    """JSON that people can read, in which what a terminal would obey is escaped as JSON escapes it.

    Raises
    ------
    ValueError : it holds NaN or an infinite number, and these are not allowed.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=allow_nan)
    return _BUT_LINES.sub(lambda found: json.dumps(found[0])[1:-1], text)
