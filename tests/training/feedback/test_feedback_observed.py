"""What a store's outcomes show, and how likely it was to be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from classifier.errors import InputError
from classifier.outcomes import DecisionRecord, FeedbackRecord, Outcome
from tests.helpers.logs import NAMES, World, menu
from tests.helpers.outcomes import SECRET, START, Opener, attempt, decision
from training.log.chances import start_chances, tried_chances
from training.log.observed import observe
from training.log.simulation import as_outcomes

MENU = menu()


def answer(position: int, tier: str, **fields: object) -> object:
    return attempt(position, **{"tier": tier, "model": f"vendor/{tier}-1", **fields})


def made(number: int = 0, **fields: object) -> DecisionRecord:
    """Small failed, medium answered."""
    given = {
        "id": f"decision {number}",
        "moment": START + timedelta(minutes=number),
        "chosen": "small",
        "menu": NAMES,
        "probabilities": (0.5, 0.7, 0.9),
        "expected_quality": (0.5, 0.7, 0.9),
        "expected_cost": (0.001, 0.002, 0.003),
        "answered": "medium",
        "propensity": 0.98,
        "attempts": (
            answer(0, "small", passed=False, score=0.2, gates=({"gate": "finish", "passed": False},)),
            answer(1, "medium", passed=True, score=0.9, cost=0.02),
        ),
    }
    return decision(**{**given, **fields})  # type: ignore[arg-type]


def judged(score: float, number: int = 0, **fields: object) -> FeedbackRecord:
    given = {"id": f"{score} {fields}", "decision": f"decision {number}", "time": START, "score": score}
    return FeedbackRecord(**{**given, **fields})  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_log_comes_back_from_a_store(sqlite_url: str, open_store: Opener) -> None:
    world = World(400, 0)
    log = world.log(0, explore=0.3, audit=0.2, feedback=0.3).observed
    store = open_store(sqlite_url)
    for outcome in as_outcomes(log, MENU.tiers, [f"prompt {row}" for row in range(400)]):
        store.write([outcome.decision, *outcome.feedback])
    found = observe(store.outcomes(), MENU)
    assert found.reference == log.reference == 2
    assert found.artifacts == ("simulated",)
    for name in ("start", "planned", "answered", "explored", "tried", "by_audit", "artifact"):
        assert (getattr(found, name) == getattr(log, name)).all(), name
    for name in ("time", "propensity", "verdict", "score", "feedback", "audit", "cost", "spent"):
        assert getattr(found, name) == pytest.approx(getattr(log, name), nan_ok=True), name
    for name in ("expected", "expected_quality", "expected_cost", "audit_share", "start_chance", "chance"):
        assert getattr(found, name) == pytest.approx(getattr(log, name)), name
    assert found.asked.tasks == log.asked.tasks
    assert set(found.asked.checks) == {"simulated"}
    assert found.asked.requests[7] is not None
    assert found.asked.requests[7].text == "prompt 7"
    assert found.left_out.rows == found.left_out.without_propensity == 0


def test_models_are_told_apart_whatever_their_tiers_are_called() -> None:
    """Another menu called today's small tier "cheap", and another model "large"."""
    renamed = made(
        menu=("cheap", "large"),
        chosen="cheap",
        answered="large",
        probabilities=(0.3, 0.6),
        expected_quality=(),
        expected_cost=(),
        attempts=(answer(0, "cheap", model="vendor/small-1"), answer(1, "large", model="vendor/large-0")),
    )
    gone = made(1, attempts=(answer(0, "small", model="vendor/small-0"),))
    found = observe([Outcome(renamed), Outcome(gone)], MENU)
    assert found.tried.tolist() == [[True, False, False]]
    assert found.start.tolist() == [0]
    assert found.answered.tolist() == [-1]
    assert found.expected[0, 0] == 0.3
    assert np.isnan(found.expected[0, 1:]).all()
    assert found.left_out.rows == 1
    assert found.left_out.models == {"vendor/large-0": 1, "vendor/small-0": 1}


