"""What no read limit of an HTTP library covers: connecting, handshakes, slow writes, transports of the user's own."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, contextmanager

import openai
import pytest
from openai import OpenAI

from classifier import AnswerLimits, Cascade, MalformedAnswerError
from classifier.cascade.deadline import current_call, in_time, time_left, underway
from tests.helpers.cascades import KEY, MESSAGES, by_tier, good_gate
from tests.helpers.cascades import http_library as library
from tests.helpers.faulty_upstream import GOOD, WORDS, FaultyUpstream
from tests.helpers.openai_server import Reply

DEADLINE, TOLERANCE = 0.5, 0.5  # seconds


@contextmanager
def late_by():
    """Seconds that something took beyond the deadline."""
    began, late = time.monotonic(), []
    yield late
    late.append(time.monotonic() - began - DEADLINE)


@contextmanager
def listener(accept):
    """A port; where it accepts, it never says or reads anything."""
    with closing(socket.socket()) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port, kept = server.getsockname()[1], []
        if accept:
            threading.Thread(target=lambda: [kept.append(server.accept()) for _ in range(8)], daemon=True).start()
        else:  # no room for more: whoever connects waits
            for _ in range(4):
                waiting = socket.socket()
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
                kept.append((waiting, None))
        yield port
        for connection, _ in kept:
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accept", "scheme", "size"),
    [(False, "http", 1), (True, "https", 1), (True, "http", 20_000_000)],
    ids=["connecting", "handshake", "sending"],
)
def test_time_is_up_whatever_is_waited_for(router, accept, scheme, size):
    with (
        listener(accept) as port,
        OpenAI(base_url=f"{scheme}://127.0.0.1:{port}/v1", api_key=KEY) as client,
        Cascade(client, router=router, gate=good_gate(), deadline=DEADLINE, retries=0) as cascade,
    ):
        more = {"padding": "x" * size}
        with late_by() as late, pytest.raises(openai.APIConnectionError):
            cascade.create(messages=MESSAGES, model="opus", extra_body=more)
    assert late[0] < TOLERANCE


@pytest.mark.slow
def test_a_transport_of_the_users_own_is_left_behind_when_it_is_late(router):
    ended = threading.Event()

    class Slow(library.BaseTransport):
        def handle_request(self, request):
            if b"haiku" in request.content:
                ended.wait(5)
            return library.Response(200, content=GOOD)

    with (
        library.Client(transport=Slow()) as http_client,
        OpenAI(base_url="http://upstream/v1", api_key=KEY, http_client=http_client) as client,
        Cascade(client, router=router, gate=good_gate(), deadline=2 * DEADLINE, start="haiku") as cascade,
    ):
        began = time.monotonic()
        result = cascade.run(messages=MESSAGES)
        assert time.monotonic() - began < 2 * DEADLINE + TOLERANCE
        ended.set()
    assert result.response.choices[0].message.content == WORDS
    assert result.attempts[0].error == "timeout"


@pytest.mark.slow
def test_streams_of_a_users_own_transport_are_kept_to_the_deadline(router):
    ended = threading.Event()

    class Silent(library.SyncByteStream):
        def __iter__(self):
            yield b": working\n\n"
            ended.wait(5)

    class Odd(library.BaseTransport):
        def handle_request(self, request):
            return library.Response(200, headers={"content-type": "text/event-stream"}, stream=Silent())

    with (
        library.Client(transport=Odd()) as http_client,
        OpenAI(base_url="http://upstream/v1", api_key=KEY, http_client=http_client) as client,
        Cascade(client, router=router, gate=good_gate(), deadline=DEADLINE, retries=0) as cascade,
        late_by() as late,
        pytest.raises(openai.APITimeoutError),
    ):
        cascade.create(messages=MESSAGES, model="opus", stream=True)
    ended.set()
    assert late[0] < TOLERANCE


def test_the_clients_own_calls_are_as_before(router, upstream):
    upstream.answer_with(lambda body: Reply("ok", delay=0.3))
    with OpenAI(base_url=upstream.base_url, api_key=KEY, max_retries=2) as client:
        before = dict(vars(client._client))
        options = {"router": router, "gate": good_gate(), "deadline": 0.1, "limits": AnswerLimits(body=1), "retries": 0}
        with Cascade(client, **options) as cascade:
            with pytest.raises(openai.APITimeoutError):
                cascade.create(messages=MESSAGES)
            assert client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content == "ok"
        assert {name: vars(client._client)[name] for name in ("_transport", "_mounts", "max_redirects")} == {
            name: before[name] for name in ("_transport", "_mounts", "max_redirects")
        }
        assert client.max_retries == 2


def test_the_installed_clients_sockets_keep_deadlines_themselves(router):
    """Else every call would need a thread: a new release of the client's library may call for a new look."""
    with OpenAI(api_key=KEY) as client, Cascade(client, router=router) as cascade:
        assert cascade._client._client._transport._direct


