"""Hostile answers and schemas against everything that reads an answer: crashes, CPU and memory.

    python benchmarks/hostile_answers.py [--cases 10000] [--seed 0] [--processes 2] [--json FILE]

Each case is an answer made to hurt (nested code in every language, texts that make patterns backtrack, deep and wide
JSON, schemas that multiply, replies of judges) and is read by the default gate, the gates for code, JSON and schemas,
and what learned gates and `Agreement` read. CPU is that of the process and its children. Memory is how far the process
grows during a case, and the peak of a child. Prints how many cases crashed, took over 0.2 s or over 64 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classifier.gates import (
    Answer,
    Matches,
    MatchesSchema,
    NoHedging,
    ParsesAsCode,
    ToolCall,
    ValidJson,
    answer_features,
    default_gate,
    final_answer,
    run_gate,
)
from classifier.gates.agreement import claim
from classifier.gates.judge import read_score
from classifier.gates.parsers import LANGUAGES
from classifier.request import make_request

CPU_SECONDS = 0.2
MEBIBYTES = 64
_FRAGMENTS = [
    "(", "{", "<", "[", "({[<", "a<b<c<", "*", "- ", "? ", "a: ", "$", '"#{', "`${", '"${', "<<<A\n", "%w(", "%q(",
    "x=>", "(a)(b)(c)", "<a>", "\"'`", "[=", 'r#"', "!", "if(a)", "else if(a){", "f(", "a[", "*a", "a<", "do ",
    "begin ", "case a in ", "if a; then ", "(select ", "select a from (", "a?", "{a: ", "[ ", "&a ", "a: |\n ",
    "class A{", "fun f(){", "function()", "def a;", "a.", "x = {", "not ", "lambda:", "-", "+1", "@a\n", "é", "\0",
    "\ud800", "\n", "\t", " ", "<<E ", "cat <<E\n", "r'", '"""', "/*", "//", "#", "a\n ", "<!--", "<?", "&x;", "::",
    "->", "9", "0x", "e", "\\", "%", ";", ",", "case 1:", "try{", "else ", "elif 1:\n pass\n", "with a as b, ",
    "async ", "await ", "yield ", "a=b\n", "[a.b]\n",
]  # fmt: skip
_TEXTS = [
    "The answer is", " ", "answer is ", "* ", "`", "~", "> ", "```", "\n", "\u2800", "\u200b", "score", "score is",
    ":", "'", '"', "“", "„", "«", "|", "| |", "#### ", "1", ",", "1,000", "\\boxed{", "\\frac", "{1}", "option ", "A",
    ") ", "_", ".", "= ", '"answer": ', "[", "{", "-", "\\text{", "^{", "°", "\ufdfa", "\u0300", "\u0345", "i can't ",
    "i'm not sure ", "😀", "\ud800", "x", "word ", "/", "5 m ", "aa b", "not ", "((", "1 if 1 else ", "答案", "是",
    "\t",    "\r", "\x0b", "#", "\\", "f'{",
]  # fmt: skip
_SIZES = (60, 600, 3_000, 12_000, 60_000, 200_000)
_HUGE = 5_000_000
_PATTERNS = ("(a+)+$", r"(?i)\b(?:yes|no)\b", r"(\w+\s?)*;", r"(x+x+)+y")


@dataclass(frozen=True, slots=True)
class Measured:
    """What reading one case took; ``crashed`` says how the process ended, or what was raised."""

    case: int
    kind: str
    cpu_seconds: float = 0.0
    grown_mib: float = 0.0
    child_mib: float = 0.0
    crashed: str = ""

    def is_slow(self) -> bool:
        """Whether it took more than 0.2 s."""
        return self.cpu_seconds > CPU_SECONDS

    def is_large(self) -> bool:
        """Whether it took more than 64 MiB."""
        return max(self.grown_mib, self.child_mib) > MEBIBYTES


# Making cases