def test_failed_calls_and_checks_are_no_answers() -> None:
    attempts = (
        answer(0, "small", error="timeout", cost=None),
        answer(1, "large", purpose="judge", cost=0.5),
        answer(2, "medium", cost=0.02),
        answer(3, "medium", cost=0.03),
    )
    found = observe([Outcome(made(attempts=attempts))], MENU)
    assert found.tried.tolist() == [[False, True, False]]
    assert found.cost[0, 1] == pytest.approx(0.05)
    assert found.spent[0] == pytest.approx(0.55)


def test_the_latest_feedback_of_each_source_counts() -> None:
    given = (judged(0.0), judged(1.0), judged(0.5, source="editor"), judged(0.0, tier="small"))
    found = observe([Outcome(made(), given)], MENU)
    assert found.feedback[0, 1] == pytest.approx(0.75)
    assert found.feedback[0, 0] == 0.0
    assert np.isnan(found.audit).all()


@pytest.mark.parametrize(("score", "expected"), [(None, 1.0), (0.7, 0.7)])
def test_an_audit_scores_both_answers(score: float | None, expected: float) -> None:
    attempts = (*made().attempts, answer(2, "large", purpose="audit", score=score))
    found = observe([Outcome(made(audited=True, attempts=attempts), (judged(0.0, source="audit"),))], MENU)
    assert found.reference == 2
    assert found.by_audit.tolist() == [[False, False, True]]
    assert found.audit[0].tolist()[1:] == [0.0, expected]
    assert np.isnan(found.verdict[0, 2])


def test_what_is_not_said_is_counted_and_taken_for_certain() -> None:
    found = observe([Outcome(made(propensity=None, prompt=None))], MENU)
    assert found.left_out.without_propensity == 1
    assert found.propensity.tolist() == [1.0]
    assert found.asked.requests == (None,)
    assert found.asked.checks == ("finish",)


def test_requests_do_not_show() -> None:
    found = observe([Outcome(made())], MENU)
    assert SECRET not in repr(found.asked)


def test_rows_can_be_picked() -> None:
    found = observe([Outcome(made(number)) for number in range(5)], MENU)
    part = found.rows(np.array([3, 1]))
    assert part.asked.ids == ("decision 3", "decision 1")
    assert part.time.tolist() == found.time[[3, 1]].tolist()
    assert len(part) == len(part.asked) == 2


@pytest.mark.parametrize("outcomes", [[], [Outcome(made(attempts=()))]])
def test_nothing_to_learn_from_is_one_line(outcomes: list[Outcome]) -> None:
    with pytest.raises(InputError, match="found none that a tier of the menu") as caught:
        observe(outcomes, MENU)
    assert "\n" not in str(caught.value)


def test_a_reference_has_to_be_a_tier() -> None:
    with pytest.raises(InputError, match="expected one of: small, medium, large"):
        observe([Outcome(made())], MENU, reference="huge")


@pytest.mark.parametrize("explore", [0.05, 0.5])
def test_weighted_tries_come_to_the_number_of_requests(explore: float) -> None:
    log = World(20_000, 5).log(5, explore=explore, audit=0.0).observed
    begun = np.arange(3) == log.start[:, None]
    assert (1 / log.start_chance).sum(axis=0, where=begun) == pytest.approx(20_000, rel=0.1)
    total = (1 / log.chance).sum(axis=0, where=log.tried)
    assert ((total > 0.95 * 20_000) & (total < 1.2 * 20_000)).all()


def test_weighted_audits_count_for_all_that_might_have_been() -> None:
    """What the reference was asked after a failure or by audit stands for every request of a cheap start."""
    log = World(20_000, 5).log(5, explore=0.0, audit=0.1).observed
    cheap = log.start == 0
    weights = (1 / log.chance[:, 2]).sum(where=log.tried[:, 2] & cheap)
    assert weights == pytest.approx(cheap.sum(), rel=0.1)


def old(outcome: Outcome) -> Outcome:
    """The same as an older release recorded it."""
    new = ("planned", "start_probabilities", "candidate", "explore_share", "audit_share", "gate")
    return replace(outcome, decision=replace(outcome.decision, **dict.fromkeys(new)))


