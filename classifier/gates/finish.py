"""Did the answer come to its end, and is there anything in it?"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from classifier.gates.answer import Answer
from classifier.gates.fences import is_fence
from classifier.gates.gate import SimpleGate, Verdict

_COMPLETE = frozenset({"stop", "tool_calls", "function_call", "end_turn", "stop_sequence", "tool_use", "eos"})
_CUT = {
    "length": "cut off at the token limit",
    "max_tokens": "cut off at the token limit",
    "content_filter": "stopped by the content filter",
    "error": "ended by an error",
}
_READ_CHARS = 20_000
# Letters and symbols without a visible shape: Hangul fillers, the empty Braille pattern.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")


@dataclass(frozen=True, slots=True)
class Finished(SimpleGate):
    """Passes an answer that ended by itself or with tool calls.

    Fails one that was cut off at the token limit or stopped by a content filter. An upstream that gives no reason, or
    one that is not known here, is given the benefit of the doubt: the answer passes with a score of 0.5.
    """

    name: str = "finished"

    def judge(self, answer: Answer) -> Verdict:
        """Judge by the finish reason."""
        found = answer.finish_reason
        if found in _COMPLETE:
            return self.verdict(1.0, True, "ended by itself")
        if found in _CUT:
            return self.verdict(0.0, False, _CUT[found])
        return self.verdict(0.5, True, "no finish reason" if found is None else "an unknown finish reason")


@dataclass(frozen=True, slots=True)
class NotEmpty(SimpleGate):
    """Passes an answer with visible text, tool calls, sound or images; marks of an empty code block are no text.

    Thinking (`visible_text`) is no answer. An answer whose first 20,000 characters show nothing counts as empty,
    whatever follows.
    """

    name: str = "not empty"

    def judge(self, answer: Answer) -> Verdict:
        """Look for one visible character."""
        if answer.tool_calls:
            return self.verdict(1.0, True, "tool calls")
        if answer.media:
            return self.verdict(1.0, True, "sound or images")
        if has_visible_text(answer.text[:_READ_CHARS]):
            return self.verdict(1.0, True, "visible text")
        return self.verdict(0.0, False, "no visible text")


def has_visible_text(text: str) -> bool:
    """Whether a text shows anything besides space, control and format characters, and marks of code blocks."""
    return any(_is_visible(char) for line in text.splitlines() if not is_fence(line) for char in line)


def _is_visible(char: str) -> bool:
    # Separators (Z*), and control, format, unassigned and surrogate characters (C*) show nothing, nor do marks alone.
    return unicodedata.category(char)[0] not in "ZCM" and char not in _BLANK
