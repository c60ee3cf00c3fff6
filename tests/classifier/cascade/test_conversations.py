"""Conversations that a provider keeps: who can go on with them, and what the router sees of them."""

import openai
import pytest

from classifier import NoFeasibleTierError
from classifier.cascade.conversations import Conversations
from classifier.errors import InputError
from tests.helpers.cascades import BAD, GOOD, asked, by_tier, with_cascade
from tests.helpers.openai_server import OpenAIServer, Reply

pytest.importorskip("openai.types.responses", reason="this openai has no Responses API")

both = pytest.mark.parametrize("kind", ["sync", "async"])
ASK = "spell thing1"
HARD = "prove thing1 and thing19, case 0"
FIRST = [{"role": "user", "content": ASK}, {"role": "assistant", "content": GOOD}]


def talk(kind, server, options, *requests):
    """The results of some requests, one after the other; ``previous`` in one is the id of the response before."""

    def given(request, results):
        request = {"input": ASK, **request}
        if request.pop("previous", False):
            request["previous_response_id"] = results[-1].response.id
        return request

    def use(cascade):
        results = []
        for request in requests:
            results.append(cascade.responses.run(**given(request, results)))
        return results

    async def use_later(cascade):
        results = []
        for request in requests:
            results.append(await cascade.responses.run(**given(request, results)))
        return results

    return with_cascade(kind, server, options, use if kind == "sync" else use_later)


@pytest.fixture
def other():
    with OpenAIServer() as server:
        server.answer_with(lambda body: Reply(GOOD))
        yield server


def messages_of(store):
    assert store.flush(30)
    return [list(outcome.decision.messages) for outcome in store.outcomes()]


@both
def test_the_router_and_the_store_see_the_whole_of_a_conversation(kind, router, upstream, open_store, sqlite_url):
    store = open_store(sqlite_url)
    upstream.answer_with(lambda body: Reply(GOOD))
    _, second = talk(
        kind,
        upstream,
        {"router": router, "store": store},
        {"instructions": "Be brief."},
        {"previous": True, "input": "And now?", "instructions": "Be long."},
    )
    whole = [{"role": "system", "content": "Be long."}, *FIRST, {"role": "user", "content": "And now?"}]
    assert messages_of(store)[1] == whole
    assert second.decision.request == router.route(messages=whole).request
    assert upstream.calls[1].body["input"] == "And now?"
    assert upstream.calls[1].body["previous_response_id"].startswith("resp_")


@both
def test_a_stream_goes_on_as_well(kind, router, upstream, open_store, sqlite_url):
    store = open_store(sqlite_url)
    upstream.answer_with(lambda body: Reply(GOOD))

    def use(cascade):
        events = list(cascade.responses.create(input=ASK, stream=True))
        cascade.responses.create(input="And now?", previous_response_id=events[-1].response.id)

    async def use_later(cascade):
        events = [event async for event in await cascade.responses.create(input=ASK, stream=True)]
        await cascade.responses.create(input="And now?", previous_response_id=events[-1].response.id)

    options = {"router": router, "store": store, "start": "opus"}
    with_cascade(kind, upstream, options, use if kind == "sync" else use_later)
    assert sorted(messages_of(store), key=len)[1] == [*FIRST, {"role": "user", "content": "And now?"}]


@both
def test_a_conversation_that_is_not_known_goes_to_the_reference(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))
    (result,) = talk(kind, upstream, {"router": router, "start": "router"}, {"previous_response_id": "resp_other"})
    assert result.tier == router.rule.reference
    (result,) = talk(
        kind, upstream, {"router": router, "start": "router"}, {"previous_response_id": "resp_other", "model": "haiku"}
    )
    assert result.tier == "haiku"


@both
def test_what_is_not_kept_at_the_provider_is_not_kept_here(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))
    _, second = talk(kind, upstream, {"router": router}, {"store": False}, {"previous": True, "input": "And now?"})
    assert second.decision.request.text == "And now?"


@both
def test_only_tiers_of_the_same_client_go_on(kind, router, upstream, other):
    upstream.answer_with(lambda body: Reply(GOOD if "input" not in body or body["input"] == ASK else BAD))
    options = {"router": router, "servers": {"opus": other}}
    first, second = talk(kind, upstream, options, {}, {"previous": True, "input": HARD})
    assert first.tier == "haiku"
    assert second.tier in ("haiku", "sonnet")
    assert not other.calls
    first, second = talk(kind, upstream, options, {"model": "opus"}, {"previous": True})
    assert (first.tier, second.tier) == ("opus", "opus")
    assert len(other.calls) == 2


@both
@pytest.mark.parametrize("where", [{"previous_response_id": "resp_other"}, {"conversation": {"id": "conv_1"}}])
def test_with_several_clients_an_unknown_conversation_must_name_its_tier(kind, router, upstream, other, where):
    options = {"router": router, "servers": {"opus": other}}
    with pytest.raises(InputError, match="name a tier of the client that did"):
        talk(kind, upstream, options, where)
    assert not upstream.calls
    (result,) = talk(kind, upstream, options, {**where, "model": "opus"})
    assert result.tier == "opus"


