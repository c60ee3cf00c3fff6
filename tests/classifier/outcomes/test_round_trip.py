"""What is recorded is what is read, on both databases and through lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.outcomes import (
    AttemptRecord,
    DecisionRecord,
    FeedbackRecord,
    LateAttempt,
    Outcome,
    OutcomeStore,
    new_id,
)
from classifier.outcomes.lines import LineError, from_line, to_line
from tests.helpers.odd_json import any_json, any_text
from tests.helpers.outcomes import START, attempt, decision

finite = st.floats(allow_nan=False, allow_infinity=False)
maybe_text, maybe_number = st.none() | any_text, st.none() | finite
whole = st.none() | st.integers(-(2**63) + 1, 2**63 - 1)
moments = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))
objects = st.dictionaries(any_text, any_json, max_size=3)
numbers = st.lists(maybe_number, max_size=4).map(tuple)
attempts = st.builds(
    AttemptRecord,
    position=st.just(0),
    purpose=any_text,
    tier=any_text,
    model=any_text,
    passed=st.none() | st.booleans(),
    score=maybe_number,
    gates=st.lists(objects, max_size=2).map(tuple),
    tokens_in=whole,
    tokens_out=whole,
    cost=maybe_number,
    latency=maybe_number,
    finish_reason=maybe_text,
    error=maybe_text,
    response=maybe_text,
    answer_features=st.none() | st.dictionaries(any_text, finite, max_size=3),
)
decisions = st.builds(
    DecisionRecord,
    id=st.uuids().map(str),
    time=moments,
    chosen=any_text,
    rule=any_text,
    artifact=maybe_text,
    setting=objects,
    menu=st.lists(any_text, max_size=4).map(tuple),
    prompt=maybe_text,
    messages=st.none() | st.lists(objects, max_size=3),
    features=st.none() | st.binary(),
    prompt_hash=st.text("0123456789abcdef", min_size=1),
    task=maybe_text,
    max_tokens=whole,
    tools=any_json,
    response_format=any_json,
    probabilities=numbers,
    expected_quality=numbers,
    expected_cost=numbers,
    novelty=maybe_number,
    propensity=maybe_number,
    explored=st.booleans(),
    audited=st.booleans(),
    answered=maybe_text,
    key=maybe_text,
    planned=maybe_text,
    start_probabilities=st.none() | st.dictionaries(any_text, st.floats(0, 1), max_size=4),
    candidate=maybe_text,
    explore_share=maybe_number,
    audit_share=maybe_number,
    gate=maybe_text,
    attempts=st.lists(attempts, max_size=2).map(
        lambda found: tuple(AttemptRecord(**{**fields(each), "position": n}) for n, each in enumerate(found))
    ),
)
judgements = st.builds(
    FeedbackRecord,
    id=st.uuids().map(str),
    decision=any_text,
    time=moments,
    score=st.floats(0, 1),
    source=any_text,
    tier=maybe_text,
)


def fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutcomeStore]:
    """One store for all examples."""
    folder = tmp_path_factory.mktemp("shared")
    url = f"sqlite:///{folder / 'o.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").new_database()
    with OutcomeStore(url, store_responses=True, spill=folder / "spill") as store:
        yield store


@pytest.mark.slow
@given(decision=decisions)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_decision_comes_back(shared: OutcomeStore, decision: DecisionRecord) -> None:
    decision = replace(decision, id=new_id())  # examples may share what is drawn, but no two decisions an id
    shared.record(decision)
    assert shared.flush(60)
    found = list(shared.outcomes(since=decision.time, until=decision.time + timedelta(microseconds=1)))
    assert Outcome(decision) in found


@pytest.mark.slow
@given(record=decisions | judgements | st.builds(LateAttempt, decision=any_text, attempt=attempts))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_record_comes_back_from_its_line(record: Any) -> None:
    line = to_line(record)
    assert line.count("\n") == 1
    assert from_line(line.encode()) == record


@pytest.mark.slow
@given(record=decisions, cut=st.integers(0, 10_000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_line_that_is_cut_is_told_from_a_record(record: DecisionRecord, cut: int) -> None:
    line = to_line(record).encode().rstrip()
    with pytest.raises(LineError):
        from_line(line[: cut % len(line)])


def test_a_line_of_another_format_or_kind_is_no_record() -> None:
    for line in (
        b"[]",
        b"{}",
        b"\xff",
        b'{"format":2,"kind":"decision"}',
        b'{"format":1,"kind":"other"}',
        b"null",
        b"1",
    ):
        with pytest.raises(LineError):
            from_line(line)


def test_a_line_of_an_older_release_lacks_what_it_did_not_know() -> None:
    newer = ("planned", "start_probabilities", "candidate", "explore_share", "audit_share", "gate")
    record = decision(START, id="old")
    content = json.loads(
        to_line(replace(record, planned="haiku", start_probabilities={"haiku": 0.95}, gate="finished"))
    )
    line = json.dumps({name: value for name, value in content.items() if name not in newer})
    assert from_line(line) == record
    assert [getattr(record, name) for name in newer] == [None] * len(newer)


def test_a_time_of_another_zone_comes_back_as_the_same_moment(shared: OutcomeStore) -> None:
    there = START.astimezone(timezone(timedelta(hours=9)))
    record = decision(there, id="elsewhere")
    shared.record(record)
    assert shared.flush(60)
    found = [each.decision for each in shared.outcomes() if each.decision.id == "elsewhere"]
    assert [each.time for each in found] == [START]
    assert found[0].time.utcoffset() == timedelta(0)


def test_what_a_column_cannot_hold_is_not_observed(shared: OutcomeStore, tmp_path: Path) -> None:
    odd = decision(
        id="odd",
        novelty=float("nan"),
        max_tokens=10**30,
        probabilities=(float("inf"), 0.5),
        attempts=(attempt(0, cost=float("inf"), tokens_in=2**63),),
    )
    shared.record(odd)
    assert shared.flush(60)
    (found,) = [each.decision for each in shared.outcomes() if each.decision.id == "odd"]
    assert (found.novelty, found.max_tokens, found.probabilities) == (None, None, (None, 0.5))
    assert (found.attempts[0].cost, found.attempts[0].tokens_in) == (None, None)