def _repeated(rng: random.Random, fragments: list[str], size: int) -> str:
    """A text of about ``size`` characters from one to four fragments, sometimes changed at random places."""
    pump = "".join(rng.choices(fragments, k=rng.choice((1, 1, 1, 2, 2, 3, 4))))
    text = pump * (size // len(pump) + 1)
    if rng.random() < 0.2:
        text = "".join(" " * min(place, 300) + pump + "\n" for place in range(min(600, size // 100 + 2)))
    if rng.random() < 0.3:
        cut = rng.randrange(len(text))
        text = text[:cut] + rng.choice(fragments) * rng.randint(1, 50) + text[cut:]
    return rng.choice(fragments) + text if rng.random() < 0.3 else text


def _code(rng: random.Random) -> tuple[str, dict[str, Any]]:
    language = rng.choice(LANGUAGES)
    size = rng.choice(_SIZES)
    blocks = rng.choice((1, 1, 1, 1, 3, 64)) if size < 12_000 else 1
    start = "<?php " if language == "php" else ""
    codes = [start + _repeated(rng, _FRAGMENTS, size)[:size] for _ in range(blocks)]
    return "\n".join(f"```{language}\n{code}\n```" for code in codes), {}


def _prose(rng: random.Random) -> tuple[str, dict[str, Any]]:
    size = _HUGE if rng.random() < 0.03 else rng.choice(_SIZES)
    return _repeated(rng, _TEXTS, size), {}


def _json(rng: random.Random) -> tuple[str, dict[str, Any]]:
    size = _HUGE if rng.random() < 0.03 else rng.choice((*_SIZES, 990_000))
    atom = rng.choice(
        ("[],", "{},", '{"a":1},', "1,", "0.1,", '"ab",', "[[1]],", "9" * 4000 + ",", '"\\u00e9",', "true,")
    )
    text = "[" + (atom * (size // len(atom) + 1))[:-1] + "]"
    if rng.random() < 0.3:
        depth = rng.choice((100, 500, 880, 950, 100_000))
        text = rng.choice(("[", '{"a":')) * depth + "1" + rng.choice(("]", "}")) * depth
    return text, {"response_format": {"type": "json_object"} if rng.random() < 0.3 else _format(_schema(rng))}


def _format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def _schema(rng: random.Random, depth: int = 0) -> Any:
    """A schema of keywords that multiply, with references to itself."""
    made: dict[str, Any] = {}
    for _ in range(rng.randint(1, 3)):
        name, make = rng.choice(list(_KEYWORDS.items()))
        made[name] = make(rng, depth + 1)
    if depth == 0 and rng.random() < 0.5:
        levels, width = rng.randint(3, 25), rng.randint(2, 5)
        many = rng.choice(("anyOf", "oneOf", "allOf"))
        made["$defs"] = {f"d{at}": {many: [{"$ref": f"#/$defs/d{at + 1}"}] * width} for at in range(levels)}
        made["$defs"][f"d{levels}"] = {"type": rng.choice(("string", "array", "object"))}
    return made if depth or rng.random() < 0.95 else rng.choice(([], "x", {"type": "nope"}, {"$schema": 5}))


def _inner(rng: random.Random, depth: int) -> Any:
    if depth > 3 or rng.random() < 0.4:
        return rng.choice((True, False, {}, {"type": "object"}, {"$ref": "#"}, {"$ref": "#/$defs/d0"}))
    return _schema(rng, depth)


def _inners(rng: random.Random, depth: int) -> list[Any]:
    return [_inner(rng, depth)] * rng.choice((1, 2, 5, 1000 if depth < 2 else 3))


_REGEXES = ("^(a+)+$", r"^\p{L}+$", "(", "(?=a)b", "(x+x+)+y", ".{0,1000}", "(?:a?){300}a{300}", "\\u00e9+", "^[^1]*$")
_KEYWORDS: Mapping[str, Callable[[random.Random, int], Any]] = {
    "$ref": lambda rng, _: rng.choice(
        ("#", "#/$defs/d0", "#/$defs/absent", "http://127.0.0.1:9/x", "#a", "::", "http://[b")
    ),
    "$dynamicRef": lambda rng, _: rng.choice(("#", "#x")),
    "$schema": lambda rng, _: rng.choice(
        ("urn:x", "http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema#", 5)
    ),
    "$id": lambda rng, _: rng.choice(("::::", "http://[bad", "http://a/b")),
    "type": lambda rng, _: rng.choice(("array", "object", "string", ["integer", "null"], "nope")),
    "anyOf": _inners,
    "oneOf": _inners,
    "allOf": _inners,
    "not": _inner,
    "if": _inner,
    "then": _inner,
    "items": _inner,
    "contains": _inner,
    "propertyNames": _inner,
    "additionalProperties": _inner,
    "unevaluatedItems": _inner,
    "unevaluatedProperties": _inner,
    "properties": lambda rng, depth: (
        {f"a{at}": _inner(rng, depth) for at in range(rng.choice((0, 2, 300)))} | {"a": {}}
    ),
    "patternProperties": lambda rng, depth: {rng.choice(_REGEXES): _inner(rng, depth)},
    "pattern": lambda rng, _: rng.choice(_REGEXES),
    "uniqueItems": lambda rng, _: True,
    "enum": lambda rng, _: [[1], {"a": 1}, *range(rng.choice((1, 5000)))],
    "const": lambda rng, _: [1] * 100,
    "required": lambda rng, _: [f"a{at}" for at in range(rng.choice((1, 3000)))],
    "multipleOf": lambda rng, _: rng.choice((1e-300, 1e308, 0.1, 3)),
    "minimum": lambda rng, _: 10**400,
    "maxLength": lambda rng, _: 1e300,
    "dependentRequired": lambda rng, _: {"a": ["b"] * 10},
}


def _judged(rng: random.Random) -> tuple[str, dict[str, Any]]:
    return rng.choice(("score is", "score", "score: 7", "")) + _repeated(rng, _TEXTS, rng.choice(_SIZES)), {}


def _called(rng: random.Random) -> tuple[str, dict[str, Any]]:
    function = {"name": "f", "parameters": {"type": "object", "properties": {"x": _schema(rng)}}}
    return json.dumps({"x": "a" * rng.choice((28, 1000)) + "!"}), {
        "tools": [{"type": "function", "function": function}]
    }


_KINDS: Mapping[str, Callable[[random.Random], tuple[str, dict[str, Any]]]] = {
    "code": _code, "prose": _prose, "json": _json, "judge": _judged, "calls": _called,
}  # fmt: skip
_WEIGHTS = (45, 20, 20, 5, 10)


def make_case(case: int, seed: int) -> tuple[str, Answer]:
    """The kind of a case, and its answer."""
    rng = random.Random(seed * 1_000_003 + case)
    kind = rng.choices(list(_KINDS), _WEIGHTS)[0]
    text, arguments = _KINDS[kind](rng)
    calls = tuple(ToolCall("f", text) for _ in range(rng.choice((1, 64)))) if kind == "calls" else ()
    logprobs = (-0.1,) * 65_536 if rng.random() < 0.02 else None
    return kind, Answer(
        "" if calls else text, "small", "m", "stop", calls, None, logprobs, 1, 1, make_request("q"), arguments
    )


# Reading and measuring them


def read_all(answer: Answer) -> None:
    """Everything that reads an answer's text."""
    for gate in _GATES:
        run_gate(gate, answer)
    read_score(answer.text)
    answer_features(answer)
    final_answer(answer.text)
    claim(answer)


_GATES = (
    default_gate(),
    ParsesAsCode(),
    MatchesSchema(fences=True),
    ValidJson(),
    NoHedging(),
    *map(Matches, _PATTERNS),
)


def measure(case: int, seed: int) -> Measured:
    """Read one case here."""
    kind, answer = make_case(case, seed)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, cpu = _status("self", "VmRSS"), _cpu()
    try:
        read_all(answer)
    except Exception as error:
        return Measured(case, kind, crashed=f"{type(error).__name__}: {error}"[:200])
    children = [_status(child, "VmHWM") for child in _children()]
    return Measured(case, kind, _cpu() - cpu, _status("self", "VmHWM") - before, max(children, default=0.0))


def _status(process: str, field: str) -> float:
    """MiB."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _children() -> list[str]:
    return [child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()]


def _cpu() -> float:
    """Seconds of this process, its children, and those that have ended."""
    times = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    living = 0.0
    for child in _children():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        living += (int(fields[11]) + int(fields[12])) / ticks
    return time.process_time() + times.children_user + times.children_system + living


def _measure_range(first: int, end: int, seed: int) -> Iterator[Measured]:
    """Measure cases in a process of their own, and in another one after each that ends it."""
    while first < end:
        command = [sys.executable, __file__, "--range", f"{first},{end}", "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            yield Measured(**json.loads(line))
            first += 1
        if done.returncode:
            kind = make_case(first, seed)[0]
            yield Measured(first, kind, crashed=f"exit code {done.returncode}: {done.stderr[-200:]}")
            first += 1


def measure_many(cases: int, seed: int, processes: int) -> list[Measured]:
    """Measure cases, shared among processes."""
    bounds = [cases * place // processes for place in range(processes + 1)]
    with ThreadPoolExecutor(processes) as pool:
        runs = pool.map(lambda at: list(_measure_range(bounds[at], bounds[at + 1], seed)), range(processes))
        return [measured for run in runs for measured in run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--range", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.range:
        first, end = map(int, arguments.range.split(","))
        read_all(make_case(first, arguments.seed)[1])  # loads what is loaded once
        for case in range(first, end):
            print(json.dumps(asdict(measure(case, arguments.seed))), flush=True)
        return
    found = measure_many(arguments.cases, arguments.seed, arguments.processes)
    slow = [each for each in found if each.is_slow()]
    large = [each for each in found if each.is_large()]
    crashed = [each for each in found if each.crashed]
    print(
        f"{len(found):,} hostile answers and schemas: crashes {len(crashed)}, "
        f"over {CPU_SECONDS} s CPU {len(slow)}, above {MEBIBYTES} MiB {len(large)}"
    )
    print(f"most: {max(each.cpu_seconds for each in found):.3f} s CPU, {max(each.grown_mib for each in found):.0f} MiB")
    for each in [*crashed, *slow, *large][:20]:
        print(each)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in found]) + "\n")


if __name__ == "__main__":
    main()
