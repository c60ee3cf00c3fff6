"""Write the synthetic sample table, ``data/sample.csv``.

    python data/make_sample.py [--rows 4000] [--seed 11] [--out data/sample.csv]

Prompts are composed from the templates in ``data/phrases/*.toml``; scores are drawn from the model described in
``data/README.md``. The constants below are that model's numbers. Row ``i`` depends on the seed and ``i`` alone, so a
shorter table is a prefix of a longer one, and all randomness comes from ``random.Random.random``, whose sequence Python
guarantees: the file is the same byte for byte on every machine.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import random
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
LEVELS = ("easy", "medium", "hard")
TIERS = ("haiku", "sonnet", "opus")
PRICES = {"haiku": (1.0, 5.0), "sonnet": (5.0, 25.0), "opus": (30.0, 150.0)}  # USD per 1M tokens in, out
VERBOSITY = {"haiku": 0.9, "sonnet": 1.0, "opus": 1.15}  # answer length relative to the task's median
COLUMNS = ("prompt", "task", "max_tokens", *(f"score__{t}" for t in TIERS), *(f"cost__{t}" for t in TIERS))

LANGUAGES = {
    "en": 0.60,
    "es": 0.08,
    "fr": 0.07,
    "de": 0.07,
    "zh": 0.06,
    "ja": 0.05,
    "ru": 0.04,
    "ar": 0.03,
}
UNSPACED = frozenset({"zh", "ja"})

LEVEL_DIFFICULTY = {"easy": -1.0, "medium": 0.0, "hard": 1.2}
SLOT_DIFFICULTY = {"specialty": 0.4, "step": 0.15, "constraint": 0.2, "ambiguity": 0.6}
NOISE = 0.4  # standard deviation of the part of difficulty that no word betrays
SLOPE = 2.4  # how sharply success falls as difficulty passes ability

CONSTRAINT_COUNT = (0.45, 0.2, 0.15, 0.12, 0.08)  # probabilities of 0, 1, 2, 3, 4 constraints
AMBIGUOUS = 0.08
OPENER, CLOSER = 0.25, 0.12
TYPOS, UPPER_CASE, LOWER_CASE, EMOJI, TRAILING_SPACE = 0.06, 0.025, 0.05, 0.05, 0.03
NO_TASK, NO_MAX_TOKENS = 0.08, 0.12
ONE_TIER_UNKNOWN, TWO_TIERS_UNKNOWN = 0.05, 0.025


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of request.

    Attributes
    ----------
    share : share of rows.
    levels : probabilities of an easy, a medium and a hard template.
    ability : of haiku, sonnet and opus, on the scale of difficulty.
    max_tokens : limits that callers of this task set.
    answer_tokens : median length of an answer.
    """

    share: float
    levels: tuple[float, float, float]
    ability: tuple[float, float, float]
    max_tokens: tuple[int, ...]
    answer_tokens: int


TASKS = {
    "code generation": Task(0.15, (0.35, 0.40, 0.25), (0.55, 1.70, 2.35), (400, 800, 1024, 2048, 4096), 420),
    "summarization": Task(0.12, (0.50, 0.35, 0.15), (1.60, 2.00, 2.10), (100, 150, 300, 500, 800), 160),
    "data extraction": Task(0.11, (0.45, 0.35, 0.20), (1.15, 2.15, 2.25), (100, 200, 500, 1000), 180),
    "creative writing": Task(0.09, (0.35, 0.40, 0.25), (0.85, 1.55, 2.30), (200, 600, 1200, 2000, 4000), 480),
    "classification": Task(0.12, (0.60, 0.28, 0.12), (1.85, 1.95, 1.90), (5, 10, 20, 50, 200), 12),
    "long document analysis": Task(0.05, (0.30, 0.40, 0.30), (0.55, 1.65, 2.20), (300, 800, 1500, 3000), 520),
    "question answering": Task(0.13, (0.50, 0.32, 0.18), (1.00, 1.80, 2.20), (50, 150, 300, 600, 1000), 190),
    "math": Task(0.09, (0.35, 0.35, 0.30), (0.35, 1.65, 2.40), (50, 200, 500, 1000, 2000), 260),
    "translation": Task(0.07, (0.55, 0.30, 0.15), (1.45, 2.00, 2.15), (100, 200, 400, 1000), 110),
    "chat": Task(0.07, (0.60, 0.28, 0.12), (1.70, 1.90, 1.95), (100, 200, 300, 500), 90),
}

SLOT = re.compile(
    r"(?P<space> ?)<<(?:(?P<low>\d+)-(?P<high>\d+)"
    r"|(?P<name>[a-z_]+)(?P<other>@other)?(?:\*(?P<least>\d+)-(?P<most>\d+))?)>>"
)
ONE_PER_LINE = frozenset({"log", "contract", "clinical", "review", "ticket", "contact"})
PARAGRAPH = 6  # sentences
LATIN_PAIR = re.compile(r"(?<=[A-Za-z])([a-z])([a-z])(?=[a-z])")


