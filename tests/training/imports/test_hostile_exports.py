"""Broken and hostile exports: one line, exit code 2, never a traceback, and in bounded time and memory."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifier.errors import InputError, TableError
from tests.helpers.commands import Command, only_line, run
from tests.helpers.exports import EXPORTS, read_exports
from training.imports import open_exports
from training.tables import read_tables

__all__ = ["run"]  # a fixture

FILES = sorted(path for path in EXPORTS.rglob("*.*") if path.suffix != ".md")
ODD: list[Any] = [
    *(None, [], {}, "", "x", -1, 0, 1.5, True, 1e308, 10**30, float("nan"), float("inf"), "nan", "\ud83d"),
    *([[]], [{}], {"a": {"b": [1]}}, "[", '{"a": 1}', "[1, 2", ["a", None, 1], {"role": 1, "content": {}}),
]
PARTS = (b'"', b",", b"\n", b"{", b"[[[[", b"\x00", b"\xff", b"}", b"null", b"[PASS]")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def with_odd_values(value: Any, chance: random.Random) -> Any:
    """The value with some of what it holds replaced, or gone."""
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(places(value)) or (None,)
        holder = value
        for key in way:
            holder = holder[key]
        if last is None:
            return chance.choice(ODD)
        if chance.random() < 0.3:
            del holder[last]
        else:
            holder[last] = chance.choice(ODD)
    return value


def odd_json(content: bytes, chance: random.Random) -> bytes:
    try:
        return json.dumps(with_odd_values(json.loads(content), chance)).encode()
    except ValueError:
        lines = content.decode().splitlines()
        place = chance.randrange(len(lines))
        try:
            lines[place] = json.dumps(with_odd_values(json.loads(lines[place]), chance))
        except ValueError:
            return odd_bytes(content, chance)
        return "\n".join(lines).encode()


def odd_bytes(content: bytes, chance: random.Random) -> bytes:
    broken = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(broken) + 1)
        turn = chance.random()
        if turn < 0.4:
            broken[place : place + 1] = bytes([chance.randrange(256)])
        elif turn < 0.6:
            del broken[place : place + chance.randint(1, 200)]
        elif turn < 0.8:
            broken[place:place] = chance.choice(PARTS)
        else:
            del broken[place:]
    return bytes(broken)


def refusal(path: Path, score: str = "score") -> str:
    """What is said against a file; empty where it is read."""
    try:
        read_exports(path, score=score)
    except InputError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("file", FILES, ids=[str(path.relative_to(EXPORTS)) for path in FILES])
@pytest.mark.parametrize("mutate", [odd_json, odd_bytes])
def test_mutated_exports_are_read_or_refused_in_one_line(
    tmp_path: Path, file: Path, mutate: Callable[[bytes, random.Random], bytes]
) -> None:
    chance, content = random.Random(file.name), file.read_bytes()
    if mutate is odd_json and file.suffix not in (".json", ".jsonl"):
        pytest.skip("not JSON")
    path = tmp_path / file.name
    for _ in range(45):
        path.write_bytes(mutate(content, chance))
        assert "\n" not in refusal(path, chance.choice(["score", "match", "exact_match,strict-match"]))


@pytest.mark.parametrize("depth", [50, 400, 900, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_is_nested_deeply_is_read_or_refused(tmp_path: Path, depth: int, opening: str) -> None:
    nest = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    shapes = {
        "promptfoo.json": '{"results": {"results": [{"provider": "m", "prompt": {"raw": NEST}, "success": true, '
        '"score": 1, "vars": NEST, "response": {"output": NEST}, "failureReason": 0}]}}',
        "lm_eval.jsonl": '{"doc_id": 0, "doc": NEST, "target": "", "arguments": [[NEST, {}]], "resps": 0, "acc": 1}\n',
        "inspect.json": '{"status": "success", "eval": {"model": "m"}, "samples": [{"input": [{"role": "user", '
        '"content": [NEST]}], "messages": NEST, "scores": {"a": {"value": 1}}}]}',
        "helicone.jsonl": '{"request_id": "r", "request_path": "p", "request_body": {"model": "m", "tools": [NEST], '
        '"messages": [{"role": "user", "content": [{"type": "image", "x": NEST}, "hi"], "tool_calls": [NEST]}]}, '
        '"scores": {"a": 1}}\n',
    }
    for name, shape in shapes.items():
        path = tmp_path / name
        path.write_text(shape.replace("NEST", nest) * 2, "utf-8")
        assert "\n" not in refusal(path)


def test_an_archive_that_unpacks_to_more_than_a_document_may_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.imports.archive._MOST_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"status": "success", "eval": {"model": "m"}}))
        archive.writestr("samples/1_epoch_1.json", b" " * 2**24)
    with pytest.raises(TableError, match="bytes in samples/1_epoch_1"):
        read_exports(tmp_path / "bomb.eval")


def test_an_archive_with_damaged_samples_is_refused_by_name(tmp_path: Path) -> None:
    content = (EXPORTS / "inspect_ai" / "small.eval").read_bytes()
    place = content.index(b"samples/1_epoch_1.json") + 60
    (tmp_path / "cut.eval").write_bytes(content[:place] + os.urandom(40) + content[place + 40 :])
    with pytest.raises(TableError, match=r"cut\.eval: found a damaged archive"):
        read_exports(tmp_path / "cut.eval")


def test_a_document_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.imports.content._MOST_CHARS", 2**10)
    for name in ("promptfoo.json", "promptfoo.jsonl"):
        path = tmp_path / name
        path.write_bytes((EXPORTS / name).read_bytes())
        with pytest.raises(TableError):
            read_exports(path)


def test_errors_say_neither_prompts_nor_keys(tmp_path: Path) -> None:
    secret = "the prompt nobody may see"
    row = {"request_id": "r", "call_type": "acompletion", "spend": 1, "model_group": "m", "api_key": "sk-secret"}
    row |= {"messages": [{"role": "user", "content": secret}], "metadata": {"score": secret}}
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(row) + "\n", "utf-8")
    with pytest.raises(TableError) as caught:
        read_exports(path)
    assert secret not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_the_command_line_says_which_option_chooses_a_score(run: Command) -> None:
    done = run(EXPORTS / "inspect_ai" / "several_scorers.eval")
    assert done.returncode == 2
    assert only_line(done).endswith("name it as the column of the score: --column score=match")


def test_the_command_line_refuses_a_log_and_leads_on(run: Command) -> None:
    done = run(EXPORTS / "langfuse_observations.json")
    assert done.returncode == 2
    assert "a log of Langfuse without scores" in only_line(done)


def test_standard_input_may_be_an_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((EXPORTS / "promptfoo.jsonl").read_bytes())))
    assert len(read_tables(["-"], exports=open_exports).requests) == 4
