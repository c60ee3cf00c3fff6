"""Does the code in the answer parse?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from classifier.gates.answer import Answer
from classifier.gates.fences import code_blocks
from classifier.gates.gate import SimpleGate, Verdict
from classifier.gates.options import expect_share
from classifier.gates.parsers import language_of, parse_all

_MOST_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class ParsesAsCode(SimpleGate):
    """Passes an answer whose code parses in its language.

    Parameters
    ----------
    language : what unlabelled blocks are in; where the answer has no blocks at all, its whole text is taken for code.
        None: only labelled blocks can be checked.
    threshold : the least share of the blocks that must parse, of those that can be checked.

    The score is that share. Where nothing can be checked (no code, an unknown language, a grammar that is not
    installed, code too long or too deeply nested) the answer passes with a score of 0.5. Code is parsed in a child
    process with limits of time and memory, which keeps what it does to a parser from this one; where there is none (on
    Windows, in frozen programs) no code can be checked. Python, JSON, TOML and XML
    are always known; for C, C++, C#, CSS, Go, HTML, Java, JavaScript, Kotlin, Lua, PHP, Ruby, Rust, shell, SQL,
    TypeScript and YAML install ``tierwise[code]``. Of very many blocks the first 64 are looked at.

    Raises
    ------
    ConfigError : the threshold is out of range.
    """

    language: str | None = None
    threshold: float = 1.0
    name: str = "parses as code"

    def __post_init__(self) -> None:
        expect_share("ParsesAsCode", "threshold", self.threshold)

    def judge(self, answer: Answer) -> Verdict:
        """Parse each block."""
        results = parse_all((language_of(language), code) for language, code in self._pieces(answer.text))
        known = [result for result in results if result is not None]
        if not known:
            return self.verdict(0.5, True, "no code that can be checked" if results else "no code")
        score = sum(known) / len(known)
        reason = f"{sum(known)} of {len(known)} pieces of code parse"
        unknown = len(results) - len(known)
        return self.verdict(score, score >= self.threshold, reason + f", {unknown} unchecked" * (unknown > 0))

    def _pieces(self, text: str) -> list[tuple[str, str]]:
        """Language and code of each piece."""
        given = self.language or ""
        pieces = [(block.label or given, block.code) for block in islice(code_blocks(text), _MOST_BLOCKS)]
        return pieces or ([(given, text)] if given and text.strip() else [])
