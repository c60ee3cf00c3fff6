r"""What does an answer finally say, in a form in which two answers can be compared?

`final_answer` looks, in this order, for a JSON field ``answer``, ``\boxed{...}`` or ``#### ...``, wording such as "the
answer is ..." in many languages, the letter of a multiple choice, and a number in the last sentence; else it takes the
whole text. `normalise` brings what it finds to one form: 1,000.0 and $1000 are 1000, \frac{1}{2} and 0.5 are 1/2.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from classifier.gates.json_text import is_deep
from classifier.gates.quiet import no_warnings

Kind: TypeAlias = Literal["json", "boxed", "phrase", "choice", "number", "text"]
KINDS: tuple[Kind, ...] = ("json", "boxed", "phrase", "choice", "number", "text")

_READ_CHARS = 20_000  # from the end, where answers stand
_VALUE_CHARS = 2_000  # of what is found; longer values are compared by their beginnings
_SENTENCE_CHARS = 400


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """What an answer finally says.

    Attributes
    ----------
    kind : how it was found; "text" is the whole text, for want of anything better.
    value : its normal form; "" where there is none.
    """

    kind: Kind
    value: str = field(repr=False)


def final_answer(text: str) -> FinalAnswer:
    """What a text finally says; any text is welcome. Of a long one the last 20,000 characters are read."""
    tail = text[-_READ_CHARS:]
    for kind, find in _FINDERS.items():
        found = find(tail)
        value = normalise(found or "")
        if value or (kind == "json" and found is not None):  # such a field may well be empty
            return FinalAnswer(kind, value)
    return FinalAnswer("text", normalise(text))


# Where answers stand

_FIELD = re.compile(r'["\'](?:final[_ ]?)?answer["\']\s*+:\s*+', re.IGNORECASE)
_LOOSE_STRING = re.compile(r'"((?:[^"\\]|\\.){0,2000}+)"', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)

# "The answer is", in scripts with and without spaces between words.
_NOUN = (
    r"\b(?:answer|result|solution|antwort|ergebnis|lösung|réponse|résultat|respuesta|resultado|solución|resposta|"
    r"solução|risposta|risultato|antwoord|odpowiedź|wynik|ответ|відповідь|cevap|sonuç|الإجابة|الجواب|תשובה|התשובה|"
    r"đáp án|kết quả|jawaban(?:nya)?|정답|답)\b|उत्तर|答案|答え|คำตอบ|정답|답"
)
_IS = (
    r"\b(?:is|are|ist|lautet|est|es|é|è|jest|adalah|là|equals|would be|will be|should be|comes out to)\b|"
    r"हैं?|是|为|為|は|은|는|คือ|هي|هو|היא"
)
_PHRASE = re.compile(
    rf"(?:{_NOUN})(?:[ \t]++(?:to|for|of|für|pour|para|per)\b[^.:=\n]{{0,80}}?)?[ \t*_]*+"
    rf"(?:(?:{_IS})[ \t*_]*+[:\uff1a]?+|[:=\uff1a])[ \t*_]*+\n?+[ \t]*+(\S[^\n]*+)",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"\b(?:option|choice|alternative|opción|opção|opzione|вариант|选项|選択肢)[ \t*_:]*+[\"'(\[]?+([A-Ja-j])\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[\s*_(\[\"'`]*+([A-J])(?:[\s*_)\]\"'`.:]*+|[*_]*+[).:][*_\s]*+\S[^\n]{0,300}+)", re.DOTALL)
_NUMBER = r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d++)(?:\.\d++)?(?:\s?/\s?\d++)?"
# GSM8K marks its answers by four number signs; more than a number after them is a heading.
_MARKED = re.compile(rf"^####[ \t]*+(\$?{_NUMBER})[ \t]*+$|\\(?:boxed|fbox)[ \t]*+\{{", re.MULTILINE)
_LAST_NUMBER = re.compile(rf"(?<![\w.]){_NUMBER}")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])[\s*_]+(?=\S)|\n+")


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = deque(pattern.finditer(text), maxlen=1)
    return found[0] if found else None


def _from_json(text: str) -> str | None:
    """The last field named "answer"; decoded by itself, since what is around it may be broken JSON."""
    last = _last(_FIELD, text)
    if last is None:
        return None
    try:
        if not is_deep(text[last.end() :]):
            return _as_text(_DECODER.raw_decode(text, last.end())[0])
    except (ValueError, RecursionError):
        pass
    loose = _LOOSE_STRING.match(text, last.end())
    return _as_text(loose[1] if loose else text[last.end() :].partition("\n")[0].rstrip(" ,}`"))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        # Unescaped TeX in JSON reads as control characters: \frac, \boxed, \times.
        return re.sub("\t(?=[a-z])", r"\\t", value.replace("\f", r"\f").replace("\b", r"\b"))
    return repr(value)


def _from_box(text: str) -> str | None:
    """What the last box, or line that begins with four number signs, holds."""
    last = _last(_MARKED, text)
    if last is None:
        return None
    if last[1] is not None:
        return last[1]
    depth = 1
    for place in range(last.end(), min(len(text), last.end() + _VALUE_CHARS)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return text[last.end() : place]
    return None


def _from_phrase(text: str) -> str | None:
    last = _last(_PHRASE, text[-_SENTENCE_CHARS * 5 :])
    if last is None:
        return None
    value = _SENTENCE_END.split(last[1], maxsplit=1)[0]
    letter = _LETTER.fullmatch(value) or _OPTION.match(value)
    return letter[1] if letter else value


def _from_choice(text: str) -> str | None:
    """The letter of a multiple choice: all that the text says, or named as an option at its end."""
    whole = _LETTER.fullmatch(text.strip()) if len(text) <= _SENTENCE_CHARS else None
    if whole is not None:
        return whole[1]
    named = _last(_OPTION, text[-_SENTENCE_CHARS:])
    return named[1] if named else None


def _from_last_sentence(text: str) -> str | None:
    ended = _SENTENCE_END.split(text[-_SENTENCE_CHARS:].strip())
    numbers = _LAST_NUMBER.findall(ended[-1])
    return numbers[-1] if numbers else None


_FINDERS: Mapping[Kind, Callable[[str], str | None]] = {
    "json": _from_json,
    "boxed": _from_box,
    "phrase": _from_phrase,
    "choice": _from_choice,
    "number": _from_last_sentence,
}


# One form for what means the same

_TEX_FRACTION = re.compile(r"\\[dt]?frac\s*+(?:\{([^{}]{1,100}+)\}|(\d))\s*+(?:\{([^{}]{1,100}+)\}|(\d))")
_TEX_WRAPPER = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mathbf|mbox|operatorname)\s*+\{([^{}]{0,200}+)\}")
_TEX_SPACE = re.compile(
    r"\\(?:left|right|[!,;: ]|quad|qquad|displaystyle)(?![a-zA-Z])|\\\\(?=\s|$)|\^\{?\\circ\}?|[°$]"
)
_TEX_NAME = re.compile(r"\\(?=[a-zA-Z%{}])")
_MARKDOWN = re.compile(r"^#{1,6}[ \t]+|\*\*|__|`+|\\\(|\\\)|\\\[|\\\]", re.MULTILINE)
_EQUATION = re.compile(r"[a-z](?:\([a-z]\))?\s*+=\s*(?=[^=])")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
# A number, and what may stand around it: a currency, a unit. What else stands after it is a factor, as in 2x and 2 pi.
_NO_UNIT = r"(?!(?:pi|sqrt|sin|cos|tan|log|ln|theta|alpha|beta|and|or|mod)\b)"
_UNIT = rf"{_NO_UNIT}[^\W\d_]{{2,20}}(?:(?:\s++|\s?/\s?)[^\W\d_]{{1,20}}){{0,3}}|[mgslh](?![^\W\d_])"
_ATTACHED = (  # to the number, without a space
    r"(?:[kcmd]m|k?g|m[lgs]|lbs?|oz|ft|min|hrs?|[kmgt]b|mph|st|nd|rd|th)(?![^\W\d_])|"
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,8}"
)
_AMOUNT = re.compile(
    r"(?:[€£¥₹₽₩]|usd|us|eur|approximately|about)?\s*+([-+]?(?:\d++(?:\.\d++)?|\.\d++))"
    r"(?:\s*+/\s*+([-+]?\d++(?:\.\d++)?))?"
    rf"\s*+(?:[%€£¥₹₽₩\"]|(?:(?<=\s)(?:{_UNIT})|{_ATTACHED})\s*+(?:\^?\s*+[23])?)?"
)
_LITERAL_START = re.compile(r"""[\[({"'-]|\d|true|false|none|null""")
_LITERAL_STRING = re.compile(
    r"""(?:\b[bru])?"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|(?:\b[bru])?'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?"""
)
_LITERAL_DEPTH = 20
_WORD = re.compile(r"\b[^\W\d]\w*+")
_LITERAL_WORDS = frozenset({"True", "False", "None"})
_MANY_SIGNS = re.compile(r"[-+~][-+~\s]{8}")
_SPACES = re.compile(r"\s+")
_TIGHT = re.compile(r" ?([-+*/^=<>(){}\[\],:;|&]) ?")  # where no two spaces follow each other
_QUOTES = str.maketrans(
    {**dict.fromkeys("“”„«»‟″", '"'), **dict.fromkeys("‘’‚‛′", "'"), "−": "-", "–": "-", "⁄": "/", "×": "*", "·": "*"}
)


def normalise(value: str) -> str:
    """The form in which values are compared: equal for two that mean the same, as far as that can be seen.

    Case, space, compatibility characters, outer punctuation and quotation marks, Markdown, TeX markup, thousands
    separators and units after a number make no difference; equal numbers, fractions and Python or JSON literals are
    equal. Only the first 2,000 characters count.
    """
    text = unicodedata.normalize("NFKC", value[:_VALUE_CHARS])[:_VALUE_CHARS].translate(_QUOTES)
    text = _without_tex(_MARKDOWN.sub("", text)).strip()
    text = _EQUATION.sub("", text.casefold(), count=1) if _EQUATION.match(text.casefold()) else text.casefold()
    text = _bare(text)
    plain = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    amount = _AMOUNT.fullmatch(plain)
    if amount is not None:
        return _as_number(amount[1], amount[2]) or plain
    literal = _as_literal(text)
    return literal if literal is not None else _TIGHT.sub(r"\1", _SPACES.sub(" ", plain))


def _without_tex(text: str) -> str:
    for _ in range(3):  # fractions and boxes inside others
        text = _TEX_WRAPPER.sub(r"\1", text)
        text = _TEX_FRACTION.sub(
            lambda found: f"{_operand(found[1] or found[2])}/{_operand(found[3] or found[4])}", text
        )
    text = text.replace(r"\cdot", "*").replace(r"\times", "*").replace(r"\$", "").replace(r"\%", "%")
    return _TEX_NAME.sub("", re.sub(r"\^\{(\w++)\}", r"^\1", _TEX_SPACE.sub("", text)))


def _operand(text: str) -> str:
    return text if text.isalnum() or re.fullmatch(r"-?\d+(?:\.\d+)?", text) else f"({text})"


def _bare(text: str) -> str:
    """A text without space, end marks, quotation marks and emphasis around it."""
    while True:
        bare = text.strip().rstrip(".,;:!?。！？").strip()
        if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'*_" and bare.count(bare[0]) == 2:
            bare = bare[1:-1]
        if bare == text:
            return bare
        text = bare


def _as_number(numerator: str, denominator: str | None) -> str | None:
    try:
        return str(Fraction(numerator) / Fraction(denominator or "1"))
    except (ValueError, ZeroDivisionError):
        return None


def _as_literal(text: str) -> str | None:
    """A Python or JSON literal written in Python's way; None where it is none."""
    if not _LITERAL_START.match(text):
        return None
    source = re.sub(r"\b(true|false|none|null)\b", lambda found: _CONSTANTS[found[1]], text)
    if not _is_plain(source):
        return None
    try:
        with no_warnings():
            value = ast.literal_eval(source)
        return repr(value).casefold()
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _is_plain(source: str) -> bool:
    """Whether source has only what literals are made of, few in each other: else Python's parser might take long."""
    outside = _LITERAL_STRING.sub("", source)
    if _MANY_SIGNS.search(outside) or not set(_WORD.findall(outside)) <= _LITERAL_WORDS:
        return False
    depth = deepest = 0
    for char in outside:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    return deepest <= _LITERAL_DEPTH


_CONSTANTS = {"true": "True", "false": "False", "none": "None", "null": "None"}