class Source:
    """Random draws made from ``random.Random.random`` only."""

    def __init__(self, *key: object) -> None:
        self._random = random.Random("/".join(map(str, key))).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random() < probability

    def between(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, all equally likely."""
        return options[self.between(0, len(options) - 1)]

    def weighted(self, options: Sequence[T], weights: Sequence[float]) -> T:
        """Return one of the options by weight."""
        left = self._random() * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            left -= weight
            if left < 0:
                return option
        return options[-1]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return the options in random order."""
        mixed = list(options)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.between(0, last)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def normal(self) -> float:
        """Return a standard normal deviate."""
        return NormalDist().inv_cdf(min(max(self._random(), 1e-12), 1 - 1e-12))


@dataclass(frozen=True, slots=True)
class Phrases:
    """Templates of one language by task and level, and its slots (its own over English over shared ones)."""

    templates: Mapping[str, Mapping[str, Sequence[str]]]
    slots: Mapping[str, Sequence[str]]


def load_phrases(folder: Path = HERE / "phrases") -> dict[str, Phrases]:
    """Read ``shared.toml`` and one file a language from ``folder``."""
    tables = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in folder.glob("*.toml")}
    shared = tables.pop("shared")["slots"]
    return {
        language: Phrases(
            templates={task: tables[language][task.replace(" ", "_")] for task in TASKS},
            slots=shared | tables["en"]["slots"] | tables[language]["slots"],
        )
        for language in LANGUAGES
    }


@dataclass(slots=True)
class Writer:
    """Fills templates of one language and counts the slots that make a prompt harder."""

    library: Mapping[str, Phrases]
    language: str
    source: Source
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SLOT_DIFFICULTY, 0))

    def fill(self, template: str) -> str:
        """Return the template with its slots filled; slots named in it, not those inside its phrases, are counted."""
        return self._fill(template, self.language, outermost=True)

    def phrase(self, slot: str) -> str:
        """Return one filled phrase of a slot."""
        return self.fill(f"<<{slot}>>")

    def _fill(self, template: str, language: str, *, outermost: bool) -> str:
        return SLOT.sub(lambda match: self._slot(match, language, outermost=outermost), template)

    def _slot(self, match: re.Match[str], language: str, *, outermost: bool) -> str:
        if match["low"]:
            return match["space"] + str(self.source.between(int(match["low"]), int(match["high"])))
        name = match["name"]
        if match["other"]:
            language = self.source.pick([other for other in LANGUAGES if other != language])
        count = self.source.between(int(match["least"]), int(match["most"])) if match["least"] else 1
        kind = name.partition("_")[0]
        if outermost and kind in self.counts:
            self.counts[kind] += count
        phrases = self._draw(self.library[language].slots[name], count)
        texts = [self._fill(phrase.strip("\n"), language, outermost=False) for phrase in phrases]
        return match["space"] + _join(texts, name, language) if texts else ""

    def _draw(self, phrases: Sequence[str], count: int) -> list[str]:
        """Draw without repeating a phrase until all were used."""
        drawn: list[str] = []
        while len(drawn) < count:
            drawn += [self.source.pick(phrases)] if count == 1 else self.source.shuffled(phrases)
        return drawn[:count]


