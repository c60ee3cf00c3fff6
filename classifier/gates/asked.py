"""Did the request ask for text that is worded like a refusal?

A letter that rejects, a translation of "no puedo ayudarte", a guard in a play who lets nobody in: such an answer says
what the request wants said. A model that refuses to write it speaks of something else: of writing, of help, of itself.
So the request tells whether refusing words may be wanted, and the sentence that refuses whether they are that.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from classifier.ask import split_ask
from classifier.gates.answer import Answer, text_of
from classifier.gates.phrases import Phrases, fold, load_phrases

_FILE = Path(__file__).with_name("asked.toml")
_ASK_CHARS, _EARLIER_CHARS = 3000, 1000  # of what the user asks last, and of what was said before
_EARLIER_MESSAGES = 4
_MATERIALS = 8
_LEAST_MATERIAL = 6  # characters
_ALIKE_SIZE = (0.4, 3.0)  # times as long as what it is made from
_WIDE = 3  # letters that a character of Chinese, Japanese or Korean stands for
_SPACELESS = "\u2e80"  # from where on scripts put no space between words, but for Korean
_LETTER_CHARS = 250
_HEAD_CHARS, _TAIL_CHARS = 400, 300  # of a long request, which say what is wanted
_NEAR = 40  # characters
_OPENING = 80  # characters of a request, of which most say what is wanted
_RUN = 3
_ECHO = 0.5  # share of an answer's runs of characters that a corrected text has in common with the faulty one
_LIST_LINES = 2

_SENTENCES = re.compile(r"(?<![.!?…])[.!?…]++(?:[\s\"'”’)\]]|$)|[。！？；।؟\n]++")
_QUOTED = re.compile(
    r'"([^"\n]{1,600}+)"|“([^”]{1,600}+)”|„([^“”]{1,600}+)[“”]|«([^»]{1,600}+)»|「([^」]{1,600}+)」|『([^』]{1,600}+)』|'
    r"(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w)){1,600}+)'(?!\w)|`([^`\n]{1,600}+)`"
)
# A line that names somebody, as letters begin, or that says what follows.
_SALUTATION = re.compile(r"\A\W{0,4}[^\n.!?。！？]{1,50}[,，、!！]\s{0,4}\n\s{0,8}\S")
_PLACEHOLDER = re.compile(r"\[[^\]\n]{2,40}\]")
_INTRODUCTION = re.compile(r"\A[^\n]{1,200}[:：]\W{0,4}\n\s{0,8}\S")


def asked_for(answer: Answer, own_words: str) -> bool:
    """Whether an answer with the wording of a refusal is what its request asks for.

    Parameters
    ----------
    own_words : the beginning of the answer, without what it quotes.
    """
    asked, earlier = _request_texts(answer)
    request = fold(_instruction(asked))
    if _has("never", request):
        return False
    refusing = " ".join(fold(each) for each in _refusing(own_words)) or fold(own_words)
    if _is_made_from_material(asked, own_words, refusing):
        return True
    persona = _are_near("role", "topics", earlier) and not _has("bot", earlier)
    topics = _is_topic(request) or persona
    if not (topics or _are_near("write", "cannot", request)):
        return False
    if topics and _is_list(answer.text):
        return True
    if _has("own", fold(own_words)) and not _has("own", request):
        return False
    if _is_letter(answer.text):
        return True
    favour = _has("favour", request)
    if _has("task", refusing) or (_has("supply", refusing) and not favour):
        return False
    points, aids = _has("help", refusing), _has("aid", refusing)
    if not points and not aids:
        return True
    part = persona or _has("role", request) or _has("bot", request)
    return (topics and part) or (favour and not points) or _are_near("cannot", "aid", request)


def _request_texts(answer: Answer) -> tuple[str, str]:
    """What the user asks last, and, folded, the beginnings of what was said before; both bounded."""
    messages = answer.arguments.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return _clipped(answer.request.text, _ASK_CHARS), " "
    last = next((place for place in range(len(messages) - 1, -1, -1) if _asks(messages[place])), None)
    if last is None:
        return _clipped(answer.request.text, _ASK_CHARS), " "
    before = [*messages[:1], *messages[max(1, last - _EARLIER_MESSAGES) : last]] if last else []
    earlier = "\n".join(_spoken(each)[:_EARLIER_CHARS] for each in before if _role(each) != "assistant")
    # What a program puts around the question may speak of refusing, too: it asks for nothing.
    return _clipped(answer.request.text or _content(messages[last]), _ASK_CHARS), fold(earlier)


def _asks(message: Any) -> bool:
    return _role(message) == "user" and bool(_content(message).strip())


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else getattr(message, "role", None)


def _content(message: Any) -> str:
    return text_of(message.get("content") if isinstance(message, dict) else getattr(message, "content", None))


def _spoken(message: Any) -> str:
    """A message's content, a person's without what a program put around it."""
    text = _content(message)
    return "\n".join(split_ask(text).ask) if _role(message) == "user" else text


def _clipped(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars // 2]}\n{text[-chars // 2 :]}"


def _refusing(text: str) -> Iterator[str]:
    """The sentences with the wording of a refusal."""
    phrases = load_phrases("refusal")
    return (each for each in _SENTENCES.split(text) if each.strip() and phrases.find(fold(each)))


def _instruction(asked: str) -> str:
    """Where a request says what it wants: its beginning and its end, with what is worked on between them."""
    return asked if len(asked) <= _HEAD_CHARS + _TAIL_CHARS else f"{asked[:_HEAD_CHARS]}\n{asked[-_TAIL_CHARS:]}"


def _is_made_from_material(asked: str, own_words: str, refusing: str) -> bool:
    """Whether the answer is another form of text that the request gives: nearly the same, or a no that is as long."""
    size, words = _size(own_words), fold(own_words)
    made = ("task", refusing), ("aid", refusing), ("own", words)
    for material in islice(_materials(asked), _MATERIALS):
        folded = fold(material)
        if _share_in(words, folded) >= _ECHO:
            return True
        if not (_has("cannot", folded) or load_phrases("refusal").find(folded)):
            continue
        near = _ALIKE_SIZE[0] <= size / max(1, _size(material)) <= _ALIKE_SIZE[1]
        new = any(_has(kind, text) and not _has(kind, folded) for kind, text in made)
        if near and not new:
            return True
    return False


def _materials(asked: str) -> Iterator[str]:
    """What a request may give to work with: what it quotes, and else what follows a colon or its first line."""
    quoted = False
    for found in _QUOTED.finditer(asked):
        quoted = True
        yield next(filter(None, found.groups()))
    for mark in () if quoted else (":", "：", "\n"):
        rest = asked.partition(mark)[2].strip()
        if len(rest) >= _LEAST_MATERIAL:
            yield rest


def _share_in(words: str, material: str) -> float:
    """Which share of a folded text's runs of three characters another one has, too."""
    runs, known = ({text[place : place + _RUN] for place in range(len(text) - _RUN + 1)} for text in (words, material))
    return len(runs & known) / max(1, len(runs))


