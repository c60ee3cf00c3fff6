"""Does a piece of code parse?

Python, JSON, TOML and XML are parsed by the standard library, YAML by PyYAML, others by tree-sitter; PyYAML and the
grammars come with the extra ``code`` (``pip install 'tierwise[code]'``). Nothing is run, loaded or fetched. Parsing is
done by a child process with limits of time and memory (`classifier.gates.parsing`), since parsers of every kind can be
crashed, or made to take gigabytes, by a few hundred characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from classifier.gates.parsing import Piece, parse_pieces

MOST_CHARS = 200_000
_MOST_CHARS_TOGETHER = 400_000

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
}


# Parsed by the standard library, and YAML by PyYAML.
_OWN = frozenset({"python", "json", "json lines", "toml", "xml", "yaml"})

LANGUAGES = (*sorted(_OWN), *_GRAMMARS)


def language_of(label: str) -> str:
    """The language that a code block's label names; the label itself where it is none known here."""
    folded = label.strip().lower()
    return _ALIASES.get(folded, folded)


def parses(language: str, code: str) -> bool | None:
    """Whether code parses as its language; None where that cannot be told.

    It cannot when the language is unknown, its grammar is not installed, the code is longer than 200,000 characters,
    nested too deeply for the parser, takes it more than 0.1 s or 40 MB, or makes it crash. Nor can it on Windows, or in
    a frozen program, where there is no limited process to parse in. Never raises.
    """
    return parse_all([(language, code)])[0]


def parse_all(codes: Iterable[tuple[str, str]]) -> list[bool | None]:
    """`parses` of several pieces, (language, code) each, which share those limits; 400,000 characters are read."""
    pieces: list[Piece] = []
    asked: list[bool] = []
    left = _MOST_CHARS_TOGETHER
    for language, code in codes:
        known = language in _OWN or language in _GRAMMARS
        asked.append(known and len(code) <= min(MOST_CHARS, left))
        if asked[-1]:
            pieces.append((_GRAMMARS.get(language), language, code))
            left -= len(code)
    results = iter(parse_pieces(pieces))
    return [next(results) if each else None for each in asked]
