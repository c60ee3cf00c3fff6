"""A certificate is about all the traffic: what is not known of a row counts against the rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.catalog import load_menu
from classifier.keywords import load_keywords
from tests.helpers.tables import outcome_rows, write_csv
from training.certify.proof import choose_on_frequent, provable_rows
from training.certify.rule import RuleView, Target, against
from training.learners.linear import LinearLearner
from training.pipeline import learn_rule, train
from training.prepare.data import DataOptions, RoutingData, prepare
from training.prepare.split import split_rows
from training.report.assumptions import assumptions, doubts
from training.tables import read_tables
from training.training import Training

NAN = np.nan
LEARNERS = {"linear": LinearLearner()}


def data_of(folder: Path, rows: list[dict[str, object]]) -> RoutingData:
    path = write_csv(folder / "rows.csv", rows)
    return prepare(read_tables([path]), load_menu(None), load_keywords(None), DataOptions(jobs=1))


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> RoutingData:
    """1,000 rows, of which every fourth is one prompt that haiku often fails at."""
    rows = outcome_rows(1000, seed=8)
    random = np.random.default_rng(0)
    for row in rows[::4]:
        row |= {"prompt": "what is your return policy?", "task": "faq", "max_tokens": 100}
        row |= {"score__haiku": float(random.random() < 0.9), "score__sonnet": 1.0, "score__opus": 1.0}
    return data_of(tmp_path_factory.mktemp("repeated"), rows)


@pytest.fixture(scope="module")
def trained(repeated: RoutingData) -> Training:
    return train(repeated, load_menu(None), LEARNERS, Target(0.05), seed=0, jobs=1, force=False)


def test_what_is_not_known_counts_against_what_was_picked() -> None:
    quality = np.array([[1.0, 0.5], [NAN, 0.5], [1.0, NAN], [NAN, NAN]])
    base, reached = against(quality, np.array([0, 0, 0, 0]), reference=1)
    assert base.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert reached.tolist() == [1.0, 0.0, 1.0, 0.0]
    base, reached = against(quality, np.array([1, 1, 1, 1]), reference=1)
    assert (base == reached).all()


def test_a_prompt_asked_often_is_chosen_on_as_often_and_fitted_on_never(repeated: RoutingData) -> None:
    large = repeated.groups == repeated.groups[0]
    assert large.sum() == 250
    split = choose_on_frequent(split_rows(repeated.groups, np.full(1000, NAN), seed=0), repeated, large)
    assert not large[np.concatenate([split.fit, split.test])].any()
    assert large[split.choose].mean() == pytest.approx(0.25, abs=0.01)
    proof = provable_rows(repeated, split, large, (0, 1, 2))
    assert proof.own == len(proof.rows) == len(split.choose)
    assert not np.isnan(proof.values(repeated.quality)).any()
    assert len(np.unique(proof.groups[large[proof.rows]])) == large[split.choose].sum()


def test_a_large_group_of_the_users_own_is_looked_at_no_further_than_its_requests(repeated: RoutingData) -> None:
    split = split_rows(repeated.groups, np.full(1000, NAN), seed=0)
    large = repeated.groups == repeated.groups[0]
    named = replace(repeated, table=replace(repeated.table, groups=["one" if each else None for each in large]))
    assert (choose_on_frequent(split, named, large).fit == split.fit).all()
    proof = provable_rows(named, split, large, (0, 1, 2))
    assert (len(proof.rows) - proof.own) / len(proof.rows) == pytest.approx(0.25, abs=0.01)
    assert np.isnan(proof.values(named.quality)[proof.own :]).all()


@pytest.mark.slow
def test_a_prompt_asked_often_goes_to_no_tier_that_loses_too_much_there(repeated: RoutingData) -> None:
    learned = learn_rule(repeated, LEARNERS, Target(0.03), seed=0)
    heavy = np.flatnonzero(learned.large)
    assert len(heavy) == 250
    assert learned.rule.certified
    expected = learned.scorer.view(heavy, learned.scorer.predict(heavy))
    assert (learned.rule.choose(expected, [None] * len(heavy)) != 0).all()  # haiku fails at one in seven


@pytest.mark.slow
def test_a_prompt_asked_often_is_said_with_what_it_scored(trained: Training) -> None:
    (said,) = [line for line in assumptions(trained) if "asked often" in line]
    assert "One prompt that is asked often (25% of the rows)" in said
    assert "haiku 0.856, sonnet 1.000" in said


def test_a_large_group_of_the_users_own_is_said(trained: Training) -> None:
    data = trained.data
    named = replace(data, table=replace(data.table, groups=["one" if each else None for each in trained.large]))
    (said,) = [doubt for doubt in doubts(replace(trained, data=named)) if "too large" in doubt]
    assert "one group is 25% of the rows (250)" in said


def test_rows_that_miss_a_score_by_chance_are_left_out(tmp_path: Path) -> None:
    rows = outcome_rows(900, seed=2)
    random = np.random.default_rng(1)
    for row in rows:
        row["score__sonnet"] = "" if random.random() < 0.1 else row["score__sonnet"]
    data = data_of(tmp_path, rows)
    assert data.by_chance == (1,)
    split = split_rows(data.groups, np.full(900, NAN), seed=0)
    proof = provable_rows(data, split, np.zeros(900, bool), (0, 1, 2))
    assert not np.isnan(data.quality[proof.rows]).any()
    assert len(proof.rows) < len(split.choose)
    everything = provable_rows(data, split, np.zeros(900, bool), (0, 2))
    assert everything.own == len(split.choose)
    assert not data.lost.any()


@pytest.mark.slow
def test_failures_that_were_not_scored_certify_nothing(tmp_path: Path) -> None:
    rows = outcome_rows(1500, seed=3)
    random = np.random.default_rng(2)
    for row in rows:
        row["score__haiku"] = "" if row["score__haiku"] == 0 and random.random() < 0.8 else row["score__haiku"]
    data = data_of(tmp_path, rows)
    assert data.gaps == (0,)
    assert data.names[data.reference] == "opus"
    found = train(data, load_menu(None), LEARNERS, Target(0.02), seed=0, jobs=1, force=False)
    assert found.shipped.always != "haiku"
    assert found.lost > 0
    assert any("have no score of haiku" in doubt for doubt in doubts(found))


def test_what_a_promise_assumes_is_said(trained: Training) -> None:
    said = " ".join(assumptions(trained))
    for words in ("Independent rows", "True scores", "One try"):
        assert words in said
    third = replace(trained, rule=replace(trained.rule, target=replace(trained.target, share=0.025, attempt=3)))
    assert "Try 3 on these rows: it was tested at 99.88% confidence" in " ".join(assumptions(third))


@pytest.mark.slow
def test_few_groups_that_decide_are_said(tmp_path: Path) -> None:
    rows = outcome_rows(600, seed=5)
    for number, row in enumerate(rows):
        row["group"] = f"conversation {number // 4 if number < 400 else number}"
    data = data_of(tmp_path, rows)
    found = train(data, load_menu(None), LEARNERS, Target(0.10), seed=0, jobs=1, force=False)
    assert any("few groups decide" in doubt for doubt in doubts(found))


def test_an_unsupported_tier_is_never_chosen() -> None:
    expected = RuleView(
        np.array([[0.9, 0.5], [0.9, 0.5]]),
        np.array([[0.1, 1.0], [0.1, 1.0]]),
        np.zeros(2, bool),
        1,
        np.array([[True, False], [False, False]]),
    )
    assert expected.choose(100.0, 0.0).tolist() == [1, 0]
    assert expected.part(np.array([0])).choose(100.0, 0.0).tolist() == [1]
    assert expected.joined(expected).choose(0.0, 0.0).tolist() == [1, 0, 1, 0]