def _join(texts: Sequence[str], slot: str, language: str) -> str:
    if slot in ONE_PER_LINE:
        return "\n".join(texts)
    between = "" if language in UNSPACED else " "
    if len(texts) <= 2 * PARAGRAPH:
        return between.join(texts)
    return "\n\n".join(between.join(texts[i : i + PARAGRAPH]) for i in range(0, len(texts), PARAGRAPH))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A composed prompt and what it was composed of; ``difficulty`` is before noise."""

    text: str
    language: str
    task: str
    level: str
    difficulty: float


def compose(library: Mapping[str, Phrases], source: Source) -> Prompt:
    """Draw language, task and level independently, then words for them."""
    language = source.weighted(list(LANGUAGES), list(LANGUAGES.values()))
    task = source.weighted(list(TASKS), [kind.share for kind in TASKS.values()])
    level = source.weighted(LEVELS, TASKS[task].levels)
    writer = Writer(library, language, source)
    text = writer.fill(source.pick(library[language].templates[task][level]))
    text = _add_sentences(text, task, writer)
    difficulty = LEVEL_DIFFICULTY[level] + sum(SLOT_DIFFICULTY[slot] * n for slot, n in writer.counts.items())
    return Prompt(_roughen(text, writer), language, task, level, difficulty)


def _add_sentences(text: str, task: str, writer: Writer) -> str:
    source, between = writer.source, "" if writer.language in UNSPACED else " "
    if task != "chat":
        text = _add_constraints(text, task, writer)
    if source.chance(AMBIGUOUS):
        text += between + writer.phrase("ambiguity")
    if task != "chat" and source.chance(OPENER):
        text = writer.phrase("opener") + source.pick([between, "\n", "\n\n"]) + text
    if task != "chat" and source.chance(CLOSER):
        text += source.pick([between, "\n"]) + writer.phrase("closer")
    return text


def _add_constraints(text: str, task: str, writer: Writer) -> str:
    source, between = writer.source, "" if writer.language in UNSPACED else " "
    slot = "constraint_code" if task == "code generation" else "constraint_text"
    constraints = writer._draw(writer.library[writer.language].slots[slot], source.weighted(range(5), CONSTRAINT_COUNT))
    writer.counts["constraint"] += len(constraints)
    sentences = [writer._fill(phrase, writer.language, outermost=False) for phrase in constraints]
    if not sentences:
        return text
    if len(sentences) > 1 and source.chance(0.5):
        return text + "\n\n" + "\n".join(f"- {sentence}" for sentence in sentences)
    return text + ("\n\n" if "\n" in text else between) + between.join(sentences)


def _roughen(text: str, writer: Writer) -> str:
    """Type the prompt as people do: slips, all capitals, no capitals, emojis, stray blanks. Code is left alone."""
    source = writer.source
    if "```" not in text and "$" not in text:
        if source.chance(TYPOS):
            text = LATIN_PAIR.sub(lambda pair: pair[2] + pair[1] if source.chance(0.04) else pair[0], text)
        if source.chance(UPPER_CASE) and len(text) < 400:
            text = text.upper()
        elif source.chance(LOWER_CASE):
            text = text.lower()
    if source.chance(EMOJI):
        text += " " + writer.phrase("emoji") * source.between(1, 2)
    if source.chance(TRAILING_SPACE):
        text += source.pick([" ", "\n", "  \n\n"])
    return text


def success(ability: float, difficulty: float) -> float:
    """Return P(score = 1) of a tier on a prompt."""
    return 1 / (1 + math.exp(-SLOPE * (ability - difficulty)))


def outcome(prompt: Prompt, source: Source) -> dict[str, str]:
    """Draw the cells beside the prompt; an empty cell is an unknown value."""
    task = TASKS[prompt.task]
    difficulty = prompt.difficulty + NOISE * source.normal()
    limit = None if source.chance(NO_MAX_TOKENS) else source.pick(task.max_tokens)
    length = math.exp(0.4 * source.normal())
    unknown = source.weighted(
        (0, 1, 2), (1 - ONE_TIER_UNKNOWN - TWO_TIERS_UNKNOWN, ONE_TIER_UNKNOWN, TWO_TIERS_UNKNOWN)
    )
    known = source.shuffled(TIERS)[unknown:]
    cells = {"task": "" if source.chance(NO_TASK) else prompt.task, "max_tokens": str(limit or "")}
    for tier, ability in zip(TIERS, task.ability, strict=True):
        score = source.chance(success(ability, difficulty))
        answer = max(1, round(task.answer_tokens * VERBOSITY[tier] * length * math.exp(0.2 * source.normal())))
        cost = call_cost(prompt.text, min(answer, limit or answer), *PRICES[tier])
        cells[f"score__{tier}"] = str(int(score)) if tier in known else ""
        cells[f"cost__{tier}"] = f"{cost:.6f}" if tier in known else ""
    return cells


def call_cost(prompt: str, answer_tokens: int, price_in: float, price_out: float) -> float:
    """Return USD for a call; a token is taken to be four bytes of UTF-8, prices are USD per 1M tokens."""
    return (math.ceil(len(prompt.encode()) / 4) * price_in + answer_tokens * price_out) / 1e6


def prompts(rows: int, seed: int) -> Iterator[Prompt]:
    """Yield the table's prompts, in order."""
    library = load_phrases()
    for row in range(rows):
        yield compose(library, Source(seed, row, "prompt"))


def table(rows: int, seed: int) -> str:
    """Return the table as CSV text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row, prompt in enumerate(prompts(rows, seed)):
        writer.writerow({"prompt": prompt.text, **outcome(prompt, Source(seed, row, "outcome"))})
    return out.getvalue()


def main() -> None:
    """Write the table to the file named on the command line."""
    parser = argparse.ArgumentParser(description="Write the synthetic sample table.")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", type=Path, default=HERE / "sample.csv")
    options = parser.parse_args()
    options.out.write_bytes(table(options.rows, options.seed).encode())


if __name__ == "__main__":
    main()