def _size(text: str) -> int:
    """About how many letters of the Latin script a text would take."""
    return sum(_WIDE if char > _SPACELESS else 1 for char in text if not char.isspace())


def _is_letter(text: str) -> bool:
    """Whether an answer has the form of a letter, or comes after a line that introduces it."""
    text = text.strip()
    ends = fold(f"{text[:_LETTER_CHARS]}\n{text[-_LETTER_CHARS:]}")
    if _has("letter", ends) or _PLACEHOLDER.search(text[:2000]):
        return True
    if _SALUTATION.match(text):
        return True
    return _INTRODUCTION.match(text) is not None and not load_phrases("refusal").find(fold(text.partition("\n")[0]))


def _is_list(text: str) -> bool:
    """Whether several lines refuse, as of examples."""
    phrases = load_phrases("refusal")
    refusing = sum(bool(phrases.find(fold(line))) for line in text[:2000].splitlines())
    return refusing >= _LIST_LINES


def _is_topic(request: str) -> bool:
    """Whether refusing is what a request is about, and not only mentioned on the way."""
    first = _load_words()["topics"].find(request)[:1]
    return bool(first) and (first[0] <= _OPENING or _are_near("write", "topics", request) or _has("role", request))


def _are_near(one: str, other: str, folded: str) -> bool:
    """Whether words of two kinds stand near each other; in one clause, where a script has spaces only between those."""
    places = sorted(_load_words()[other].all_places(folded))
    for place in _load_words()[one].all_places(folded):
        near = places[bisect_left(places, place - _NEAR) : bisect_right(places, place + _NEAR)]
        if any(_is_clause(folded, place, each) for each in near):
            return True
    return False


def _is_clause(folded: str, one: int, other: int) -> bool:
    between = folded[min(one, other) : max(one, other)].strip()
    return not (" " in between and between[-1:] > _SPACELESS)


def _has(kind: str, folded: str) -> bool:
    return bool(_load_words()[kind].find(folded))


@cache
def _load_words() -> dict[str, Phrases]:
    """The packaged words, by kind, of all languages."""
    with _FILE.open("rb") as file:
        languages: dict[str, dict[str, Any]] = tomllib.load(file)
    found: dict[str, dict[str, None]] = {}
    for group in languages.values():
        anywhere = group.pop("anywhere", False)
        for kind, words in group.items():
            whole = kind == "letter"
            # Latin words are whole ones even in Chinese.
            made = (_inside(w) if anywhere and not w.isascii() else _beginning(w, whole) for w in words)
            found.setdefault(kind, {}).update(dict.fromkeys(made))
    return {kind: Phrases((), tuple(words)) for kind, words in found.items()}


def _inside(word: str) -> str:
    return fold(word).strip()


def _beginning(word: str, whole: bool) -> str:
    folded = fold(word)
    return folded if whole or word.endswith(" ") else folded[:-1]
