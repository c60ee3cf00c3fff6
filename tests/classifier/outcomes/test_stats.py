"""The rows in sums."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.helpers.outcomes import START, Opener, attempt, decision


def test_sums(url: str, open_store: Opener) -> None:
    gates = ({"gate": "json", "passed": True}, {"gate": "length", "passed": False}, {"gate": "model", "passed": None})
    made = [
        decision(attempts=(attempt(0, passed=False, gates=gates, cost=0.001), attempt(1, tier="opus", cost=0.02))),
        decision(
            START + timedelta(days=1),
            answered="haiku",
            audited=True,
            expected_cost=(0.003, None),
            attempts=(
                attempt(0, passed=True, gates=gates[:1], cost=0.003, latency=1.5),
                attempt(1, purpose="judge", tier="sonnet", cost=0.5),
                attempt(2, purpose="audit", tier="opus", cost=None, latency=None, error="timeout"),
            ),
        ),
        decision(answered=None, explored=True, chosen="opus", attempts=(attempt(0, tier="opus", error="http 429"),)),
    ]
    store = open_store(url)
    store.write(made)
    store.record_feedback(made[0].id, 0.5)
    store.record_feedback(made[1].id, 1.0)
    store.record_feedback(made[1].id, 0.0, tier="opus", source="audit")
    assert store.flush(60)
    stats = store.stats()
    assert (stats.decisions, stats.first, stats.last) == (3, START, START + timedelta(days=1))
    assert (stats.unanswered, stats.escalated, stats.explored, stats.audited) == (1, 1, 1, 1)
    assert stats.escalation_rate == 0.5
    assert stats.cost == pytest.approx({"answer": 0.026, "judge": 0.5})
    assert stats.mean_cost == pytest.approx(0.526 / 3)
    assert stats.errors == {"timeout": 1, "http 429": 1}
    assert {name: (gate.checked, gate.passed) for name, gate in stats.gates.items()} == {
        "json": (2, 2),
        "length": (1, 0),
    }
    assert stats.gates["json"].rate == 1.0
    haiku, opus = stats.tiers["haiku"], stats.tiers["opus"]
    assert (haiku.chosen, haiku.answered, haiku.tried, haiku.failed) == (2, 1, 2, 0)
    assert (haiku.verdicts.checked, haiku.verdicts.passed) == (2, 1)
    assert haiku.mean_cost == pytest.approx(0.002)
    assert haiku.mean_latency == pytest.approx(1.0)
    assert haiku.expected_cost == pytest.approx(0.005 / 3)
    assert haiku.feedback == 1.0
    assert (opus.chosen, opus.answered, opus.tried, opus.failed, opus.feedback) == (1, 1, 3, 2, 0.25)
    assert opus.expected_cost == pytest.approx(0.01)
    assert "sonnet" not in stats.tiers  # only asked to judge
    assert {name: (each.count, each.mean_score) for name, each in stats.feedback.items()} == {
        "user": (2, 0.75),
        "audit": (1, 0.0),
    }


def test_an_empty_store(url: str, open_store: Opener) -> None:
    store = open_store(url)
    store.write([])
    stats = store.stats()
    assert (stats.decisions, stats.first, stats.escalation_rate, stats.mean_cost) == (0, None, None, None)
    assert not stats.tiers


def test_audits_show_how_often_the_gates_pass_what_is_bad(url: str, open_store: Opener) -> None:
    store = open_store(url)
    scores = {True: (1.0, 1.0, 0.0, 1.0), False: (0.0, 1.0)}
    for passed, found in scores.items():
        for score in found:
            made = decision(
                answered="haiku", attempts=(attempt(0, passed=passed), attempt(1, purpose="audit", tier="opus"))
            )
            store.record(made)
            store.record_feedback(made.id, score, tier="haiku", source="audit")
            store.record_feedback(made.id, 1.0, tier="opus", source="audit")
            store.record_feedback(made.id, 0.3, tier="haiku")
    store.record_feedback("no such decision", 0.0)
    assert store.flush(60)
    stats = store.stats()
    assert set(stats.audits) == {"haiku"}
    haiku = stats.audits["haiku"]
    assert (haiku.passed.count, haiku.false_pass_rate) == (4, pytest.approx(0.25))
    assert (haiku.failed.count, haiku.failed.mean_score) == (2, 0.5)
    assert stats.feedback["user"].count == 6
