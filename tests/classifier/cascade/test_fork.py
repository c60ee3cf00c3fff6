"""A cascade that was made and used before a fork serves every child as if it had been made there."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.cascades import KEY
from tests.helpers.openai_server import Reply

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SCRIPT = """
import asyncio, json, os, sys
import openai
from openai import AsyncOpenAI, OpenAI
from classifier import AsyncCascade, Budget, Cascade, Router, RouterError
from classifier.gates import Check

url, kind, artifact = sys.argv[1:4]
library = next(sys.modules[name] for each in type(OpenAI(api_key="none")._client).__mro__
               if (name := each.__module__.partition(".")[0]) in ("httpx", "httpx2"))
options = dict(router=Router.load(artifact), gate=Check(lambda answer: True, name="any"), explore=0.5,
               explore_floor=0.0, audit=0.5, budget=Budget(total=100.0), deadline=10.0)
if kind == "async":
    cascade = AsyncCascade(AsyncOpenAI(base_url=url, api_key="%s", max_retries=0), **options)
    async def all_of(texts):
        results = [await cascade.run(messages=[{"role": "user", "content": text}]) for text in texts]
        await cascade.close()
        return results
    ask = lambda texts: asyncio.run(all_of(texts))
else:
    class Own(library.BaseTransport):
        def __init__(self):
            self.inner = library.HTTPTransport()
        def handle_request(self, request):
            return self.inner.handle_request(request)
    http_client = library.Client(transport=Own()) if kind == "foreign" else None
    cascade = Cascade(OpenAI(base_url=url, api_key="%s", max_retries=0, http_client=http_client), **options)
    ask = lambda texts: [cascade.run(messages=[{"role": "user", "content": text}]) for text in texts]

ask(["warm up"] * 3)
ends = []
for child in range(3):
    reads, writes = os.pipe()
    if os.fork() == 0:
        texts = [f"child {child}, request {number}" for number in range(20)]
        try:
            results = ask(texts)
            found = {"right": [each.response.choices[0].message.content for each in results] == texts,
                     "starts": [each.attempts[0].tier for each in results], "ids": [each.id for each in results]}
        except RouterError as error:
            found = {"refused": str(error)}
        os.write(writes, json.dumps(found).encode())
        os._exit(0)
    os.close(writes)
    ends.append(reads)
ask(["the parent goes on"] * 3)
print(json.dumps([json.loads(os.fdopen(end).read()) for end in ends]))
os._exit(0)
"""


def children(upstream, kind, artifact):
    """What each child found."""
    upstream.answer_with(lambda body: Reply(body["messages"][-1]["content"]))
    command = [sys.executable, "-c", SCRIPT % (KEY, KEY), upstream.base_url, kind, artifact]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_children_get_their_own_answers_and_draw_by_themselves(upstream, kind, linear):
    found = children(upstream, kind, linear.path)
    assert [each["right"] for each in found] == [True] * 3
    assert len({tuple(each["starts"]) for each in found}) == 3
    assert len({name for each in found for name in each["ids"]}) == 60


@pytest.mark.slow
def test_a_transport_that_cannot_be_made_anew_is_refused_in_one_line(upstream, linear):
    for each in children(upstream, "foreign", linear.path):
        assert "used before the process forked, and its http_client's Own cannot be made anew" in each["refused"]
        assert "\n" not in each["refused"]
