"""What the store knows of a cascade's requests, on SQLite and PostgreSQL."""

import asyncio
from collections import Counter
from random import Random

import pytest
from openai import AsyncOpenAI

from classifier.cascade import AsyncCascade
from classifier.gates import Judge
from tests.helpers.cascades import BAD, GOOD, KEY, MESSAGES, ask, by_tier, good_gate, with_cascade
from tests.helpers.openai_server import Fault, Reply
from tests.helpers.outcomes import wait_for

both = pytest.mark.parametrize("kind", ["sync", "async"])


def kept(store):
    assert store.flush(30)
    return list(store.outcomes())


@both
def test_a_decision_is_kept_with_every_attempt(kind, router, upstream, open_store, url):
    upstream.answer_with(by_tier(haiku=Reply(BAD, tokens_in=9, tokens_out=4)))
    store = open_store(url, store_responses=True)
    result = ask(kind, upstream, {"router": router, "store": store}, task="Summarization", key="team", max_tokens=70)
    (outcome,) = kept(store)
    decision = outcome.decision
    assert (decision.id, decision.chosen, decision.answered, decision.key) == (result.id, "haiku", result.tier, "team")
    assert (list(decision.messages), decision.task, decision.max_tokens) == (MESSAGES, "Summarization", 70)
    assert decision.artifact == router.artifact.digest
    assert list(decision.menu) == ["haiku", "sonnet", "opus"]
    assert list(decision.probabilities) == pytest.approx(list(result.decision.probabilities.values()))
    assert (decision.propensity, decision.explored, decision.audited) == (1.0, False, False)
    assert (decision.start_probabilities, decision.planned, decision.candidate) == ({"haiku": 1.0}, "haiku", None)
    assert (decision.explore_share, decision.audit_share, decision.gate) == (0.0, 0.0, "good")
    first, second = decision.attempts
    assert (first.tier, first.passed, first.score, first.response) == ("haiku", False, 0.0, BAD)
    assert (first.tokens_in, first.tokens_out, first.cost) == (9, 4, pytest.approx(result.attempts[0].cost))
    assert [gate["gate"] for gate in first.gates] == ["good"]
    assert first.answer_features
    assert (second.tier, second.passed, second.error) == (result.tier, True, None)


@both
def test_a_stream_is_kept_when_it_has_ended(kind, router, upstream, open_store, url):
    upstream.answer_with(lambda body: Reply(GOOD, tokens_in=9, tokens_out=4))
    store = open_store(url)

    def read(cascade):
        stream = cascade.create(messages=MESSAGES, stream=True)
        next(stream)
        assert store.counters.waiting == 0
        list(stream)

    async def read_later(cascade):
        stream = await cascade.create(messages=MESSAGES, stream=True)
        assert [chunk async for chunk in stream]

    options = {"router": router, "store": store, "start": "opus", "audit": 0.5}
    with_cascade(kind, upstream, options, read if kind == "sync" else read_later)
    (outcome,) = kept(store)
    assert outcome.decision.audit_share == 0.0
    (attempt,) = outcome.decision.attempts
    assert (attempt.tokens_in, attempt.tokens_out, attempt.passed, attempt.error) == (9, 4, True, None)


@both
def test_failures_are_kept_by_their_kind(kind, router, upstream, open_store, url):
    upstream.answer_with(lambda body: Reply(status=500, error_message=MESSAGES[0]["content"]))
    store = open_store(url)
    with pytest.raises(Exception, match="500"):
        ask(kind, upstream, {"router": router, "store": store})
    (outcome,) = kept(store)
    assert outcome.decision.answered is None
    assert {attempt.error for attempt in outcome.decision.attempts} == {"http 500"}


def test_what_is_kept_of_the_request_is_what_the_store_is_told(router, upstream, open_store, sqlite_url):
    store = open_store(sqlite_url, keep="features")
    ask("sync", upstream, {"router": router, "store": store})
    (outcome,) = kept(store)
    assert outcome.decision.messages is None
    found = outcome.decision.features
    expected = router.features(ask("sync", upstream, {"router": router}).decision.request)
    assert found.terms.tolist() == expected.terms.tolist()
    assert found.dense.tolist() == expected.dense.tolist()


