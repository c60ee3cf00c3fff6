"""Is the answer as long as it should be, and does it look as it should?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import regex

from classifier.errors import ConfigError
from classifier.gates.answer import Answer
from classifier.gates.gate import SimpleGate, Verdict

CHARS_PER_TOKEN = 4  # of English, about; used only where the upstream does not count
_MATCH_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Length(SimpleGate):
    """Passes an answer within limits, both ends included; ``None`` is no limit.

    Characters are those of the text without surrounding space. Tokens are the upstream's count, or a quarter of the
    characters where it gives none. The score is 1 within the limits, and outside how near it comes: an answer of half
    the least length scores 0.5.

    Raises
    ------
    ConfigError : a limit is negative, or a least length is above its greatest.
    """

    min_chars: int | None = None
    max_chars: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    name: str = "length"

    def __post_init__(self) -> None:
        for unit, least, most in self._limits():
            if any(limit is not None and limit < 0 for limit in (least, most)):
                raise ConfigError(f"Length: a limit of {unit} is negative, expected whole numbers from 0")
            if least is not None and most is not None and least > most:
                raise ConfigError(f"Length: min_{unit} is {least}, above max_{unit} {most}; exchange them")

    def judge(self, answer: Answer) -> Verdict:
        """Judge by the limits given."""
        chars = len(answer.text.strip())
        tokens = chars / CHARS_PER_TOKEN if answer.tokens_out is None else answer.tokens_out
        sizes = {"chars": chars, "tokens": tokens}
        score, reason = 1.0, "within the limits"
        for unit, least, most in self._limits():
            size = sizes[unit]
            if least is not None and size < least:
                score, reason = min(score, size / least), f"fewer {unit} than {least}"
            if most is not None and size > most:
                score, reason = min(score, most / size), f"more {unit} than {most}"
        return self.verdict(score, score == 1, reason)

    def _limits(self) -> tuple[tuple[str, int | None, int | None], ...]:
        return ("chars", self.min_chars, self.max_chars), ("tokens", self.min_tokens, self.max_tokens)


@dataclass(frozen=True, slots=True)
class Matches(SimpleGate):
    """Passes an answer in which a regular expression, as Python's `re` understands it, is found.

    Parameters
    ----------
    pattern : what to look for; flags go inside, as in ``(?i)yes``.
    full : the whole text, without surrounding space, must match.
    max_chars : how much of the text is read.

    The search may take 0.05 s of CPU, during which other threads go on; where a pattern backtracks for longer on some
    answer, that answer passes with a score of 0.5.

    Raises
    ------
    ConfigError : the pattern is no regular expression, or ``max_chars`` is below 1.
    """

    pattern: str
    full: bool = False
    max_chars: int = 10_000
    name: str = "matches"
    _compiled: regex.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_chars < 1:
            raise ConfigError(f"Matches: max_chars is {self.max_chars}, expected a whole number above 0")
        try:
            re.compile(self.pattern)  # for its grammar, which is narrower than that of `regex`
            compiled = regex.compile(self.pattern)
        except (re.error, regex.error, RecursionError, OverflowError) as error:
            reason = str(error) or "too deeply nested"
            raise ConfigError(f"Matches: the pattern is no regular expression: {reason}; correct it") from error
        object.__setattr__(self, "_compiled", compiled)

    def judge(self, answer: Answer) -> Verdict:
        """Look for the pattern."""
        text = answer.text.strip()
        if self.full and len(text) > self.max_chars:
            return self.verdict(0.0, False, f"longer than the {self.max_chars} characters that are read")
        read = text[: self.max_chars]
        find = self._compiled.fullmatch if self.full else self._compiled.search
        try:
            found = find(read, timeout=_MATCH_SECONDS, concurrent=True)
        except (TimeoutError, MemoryError):
            return self.verdict(0.5, True, "the pattern took too long")
        return self.verdict(float(found is not None), found is not None, "matches" if found else "does not match")
