"""What a decision costs, beside the alternatives, on the same texts and interleaved call by call.

    python benchmarks/latency.py [--artifact FILE] [--best FILE] [--seconds 1] [--json FILE] [--plot FILE.svg]
                                 [--without-litellm]

Timed are `Router.predict_model`, with the given artifact (default: one trained on the sample table) and with another,
trained by ``train-router data/sample.csv --best --tokens estimate --out FILE``; a bare tiktoken encode of the same
text; a scikit-learn pipeline (TF-IDF of words and character 4-grams, logistic regression) fitted to
``data/sample.csv``, which is what a learned router costs when it is not compiled; and LiteLLM's complexity router,
which runs in an environment of its own (made at the first run, in ``~/.cache/tierwise``) with tiktoken beside it, so
that both are compared by the same yardstick. Every case has several texts, so that no contender sees the same one twice
in a row.

Then: one request after the other against `Router.route_many`, and one thread against eight that share a router.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from trained import HELP, artifact_of

from classifier import Router, make_request
from classifier.compiled import COMPILED
from classifier.tokens import _load_encoding

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data" / "sample.csv"
LITELLM = ("litellm[proxy]==1.106.12",)
ENVIRONMENT = Path.home() / ".cache" / "tierwise" / "litellm-1.106.12"
LENGTHS = (35, 600, 6_000, 200_000)
TEXTS = 8
MESSAGES = 20
CHINESE = (
    "请用三句话解释天空为什么是蓝色的，然后举两个例子。日落时会发生什么？把下面的合同翻译成英文，"
    "证明有无穷多个素数；写一个函数，对整数数组排序。"
)
OURS, BEST, TIKTOKEN, SKLEARN, LITELLM_ROUTER = "tierwise", "tierwise --best", "tiktoken", "scikit-learn", "LiteLLM"


@dataclass(frozen=True)
class Timing:
    """Microseconds of a call: median and 99th percentile of ``calls``."""

    kind: str
    chars: int
    contender: str
    median: float
    p99: float
    calls: int


def make_texts(kind: str, chars: int) -> list[str]:
    """Different texts of one kind and length."""
    source = random.Random(f"{kind} {chars}")
    return [_stretched(_pieces(kind), chars, source) for _ in range(TEXTS)]


def _pieces(kind: str) -> list[str]:
    prompts = [prompt for prompt in pl.read_csv(SAMPLE)["prompt"].to_list() if prompt]
    if kind == "code":
        return [line + "\n" for line in Path(random.__file__).read_text().splitlines()]
    if kind == "Chinese":
        return [sentence + "。" for sentence in CHINESE.replace("；", "。").replace("，", "。").split("。") if sentence]
    if kind == "random Unicode":
        codes = [code for code in range(32, 0x30000) if not 0xD800 <= code < 0xE000]
        return [chr(code) for code in codes]
    return [prompt + " " for prompt in prompts if kind == "conversation" or prompt.isascii()]


def _stretched(pieces: Sequence[str], chars: int, source: random.Random) -> str:
    parts: list[str] = []
    length = 0
    while length < chars:
        parts.append(source.choice(pieces))
        length += len(parts[-1])
    return "".join(parts)[:chars]


def make_messages(text: str) -> list[dict[str, str]]:
    """The text as a conversation of equal messages."""
    size = -(-len(text) // MESSAGES)
    roles = ("user", "assistant")
    return [
        {"role": roles[turn % 2], "content": text[start : start + size]}
        for turn, start in enumerate(range(0, len(text), size))
    ]


def measure(contenders: Mapping[str, Sequence[Callable[[], object]]], seconds: float) -> dict[str, list[int]]:
    """Nanoseconds of calls, one contender after the other, so that all see the same machine."""
    times: dict[str, list[int]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    turn = 0
    while time.perf_counter() < end or turn < TEXTS:
        for name, calls in contenders.items():
            call = calls[turn % TEXTS]
            start = time.perf_counter_ns()
            call()
            times[name].append(time.perf_counter_ns() - start)
        turn += 1
    return times


def summarise(kind: str, chars: int, contender: str, nanoseconds: Sequence[int]) -> Timing:
    median, p99 = np.percentile(nanoseconds, [50, 99]) / 1000
    return Timing(kind, chars, contender, float(median), float(p99), len(nanoseconds))


def local_timings(routers: Mapping[str, Router], pipeline: Pipeline, seconds: float) -> list[Timing]:
    encode = _load_encoding("cl100k_base").encode_ordinary
    timings = []
    for kind in ("English", "code", "Chinese", "conversation", "random Unicode"):
        for chars in LENGTHS:
            texts = make_texts(kind, chars)
            contenders: dict[str, list[Callable[[], object]]] = {
                name: [_decision(router, kind, text) for text in texts] for name, router in routers.items()
            }
            contenders[TIKTOKEN] = [_bound(encode, text) for text in texts]
            contenders[SKLEARN] = [_bound(pipeline.predict_proba, [text]) for text in texts]
            # Alone with the yardstick, and then with the others: what is slow also empties the caches.
            for name, rivals in ((OURS, (TIKTOKEN,)), (BEST, (TIKTOKEN,)), (SKLEARN, ())):
                if name in contenders:
                    found = measure({each: contenders[each] for each in (name, *rivals)}, seconds)
                    timings += [summarise(kind, chars, each, found[each]) for each in found if each != TIKTOKEN]
                    if name == OURS:
                        timings.append(summarise(kind, chars, TIKTOKEN, found[TIKTOKEN]))
    return timings


def _decision(router: Router, kind: str, text: str) -> Callable[[], object]:
    if kind != "conversation":
        return lambda: router.predict_model(text)
    messages = make_messages(text)
    return lambda: router.predict_model(messages=messages)


def _bound(call: Callable[[Any], object], argument: Any) -> Callable[[], object]:
    return lambda: call(argument)


def fit_pipeline() -> Pipeline:
    table = pl.read_csv(SAMPLE).filter(pl.col("prompt").is_not_null() & pl.col("score__haiku").is_not_null())
    vectorisers = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), TfidfVectorizer(analyzer="char", ngram_range=(4, 4))
    )
    pipeline = make_pipeline(vectorisers, LogisticRegression(max_iter=200))
    return pipeline.fit(table["prompt"].to_list(), (table["score__haiku"] > 0.5).to_list())


def litellm_timings(yardstick: Sequence[Timing], seconds: float) -> list[Timing]:
    """LiteLLM's, scaled by what tiktoken took beside it and what it took beside the others."""
    cases = [(timing.kind, timing.chars) for timing in yardstick]
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *LITELLM], check=True)
    request = json.dumps({"seconds": seconds, "cases": [make_texts(*case) for case in cases]})
    worker = Path(__file__).with_name("litellm_worker.py")
    done = subprocess.run([python, worker], input=request, capture_output=True, text=True, check=True)
    timings = []
    for here, there in zip(yardstick, json.loads(done.stdout.splitlines()[-1]), strict=True):
        scale = here.median / (np.median(there["tiktoken"]) / 1000)
        timings.append(summarise(here.kind, here.chars, LITELLM_ROUTER, np.array(there["litellm"]) * scale))
    return timings