def test_a_client_that_was_closed_is_not_used(router, upstream):
    with OpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        cascade = Cascade(client, router=router)
    with pytest.raises((RuntimeError, openai.APIConnectionError)):  # older clients wrap it
        cascade.create(messages=MESSAGES)
    assert upstream.calls == []


@pytest.mark.parametrize("limits", [{"body": 600}, {"values": 1000}])
def test_an_answer_above_the_limits_is_answered_by_another_tier(router, upstream, limits):
    upstream.answer_with(by_tier(haiku=Reply("good words", tool_calls=[("f", "[" * 500)] * 5), opus=Reply("good")))
    with (
        OpenAI(base_url=upstream.base_url, api_key=KEY) as client,
        Cascade(client, router=router, gate=good_gate(), start="haiku", limits=AnswerLimits(**limits)) as cascade,
    ):
        assert [each.error for each in cascade.run(messages=MESSAGES).attempts] == ["malformed answer", None]


@pytest.mark.parametrize(("limit", "reason"), [("headers", "expected at most 2"), ("depth", "more than 2 deep")])
def test_what_is_above_the_limits_at_every_tier_is_an_error_of_the_client_and_of_ours(router, upstream, limit, reason):
    with (
        OpenAI(base_url=upstream.base_url, api_key=KEY) as client,
        Cascade(client, router=router, gate=good_gate(), limits=AnswerLimits(**{limit: 2})) as cascade,
    ):
        with pytest.raises(openai.OpenAIError, match=reason) as raised:
            cascade.run(messages=MESSAGES)
        assert isinstance(raised.value, MalformedAnswerError)


def test_a_redirect_on_the_same_host_is_followed(router):
    seen = []

    class Moved(library.HTTPTransport):
        def handle_request(self, request):
            seen.append(request.url.path)
            if request.url.path.startswith("/old"):
                return library.Response(307, headers={"location": "/v1/chat/completions"})
            return super().handle_request(request)

    with (
        FaultyUpstream() as server,
        library.Client(transport=Moved(), follow_redirects=True) as http_client,
        OpenAI(base_url=server.base_url.replace("/v1", "/old"), api_key=KEY, http_client=http_client) as client,
        Cascade(client, router=router, gate=good_gate(), start="opus") as cascade,
    ):
        assert cascade.create(messages=MESSAGES).choices[0].message.content == WORDS
    assert seen == ["/old/chat/completions", "/v1/chat/completions"]


def test_the_time_that_is_left_is_told_to_whoever_waits():
    assert current_call() is None
    assert time_left(3.0) == 3.0
    with underway(0.05):
        assert time_left(3.0) <= 0.05
        time.sleep(0.06)
        with pytest.raises(TimeoutError):
            time_left()
    with underway(None):
        assert time_left() is None


def test_what_comes_too_late_is_dropped():
    dropped, done = [], threading.Event()

    def drop(value):
        dropped.append(value)
        done.set()

    with underway(0.05), pytest.raises(TimeoutError):
        in_time(lambda: time.sleep(0.15) or "late", drop)
    assert done.wait(5)
    assert dropped == ["late"]


def test_what_another_thread_raises_is_raised_here():
    with underway(5.0), pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, print)
