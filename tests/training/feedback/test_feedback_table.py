"""A store's outcomes as a table to train on, whatever the store kept of the requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.cascade.route import GateRates
from classifier.catalog import default_menu
from classifier.errors import InputError
from classifier.keywords import load_keywords
from classifier.request import Request
from tests.helpers.outcomes import Opener
from tests.helpers.tables import TIERS, outcome_rows, write_csv
from tests.helpers.traffic import Made, made, tiers_of
from training.certify.rule import Target
from training.feedback.labels import AUDITED, JUDGED, LabelOptions, make_labels
from training.feedback.table import LEAST_LABELS, outcome_table
from training.feedback.training_signal import TrainingSignal, read_signal
from training.learners.linear import LinearLearner
from training.learners.task_means import TaskMeansLearner
from training.log.observed import observe
from training.pipeline import train
from training.prepare.data import DataOptions, prepare
from training.tables import join_tables, read_tables

MENU, KEYWORDS = default_menu(), load_keywords()


@pytest.fixture(scope="module")
def world() -> Made:
    return made()


def signal_of(world: Made, **options: object) -> TrainingSignal:
    return read_signal(world.outcomes(), MENU, **options)  # type: ignore[arg-type]


def table_of(signal: TrainingSignal, tables=None, models=None):
    return outcome_table(signal.observed, signal.labels, "store", KEYWORDS, tables, menu=MENU, models=models or {})


def test_rows_are_requests_with_labels_and_weights(world: Made) -> None:
    signal = signal_of(world)
    table, kept = table_of(signal)
    assert table.tiers == TIERS
    assert kept.requests == kept.used == len(table.requests) == len(world.rows)
    assert kept.costs == ()
    assert table.requests[5] == Request(world.rows[5]["prompt"], world.rows[5]["max_tokens"], world.rows[5]["task"])
    places = [signal.observed.tiers.index(name) for name in TIERS]
    np.testing.assert_array_equal(table.scores, signal.labels.values[:, places])
    assert table.logged is not None
    assert table.logged.rows.all()
    assert (table.logged.weights >= 1).all()
    assert (np.isnan(table.costs) == ~signal.observed.tried[:, places]).all()


@pytest.mark.slow
def test_the_weights_put_means_right(world: Made) -> None:
    """Failures of a cheap tier are what a dearer one sees: its plain mean is off, the weighted one less so."""
    whole = made(6000, 3, explore=0.1)
    data = prepare(table_of(signal_of(whole))[0], MENU, KEYWORDS, DataOptions(reference="opus", jobs=1))
    assert data.weights is not None
    truth = whole.quality.mean(axis=0)
    plain = np.nanmean(data.scores, axis=0)
    known = np.where(np.isnan(data.scores), 0.0, data.weights)
    weighted = (known * np.nan_to_num(data.scores)).sum(axis=0) / known.sum(axis=0)
    assert abs(plain[1] - truth[1]) > 0.06
    assert np.abs(weighted - truth).max() < 0.05


def test_old_outcomes_fade(world: Made) -> None:
    even, faded = signal_of(world), signal_of(world, options=LabelOptions(half_life=0.1))
    known = even.labels.weights > 0
    ratio = faded.labels.weights[known] / even.labels.weights[known]
    age = (even.observed.time.max() - even.observed.time) / 86_400
    np.testing.assert_allclose(ratio, np.broadcast_to(0.5 ** (age / 0.1)[:, None], known.shape)[known])


def test_each_gate_is_believed_by_its_own_audits() -> None:
    good = made(800, 1, audit=0.5, explore=0.4)
    blind = made(800, 2, GateRates(1.0, 1.0), audit=0.5, explore=0.4)
    spoilt = [
        replace(
            outcome,
            decision=replace(
                outcome.decision,
                id=f"other {outcome.decision.id}",
                gate="blind",
                attempts=tuple(
                    replace(attempt, gates=({"gate": "blind", "passed": True},))
                    for attempt in outcome.decision.attempts
                ),
            ),
            feedback=tuple(replace(each, decision=f"other {each.decision}") for each in outcome.feedback),
        )
        for outcome in blind.outcomes()
    ]
    found = read_signal([*good.outcomes(), *spoilt], MENU)
    assert set(found.gates) == {"simulated", "blind"}
    haiku = found.observed.tiers.index("haiku")
    assert found.gates["simulated"].passed.value[haiku] > found.gates["blind"].passed.value[haiku] + 0.05
    assert any(note.startswith("gate 'blind': ") for note in found.notes)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["prompt", "features", "hash"])
def test_a_store_of_any_mode_trains_a_router(mode: str, world: Made, sqlite_url: str, open_store: Opener) -> None:
    store = open_store(sqlite_url, keep=mode)
    world.fill(store)
    signal = read_signal(store.outcomes(), MENU)
    table, kept = table_of(signal)
    data = prepare(table, MENU, KEYWORDS, DataOptions(reference="opus", jobs=1))
    plain = prepare(table_of(signal_of(world))[0], MENU, KEYWORDS, DataOptions(reference="opus", jobs=1))
    assert kept.by_task == (mode == "hash")
    assert data.known.all() == (mode == "prompt")
    np.testing.assert_array_equal(data.quality, plain.quality)
    if mode != "hash":
        assert (data.matrix.terms != plain.matrix.terms).nnz == 0
        np.testing.assert_allclose(data.matrix.dense, plain.matrix.dense, rtol=1e-12)
        assert [request.max_tokens for request in table.requests] == [row["max_tokens"] for row in world.rows]
        assert [request.chars for request in table.requests] == [len(row["prompt"]) for row in world.rows]
        np.testing.assert_array_equal(data.groups, plain.groups)
    assert data.matrix.tasks == plain.matrix.tasks
    assert bool(kept.costs) == (mode != "prompt")
    learners = {"tasks": TaskMeansLearner(LinearLearner())} if kept.by_task else {"linear": LinearLearner()}
    training = train(data, MENU, learners, Target(), seed=0, jobs=1, force=False)
    assert training.shipped.strategy == "learned"
    assert not training.rule.certified
    assert training.rule.estimated is not None
    hard = np.array([task == "reasoning" for task in training.test.tasks])
    expected = training.predicted.quality[:, 0]
    assert expected[~hard].mean() > expected[hard].mean() + 0.3
    assert not training.expected.novel.any() or mode != "hash"


def test_what_was_kept_otherwise_is_left_out_and_named(world: Made) -> None:
    outcomes = world.outcomes()
    for row in range(0, len(outcomes), 3):
        outcomes[row] = replace(outcomes[row], decision=replace(outcomes[row].decision, prompt=None))
    for row in range(1, 300, 3):
        outcomes[row] = replace(
            outcomes[row], decision=replace(outcomes[row].decision, prompt=None, features=b"of another kind")
        )
    signal = read_signal(outcomes, MENU)
    _, kept = table_of(signal)
    assert (kept.tasks, kept.foreign, kept.requests) == (300, 100, 500)
    assert kept.used == 500
    assert len(kept.costs) == 2


def test_a_tier_that_hardly_answered_is_left_out_and_named() -> None:
    world = made(300, 5, explore=0.0, audit=0.03, feedback=0.0)
    signal = signal_of(world)
    places = [signal.observed.tiers.index(name) for name in TIERS]
    few = signal.labels.values.copy()
    few[LEAST_LABELS - 1 :, places[2]] = np.nan
    labels = replace(signal.labels, values=few)
    table, kept = outcome_table(signal.observed, labels, "store", KEYWORDS, menu=MENU)
    assert table.tiers == TIERS[:2]
    assert set(kept.thin) == {"opus"}
    assert "opus is left out" in kept.costs[-1]


def test_a_log_of_few_judged_answers_is_refused_with_their_number() -> None:
    signal = signal_of(made(LEAST_LABELS - 1, 5, explore=0.0, audit=0.0, feedback=0.0))
    with pytest.raises(InputError, match=f"few answers that can be judged .* expected at least {LEAST_LABELS}"):
        table_of(signal)
    nothing = replace(signal.labels, values=np.full_like(signal.labels.values, np.nan))
    with pytest.raises(InputError, match=f"none of {LEAST_LABELS - 1} decisions has an answer that can be judged"):
        outcome_table(signal.observed, nothing, "store", KEYWORDS, menu=MENU)


@pytest.mark.slow
def test_tables_and_a_store_meet_by_model(world: Made, tmp_path: Path) -> None:
    rows = [
        {("score__cheap" if name == "score__haiku" else name): value for name, value in row.items()}
        for row in outcome_rows(200, 9)
    ]
    tables = read_tables([write_csv(tmp_path / "table.csv", rows)])
    models = {"cheap": "haiku"}
    signal = signal_of(world, tables=tables, models=models)
    table, _ = table_of(signal, tables, models)
    assert table.tiers == ("cheap", "sonnet", "opus")
    assert len(table.requests) == 200 + len(world.rows)
    assert table.logged is not None
    assert not table.logged.rows[:200].any()
    assert table.logged.rows[200:].all()
    assert (table.logged.weights[:200] == 1).all()
    data = prepare(table, MENU, KEYWORDS, DataOptions(models=models, jobs=1))
    assert data.names == ("haiku", "sonnet", "opus")
    training = train(data, MENU, {"linear": LinearLearner()}, Target(), seed=0, jobs=1, force=False)
    # Only rows of the table can prove anything: those of the log show what a router chose to see.
    assert 0 < training.rule.rung.rows <= 200


def test_tables_without_a_common_tier_are_refused(world: Made, tmp_path: Path) -> None:
    rows = [{"prompt": row["prompt"], "score__a": row["score__haiku"], "score__b": 1.0} for row in outcome_rows(60)]
    tables = read_tables([write_csv(tmp_path / "table.csv", rows)])
    with pytest.raises(InputError, match="none in common"):
        table_of(signal_of(world), tables)


@pytest.mark.slow
def test_nothing_that_was_learned_is_as_late_as_what_is_tested(world: Made) -> None:
    """Prompts repeat: their later rows are neither learned from nor tested on."""
    outcomes = world.outcomes()
    for row in range(0, 200):
        outcomes[-1 - row] = replace(
            outcomes[-1 - row], decision=replace(outcomes[-1 - row].decision, prompt=world.rows[row]["prompt"])
        )
    data = prepare(table_of(read_signal(outcomes, MENU))[0], MENU, KEYWORDS, DataOptions(reference="opus", jobs=1))
    split = train(data, MENU, {"linear": LinearLearner()}, Target(), seed=0, jobs=1, force=False).split
    times = data.table.timestamps
    assert times[split.fit].max() < times[split.test].min()
    assert times[split.choose].max() < times[split.test].min()
    assert not set(data.groups[split.fit]) & set(data.groups[split.test])


def test_feedback_and_audits_are_certain(world: Made) -> None:
    signal = signal_of(world)
    sure = np.isin(signal.labels.source, (AUDITED, JUDGED))
    assert set(np.unique(signal.labels.values[sure])) <= {0.0, 1.0}
    (truth,) = signal.gates.values()
    low, high = (make_labels(signal.observed, end).values for end in truth.bounds())
    assert (low[~np.isnan(low)] <= high[~np.isnan(high)] + 1e-12).all()
    assert (low[sure] == high[sure]).all()
    assert sum(signal.sources.values()) == (signal.labels.source > 0).sum()


def test_other_menus_are_matched_by_model(world: Made) -> None:
    """Records of the same models under other tier names are the same; other models are left out, and named."""
    outcomes = [
        replace(
            outcome,
            decision=replace(
                outcome.decision,
                attempts=tuple(
                    replace(attempt, tier=f"our {attempt.tier}")
                    if attempt.tier != "sonnet"
                    else replace(attempt, model="vendor/retired")
                    for attempt in outcome.decision.attempts
                ),
                chosen=f"our {outcome.decision.chosen}",
            ),
        )
        for outcome in world.outcomes()
    ]
    signal = read_signal(outcomes, MENU)
    assert any("vendor/retired" in note for note in signal.notes)
    table, _ = table_of(signal)
    assert table.tiers == ("haiku", "opus")


def test_joining_keeps_rows_and_answers(tmp_path: Path) -> None:
    first = read_tables([write_csv(tmp_path / "a.csv", outcome_rows(60, 1))])
    rows = [{"prompt": row["prompt"], "score__haiku": 1.0, "response__haiku": "yes"} for row in outcome_rows(60, 2)]
    second = read_tables([write_csv(tmp_path / "b.csv", rows)])
    both = join_tables(second, first)
    assert both.tiers == ("haiku", "sonnet", "opus")
    assert both.logged is None
    assert np.isnan(both.scores[:60, 1:]).all()
    np.testing.assert_array_equal(both.scores[60:], first.scores)
    assert both.responses is not None
    assert both.responses[0] == {"haiku": "yes"}
    assert both.responses[60] == {}
    assert [file.path for file in both.files] == [second.files[0].path, first.files[0].path]


def test_the_menu_of_today_may_be_another(world: Made) -> None:
    tiers = tiers_of(MENU)
    assert observe(world.outcomes(), MENU).tiers == tuple(tier.name for tier in MENU.tiers)
    assert [tier.name for tier in tiers] == list(TIERS)


@pytest.mark.slow
def test_old_outcomes_count_less_in_fitting(world: Made) -> None:
    """The world turns in the middle: easy requests become what haiku cannot do; a short half-life follows it."""
    rows = len(world.rows)
    outcomes = world.outcomes()
    for row in range(rows // 4):
        decision = outcomes[row].decision
        failed = tuple(replace(attempt, passed=False, score=0.0) for attempt in decision.attempts)
        outcomes[row] = replace(outcomes[row], decision=replace(decision, attempts=failed), feedback=())
    expected = []
    for half_life in (None, 0.05):
        options = LabelOptions(half_life=half_life)
        signal = read_signal(outcomes, MENU, options=options)
        table, _ = outcome_table(
            signal.observed, signal.labels, "store", KEYWORDS, menu=MENU, half_life=options.half_life
        )
        data = prepare(table, MENU, KEYWORDS, DataOptions(reference="opus", jobs=1))
        training = train(data, MENU, {"linear": LinearLearner()}, Target(), seed=0, jobs=1, force=False)
        expected.append(training.predicted.quality[:, 0].mean())
    assert expected[1] > expected[0] + 0.05