def batch_ratio(router: Router, count: int = 10_000, rounds: int = 5) -> dict[str, float]:
    """Requests a second: `Router.route_many` against one by one, prompts of the sample; the best of some rounds."""
    prompts = [prompt for prompt in pl.read_csv(SAMPLE)["prompt"].to_list() if prompt]
    requests = [make_request(prompts[place % len(prompts)]) for place in range(count)]
    single = _fastest(lambda: [router.decide(request) for request in requests], rounds)
    many = _fastest(lambda: router.route_many(requests), rounds)
    return {"single": count / single, "many": count / many, "ratio": single / many}


def thread_ratios(router: Router, calls: int = 8_000, threads: int = 8, rounds: int = 5) -> dict[str, float]:
    """How many times the rate of one thread eight have that share a router; and that share nothing but Python."""

    def ratio(work: Callable[[int], None]) -> float:
        with ThreadPoolExecutor(threads) as pool:
            one = _fastest(lambda: work(calls), rounds)
            eight = _fastest(lambda: list(pool.map(work, [calls // threads] * threads)), rounds)
        return one / eight

    found = {"Python alone": ratio(_count)}
    for chars in LENGTHS[:3]:
        found[f"{chars:,} characters"] = ratio(partial(_decide_often, router, make_texts("English", chars)))
    return found


def _decide_often(router: Router, texts: Sequence[str], calls: int) -> None:
    for turn in range(calls):
        router.predict_model(texts[turn % len(texts)])


def _count(calls: int) -> None:
    numbers = dict.fromkeys(range(100), 1)
    for _ in range(calls):
        sum(numbers[place] for place in range(100))


def _fastest(call: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def show(timings: Sequence[Timing], console: Console) -> None:
    medians = {(timing.kind, timing.chars, timing.contender): timing for timing in timings}
    names = list(dict.fromkeys(timing.contender for timing in timings))
    table = Table(title="Median microseconds (99th percentile); times tierwise")
    for heading in ("text", "characters", *names):
        table.add_column(heading, justify="left" if heading == "text" else "right")
    for kind, chars in dict.fromkeys((timing.kind, timing.chars) for timing in timings):
        ours = medians[kind, chars, OURS].median
        cells = [medians.get((kind, chars, name)) for name in names]
        shown = [f"{each.median:,.1f} ({each.p99:,.0f}) {each.median / ours:.2f}x" if each else "" for each in cells]
        table.add_row(kind, f"{chars:,}", *shown)
    console.print(table)


def plot(timings: Sequence[Timing], path: Path) -> None:
    """English texts: median time against length, both on logarithmic scales, as a drawing that stands by itself."""
    names = list(dict.fromkeys(timing.contender for timing in timings))
    colours = dict(zip(names, ("#0b6", "#065", "#36c", "#c60", "#a22"), strict=False))

    def at(chars: float, microseconds: float) -> tuple[float, float]:
        return 60 + 100 * np.log10(chars / 20), 380 - 55 * np.log10(microseconds)

    shapes = []
    for power in range(7):
        _, y = at(20, 10**power)
        label = f"{10**power:,} µs" if power < 3 else f"{10 ** (power - 3):,} ms"
        shapes.append(
            f'<path d="M60 {y:.1f}H470" stroke="#ddd"/><text x="54" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for chars in LENGTHS:
        x, _ = at(chars, 1)
        shapes.append(f'<text x="{x:.1f}" y="398" text-anchor="middle">{chars:,}</text>')
    for name in names:
        points = [at(each.chars, each.median) for each in timings if (each.kind, each.contender) == ("English", name)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        x, y = points[-1]
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        shapes.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colours[name]}">{name}</text>')
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 590 420" font-family="sans-serif" font-size="12">'
        '<rect width="590" height="420" fill="#fff"/>'
        f'{"".join(shapes)}<text x="265" y="415" text-anchor="middle">characters (English), time of one call</text>'
        "</svg>\n",
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", type=Path, help=HELP)
    parser.add_argument("--best", type=Path, help="an artifact trained with --best")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contender and case")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--without-litellm", action="store_true")
    arguments = parser.parse_args()
    console = Console(width=180 if not sys.stdout.isatty() else None)
    routers = {OURS: Router.load(artifact_of(arguments.artifact))}
    routers |= {BEST: Router.load(arguments.best)} if arguments.best else {}
    timings = local_timings(routers, fit_pipeline(), arguments.seconds)
    if not arguments.without_litellm:
        timings += litellm_timings([each for each in timings if each.contender == TIKTOKEN], arguments.seconds)
    batch, threads = batch_ratio(routers[OURS]), thread_ratios(routers[OURS])
    show(timings, console)
    console.print(f"{'compiled' if COMPILED else 'pure Python'}, {os.cpu_count()} processors")
    console.print(f"route_many, 10,000 prompts: {batch['many']:,.0f}/s, {batch['ratio']:.2f}x one by one")
    shown = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in threads.items())
    console.print(f"8 threads on one router against one: {shown}")
    if arguments.json:
        found = {
            "compiled": COMPILED,
            "timings": [asdict(each) for each in timings],
            "batch": batch,
            "threads": threads,
        }
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.plot:
        plot(timings, arguments.plot)


if __name__ == "__main__":
    main()
