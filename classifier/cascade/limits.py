"""How much of what an upstream sends is taken."""

from __future__ import annotations

from dataclasses import dataclass, fields

from classifier.errors import InputError


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Sizes above which an answer is no answer: the call fails with `classifier.MalformedAnswerError`.

    Attributes
    ----------
    body : bytes of an answer that is no stream, unpacked; of an error 1 MiB at most.
    stream : bytes of a whole stream, unpacked, comments included.
    event : bytes of one event of a stream; also what may come without an empty line.
    headers : bytes of a response's headers; the HTTP library itself stops at 100 KiB.
    depth : of lists and objects in each other.
    values : lists, objects and what is in them, in all; a small one takes twenty times its bytes in memory. Commas and
        brackets are counted, those in texts as well. An answer without log-probabilities may have a fifth of it, an
        event of a stream a fortieth.

    Raises
    ------
    InputError : one is no whole number of 1 or more.
    """

    body: int = 32 * 2**20
    stream: int = 256 * 2**20
    event: int = 4 * 2**20
    headers: int = 64 * 2**10
    depth: int = 100
    values: int = 10**6

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if type(value) is not int or value < 1:
                raise InputError(f"limits: {each.name} is {value!r}; expected a whole number of 1 or more")
