"""Numbers as people write them: decimal points or commas, thousands apart, percentages, "4/5".

"1,234" and "1.234" mean two things each. Which one, the other numbers of the file say: one that can only have a decimal
comma ("0,5") or only a decimal point settles it for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# What everybody writes alike; groups of three digits after points may be thousands, and are looked at apart.
PLAIN = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d{1,4})?", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)

_POINT = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d*)(?:\.\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d*)(?:,\d+)?", re.ASCII)
_COMMA_POWER = re.compile(r"[+-]?\d+,\d+[eE][+-]?\d{1,4}", re.ASCII)
_RATIO = re.compile(r"([\d.,]+)\s*(?:/|of|out of)\s*(\d{1,6})", re.ASCII)
_LONGEST = 60
_PARTERS = str.maketrans("", "", " \u00a0\u2009\u202f'’_")
_MINUS = str.maketrans("−–", "--")


class Mark(StrEnum):
    """What stands before the fraction of a number."""

    POINT = "."
    COMMA = ","


@dataclass(frozen=True, slots=True)
class NumberText:
    """A number as it is written.

    Attributes
    ----------
    text : its digits and marks, without blanks between thousands.
    of : what it is a part of: 100 for a percentage, 5 for "4/5"; None for a plain number.
    """

    text: str
    of: float | None = None

    @property
    def marks(self) -> set[Mark]:
        """The decimal marks that it may have been written with; none: it is no number."""
        marks = set()
        if _POINT.fullmatch(self.text) or PLAIN.fullmatch(self.text):
            marks.add(Mark.POINT)
        if _COMMA.fullmatch(self.text) or _COMMA_POWER.fullmatch(self.text):
            marks.add(Mark.COMMA)
        return marks if any(char.isdecimal() for char in self.text) else set()

    def mark(self, usual: Mark) -> Mark:
        """Its decimal mark, where ``usual`` is that of the file: its own, where it can have one only."""
        return next(iter(self.marks)) if len(self.marks) == 1 else usual

    def value(self, usual: Mark) -> float:
        """Its value, where ``usual`` is the decimal mark of the file."""
        other = "," if self.mark(usual) is Mark.POINT else "."
        return float(self.text.replace(other, "").replace(",", "."))


def written(text: str) -> NumberText | None:
    """How a cell's text is written, where it may be a number.

    >>> written("1 234,5"), written("85 %"), written("4/5"), written("good")
    (NumberText(text='1234,5', of=None), NumberText(text='85', of=100.0), NumberText(text='4', of=5.0), None)
    """
    text = text.strip().translate(_MINUS)
    if not text or len(text) > _LONGEST:
        return None
    of: float | None = None
    ratio = _RATIO.fullmatch(text)
    if ratio and float(ratio[2]) > 0:
        text, of = ratio[1], float(ratio[2])
    elif text[-1] in "%％":
        text, of = text[:-1], 100.0
    found = NumberText(text.translate(_PARTERS), of)
    return found if found.marks else None


def decimal_mark(numbers: Iterable[NumberText], *, points: bool) -> Mark | None:
    """The decimal mark of a file; None: nothing settles what its numbers mean.

    Parameters
    ----------
    numbers : those that are not written as everybody would.
    points : whether others have a decimal point for sure.
    """
    only: set[Mark] = {Mark.POINT} if points else set()
    both = []
    for number in numbers:
        if len(number.marks) == 1:
            only |= number.marks
        elif not number.text.isdecimal():
            both.append(number)
    if len(only) == 1:
        return only.pop()
    commas = any("," in number.text for number in both)
    return None if commas or (both and only) else Mark.POINT
