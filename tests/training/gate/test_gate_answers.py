from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from classifier.gates.evidence import evidence_names
from classifier.keywords import load_keywords
from tests.helpers.gates import WithGate, answer_rows, trained, write_rows
from training.gate.answers import Answers, filled, known_means, read_answers


@cache
def answers_of(gated: WithGate) -> Answers:
    answers = read_answers(gated.training.data, load_keywords())
    assert answers is not None
    return answers


@pytest.mark.slow
def test_a_table_without_answers_trains_no_gate(tmp_path: Path) -> None:
    rows = [{name: cell for name, cell in row.items() if "response" not in name} for row in answer_rows(300)]
    training = trained(write_rows(tmp_path / "bare.csv", rows))
    assert training.gate is None
    assert read_answers(training.data, load_keywords()) is None


def test_all_tiers_but_the_reference_are_learned_from(gated: WithGate) -> None:
    answers = answers_of(gated)
    assert len(answers) == 2 * len(gated.training.data)
    assert gated.training.data.reference not in answers.tiers


def test_answers_agree_where_they_say_the_same(gated: WithGate) -> None:
    data = gated.training.data
    answers = answers_of(gated)
    mini, haiku = answers.tiers
    both_right = (data.scores[answers.rows, mini] > 0) & (data.scores[answers.rows, haiku] > 0)
    from_mini = answers.places == mini
    assert (answers.agreed[from_mini & both_right, haiku] == 1).all()
    assert answers.agreed[from_mini & ~both_right, haiku].mean() < 0.01
    assert np.isnan(answers.agreed[from_mini, mini]).all()
    assert np.isnan(answers.agreed[:, data.reference]).all()


def test_every_answer_is_seen_alone_first_and_then_beside_each_other(gated: WithGate) -> None:
    answers = answers_of(gated)
    copies = answers.with_others()
    assert len(copies) == 2 * len(answers)
    assert (copies.rows[: len(answers)] == answers.rows).all()
    assert np.isnan(copies.agreed[: len(answers)]).all()
    assert (np.isfinite(copies.agreed[len(answers) :]).sum(axis=1) == 1).all()


def test_what_is_not_known_is_the_mean_of_what_is(gated: WithGate) -> None:
    answers = answers_of(gated)
    data = gated.training.data
    matrix = answers.evidence(np.full(data.quality.shape, 0.5), data.reference)
    complete = filled(matrix, known_means(matrix))
    names = evidence_names(data.names)
    place = names.index(f"says the same as {data.names[answers.tiers[0]]}")
    unknown = np.isnan(matrix.dense[:, place])
    assert unknown.any()
    assert np.allclose(complete.dense[unknown, place], matrix.dense[~unknown, place].mean())
    # No token of this table has a log-probability, so that column says nothing.
    assert not complete.dense[:, names.index("logprob_mean")].any()
