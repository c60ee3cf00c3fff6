"""What a name that is not known was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one, whatever the case; None: none looks like it."""
    spelled = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), spelled, n=1)
    return spelled[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause for an error, such as ", did you mean opus?"; empty where no known name looks like this one.

    >>> did_you_mean("sonet", ["haiku", "sonnet", "opus"])
    ', did you mean sonnet?'
    """
    found = nearest(name, known)
    return "" if found is None else f", did you mean {found}?"
