"""Types of the compiled module; its source is ``_scan.pyx``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
    ValueError : there are more than 32 marks, 1,024 groups or 16 numbers, or a mark is longer than 16 bytes.
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
    def scan(self, window: str, chars: float, tokens: float | None, form: tuple[float, ...]) -> tuple[int, int, float]:
        """Read a text into `terms` and `dense`: how many terms, how many of them are word n-grams, and tokens.

        While it reads a long text it lets go of the interpreter's lock.

        Parameters
        ----------
        window : as `classifier.text.text_window` makes it.
        chars : characters of the whole text.
        tokens : tokens of the whole text; None: estimate them.
        form : numbers on the request's form, without the last (question marks at the very end).

        Raises
        ------
        ValueError : the window is longer than `classifier.text.text_window` makes it, or the form has other numbers.
        """
    def read_many(
        self,
        windows: list[str],
        chars: NDArray[np.float64],
        tokens: NDArray[np.float64] | None,
        forms: NDArray[np.float64],
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """`scan` for n texts, without the interpreter's lock.

        Parameters
        ----------
        windows : n of them; chars, tokens : (n,), or None as in `scan`.
        forms : (n, f); the last column is written to.

        Returns
        -------
        Terms of all texts in order; (n + 1,) where each text's begin, and the last's end; (n,) how many are of words;
        (n, d) dense features; (n,) tokens.

        Raises
        ------
        ValueError : as in `scan`, or the lengths differ.
        """
