"""Closing a cascade, or ending the process, waits for audits as long as it was told to."""

import asyncio
import subprocess
import sys
import time

import pytest

from classifier.errors import InputError
from tests.helpers.cascades import KEY, MESSAGES, by_tier, with_cascade
from tests.helpers.openai_server import Fault, Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
HANGING = by_tier(opus=Reply(fault=Fault.HANG))


@both
def test_audits_that_hang_are_left_out_and_counted(kind, router, upstream, caplog):
    upstream.answer_with(HANGING)

    def use(cascade):
        for _ in range(3):
            cascade.create(messages=MESSAGES)
        began = time.monotonic()
        cascade.close()
        return time.monotonic() - began, cascade.audits_left_out

    async def use_later(cascade):
        for _ in range(3):
            await cascade.create(messages=MESSAGES)
        await asyncio.sleep(0.05)  # the audits begin
        began = time.monotonic()
        await cascade.close()
        return time.monotonic() - began, cascade.audits_left_out

    options = {"router": router, "audit": 1.0, "close_timeout": 0.3, "deadline": 30.0}
    took, left_out = with_cascade(kind, upstream, options, use if kind == "sync" else use_later)
    assert (0.2 < took < 1.5, left_out) == (True, 3)
    assert [each.getMessage() for each in caplog.records if "left out" in each.getMessage()] == [
        "audits left out, since they were not done within 0.3 s of closing: 3"
    ]


def test_audits_that_end_in_time_are_not_left_out(router, upstream, caplog):
    upstream.answer_with(by_tier(opus=Reply("a good answer", delay=0.1)))

    def use(cascade):
        cascade.create(messages=MESSAGES)
        cascade.close()
        return cascade.audits_left_out

    assert with_cascade("sync", upstream, {"router": router, "audit": 1.0}, use) == 0
    assert "left out" not in caplog.text


def test_more_audits_than_may_wait_are_counted(router, upstream):
    upstream.answer_with(HANGING)

    def use(cascade):
        for _ in range(110):
            cascade.create(messages=MESSAGES)
        return cascade.audits_left_out

    left_out = with_cascade("sync", upstream, {"router": router, "audit": 1.0, "close_timeout": 0.0}, use)
    assert left_out in (9, 10)  # 100 wait; the first one may be under way


@pytest.mark.slow
def test_a_process_ends_though_audits_hang(upstream, linear):
    upstream.answer_with(HANGING)
    script = f"""
import logging, time
from openai import OpenAI
from classifier import Cascade, Router
logging.basicConfig(format="%(message)s")
cascade = Cascade(OpenAI(base_url={upstream.base_url!r}, api_key={KEY!r}), router=Router.load({str(linear.path)!r}),
                  audit=1.0, start="haiku", close_timeout=0.5)
cascade.create(messages=[{{"role": "user", "content": "say hello"}}])
print(time.time())
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert time.time() - float(ended.stdout) < 5.0
    assert "audits left out, since they were not done within 0.5 s of closing: 1" in ended.stderr


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_the_time_to_wait_is_checked(router, upstream, seconds):
    with pytest.raises(InputError, match=r"close_timeout is .*; expected seconds, a number of 0 or more"):
        with_cascade("sync", upstream, {"router": router, "close_timeout": seconds}, print)
