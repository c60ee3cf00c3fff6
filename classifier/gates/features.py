"""Numbers that describe an answer, for a gate that is learned from answers of known quality.

What is read closely is bounded (`classifier.text.excerpt_of`: the first 2,048 and the last 1,024 characters of a long
text); counts are those of what is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from classifier.gates.answer import Answer
from classifier.gates.fences import code_blocks
from classifier.gates.finish import Finished
from classifier.gates.json_text import INVALID, parse_json
from classifier.gates.normalise import KINDS, final_answer
from classifier.gates.wording import hedge_count, is_asked_for, refusal_strength
from classifier.text import TextScan, scan_text

_JSON_CHARS = 100_000
_LOOP_CHARS = 512
_LONGEST_LOOP = 128
_LIKELY = math.log(0.5)

FEATURE_NOTES: Mapping[str, str] = {
    # size
    "chars": "characters of the whole text",
    "words": "words read; each character of a script without spaces is one",
    "lines": "lines read",
    "tokens_out": "tokens as the upstream counted them; NaN where it did not",
    "tokens_used": "those tokens as a share of the request's max_tokens; NaN where either is unknown",
    "prompt_chars": "characters of the request",
    "prompt_ratio": "characters of the answer for each character of the request",
    "mean_word_bytes": "mean length of a word, in UTF-8 bytes",
    # end
    "finished": "1: ended by itself; 0.5: the upstream gave no known reason; 0: cut off or filtered",
    "ends_open": "1: the text ends in a letter, a digit, a comma or the like, and not as a sentence does",
    "ends_asking": "1: the text ends with a question mark",
    "open_brackets": "opening brackets read without their closing ones",
    "open_code": "1: a code block is not closed",
    "loops": "how many times over the text's end repeats what precedes it",
    # wording
    "refused": "1: the model said in its own field that it refuses",
    "refusal": "how much the beginning is worded like a refusal that the request does not ask for, 0..1",
    "hedges": "hedging phrases at the beginning and the end",
    "corrections": "English words by which a text corrects itself (wait, actually, mistake)",
    # form
    "json": "1: the whole text is JSON",
    "json_asked": "1: the request asks for JSON",
    "code_blocks": "fenced code blocks read",
    "code_share": "share of the characters read that stand in them",
    "list_items": "lines that begin as items of a list",
    "headings": "Markdown headings",
    "table_rows": "rows of Markdown tables",
    "latex": "TeX commands",
    "equations": "equals signs",
    "tool_calls": "tool calls",
    "tools": "tools that the request offers",
    # what it says
    **{f"says_{kind}": f'1: its final answer was found by way of "{kind}" (`final_answer`)' for kind in KINDS},
    "said_chars": "characters of the final answer",
    "said_number": "1: the final answer is a number",
    "said_in_prompt": "1: the final answer stands in the request, too",
    # words and characters
    "distinct_words": "distinct words as a share of the words",
    "words_from_prompt": "share of the distinct words that the request has, too",
    "prompt_words_used": "share of the request's distinct words that the answer has, too",
    "repeated_runs": "share of the runs of four words that occurred before",
    "repeated_lines": "share of the lines with text that occurred before",
    "numbers": "numbers as a share of the words",
    "new_numbers": "share of the distinct numbers that the request does not have",
    "digit_share": "share of digits among the characters",
    "upper_share": "share of capitals among the characters",
    "other_share": "share of characters outside ASCII",
    "same_script": "likeness of the answer's and the request's kinds of characters, 0..1 (cosine)",
    # how sure the model was
    "logprob_mean": "mean log-probability of the tokens; NaN where the upstream gave none, as for the next three",
    "logprob_min": "the lowest one",
    "logprob_spread": "their standard deviation",
    "unlikely_tokens": "share of the tokens whose probability was below one half",
}
ANSWER_FEATURES: tuple[str, ...] = tuple(FEATURE_NOTES)

_ITEM = re.compile(r"^[ \t]{0,12}(?:[-*+•]|\d{1,3}[.)])[ \t]", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[ \t]", re.MULTILINE)
_TABLE_ROW = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
_TEX = re.compile(r"\\[a-zA-Z]+|\\[()\[\]]")
_CORRECTION = re.compile(
    r"\b(?:wait|actually|hmm|oops|correction|mistake|let me re\w+|on second thought)\b", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d+(?:/\d+)?")
_OPENING, _CLOSING = "([{", ")]}"
_SENTENCE_ENDS = frozenset(".!?。！？؟।…\"'”’»」』)]}*`|>$")


def answer_features(answer: Answer) -> dict[str, float]:
    """The features named by `ANSWER_FEATURES`, in that order, each finite or NaN (unknown); `FEATURE_NOTES` says what
    they are. Any text is welcome, and of a long one only a bounded part is read closely.
    """
    scan, prompt = scan_text(answer.text), scan_text(answer.request.text, answer.request.unread_chars)
    found = {
        **_size(answer, scan, prompt),
        **_end(answer, scan.window),
        **_wording(answer, scan.window),
        **_form(answer, scan.window),
        **_said(answer, prompt),
        **_words(scan, prompt),
        **_characters(scan, prompt),
        **_sureness(answer.token_logprobs),
    }
    return {name: float(found[name]) for name in ANSWER_FEATURES}


def _size(answer: Answer, scan: TextScan, prompt: TextScan) -> dict[str, float]:
    tokens = math.nan if answer.tokens_out is None else answer.tokens_out
    return {
        "chars": scan.chars,
        "words": len(scan.words),
        "lines": scan.window.count("\n") + bool(scan.window),
        "tokens_out": tokens,
        "tokens_used": tokens / answer.request.max_tokens if answer.request.max_tokens else math.nan,
        "prompt_chars": prompt.chars,
        "prompt_ratio": scan.chars / max(1, prompt.chars),
        "mean_word_bytes": fmean(map(len, scan.words)) if scan.words else 0.0,
    }


def _end(answer: Answer, window: str) -> dict[str, float]:
    last = window.rstrip()[-1:]
    return {
        "finished": Finished().judge(answer).score,
        "ends_open": bool(last) and last not in _SENTENCE_ENDS,
        "ends_asking": last in ("?", "？", "؟"),
        "open_brackets": max(0, sum(map(window.count, _OPENING)) - sum(map(window.count, _CLOSING))),
        "loops": _loops(window),
    }


def _loops(text: str) -> float:
    """How many times over the end of a text repeats what precedes it, with any period up to 128 characters."""
    back = text[-_LOOP_CHARS:].rstrip()[::-1]
    most = 0.0
    for period in range(1, min(_LONGEST_LOOP, len(back) // 2) + 1):
        if back.startswith(back[:period], period):
            pairs = zip(back, back[period:], strict=False)
            alike = next((place for place, (one, other) in enumerate(pairs) if one != other), len(back) - period)
            most = max(most, alike / period)
    return most


def _wording(answer: Answer, window: str) -> dict[str, float]:
    return {
        "refused": answer.refusal is not None,
        "refusal": _refusal(answer),
        "hedges": hedge_count(answer.text),
        "corrections": len(_CORRECTION.findall(window)),
    }


def _refusal(answer: Answer) -> float:
    strength = refusal_strength(answer.text)
    return 0.0 if strength and is_asked_for(answer) else strength


def _form(answer: Answer, window: str) -> dict[str, float]:
    blocks = list(code_blocks(window))
    return {
        "json": len(answer.text) <= _JSON_CHARS and parse_json(answer.text) is not INVALID,
        "json_asked": answer.request.json_format,
        "open_code": bool(blocks) and not blocks[-1].closed,
        "code_blocks": len(blocks),
        "code_share": sum(len(block.code) for block in blocks) / max(1, len(window)),
        "list_items": len(_ITEM.findall(window)),
        "headings": len(_HEADING.findall(window)),
        "table_rows": len(_TABLE_ROW.findall(window)),
        "latex": len(_TEX.findall(window)),
        "equations": window.count("="),
        "tool_calls": len(answer.tool_calls),
        "tools": answer.request.tools,
    }


def _said(answer: Answer, prompt: TextScan) -> dict[str, float]:
    said = final_answer(answer.text)
    return {
        **{f"says_{kind}": kind == said.kind for kind in KINDS},
        "said_chars": len(said.value),
        "said_number": _NUMBER.fullmatch(said.value) is not None,
        "said_in_prompt": bool(said.value) and said.value in prompt.window.casefold(),
    }


def _words(scan: TextScan, prompt: TextScan) -> dict[str, float]:
    words, known = set(scan.words), set(prompt.words)
    numbers = {word for word in words if word.isdigit()}
    runs = list(zip(*(scan.words[start:] for start in range(4)), strict=False))
    lines = list(filter(None, map(str.strip, scan.window.split("\n"))))
    return {
        "distinct_words": _share(len(words), len(scan.words)),
        "words_from_prompt": _share(len(words & known), len(words)),
        "prompt_words_used": _share(len(words & known), len(known)),
        "repeated_runs": _repeats(runs),
        "repeated_lines": _repeats(lines),
        "numbers": _share(sum(word.isdigit() for word in scan.words), len(scan.words)),
        "new_numbers": _share(len(numbers - known), len(numbers)),
    }


def _characters(scan: TextScan, prompt: TextScan) -> dict[str, float]:
    size = len(scan.window)
    norms = float(np.linalg.norm(scan.classes)) * float(np.linalg.norm(prompt.classes))
    return {
        "digit_share": _share(sum(map(str.isdigit, scan.window)), size),
        "upper_share": _share(sum(map(str.isupper, scan.window)), size),
        "other_share": _share(sum(char > "\x7f" for char in scan.window), size),
        "same_script": float(scan.classes @ prompt.classes) / norms if norms else 0.0,
    }


def _sureness(logprobs: Sequence[float] | None) -> dict[str, float]:
    if not logprobs:
        return dict.fromkeys(("logprob_mean", "logprob_min", "logprob_spread", "unlikely_tokens"), math.nan)
    values = np.array(logprobs)
    return {
        "logprob_mean": values.mean(),
        "logprob_min": values.min(),
        "logprob_spread": values.std(),
        "unlikely_tokens": (values < _LIKELY).mean(),
    }


def _repeats(items: Sequence[object]) -> float:
    return _share(len(items) - len(set(items)), len(items))


def _share(part: int, whole: int) -> float:
    return part / max(1, whole)
