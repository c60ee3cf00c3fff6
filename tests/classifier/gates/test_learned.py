from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Router
from classifier.artifact import read_artifact, write_artifact
from classifier.errors import ArtifactError, ConfigError
from classifier.gates import Answer, Ask, ToolCall, Verdict, run_gate
from classifier.gates.learned import LearnedGate, SecondOpinion
from classifier.request import Request
from tests.helpers.gates import WithGate

TEXTS = st.text(st.characters(codec=None), max_size=2000)
SURE, UNSURE = "Each step follows and was checked.", "I am not sure, perhaps we could guess."


@cache
def gate_of(path: Path) -> LearnedGate:
    return LearnedGate.load(path)


def answer(text: str, tier: str, prompt: str = "prove case 7 of 12345") -> Answer:
    return Answer(
        text=text,
        tier=tier,
        model="any",
        finish_reason="stop",
        tool_calls=(),
        refusal=None,
        token_logprobs=None,
        tokens_in=None,
        tokens_out=None,
        request=Request(prompt),
        arguments={"messages": [{"role": "user", "content": prompt}]},
    )


def names(gated: WithGate) -> tuple[str, ...]:
    return gated.training.data.names


def test_a_sound_answer_scores_above_an_unsure_one(gated: WithGate) -> None:
    gate, tier = gate_of(gated.path), names(gated)[1]
    sure, unsure = (gate.judge(answer(f"{text} The answer is 7.", tier)) for text in (SURE, UNSURE))
    assert sure.passed
    assert not unsure.passed
    assert sure.score > unsure.score + 0.3


def test_what_another_tier_says_counts(gated: WithGate) -> None:
    gate, (mini, haiku, _) = gate_of(gated.path), names(gated)
    judged = answer(f"{UNSURE} The answer is 7.", haiku)
    same, other = (gate.judge_beside(judged, {mini: answer(f"The answer is {value}.", mini)}).score for value in (7, 8))
    assert same > other


def test_a_gate_is_loaded_from_a_router_or_a_file_or_the_artifact_in_use(
    gated: WithGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(gated.path))
    judged = answer("7", names(gated)[0])
    sources = (gated.path, str(gated.path), Router(read_artifact(gated.path)), None)
    assert len({LearnedGate.load(source).judge(judged).score for source in sources}) == 1


def test_the_threshold_is_the_certified_one_unless_another_is_given(gated: WithGate) -> None:
    judged = answer(f"{UNSURE} The answer is 7.", names(gated)[0])
    assert LearnedGate.load(gated.path).threshold == gate_of(gated.path).promise.setting.threshold
    assert LearnedGate.load(gated.path, 0.0).judge(judged).passed
    assert not LearnedGate.load(gated.path, 1.0).judge(judged).passed
    with pytest.raises(ConfigError, match=r"threshold is 1\.5"):
        LearnedGate.load(gated.path, 1.5)


def test_a_tier_not_learned_about_passes_and_says_so(gated: WithGate) -> None:
    for tier in ("another", "", names(gated)[-1]):
        assert gate_of(gated.path).judge(answer("7", tier)) == Verdict(
            "learned", 0.5, True, "a tier that the gate has not learned about"
        )


@given(text=TEXTS, prompt=TEXTS, place=st.integers(0, 1), logprobs=st.lists(st.floats(-1e300, 0), max_size=5))
def test_no_answer_raises(gated: WithGate, text: str, prompt: str, place: int, logprobs: list[float]) -> None:
    odd = replace(
        answer(text, names(gated)[place], prompt),
        finish_reason=None,
        tool_calls=(ToolCall(text, prompt),),
        refusal=text or None,
        token_logprobs=tuple(logprobs) or None,
        tokens_out=10**6,
    )
    verdict = run_gate(gate_of(gated.path), odd)
    assert 0 <= verdict.score <= 1
    assert verdict.passed == (verdict.score >= gate_of(gated.path).threshold)


def test_a_very_long_answer_is_judged(gated: WithGate) -> None:
    assert math.isfinite(gate_of(gated.path).judge(answer("word " * 400_000, names(gated)[0])).score)


def test_a_verdict_holds_nothing_of_the_texts(gated: WithGate) -> None:
    verdict = gate_of(gated.path).judge(answer("SECRETANSWER", names(gated)[0], "SECRETPROMPT"))
    assert "SECRET" not in repr(verdict) + repr(gate_of(gated.path))


