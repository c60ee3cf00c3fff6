"""Labels from verdicts, audits and feedback, and what they count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.logs import RATES, World
from training.feedback.gate_truth import GateTruth, Rates, gate_truth
from training.feedback.labels import AUDITED, IMPLIED, JUDGED, UNKNOWN, VERDICT, LabelOptions, Labels, make_labels
from training.feedback.nesting import imply, nesting
from training.log.observed import Observed

DAY = 86_400.0


def rates(*values: float) -> Rates:
    array = np.array(values)
    return Rates(array, array, array, np.zeros(len(values), np.int64))


TRUTH = GateTruth(rates(0.9, 0.9, 0.9), rates(0.2, 0.2, 0.2), ())


def log(rows: int = 3000, seed: int = 0, **shares: float) -> Observed:
    return World(rows, seed).log(seed, **shares).observed


def test_what_is_surest_comes_first() -> None:
    observed = log(audit=0.3, feedback=0.3)
    labels = make_labels(observed, TRUTH, LabelOptions(by_request=False))
    judged, audited = ~np.isnan(observed.feedback), ~np.isnan(observed.audit)
    assert (labels.source[judged] == JUDGED).all()
    assert (labels.source[audited & ~judged] == AUDITED).all()
    assert labels.values[judged] == pytest.approx(observed.feedback[judged])
    assert labels.values[audited & ~judged] == pytest.approx(observed.audit[audited & ~judged])
    rest = labels.source == VERDICT
    assert labels.values[rest] == pytest.approx(np.where(observed.verdict[rest] == 1, 0.9, 0.2))


def test_tiers_never_tried_are_missing() -> None:
    observed = log(audit=0.1)
    labels = make_labels(observed, TRUTH)
    untried = ~observed.tried
    assert untried.any()
    assert np.isnan(labels.values[untried]).all()
    assert (labels.weights[untried] == 0).all()
    assert (labels.source[untried] == UNKNOWN).all()
    assert (labels.weights[labels.source != UNKNOWN] > 0).all()


@settings(max_examples=20)
@given(st.floats(1.0, 100.0), st.one_of(st.none(), st.floats(0.1, 100.0)))
def test_weights_are_clipped_and_fade(clip: float, half_life: float | None) -> None:
    observed = log(300, explore=0.1)
    labels = make_labels(observed, TRUTH, LabelOptions(half_life, clip), now=float(observed.time[-1]) + DAY)
    known = labels.source != UNKNOWN
    age = (observed.time[-1] + DAY - observed.time) / DAY
    faded = 1.0 if half_life is None else (0.5 ** (age / half_life))[:, None]
    expected = np.minimum(1 / np.where(known, observed.chance, 1.0), clip) * faded
    assert labels.weights[known] == pytest.approx(
        expected[known] if half_life else np.broadcast_to(expected, known.shape)[known]
    )
    assert labels.clipped == pytest.approx((1 / observed.chance[known] > clip).mean())


def test_the_latest_row_counts_whole_by_default() -> None:
    observed = log(500, explore=0.0, audit=0.0)
    labels = make_labels(observed, TRUTH, LabelOptions(half_life=1 / 24, clip=1.0))
    hours = (observed.time[-1] - observed.time) / 3600
    assert labels.weights.max(axis=1) == pytest.approx(0.5**hours)


@pytest.mark.parametrize("options", [{"clip": 0.5}, {"half_life": 0.0}, {"half_life": -1.0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        LabelOptions(**options)


def test_audits_show_what_a_gate_is_worth() -> None:
    world = World(20_000, 1)
    observed = world.log(1, explore=0.1, audit=0.3).observed
    found = gate_truth(observed)
    for verdict, shown in ((1.0, found.passed), (0.0, found.failed)):
        for tier in (0, 2):
            answers = observed.verdict[:, tier] == verdict
            if shown.audits[tier] > 100:
                truth = world.quality[answers, tier].mean()
                assert shown.low[tier] - 0.03 < truth < shown.high[tier] + 0.03
    assert found.passed.audits[0] > 1000
    assert found.passed.low[0] > found.failed.high[0]


def test_corrected_verdicts_are_right_on_average() -> None:
    """The gate passes four of ten bad answers; taken as truth, its verdicts promise too much."""
    world = World(20_000, 2)
    observed = world.log(2, explore=0.0, audit=0.05).observed
    labels = make_labels(observed, gate_truth(observed))
    answers = (labels.source == VERDICT)[:, 0] & (observed.verdict[:, 0] == 1)
    truth = world.quality[answers, 0].mean()
    assert labels.values[answers, 0].mean() == pytest.approx(truth, abs=0.03)
    assert truth < 0.9


def test_without_audits_expectations_and_assumptions_stand_and_it_is_said() -> None:
    world = World(20_000, 7)
    observed = world.log(7, explore=0.0, audit=0.0).observed
    found = gate_truth(observed, RATES.pass_adequate)
    for verdict, rates in ((1.0, found.passed), (0.0, found.failed)):
        answers = observed.verdict[:, 0] == verdict
        assert rates.value[0] == pytest.approx(world.quality[answers, 0].mean(), abs=0.03)
    assert any("no answer that passed was audited" in note for note in found.notes)
    assert any("no answer that failed was audited" in note for note in found.notes)
    assert gate_truth(observed, 1.0).failed.value == pytest.approx(np.zeros(3), abs=0.002)


@settings(max_examples=30)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_verdicts_are_corrected_by_request_and_keep_their_rate(expected: list[float], rate: float) -> None:
    chances = np.array(expected)[:, None]
    found = GateTruth(rates(rate), rates(0.1), ()).adequate(np.ones(chances.shape), chances)
    assert found.mean() == pytest.approx(rate, abs=1e-6)
    order = np.argsort(chances[:, 0])
    assert (np.diff(found[order, 0]) >= -1e-9).all()


def test_hard_requests_pass_more_often_by_mistake() -> None:
    world = World(20_000, 9)
    observed = world.log(9, explore=0.5, audit=0.1).observed
    passed = (observed.verdict[:, 0] == 1) & np.isnan(observed.audit[:, 0])
    for hard in (world.task == 0, world.task == 1):
        truth = world.quality[passed & hard, 0].mean()
        labels = make_labels(observed, gate_truth(observed, RATES.pass_adequate))
        assert labels.values[passed & hard, 0].mean() == pytest.approx(truth, abs=0.05)
    alike = make_labels(observed, gate_truth(observed), LabelOptions(by_request=False)).values
    assert alike[passed & hard, 0].mean() > truth + 0.15


def test_requests_without_an_expectation_get_the_tiers_rate() -> None:
    found = TRUTH.adequate(np.array([[1.0, 0.0, np.nan]]), np.full((1, 3), np.nan))
    assert found.tolist() == [[0.9, 0.2, pytest.approx(np.nan, nan_ok=True)]]


def test_audits_of_passed_answers_tell_of_failed_ones() -> None:
    """An artifact that expects far too much is corrected by the audits."""
    world = World(20_000, 8)
    observed = replace(world.log(8, explore=0.0, audit=0.1).observed, expected=np.full((20_000, 3), 0.99))
    found = gate_truth(observed, RATES.pass_adequate)
    failed = observed.verdict[:, 0] == 0
    assert found.failed.audits[0] == 0
    assert found.failed.value[0] == pytest.approx(world.quality[failed, 0].mean(), abs=0.03)


def test_a_thin_tier_leans_on_the_others() -> None:
    observed = log(20_000, seed=3, explore=0.02, audit=0.05)
    found = gate_truth(observed)
    thin = int(np.argmin(np.where(observed.tried.any(axis=0), found.passed.audits, 10**9)))
    thick = int(np.argmax(found.passed.audits))
    width = found.passed.high - found.passed.low
    assert width[thin] > width[thick]
    assert any(observed.tiers[thin] in note and "leans on all tiers'" in note for note in found.notes)


@settings(max_examples=30)
@given(st.integers(0, 50), st.integers(0, 50))
def test_audits_move_rates_towards_what_they_found(good: int, bad: int) -> None:
    observed = log(400, explore=0.0, audit=0.0)
    passed = np.flatnonzero(observed.verdict[:, 0] == 1)[: good + bad]
    audit = observed.audit.copy()
    audit[passed, 0] = np.repeat([1.0, 0.0], [good, bad])
    found, before = gate_truth(replace(observed, audit=audit)), gate_truth(observed)
    assert found.passed.audits[0] == good + bad
    share, prior, now = good / max(good + bad, 1), before.passed.value[0], found.passed.value[0]
    assert min(share, prior) - 1e-9 <= now <= max(share, prior) + 1e-9 or good + bad == 0
    assert found.passed.low[0] <= now <= found.passed.high[0]


def scores(pairs: list[tuple[float, float]]) -> NDArray[np.float64]:
    return np.array(pairs, np.float64).reshape(-1, 2)


def test_nested_tiers_are_counted() -> None:
    found = nesting(scores([(1, 1)] * 90 + [(1, 0)] * 10 + [(0, 1)] * 30 + [(1, np.nan)] * 7))
    assert found.pairs.tolist() == [[0, 100], [0, 0]]
    assert found.rate[0, 1] == pytest.approx(0.9)
    assert found.low[0, 1] == pytest.approx(0.836, abs=0.002)  # Clopper and Pearson's one-sided bound of 90 in 100
    assert np.isnan(found.rate[1, 0])


def test_too_few_pairs_imply_nothing() -> None:
    few, many = nesting(scores([(1, 1)] * 50)), nesting(scores([(1, 1)] * 70))
    assert few.low[0, 1] < 0.95 < many.low[0, 1]
    assert nesting(scores([(0, 1)])).low[0, 1] == 0.0


def test_only_what_is_sure_implies_a_dearer_tier() -> None:
    values = scores([(1, np.nan), (1, np.nan), (0, np.nan), (1, 0), (0.9, np.nan)])
    source = np.array([[AUDITED, 0], [JUDGED, 0], [AUDITED, 0], [AUDITED, VERDICT], [VERDICT, 0]])
    labels = Labels(values, np.where(source > 0, 2.0, 0.0), source, 0.0)
    implied = imply(labels, nesting(scores([(1, 1)] * 99 + [(1, 0)])), least=0.9)
    assert implied.source[:, 1].tolist() == [IMPLIED, IMPLIED, UNKNOWN, VERDICT, UNKNOWN]
    assert implied.values[:2, 1] == pytest.approx([0.99, 0.99])
    assert implied.weights[:, 1].tolist() == [2.0, 2.0, 0.0, 2.0, 0.0]
    assert imply(labels, nesting(scores([(1, 1)] * 9)), least=0.9).source.tolist() == source.tolist()
    assert implied.certain[:, 1].tolist() == pytest.approx([np.nan] * 5, nan_ok=True)
