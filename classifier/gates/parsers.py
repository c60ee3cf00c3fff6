"""Does a piece of code parse? Python, JSON, TOML and XML by the standard library, others by tree-sitter grammars.

The grammars come with the extra ``code`` (``pip install 'tierwise[code]'``). Nothing is run, loaded or fetched.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any
from xml.parsers import expat

from classifier.gates.quiet import no_warnings
from classifier.gates.structure import INVALID, parse_json

MOST_CHARS = 200_000

# Names that people write on code blocks -> the language.
_ALIASES: Mapping[str, str] = {
    "py": "python", "python3": "python", "jsonl": "json lines", "ndjson": "json lines", "svg": "xml", "xsd": "xml",
    "js": "javascript", "jsx": "javascript", "mjs": "javascript", "node": "javascript", "ts": "typescript",
    "sh": "bash", "shell": "bash", "zsh": "bash", "c++": "cpp", "cc": "cpp", "hpp": "cpp", "h": "c", "cs": "c#",
    "csharp": "c#", "golang": "go", "rs": "rust", "rb": "ruby", "yml": "yaml", "kt": "kotlin", "postgresql": "sql",
    "mysql": "sql", "sqlite": "sql",
}  # fmt: skip
# Language -> module of its grammar, and the function in it.
_GRAMMARS: Mapping[str, tuple[str, str]] = {
    "bash": ("tree_sitter_bash", "language"),
    "c": ("tree_sitter_c", "language"),
    "c#": ("tree_sitter_c_sharp", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "css": ("tree_sitter_css", "language"),
    "go": ("tree_sitter_go", "language"),
    "html": ("tree_sitter_html", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "lua": ("tree_sitter_lua", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "ruby": ("tree_sitter_ruby", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "sql": ("tree_sitter_sql", "language"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "yaml": ("tree_sitter_yaml", "language"),
}


def language_of(label: str) -> str:
    """The language that a code block's label names; the label itself where it is none known here."""
    folded = label.strip().lower()
    return _ALIASES.get(folded, folded)


def parses(language: str, code: str) -> bool | None:
    """Whether code parses as its language; None where that cannot be told.

    It cannot when the language is unknown, its grammar is not installed, the code is longer than 200,000 characters, or
    nested too deeply for the parser. Never raises.
    """
    parser = _parser(language) if len(code) <= MOST_CHARS else None
    return None if parser is None else parser(code)


@cache
def _parser(language: str) -> Callable[[str], bool | None] | None:
    if language in _OWN:
        return _OWN[language]
    if language not in _GRAMMARS:
        return None
    module, function = _GRAMMARS[language]
    try:
        tree_sitter = import_module("tree_sitter")
        grammar = tree_sitter.Language(getattr(import_module(module), function)())
    except (ImportError, AttributeError, ValueError):  # not installed, or of another version than tree-sitter wants
        return None
    return partial(_parses_by_grammar, tree_sitter.Parser, grammar)


def _parses_by_grammar(make_parser: Callable[[Any], Any], grammar: Any, code: str) -> bool:
    # A parser holds state, so each use has its own; threads share the grammar.
    tree = make_parser(grammar).parse(code.encode("utf-8", "replace"))
    return not tree.root_node.has_error


def _parses_as_python(code: str) -> bool | None:
    if code.lstrip().startswith(">>>"):
        return None  # a session at the prompt, not a program
    try:
        with no_warnings():
            ast.parse(textwrap.dedent(code))
    except (RecursionError, MemoryError):
        return None
    except (SyntaxError, ValueError):  # the latter for null bytes and lone surrogates
        return False
    return True


def _parses_as_json(code: str) -> bool:
    return parse_json(code) is not INVALID


def _parses_as_json_lines(code: str) -> bool:
    return all(map(_parses_as_json, filter(str.strip, code.splitlines())))


def _parses_as_toml(code: str) -> bool | None:
    try:
        tomllib.loads(code)
    except RecursionError:
        return None
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


class _EntityError(Exception):
    """An XML document declares entities."""


def _stop(*_: object) -> None:
    raise _EntityError


_OWN: Mapping[str, Callable[[str], bool | None]] = {
    "python": _parses_as_python,
    "json": _parses_as_json,
    "json lines": _parses_as_json_lines,
    "toml": _parses_as_toml,
    "xml": _parses_as_xml,
}