def test_a_second_opinion_is_asked_of_the_other_tier(gated: WithGate) -> None:
    mini, haiku, _ = names(gated)
    asked: list[Ask] = []

    def respond(wanted: Ask) -> Answer:
        asked.append(wanted)
        return answer("The answer is 7.", mini)

    judged = answer(f"{SURE} The answer is 7.", haiku)
    verdict = run_gate(SecondOpinion(gate_of(gated.path), mini), judged, respond)
    assert [(ask.purpose, ask.tier) for ask in asked] == [("agreement", mini)]
    assert asked[0].arguments["messages"] == judged.arguments["messages"]
    assert verdict.score == gate_of(gated.path).judge_beside(judged, {mini: answer("The answer is 7.", mini)}).score


def test_a_second_opinion_is_asked_only_where_it_can_matter(gated: WithGate) -> None:
    mini, haiku, _ = names(gated)
    calls: list[str] = []

    def respond(wanted: Ask) -> Answer:
        calls.append(str(wanted.tier))
        return answer("The answer is 7.", mini)

    gate = SecondOpinion(gate_of(gated.path), mini)
    run_gate(gate, answer(f"{SURE} The answer is 7.", mini), respond)
    run_gate(gate, answer("words " * 500, haiku), respond)
    assert not calls
    run_gate(gate, answer(f"{SURE} The answer is 7.", haiku), respond)
    run_gate(gate, answer(f"{UNSURE} The answer is 7.", haiku), respond)
    assert calls == [mini, mini]


def test_without_the_second_opinion_the_first_stands(gated: WithGate) -> None:
    mini, haiku, _ = names(gated)

    def fail(wanted: Ask) -> Answer:
        raise ConnectionError

    judged = answer(f"{SURE} The answer is 7.", haiku)
    verdict = run_gate(SecondOpinion(gate_of(gated.path), mini), judged, fail)
    assert verdict.parts == (gate_of(gated.path).judge(judged),)


def remade(gated: WithGate, folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    artifact = read_artifact(gated.path)
    header, tensors = deepcopy(artifact.header), dict(artifact.tensors)
    change(header, tensors)
    write_artifact(folder / "changed.safetensors", header, tensors)
    return folder / "changed.safetensors"


def test_a_router_without_a_gate_still_loads(gated: WithGate, tmp_path: Path) -> None:
    def drop(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        del header["gate"]
        for name in [name for name in tensors if name.startswith("gate_")]:
            del tensors[name]

    path = remade(gated, tmp_path, drop)
    Router.load(path)
    with pytest.raises(ArtifactError, match="no learned gate; train with a table that has response__"):
        LearnedGate.load(path)


def try_values(header: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = header["gate"]["cascade"]["setting"]["prospects"]
    return found


def try_value(header: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(try_values(header).values()))
    return found


CHANGES: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], object], str]] = {
    "a later version": (lambda header, _: header["gate"].update(version=2), "reads 1; upgrade tierwise"),
    "other features": (lambda header, _: header["gate"].update(evidence=1), "reads 2; train a new one"),
    "an unknown tier": (lambda header, _: header["gate"].update(tiers=["other"]), "do not fit its menu"),
    "no promise": (lambda header, _: header["gate"].pop("cascade"), "is missing"),
    "a rate above 1": (
        lambda header, _: header["gate"]["cascade"]["setting"].update(pass_adequate=1.5),
        "out of range",
    ),
    "a share below 0": (
        lambda header, _: try_value(header).update(kept=[-0.5] * len(try_value(header)["kept"])),
        "range",
    ),
    "edges out of order": (lambda header, _: try_value(header)["edges"].reverse(), "out of range"),
    "a share that is a word": (lambda header, _: try_value(header).update(gain=["x"]), "out of range"),
    "bins that differ": (lambda header, _: try_value(header)["gain"].pop(), "out of range"),
    "a tier without try values": (lambda header, _: try_values(header).clear(), "is missing"),
    "a missing tensor": (lambda _, tensors: tensors.pop("gate_bias"), "is missing"),
    "too few weights": (
        lambda _, tensors: tensors.update(gate_dense_mean=tensors["gate_dense_mean"][1:]),
        "expected float64",
    ),
    "a forest of other inputs": (
        lambda _, tensors: tensors.update(gate_forest_features=tensors["gate_forest_features"] + np.int32(9999)),
        "inputs that are not there",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_cannot_be_used_is_refused(gated: WithGate, tmp_path: Path, name: str) -> None:
    change, message = CHANGES[name]
    path = remade(gated, tmp_path, change)
    with pytest.raises(ArtifactError, match=message) as raised:
        LearnedGate.load(path)
    assert "\n" not in str(raised.value)