@both
def test_a_conversation_gets_one_answer_only(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(BAD))
    options = {"router": router, "start": "router", "audit": 1.0}
    first, second = talk(
        kind, upstream, options, {"conversation": "conv_1", "model": "haiku"}, {"conversation": {"id": "conv_1"}}
    )
    assert [each.response.output_text for each in (first, second)] == [BAD, BAD]
    assert len(upstream.calls) == 2
    assert second.decision.request.turns == 3
    assert second.tier == second.decision.tier


@both
def test_a_tier_that_fails_is_made_good_by_another_in_a_conversation(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply(status=429)))
    (result,) = talk(kind, upstream, {"router": router}, {"conversation": "conv_1", "model": "haiku"})
    assert asked(upstream.calls)[0] == "haiku"
    assert result.tier != "haiku"


@both
def test_what_is_made_in_the_background_is_not_judged(kind, router, upstream, open_store, sqlite_url):
    store = open_store(sqlite_url)
    upstream.answer_with(lambda body: Reply(BAD))
    options = {"router": router, "start": "router", "store": store, "audit": 1.0}
    (result,) = talk(kind, upstream, options, {"background": True})
    assert (result.response.status, result.passed, result.tier) == ("queued", None, result.decision.tier)
    assert len(upstream.calls) == 1
    assert store.flush(30)
    (outcome,) = store.outcomes()
    (attempt,) = outcome.decision.attempts
    assert (attempt.passed, attempt.finish_reason, outcome.decision.audited) == (None, "queued", False)
    assert outcome.decision.audit_share == 0


@both
def test_a_response_is_retrieved_from_the_provider_that_gave_it(kind, router, upstream, other):
    upstream.answer_with(lambda body: Reply("from the common client"))
    other.answer_with(lambda body: Reply("from the tier's own client"))

    def use(cascade):
        made = cascade.responses.create(input=ASK, background=True, model="opus")
        return cascade.responses.retrieve(made.id), cascade.responses.retrieve("resp_other")

    async def use_later(cascade):
        made = await cascade.responses.create(input=ASK, background=True, model="opus")
        return await cascade.responses.retrieve(made.id), await cascade.responses.retrieve("resp_other")

    options = {"router": router, "servers": {"opus": other}}
    known, unknown = with_cascade(kind, upstream, options, use if kind == "sync" else use_later)
    assert (known.output_text, unknown.output_text) == ("from the tier's own client", "from the common client")


@both
def test_a_response_in_the_background_is_streamed_by_its_id(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))

    def use(cascade):
        with cascade.responses.stream(response_id="resp_1") as stream:
            return list(stream)

    async def use_later(cascade):
        async with cascade.responses.stream(response_id="resp_1") as stream:
            return [event async for event in stream]

    events = with_cascade(kind, upstream, {"router": router}, use if kind == "sync" else use_later)
    assert events[-1].response.output_text == GOOD
    assert [call.method for call in upstream.calls] == ["GET"]


@both
@pytest.mark.parametrize("name", ["cancel", "delete"])
def test_cancelling_and_deleting_are_the_clients_own(kind, router, upstream, name):
    with pytest.raises(openai.NotFoundError):
        with_cascade(kind, upstream, {"router": router}, lambda cascade: getattr(cascade.responses, name)("resp_1"))
    assert upstream.calls[-1].path.startswith("/v1/responses/resp_1")


def test_no_more_is_remembered_than_there_is_room_for():
    kept = Conversations()
    for number in range(10_005):
        kept.note(str(number), "haiku", [{"role": "user", "content": "x"}])
    assert kept.find("4") is None
    assert kept.find("5").tier == "haiku"
    for number in range(20):
        kept.note(f"long {number}", "haiku", [{"role": "user", "content": "x" * 2**20}])
    assert kept.find("10004") is None
    assert kept.find("long 3") is None
    assert kept.find("long 19").messages is not None


def test_of_too_long_a_conversation_only_the_tier_is_remembered():
    kept = Conversations()
    kept.note("a", "opus", [{"role": "user", "content": "x" * 2**22}])
    assert (kept.find("a").tier, kept.find("a").messages) == ("opus", None)
    kept.note("a", "haiku", [])
    assert (kept.find("a").tier, kept.find("a").messages) == ("haiku", [])


def test_a_conversation_that_its_clients_tiers_cannot_serve_is_refused(router):
    kept = Conversations()
    kept.homes = {"opus": object()}
    kept.note("a", "opus", [])
    decision = router.route("hi")
    assert kept.at_home(decision, kept.find("a"), None).tier == "opus"
    decision.feasible = (0, 1)
    with pytest.raises(NoFeasibleTierError, match="send the whole of it"):
        kept.at_home(decision, kept.find("a"), None)


def test_a_client_of_its_own_at_the_same_account_goes_on_as_well(router, upstream):
    upstream.answer_with(lambda body: Reply(GOOD))
    results = talk("sync", upstream, {"router": router, "servers": {"opus": upstream}}, {}, {"previous": True})
    assert results[1].decision.feasible == results[0].decision.feasible
