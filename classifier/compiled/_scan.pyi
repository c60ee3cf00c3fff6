"""Types of the compiled module; its source is ``_scan.pyx``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.text import Excerpt

WRITTEN_TWICE: dict[str, tuple[int, int]]  # by name, a constant as compiled and as defined in Python

class Scanner:
    """Reads texts for one set of marks and keyword groups.

    Parameters
    ----------
    marks : what is counted in the lower-cased window, from the left and without overlaps.
    question_marks : what a question may end with.
    words : (lower-cased UTF-8 word, position of its group), matched as whole words.
    parts : (UTF-8 text, position of its group), for scripts without spaces; matched anywhere.
    groups : how many keyword groups there are.
    form : how many numbers on a request's form there are.

    Attributes
    ----------
    steps : bytes, words and table entries looked at since it was made.
    terms : uint32, longer than any text needs; the terms of the text that `scan` saw last stand first.
    dense : float64, that text's dense features.

    Raises
    ------
    ValueError : there are more than 32 marks, 1,024 groups or 32 numbers, or a mark is longer than 16 bytes.
    """

    steps: int
    terms: NDArray[np.uint32]
    dense: NDArray[np.float64]

    def __init__(
        self,
        marks: tuple[bytes, ...],
        question_marks: tuple[bytes, ...],
        words: Sequence[tuple[bytes, int]],
        parts: Sequence[tuple[bytes, int]],
        groups: int,
        form: int,
    ) -> None: ...
    def scan(
        self,
        ask: Excerpt,
        counted: tuple[float, float] | None,
        form: tuple[float, ...],
        context: tuple[Excerpt, ...],
    ) -> tuple[int, int, float, float]:
        """Read a request into `terms` and `dense`.

        While it reads a long text it lets go of the interpreter's lock.

        Parameters
        ----------
        ask : what is read of what is asked, as `classifier.text.excerpt_of` makes it.
        counted : tokens of what is asked, and of the texts around it; None: estimate them.
        form : numbers on the request's form, without the last two (tokens around the ask, question marks at its end).
        context : what is read of each part of `classifier.request.CONTEXT`; empty: there is nothing around the ask.

        Returns
        -------
        How many terms there are, how many of them are word n-grams of the ask, and tokens as ``counted`` has them.

        Raises
        ------
        ValueError : a window is longer than `classifier.text` makes it, the form has other numbers, or the context has
            more parts.
        """
    def read_many(
        self,
        asks: list[Excerpt],
        counted: NDArray[np.float64] | None,
        forms: NDArray[np.float64],
        contexts: list[tuple[Excerpt, ...]],
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """`scan` for n requests, without the interpreter's lock.

        Parameters
        ----------
        asks, contexts : n of them; counted : (n, 2), or None as in `scan`.
        forms : (n, f); the last two columns are written to.

        Returns
        -------
        Terms of all requests in order; (n + 1,) where each one's begin, and the last's end; (n,) how many are of words;
        (n, d) dense features; (n,) tokens of all texts.

        Raises
        ------
        ValueError : as in `scan`, or the lengths differ.
        """