@both
def test_exploring_is_kept_with_its_propensity(kind, router, upstream, open_store, sqlite_url):
    upstream.answer_with(by_tier())
    store = open_store(sqlite_url)
    options = {"router": router, "store": store, "start": "opus", "explore": 1.0, "explore_floor": 0.0}
    result = ask(kind, upstream, options)
    (outcome,) = kept(store)
    assert (outcome.decision.explored, outcome.decision.propensity) == (True, 0.5)
    assert outcome.decision.start_probabilities == {"haiku": 0.5, "sonnet": 0.5}
    assert (outcome.decision.planned, outcome.decision.explore_share) == ("opus", 1.0)
    assert outcome.decision.attempts[0].purpose == "explore"
    assert outcome.decision.chosen == result.attempts[0].tier != "opus"


@both
@pytest.mark.parametrize(("reference", "score"), [("the answer is 7", 1.0), ("the answer is 8", 0.0)])
def test_an_audit_compares_a_passed_answer_with_the_references(
    kind, router, upstream, open_store, url, reference, score
):
    upstream.answer_with(by_tier(haiku=Reply("a good answer is 7"), opus=Reply(reference)))
    store = open_store(url)
    result = ask(kind, upstream, {"router": router, "store": store, "audit": 1.0})
    assert result.tier == "haiku"
    (outcome,) = kept(store)
    assert outcome.decision.audited
    assert [(each.purpose, each.tier) for each in outcome.decision.attempts] == [("answer", "haiku"), ("audit", "opus")]
    found = {(each.score, each.source, each.tier) for each in outcome.feedback}
    assert found == {(score, "audit", "haiku"), (1.0, "audit", "opus")}


@both
def test_a_judge_may_audit_both_answers(kind, router, upstream, open_store, url):
    def respond(body):
        judging = "score" in str(body["messages"][0]["content"]).lower()
        return Reply('{"score": 3}') if judging else Reply(GOOD)

    upstream.answer_with(respond)
    store = open_store(url)
    ask(kind, upstream, {"router": router, "store": store, "audit": 1.0, "audit_gate": Judge("sonnet")})
    (outcome,) = kept(store)
    purposes = [each.purpose for each in outcome.decision.attempts]
    assert purposes == ["answer", "audit", "judge", "judge"]
    assert {each.tier: each.score for each in outcome.feedback} == {"haiku": 0.3, "opus": 0.3}


@both
def test_what_an_audit_cannot_tell_is_not_told(kind, router, upstream, open_store, sqlite_url):
    """Other words may mean the same, and a judge that is down has not judged."""
    prose = by_tier(haiku=Reply("A good meeting, moved to Thursday."), opus=Reply("It is on Thursday now."))
    for respond, gate in ((prose, None), (by_tier(sonnet=Reply(status=500)), Judge("sonnet"))):
        upstream.answer_with(respond)
        store = open_store(sqlite_url)
        ask(kind, upstream, {"router": router, "store": store, "audit": 1.0, "audit_gate": gate})
        assert all(not outcome.feedback for outcome in kept(store))


@pytest.mark.slow
@both
def test_an_audit_has_a_deadline_of_its_own(kind, router, upstream, open_store, sqlite_url):
    def respond(body):
        judging = "score" in str(body["messages"][0]["content"]).lower()
        return Reply('{"score": 9}', delay=0.4) if judging else Reply(GOOD, delay=0.4)

    upstream.answer_with(respond)
    store = open_store(sqlite_url)
    options = {"router": router, "store": store, "audit": 1.0, "audit_gate": Judge("sonnet"), "deadline": 4.0}
    ask(kind, upstream, options)
    (outcome,) = kept(store)
    assert {each.tier: each.score for each in outcome.feedback} == {"haiku": 0.9, "opus": 0.9}


def test_a_closed_cascade_answers_without_auditing(router, upstream):
    upstream.answer_with(by_tier())

    def use(cascade):
        cascade.run(messages=MESSAGES)
        cascade.close()
        return cascade.run(messages=MESSAGES)

    assert with_cascade("sync", upstream, {"router": router, "audit": 1.0}, use).tier == "haiku"


@both
def test_feedback_is_kept(kind, router, upstream, open_store, url):
    store = open_store(url)

    def use(cascade):
        result = cascade.run(messages=MESSAGES)
        cascade.record_feedback(result.id, score=0.25)

    async def use_later(cascade):
        result = await cascade.run(messages=MESSAGES)
        cascade.record_feedback(result.id, score=0.25)

    with_cascade(kind, upstream, {"router": router, "store": store}, use if kind == "sync" else use_later)
    (outcome,) = kept(store)
    assert [(each.score, each.source) for each in outcome.feedback] == [(0.25, "user")]


