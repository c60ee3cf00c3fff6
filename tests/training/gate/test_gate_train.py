from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from classifier.catalog import normalise_label
from classifier.gates.evidence import agreements, answer_numbers
from classifier.gates.learned import LearnedGate
from classifier.gates.stored import keep_score
from classifier.gates.try_value import TryValue
from classifier.keywords import load_keywords
from classifier.request import Request
from tests.helpers.gates import WithGate, answer_rows, write_rows
from training.certify.rule import RuleView, Target
from training.commands.train import app
from training.compile import summary
from training.gate.answers import Answers, make_answer
from training.gate.cascade import Pair
from training.gate.fit import judge_answers
from training.gate.train import CASCADE, certify_pairs
from training.learners.matrix import FeatureMatrix, build_matrix
from training.measure.evaluate import Outcomes

TEXTS = st.text(st.characters(codec=None), max_size=300)


@cache
def gate_of(path: Path) -> LearnedGate:
    return LearnedGate.load(path)


def test_the_gate_sees_what_the_router_cannot(gated: WithGate) -> None:
    training = gated.training
    assert training.gate is not None
    test, haiku = training.split.test, training.gate.tiers[1]
    right = training.data.scores[test, haiku] > 0
    assert roc_auc_score(right, training.predicted.quality[:, haiku]) < 0.65
    assert roc_auc_score(right, training.gate.scores[test, haiku]) > 0.85


def test_the_cascade_stands_beside_the_other_ways_of_routing(gated: WithGate) -> None:
    results = {result.name: result for result in gated.training.results}
    assert list(results)[-2:] == [CASCADE, "oracle"]
    assert results[CASCADE].saving > results["learned router"].saving + 0.1
    assert results[CASCADE].kept > 0.85


def test_the_artifact_says_what_is_promised_of_which_pair(gated: WithGate) -> None:
    training = gated.training
    assert training.gate is not None
    gate = gate_of(gated.path)
    assert gate.promise == training.gate.promise
    assert gate.promise.certified
    assert gate.promise.target == training.target.loss
    assert gate.threshold == gate.promise.setting.threshold
    assert 0 < gate.promise.setting.cost < 1
    assert summary(training)["certificate"]["cascade"]["rule"] == training.gate.rung.rule


def test_nothing_is_certified_that_loses_too_much() -> None:
    count = 400
    quality, costs = np.tile([0.0, 1.0], (count, 1)), np.tile([1.0, 10.0], (count, 1))
    rows = Outcomes(quality, costs, np.arange(count), np.zeros(count, np.int64), (None,) * count, 1)
    expected = RuleView(np.tile([0.8, 0.9], (count, 1)), costs / 10, np.zeros(count, bool), 1)
    scores = np.column_stack([np.arange(count) / count, np.full(count, np.nan)])
    always_tried = {0: TryValue((), (0.9,), (0.0,))}
    path = [Pair(0.5, 1 - share, always_tried) for share in (0.0025, 0.01, 0.3, 0.6)]
    pair, rung, cost = certify_pairs(path, expected, scores, rows, Target(0.05))
    assert rung.rule == 1
    assert pair == path[1]
    assert cost == pytest.approx(0.1 + 0.99)  # each is tried, and 1% of them kept
    first, none, _ = certify_pairs(path[2:], expected, scores, rows, Target(0.05))
    assert none.rule is None
    assert first == path[2]


@pytest.mark.slow
@given(prompt=TEXTS, text=TEXTS, other=st.none() | TEXTS, place=st.integers(0, 1))
def test_training_and_runtime_judge_alike(
    gated: WithGate, prompt: str, text: str, other: str | None, place: int
) -> None:
    training = gated.training
    assert training.gate is not None
    names, data = training.data.names, training.data
    request = Request(prompt)
    answer = make_answer(text, names[place], request)
    beside = {} if other is None else {1 - place: make_answer(other, names[1 - place], request)}
    keywords = load_keywords()
    read = build_matrix([Request(text)], keywords, "estimate", jobs=1)
    label = normalise_label(names[place])
    matrix = FeatureMatrix(read.terms, answer_numbers(answer)[None], (label,), read.tokens)
    rows = np.zeros(1, np.int64)
    answers = Answers(rows, np.array([place]), matrix, agreements(answer, beside, len(names))[None])
    before = training.model.predict(build_matrix([request], keywords, "estimate", jobs=1)).quality
    judged = judge_answers(training.gate.model, answers.evidence(before, data.reference))
    verdict = gate_of(gated.path).judge_beside(answer, {names[at]: each for at, each in beside.items()})
    assert verdict.score == pytest.approx(float(keep_score(judged)[0]), abs=1e-4)


@pytest.mark.slow
def test_the_command_shows_the_cascade(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "answers.csv", answer_rows(600))
    figures = tmp_path / "figures.json"
    arguments = [table, "--out", tmp_path / "router.safetensors", "--json", figures, "--fastest", "--force"]
    done = CliRunner().invoke(app, [*map(str, arguments), "--seed", "0", "--jobs", "1", "--max-quality-loss", "0.1"])
    assert done.exit_code == 0, done.output
    assert CASCADE in done.output
    assert "was learned from the answers of mini, haiku." in " ".join(done.output.split())
    assert CASCADE in [result["name"] for result in json.loads(figures.read_text("utf-8"))["test"]]
