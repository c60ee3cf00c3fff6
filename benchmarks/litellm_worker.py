"""Times LiteLLM's complexity router, and tiktoken beside it; run by ``latency.py`` in an environment of its own.

What is timed is what a request to the gateway waits for: the hook that is called before routing, awaited in a running
event loop. Reads a JSON list of lists of texts (one list a case) and the seconds to spend on each case; writes, for
each case, the nanoseconds of every call of both.
"""

import asyncio
import json
import os
import sys
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # prices from the package, not from the network

import tiktoken
from litellm import Router
from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter

ENCODING = "cl100k_base"  # importing litellm points tiktoken to the vocabulary that it carries


async def main() -> None:
    request = json.load(sys.stdin)
    tiers = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")
    models = [{"model_name": tier, "litellm_params": {"model": f"openai/{tier}", "api_key": "none"}} for tier in tiers]
    router = ComplexityRouter("auto", Router(model_list=models), {"tiers": {tier: tier for tier in tiers}})
    encode = tiktoken.get_encoding(ENCODING).encode_ordinary
    cases = [await measure(router, encode, texts, request["seconds"]) for texts in request["cases"]]
    json.dump(cases, sys.stdout)


async def measure(router, encode, texts, seconds):
    times = {"litellm": [], "tiktoken": []}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["litellm"]) < len(texts):
        text = texts[len(times["litellm"]) % len(texts)]
        start = time.perf_counter_ns()
        await router.async_pre_routing_hook("auto", {}, messages=[{"role": "user", "content": text}])
        times["litellm"].append(time.perf_counter_ns() - start)
        start = time.perf_counter_ns()
        encode(text)
        times["tiktoken"].append(time.perf_counter_ns() - start)
    return times


if __name__ == "__main__":
    asyncio.run(main())