@both
def test_a_store_that_raises_does_not_fail_the_request(kind, router, upstream, caplog):
    class Broken:
        def record(self, decision):
            raise OSError(decision.messages)

        def record_attempt(self, *_):
            raise OSError

    upstream.answer_with(by_tier())
    result = ask(kind, upstream, {"router": router, "store": Broken(), "audit": 1.0})
    assert result.tier == "haiku"
    assert "an outcome was not recorded (OSError)" in caplog.text
    assert MESSAGES[0]["content"] not in caplog.text


def test_a_store_may_be_given_by_its_url(router, upstream, tmp_path, open_store):
    url = f"sqlite:///{tmp_path / 'own.db'}"
    ask("sync", upstream, {"router": router, "store": url})
    assert len(kept(open_store(url))) == 1


REQUESTS = 200


@pytest.mark.slow
def test_200_requests_at_once_are_all_answered_and_kept_once(router, upstream, open_store, url):
    """A third of the calls of every tier but the dearest fails, in all the ways there are."""
    faults = [Reply(GOOD, fault=each) for each in Fault if each is not Fault.HANG]
    replies = [*[Reply(GOOD), Reply(BAD)] * len(faults), *faults, Reply(status=429), Reply(status=500)]
    random = Random(0)
    upstream.answer_with(lambda body: Reply(GOOD) if "gemini" in body["model"] else random.choice(replies))
    store = open_store(url)

    async def run():
        async with AsyncOpenAI(base_url=upstream.base_url, api_key=KEY) as client:
            options = {"router": router, "gate": good_gate(), "start": "cheapest", "store": store, "deadline": 60.0}
            async with AsyncCascade(client, **options, explore=0.1, audit=0.1) as cascade:
                return await asyncio.gather(
                    *[
                        cascade.run(messages=[{"role": "user", "content": f"prove thing{place}"}], task="math")
                        for place in range(REQUESTS)
                    ]
                )

    results = asyncio.run(run())
    assert all(result.response.choices[0].message.content in (GOOD, BAD) for result in results)
    outcomes = kept(store)
    assert Counter(outcome.decision.id for outcome in outcomes) == Counter(result.id for result in results)
    by_id = {outcome.decision.id: outcome.decision for outcome in outcomes}
    asked = 0
    for place, result in enumerate(results):
        decision = by_id[result.id]
        assert decision.messages[0]["content"] == f"prove thing{place}"
        assert decision.answered == result.tier
        assert [each.position for each in decision.attempts] == list(range(len(decision.attempts)))
        answering = [each for each in decision.attempts if each.purpose != "audit"]
        assert [(each.tier, each.error) for each in answering] == [
            (each.tier, each.error) for each in result.attempts if each.purpose != "audit"
        ]
        asked += len(decision.attempts)
    assert asked == len(upstream.calls)
    assert store.counters.dropped == 0


def test_an_audit_that_is_under_way_is_finished_when_the_cascade_is_closed(router, upstream, open_store, sqlite_url):
    upstream.answer_with(by_tier(opus=Reply(GOOD, delay=0.3)))
    store = open_store(sqlite_url)
    ask("async", upstream, {"router": router, "store": store, "audit": 1.0})
    (outcome,) = kept(store)
    assert [each.purpose for each in outcome.decision.attempts] == ["answer", "audit"]


def test_a_request_that_was_cancelled_is_kept(router, upstream, open_store, sqlite_url):
    upstream.answer_with(lambda body: Reply(fault=Fault.HANG))
    store = open_store(sqlite_url)

    async def cancel(cascade):
        request = asyncio.create_task(cascade.run(messages=MESSAGES))
        while not upstream.calls:
            await asyncio.sleep(0.01)
        request.cancel()
        await asyncio.wait([request])

    with_cascade("async", upstream, {"router": router, "store": store}, cancel)
    wait_for(lambda: store.flush(1) and store.count() == 1)
    (outcome,) = kept(store)
    assert [(each.tier, each.error) for each in outcome.decision.attempts] == [("haiku", "cancelled")]
