"""Features in words that a person accepts as reasons: "is long", "has code", "asks for JSON".

Many features say one thing (characters, tokens and words: how long a request is), so they count together, as one trait.
What a source of prompts is recognised by, rather than what is asked for, is no reason: scripts and languages, letters
and punctuation, words that every text has. A model may weigh them by chance. Which features those are is decided by
their kind, as a single request shows nothing of their certainty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from classifier.features import dense_names
from classifier.keywords import KeywordGroups

_KIND = "words of the kind '"
_LANGUAGE = " language"  # groups of common words, by which a language is recognised
_FEWEST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Trait:
    """What is said of a request that has more of something than an average one, and of one that has less."""

    more: str
    less: str

    def said(self, *, more: bool) -> str:
        """One of the two."""
        return self.more if more else self.less


_LONG = Trait("is long", "is short")
_LONG_WORDS = Trait("has long words", "has no long words")
_NUMBERS = Trait("has many numbers", "has few numbers")
_LONG_NUMBERS = Trait("has long numbers", "has no long numbers")
_CODE = Trait("has code", "has no code")
_MATHEMATICS = Trait("is about mathematics", "is not about mathematics")
_SIGNS = Trait("has brackets and operators", "has few brackets and operators")
_QUESTIONS = Trait("asks questions", "asks no question")
_LIST = Trait("has a list", "has no list")
_OPTIONS = Trait("offers answers to choose from", "offers no answers to choose from")
_AMOUNTS = Trait("has amounts to work out", "has no amounts to work out")
_ROOM = Trait("leaves room for a long answer", "leaves room for a short answer")
_TOOLS = Trait("uses tools", "uses no tools")
_CONVERSATION = Trait("is a long conversation", "is a short conversation")
_JSON = Trait("asks for JSON", "does not ask for JSON")


def _about(topic: str) -> Trait:
    return Trait(f"is about {topic}", f"is not about {topic}")


def _asks(what: str) -> Trait:
    return Trait(f"asks for {what}", f"does not ask for {what}")


_OF_FEATURES: dict[str, Trait] = {
    "characters": _LONG,
    "tokens": _LONG,
    "words": _LONG,
    "distinct words": _LONG,
    "paragraphs": _LONG,
    "sentences": _LONG,
    "long words": _LONG_WORDS,
    "letters of the longest word": _LONG_WORDS,
    "digit characters": _NUMBERS,
    "numbers": _NUMBERS,
    "distinct numbers": _NUMBERS,
    "decimals": _NUMBERS,
    "digits of the longest number": _LONG_NUMBERS,
    "code characters": _CODE,
    "code fences": _CODE,
    "indented lines": _CODE,
    "deeply indented lines": _CODE,
    "function definitions": _CODE,
    "closing tags": _CODE,
    "comparisons": _CODE,
    "JSON objects": _CODE,
    "tex characters": _MATHEMATICS,
    "fractions": _MATHEMATICS,
    "bracket characters": _SIGNS,
    "operator characters": _SIGNS,
    "question characters": _QUESTIONS,
    "inner questions": _QUESTIONS,
    "question marks at the very end": _QUESTIONS,
    "questions in a list": _QUESTIONS,
    "bullets": _LIST,
    "starred items": _LIST,
    "numbered items": _LIST,
    "lettered options": _OPTIONS,
    "blanks to fill": Trait("has blanks to fill", "has no blanks to fill"),
    "links": Trait("has links", "has no links"),
    "tokens allowed (max_tokens)": _ROOM,
    "limits given (max_tokens)": Trait("limits its answer", "does not limit its answer"),
    "turns": _CONVERSATION,
    "system prompt characters": Trait("has a long system prompt", "has a short system prompt, or none"),
    "tools": _TOOLS,
    "tool definition characters": _TOOLS,
    "tool calls": _TOOLS,
    "images": Trait("has images", "has no images"),
    "files and recordings": Trait("has files or recordings", "has no files or recordings"),
    "earlier turns' characters": _CONVERSATION,
    "characters beside and after the ask": Trait("comes with much material", "comes with little material"),
    "tokens around the ask": Trait("has much around what is asked", "has little around what is asked"),
    "wishes for reasoning": Trait("asks for reasoning", "does not ask for reasoning"),
    "JSON schema characters": _JSON,
    "demands for JSON": _JSON,
    "JSON schemas": _JSON,
}
# Of the packaged keyword groups; any other group is called by its name.
_OF_GROUPS: dict[str, Trait | None] = {
    "code": _CODE,
    "program text": _CODE,
    "text operations": _CODE,
    "math": _MATHEMATICS,
    "higher mathematics": _MATHEMATICS,
    "geometry": _MATHEMATICS,
    "quantities": _AMOUNTS,
    "fractions": _AMOUNTS,
    "rates": _AMOUNTS,
    "remainders": _AMOUNTS,
    "totals": _AMOUNTS,
    "comparisons": _AMOUNTS,
    "time": _about("times or dates"),
    "money": _about("money"),
    "choices": _OPTIONS,
    "reasoning": _asks("an argument or a proof"),
    "creative": _asks("creative writing"),
    "summarising": _asks("a summary"),
    "extracting": _asks("fields of a text"),
    "classifying": _asks("a label"),
    "translating": _asks("a translation"),
    "simple asks": _asks("a short fact"),
    "requirements": Trait("makes demands on the answer", "makes no demands on the answer"),
    "planning": _asks("a plan"),
    "logic puzzles": Trait("is a logic puzzle", "is no logic puzzle"),
    "science": _about("science"),
    "law": _about("law"),
    "medicine": _about("medicine"),
    "finance": _about("finance"),
    "humanities": _about("history or society"),
    "conditions": None,
    "negations": None,
    "questions": None,
    "modal verbs": None,
    "persons": None,
}
# Common words of English and its neighbours that are long enough to pass for a reason.
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "about above after again also another because been before being below between both cannot could does doing "
        "down during each either else even ever every find following from further give given have having here hers "
        "herself himself however into itself just like made make many more most much must neither only other "
        "otherwise ours over please same shall should show since some such take than that their theirs them "
        "themselves then there these they this those through thus under until upon used using very want well were "
        "what when where whether which while whom whose will with within without would your yours yourself aber alle "
        "auch como cuando dans dass dies diese donde eine einen einer elle entre esta este haben ihre jede kann leur "
        "mais mehr nach nicht noch nous oder para pero plus porque pour puede quand quel quelle quoi sein seine sich "
        "sind sobre sont sous sowie toda todo todos tous tout unter vers voor vous wenn werden wird wurde zwischen ",
    )
)


def dense_traits(keywords: KeywordGroups) -> tuple[Trait | None, ...]:
    """The trait of each dense feature, in their order; None: it is no reason."""
    return tuple(_trait(name.split(" of ", 1)[1]) for name in dense_names(keywords))


def _trait(name: str) -> Trait | None:
    if not name.startswith(_KIND):
        return _OF_FEATURES.get(name)
    group = name.removeprefix(_KIND).removesuffix("'")
    if group in _OF_GROUPS or group.endswith(_LANGUAGE):
        return _OF_GROUPS.get(group)
    return Trait(f"has words about '{group}'", f"has no words about '{group}'")


def is_reason(words: str) -> bool:
    """Whether a word, or a pair of neighbours, may be named as a reason: no number, no short or common word.

    Words in other letters than ASCII are taken as they are: scripts without spaces have words of one character.
    """
    return all(map(_means_something, words.split()))


def _means_something(word: str) -> bool:
    if not word.isascii():
        return True
    return len(word) >= _FEWEST_LETTERS and not word.isdigit() and word not in _STOP_WORDS


def said_of(
    traits: Sequence[Trait | None], parts: Sequence[float], above: Sequence[bool]
) -> tuple[list[tuple[str, float]], float]:
    """What dense features say together.

    Parameters
    ----------
    traits, parts, above : of each feature: its trait, what it adds to some measure, and whether the request has more of
        it than an average one.

    Returns
    -------
    (trait in words, what it adds in all), and what all features add together that are no reason.
    """
    added: dict[Trait, float] = {}
    leans: dict[Trait, float] = {}
    rest = 0.0
    for trait, part, more in zip(traits, parts, above, strict=True):
        if trait is None:
            rest += part
            continue
        added[trait] = added.get(trait, 0.0) + part
        leans[trait] = leans.get(trait, 0.0) + (abs(part) if more else -abs(part))
    return [(trait.said(more=leans[trait] > 0), part) for trait, part in added.items()], rest
