"""The gate of the artifact before, in the one that takes its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from classifier import Router
from classifier.artifact import read_artifact
from classifier.cascade.settings import Settings
from classifier.gates.stored import CascadeSetting, inherit_gate, load_gate
from classifier.keywords import load_keywords
from tests.helpers.gates import WithGate
from training.compile import compile_artifact


def test_it_travels_on_and_says_that_it_was_inherited(gated: WithGate, tmp_path: Path) -> None:
    old = read_artifact(gated.path)
    gate = inherit_gate(old, gated.training.data.names)
    assert gate is not None
    path = tmp_path / "after.safetensors"
    compile_artifact(replace(gated.training, gate=None), load_keywords(), "estimate", path, dated=False, inherited=gate)
    after = load_gate(read_artifact(path))
    assert after.promise == replace(load_gate(old).promise, certified=False, inherited=True)
    router = Router.load(path)
    # A cascade goes on using it unasked, and so would the next artifact.
    settings = Settings(router=router)
    assert isinstance(settings.engine.policy.odds, CascadeSetting)
    assert inherit_gate(read_artifact(path), gated.training.data.names) is not None


def test_a_gate_of_other_tiers_stays_behind(gated: WithGate) -> None:
    assert inherit_gate(read_artifact(gated.path), gated.training.data.names[:-1]) is None


def test_without_a_gate_there_is_none_to_inherit(gated: WithGate, tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    compile_artifact(replace(gated.training, gate=None), load_keywords(), "estimate", path, dated=False)
    assert inherit_gate(read_artifact(path), gated.training.data.names) is None


def test_a_gate_of_another_version_stays_behind(gated: WithGate) -> None:
    old = read_artifact(gated.path)
    header = {**old.header, "gate": {**old.header["gate"], "evidence": 1}}
    assert inherit_gate(replace(old, header=header), gated.training.data.names) is None
