"""What comes from the network is unpacked and counted, however it is cut into pieces."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.cascade.bodies import Body
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.wire import check_nesting
from classifier.errors import InputError, MalformedAnswerError

SMALL = AnswerLimits(body=1000, stream=5000, event=100, depth=5, values=4000)


def packed(data, encoding):
    if encoding == "gzip":
        return gzip.compress(data)
    if encoding == "members":
        return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])
    if encoding == "raw":
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(data) + deflate.flush()
    return zlib.compress(data) if encoding == "deflate" else data


def cut(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def taken(body, pieces):
    return b"".join(found for piece in pieces for found in body.take(piece))


@given(st.binary(max_size=2000), st.sampled_from(["", "gzip", "members", "deflate", "raw"]), st.integers(1, 3000))
def test_a_body_is_what_was_packed_however_it_is_cut(data, encoding, size):
    header = {"members": "gzip", "raw": "deflate"}.get(encoding, encoding)
    body = Body(header, AnswerLimits(), stream=False)
    assert taken(body, cut(packed(data, encoding), size)) == data


def test_large_bodies_are_unpacked_to_the_end():
    data = b"ab" * 3_000_000
    assert taken(Body("gzip", AnswerLimits(), stream=False), cut(gzip.compress(data), 70_000)) == data


@given(st.integers(0, 3000), st.sampled_from(["", "gzip", "deflate"]), st.integers(1, 4000))
def test_a_body_above_the_limit_is_refused_and_one_below_is_not(size, encoding, cut_size):
    pieces = cut(packed(b"x" * size, encoding), cut_size)
    if size <= SMALL.body:
        assert len(taken(Body(encoding, SMALL, stream=False), pieces)) == size
    else:
        with pytest.raises(MalformedAnswerError, match=r"more than 1,000 bytes.*AnswerLimits\(body=...\)"):
            taken(Body(encoding, SMALL, stream=False), pieces)


def test_a_bomb_is_stopped_before_it_is_unpacked():
    bomb = gzip.compress(b"0" * 50_000_000)
    body, pieces = Body("gzip", AnswerLimits(body=10**6), stream=False), []
    with pytest.raises(MalformedAnswerError):
        pieces.extend(body.take(bomb))
    assert sum(map(len, pieces)) <= 10**6


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "compress"])
def test_packing_that_was_not_asked_for_is_refused(encoding):
    with pytest.raises(MalformedAnswerError, match="expected one of: gzip, deflate"):
        Body(encoding, SMALL, stream=False)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])), max_size=20),
    st.integers(1, 50),
)
def test_any_number_of_events_below_the_limit_may_come(events, size):
    data = b"".join(b"x" * length + end for length, end in events)
    assert taken(Body("", SMALL, stream=True), cut(data, size)) == data


@given(st.integers(101, 300), st.integers(1, 300), st.sampled_from([b"x", b"x\n", b": \r\n"]))
def test_an_event_that_does_not_end_is_refused(length, size, line):
    data = b"data: x\n\n" + (line * length)[:length]
    with pytest.raises(MalformedAnswerError, match=r"AnswerLimits\(event=...\)"):
        taken(Body("", SMALL, stream=True), cut(data, size))


def test_an_event_with_very_many_values_is_refused():
    with pytest.raises(MalformedAnswerError, match="more than 100 values"):
        taken(Body("", AnswerLimits(values=4000), stream=True), [b"data: [" + b"1," * 100 + b"1]\n\n"])


def test_a_whole_stream_is_limited():
    with pytest.raises(MalformedAnswerError, match=r"AnswerLimits\(stream=...\)"):
        taken(Body("", SMALL, stream=True), [b": x\n\n"] * 2000)


nested = st.recursive(
    st.none() | st.text(alphabet='[]{}"\\,a', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[{"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=25,
)


def depth_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(nested)
def test_nesting_is_counted_without_parsing(value):
    body = json.dumps(value).encode()
    limits = AnswerLimits(depth=3)
    if depth_of(value) <= 3:
        check_nesting(body, limits, 1000)
    else:
        with pytest.raises(MalformedAnswerError, match="nested more than 3 deep"):
            check_nesting(body, limits, 1000)


def test_very_many_values_are_refused():
    with pytest.raises(MalformedAnswerError, match=r"more than 4,000 values.*AnswerLimits\(values=...\)"):
        check_nesting(b"[" + b"0," * 4000 + b"0]", SMALL, SMALL.values)


@pytest.mark.parametrize("limit", ["body", "stream", "event", "headers", "depth", "values"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1"])
def test_limits_are_whole_numbers(limit, value):
    with pytest.raises(InputError, match=f"limits: {limit} is .*expected a whole number of 1 or more"):
        AnswerLimits(**{limit: value})
