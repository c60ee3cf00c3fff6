"""What runs in the limited child process of `classifier.gates.parsing`: parses code, under limits of time and memory.

It is started by its path and imports the standard library and tree-sitter alone, so that it starts fast. It reads
frames (four bytes of length, then JSON) and answers each piece of code with one byte as soon as it is parsed: what was
answered before a crash still counts.
"""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import signal
import sys
import textwrap
import tomllib
import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any, NoReturn
from xml.parsers import expat

CPU_SECONDS = 0.07  # for all pieces of one frame
MEMORY_BYTES = 40 * 2**20  # beyond what the process takes once its parsers are loaded
READY = b"r"
REPLIES: Mapping[bool | None, bytes] = {True: b"1", False: b"0", None: b"?"}

_MOST_DEPTH = 256  # of brackets; parsers that call themselves for each run out of stack
_NO_BRACKETS = re.compile(r"[^()\[\]{}]++")


def serve() -> None:
    """Answer frames until the parent closes its end."""
    warnings.simplefilter("ignore")  # what an answer holds must warn nobody
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    os.write(0, READY)
    while head := _read(4):
        pieces: list[list[Any]] = json.loads(_read(int.from_bytes(head, "big")))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # whose signal ends the process, whatever runs
        for grammar, language, code in pieces:
            os.write(0, REPLIES[_parses(grammar, language, code)])
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read(size: int) -> bytes:
    """So many bytes; fewer where the parent is gone."""
    parts = bytearray()
    while len(parts) < size and (part := os.read(0, size - len(parts))):
        parts += part
    return bytes(parts)


def _limit_memory(limited: bool = True) -> None:
    """Let the process take ``MEMORY_BYTES`` more than now, or as much as it may."""
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # not Linux: the limit of time must do
        return
    wanted = taken + MEMORY_BYTES if limited else most
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def _parses(grammar: list[str] | None, language: str, code: str) -> bool | None:
    if _depth(code) > _MOST_DEPTH:
        return None
    try:
        parser = _OWN[language] if grammar is None else _grammar_parser(*grammar)
        return None if parser is None else parser(code)
    except (RecursionError, MemoryError):
        return None


def _depth(code: str) -> int:
    """How deep brackets stand in each other, wherever they stand: in strings and comments, too."""
    depth = deepest = 0
    for bracket in _NO_BRACKETS.sub("", code):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


@cache
def _grammar_parser(module: str, function: str) -> Callable[[str], bool] | None:
    _limit_memory(False)
    try:
        tree_sitter = import_module("tree_sitter")
        grammar = tree_sitter.Language(getattr(import_module(module), function)())
    except (ImportError, AttributeError, ValueError):  # not installed, or of another version than tree-sitter wants
        return None
    finally:
        _limit_memory()
    return partial(_parses_by_grammar, tree_sitter.Parser(grammar))


def _parses_by_grammar(parser: Any, code: str) -> bool:
    parser.reset()
    return not parser.parse(code.encode("utf-8", "replace")).root_node.has_error


def _parses_as_python(code: str) -> bool | None:
    if code.lstrip().startswith(">>>"):
        return None  # a session at the prompt, not a program
    try:
        ast.parse(textwrap.dedent(code))
    except (SyntaxError, ValueError):  # the latter for null bytes and lone surrogates
        return False
    return True


def _parses_as_json(code: str) -> bool:
    try:
        json.loads(code, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError("no JSON constant")


def _parses_as_json_lines(code: str) -> bool:
    return all(map(_parses_as_json, filter(str.strip, code.splitlines())))


def _parses_as_toml(code: str) -> bool:
    try:
        tomllib.loads(code)
    except ValueError:
        return False
    return True


def _parses_as_xml(code: str) -> bool | None:
    """Well-formedness only. Entities are not declared for fear of bombs, and nothing external is looked at."""
    parser = expat.ParserCreate("utf-8")
    parser.EntityDeclHandler = _stop
    try:
        parser.Parse(code.strip().encode("utf-8", "replace"), True)
    except _EntityError:
        return None
    except expat.ExpatError:
        return False
    return True


def _parses_as_yaml(code: str) -> bool | None:
    """Syntax only: nothing is built, and aliases are not followed. tree-sitter's grammar crashes on nested lists."""
    try:
        yaml = import_module("yaml")
        events = yaml.parse(code, Loader=yaml.CSafeLoader)
    except (ImportError, AttributeError):  # not installed, or without libyaml
        return None
    try:
        for _ in events:
            pass
    except yaml.YAMLError:
        return False
    return True


class _EntityError(Exception):
    """An XML document declares entities."""


def _stop(*_: object) -> NoReturn:
    raise _EntityError


_OWN: Mapping[str, Callable[[str], bool | None]] = {
    "python": _parses_as_python,
    "json": _parses_as_json,
    "json lines": _parses_as_json_lines,
    "toml": _parses_as_toml,
    "xml": _parses_as_xml,
    "yaml": _parses_as_yaml,
}

if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])
    serve()