@pytest.mark.slow
def test_what_older_releases_recorded_is_estimated() -> None:
    log = World(5000, 6).log(6, explore=0.1, audit=0.2)
    found = observe(map(old, as_outcomes(log.observed, MENU.tiers)), MENU)
    chosen = ~log.observed.explored
    assert found.start_chance[chosen] == pytest.approx(log.start_chance[chosen], rel=1e-6)
    assert found.start_chance.sum(axis=1) == pytest.approx(1.0)
    assert np.abs(found.start_chance[~chosen] - log.start_chance[~chosen]).max() > 0.1
    assert (found.planned == np.where(chosen, found.start, -1)).all()
    assert found.audit_share == pytest.approx(np.full(5000, 0.2), abs=0.02)
    assert set(found.asked.checks) == {"simulated"}


@pytest.mark.slow
def test_what_is_recorded_is_exact_beside_older_rows() -> None:
    """Two ways to explore under one artifact: newer rows do not disturb the estimate for older ones."""
    world = World(4000, 8)
    before, after = (world.log(8, explore=explore, audit=audit) for explore, audit in ((0.1, 0.3), (0.4, 0.1)))
    first = [old(outcome) for outcome in as_outcomes(before.observed, MENU.tiers)]
    found = observe([*first, *as_outcomes(after.observed, MENU.tiers)], MENU)
    chosen = np.flatnonzero(~before.observed.explored)
    assert found.start_chance[chosen] == pytest.approx(before.start_chance[chosen], rel=1e-6)
    assert found.start_chance[4000:] == pytest.approx(after.start_chance, rel=1e-12)
    assert found.audit_share[:4000] == pytest.approx(np.full(4000, 0.3), abs=0.02)
    assert set(found.audit_share[4000:]) == {0.1}
    assert (found.planned[4000:] == world.start).all()


def test_recorded_starts_follow_the_models() -> None:
    """Another menu called today's small tier "cheap"; what today's menu lacks leaves less than 1."""
    renamed = made(
        chosen="cheap",
        planned="large",
        answered="cheap",
        gate="finished & learned",
        start_probabilities={"cheap": 0.25, "large": 0.5, "huge": 0.25},
        propensity=0.25,
        attempts=(answer(0, "cheap", model="vendor/small-1", gates=({"gate": "finished", "passed": True},)),),
    )
    found = observe([Outcome(renamed)], MENU)
    assert found.start_chance.tolist() == [[0.25, 0.0, 0.5]]
    assert (found.start.tolist(), found.planned.tolist()) == ([0], [2])
    assert found.asked.checks == ("finished & learned",)


@pytest.mark.parametrize("starts", [{}, {"small": 0.7}, {"medium": 1.0}, {"small": 1.5, "large": -0.5}])
def test_recorded_starts_that_cannot_be_are_not_believed(starts: dict[str, float]) -> None:
    found = observe([Outcome(made(start_probabilities=starts))], MENU)
    assert found.start_chance.tolist() == [[0.98, 0.0, 0.0]]


def test_artifacts_are_not_mixed() -> None:
    """One artifact never explored; the other's draws say nothing of it."""
    start = np.array([0, 0, 0, 1])
    chances = start_chances(
        start, np.array([1.0, 1.0, 0.9, 0.1]), np.array([False, False, False, True]), np.array([0, 0, 1, 1]), 2
    )
    assert chances.tolist() == [[1.0, 0.0], [1.0, 0.0], [0.9, pytest.approx(0.1)], [pytest.approx(0.9), 0.1]]


def test_what_was_tried_for_sure_has_chance_one() -> None:
    tried, nobody = np.array([[True, True], [True, False]]), np.zeros(2, np.int64)
    begins = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = tried_chances(tried, np.zeros((2, 2), bool), nobody, begins, nobody, 1, 0.25)
    assert found.tolist() == [[1.0, 1.0], [1.0, 0.25]]


def test_a_start_outside_the_menu_counts_as_certain() -> None:
    tried, outside = np.array([[False, True]]), np.array([-1])
    found = tried_chances(tried, np.zeros((1, 2), bool), outside, np.zeros((1, 2)), np.zeros(1, np.int64), None, 0.0)
    assert found.tolist() == [[0.0, 1.0]]
