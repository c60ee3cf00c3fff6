"""What a name that is not known was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_CLOSE = 0.75
_CHARS = 80  # comparing takes the square of a text's length


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause for an error, with the known name that looks most like this one; empty where none does.

    >>> did_you_mean("Sonet", ["haiku", "sonnet", "opus"])
    ' (did you mean "sonnet"?)'
    """
    spelled = {each.casefold(): each for each in known if len(each) <= _CHARS}
    found = get_close_matches(name.casefold(), spelled, 1, _CLOSE) if len(name) <= _CHARS else []
    return f' (did you mean "{spelled[found[0]]}"?)' if found else ""
