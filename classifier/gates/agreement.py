"""Do other answers to the same request say the same?

Agreement among samples of one model (Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language
Models", ICLR 2023), or with another cheap model, tells right answers from wrong ones where an answer has a short final
part (Yue et al., "Large Language Model Cascades with Mixture of Thought Representations", ICLR 2024).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from classifier.gates.answer import Answer
from classifier.gates.gate import Ask, Gate, Steps
from classifier.gates.json_text import INVALID, MOST_JSON_CHARS, parse_json
from classifier.gates.normalise import final_answer, normalise
from classifier.gates.options import expect_one_of, expect_positive, expect_share

_SAMPLES = 2
_SAMPLING_TEMPERATURE = 0.7
_COMPARABLE_CHARS = 200  # a whole text that is longer is not said twice in the same words
_NOT_REPEATED = frozenset({"model", "n", "seed", "stream", "stream_options", "logprobs", "top_logprobs"})
_OF_SAMPLING = frozenset({"temperature", "top_p", "top_k", "min_p", "seed"})  # by which a caller may ask for one answer
_OPTIONAL = frozenset({"temperature", "top_p"})

Claim: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agreement(Gate):
    """Asks the same again, and passes an answer that enough of the other answers agree with.

    Answers agree when their `final_answer` is the same, or when they call the same tools with the same arguments. The
    score is the share of the other answers that agree; calls that fail are left out, and when all do, the last one's
    exception is raised.

    Parameters
    ----------
    k : how many others are asked for; None: 2 of the same tier, 1 of another.
    tier : who is asked; None: the tier that answered.
    temperature : of those calls; None: 0.7 where a model is asked more than once, the one that answered included, for
        it must not repeat itself, whatever temperature, seed or ``top_p`` the request has; else as the request has it.
    threshold : the least share that passes, 0..1.
    free_text : what becomes of an answer that has nothing to compare (prose, code): "fail", or "pass" with a score of
        0.5. Nobody is asked then.

    Raises
    ------
    ConfigError : an option is out of range.
    """

    k: int | None = None
    tier: str | None = None
    temperature: float | None = None
    threshold: float = 0.5
    free_text: Literal["pass", "fail"] = "fail"
    name: str = "agreement"

    def __post_init__(self) -> None:
        expect_share("Agreement", "threshold", self.threshold)
        expect_one_of("Agreement", "free_text", self.free_text, ("pass", "fail"))
        if self.k is not None:
            expect_positive("Agreement", "k", self.k)

    def steps(self, answer: Answer) -> Steps:
        """Ask for the other answers one by one, and compare."""
        said = claim(answer)
        if said is None:
            kept = self.free_text == "pass"
            return self.verdict(0.5 if kept else 0.0, kept, "no final answer that could be compared")
        wanted = self.k or (_SAMPLES if self.tier is None else 1)
        others: list[Claim | None] = []
        failure: Exception | None = None
        for _ in range(wanted):
            try:
                other: Answer = yield Ask("agreement", self.tier, self._arguments(answer, wanted), _OPTIONAL)
            except Exception as error:
                failure = error
            else:
                others.append(claim(other))
        if failure is not None and not others:
            raise failure
        score = others.count(said) / len(others)
        return self.verdict(score, score >= self.threshold, f"{others.count(said)} of {len(others)} others agree")

    def _arguments(self, answer: Answer, wanted: int) -> Mapping[str, Any]:
        arguments = {name: value for name, value in answer.arguments.items() if name not in _NOT_REPEATED}
        if wanted > 1 or self.tier is None:
            arguments = _free_to_vary(arguments)
            return {**arguments, "temperature": _SAMPLING_TEMPERATURE if self.temperature is None else self.temperature}
        return arguments if self.temperature is None else {**arguments, "temperature": self.temperature}


def _free_to_vary(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without those by which every answer may be the same."""
    found = {name: value for name, value in arguments.items() if name not in _OF_SAMPLING}
    extra = found.get("extra_body")
    if isinstance(extra, Mapping):
        found["extra_body"] = {name: value for name, value in extra.items() if name not in _OF_SAMPLING}
    return found


def claim(answer: Answer) -> Claim | None:
    """What an answer says, in a form in which answers can be compared; None where there is no such thing."""
    if answer.tool_calls:
        plain = sum(len(call.arguments) for call in answer.tool_calls) > MOST_JSON_CHARS  # compared as they are written
        said = [call.arguments if plain else _canonical(call.arguments) for call in answer.tool_calls]
        return ("calls", *sorted(f"{call.name}({each})" for call, each in zip(answer.tool_calls, said, strict=True)))
    found = final_answer(answer.text)
    comparable = found.kind != "text" or 0 < len(found.value) <= _COMPARABLE_CHARS
    return ("text", found.value) if comparable else None


def _canonical(arguments: str) -> str:
    """JSON in one way of writing it; anything else as `normalise` has it."""
    value = parse_json(arguments)
    try:
        return normalise(arguments) if value is INVALID else json.dumps(value, sort_keys=True)
    except RecursionError:  # it was read with the last of the stack
        return normalise(arguments)
