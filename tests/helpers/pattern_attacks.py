"""Every regular expression of the repository, and texts that would cost a backtracking engine more than linear time."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import signal
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from re import _constants as op
from re import _parser as parser
from typing import Any

ROOT = Path(__file__).parents[2]
_FOLDERS = ("classifier", "training", "data", "models", "benchmarks", "examples", "scripts")
_IMPORTED = ("classifier", "training")
_FUNCTIONS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}

# Where users' own patterns are compiled, to check their grammar; an engine with a limit of time runs them.
_OF_USERS = {"classifier/gates/shape.py"}

CHARS = 50_000
SECONDS = 0.25  # of CPU for that many characters: some hundred times what a linear pattern takes
_CATEGORIES = {
    op.CATEGORY_DIGIT: "1", op.CATEGORY_SPACE: " \n\t", op.CATEGORY_WORD: "a1_",
    op.CATEGORY_NOT_DIGIT: "a ", op.CATEGORY_NOT_SPACE: "a1*", op.CATEGORY_NOT_WORD: " -\n",
}  # fmt: skip
_SUFFIXES = ("", "\x00", "!\n~")
_MOST_PUMPS = 12
_PAIRED = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern and where it stands."""

    where: str
    pattern: re.Pattern[Any]
    whole: bool  # it is only ever matched from the beginning, never searched for


def all_patterns() -> list[Found]:
    """Compiled patterns at the top of modules, and those written as literals in calls.

    Raises
    ------
    AssertionError : a call builds its pattern in a way that cannot be looked at: make it a constant of its module.
    """
    found = [each for name in _IMPORTED for each in _module_patterns(name)]
    for path in sorted(path for folder in _FOLDERS for path in (ROOT / folder).rglob("*.py")):
        found += _literal_patterns(path)
    return list({(each.pattern.pattern, each.pattern.flags): each for each in reversed(found)}.values())


def _module_patterns(package: str) -> Iterator[Found]:
    root = importlib.import_module(package)
    names = [package, *(each.name for each in pkgutil.walk_packages(root.__path__, f"{package}."))]
    for name in names:
        if name.rpartition(".")[2].startswith("_"):
            continue  # compiled, or a program to run
        module = importlib.import_module(name)
        source = Path(module.__file__ or "").read_text("utf-8")
        for variable, value in vars(module).items():
            for pattern in _patterns_in(value):
                yield Found(f"{name}.{variable}", pattern, _is_matched_whole(variable, source))


def _patterns_in(value: object) -> list[re.Pattern[Any]]:
    """A variable's pattern, or those in its list, tuple or dictionary."""
    values = list(value.values()) if isinstance(value, dict) else value
    values = values if isinstance(values, (list, tuple)) else [values]
    return [each for each in values if isinstance(each, re.Pattern)]


def _is_matched_whole(variable: str, source: str) -> bool:
    uses = set(re.findall(rf"\b{variable}\b(?:\.(\w+))?", source)) - {""}
    return bool(uses) and uses <= {"match", "fullmatch"}


def _literal_patterns(path: Path) -> Iterator[Found]:
    tree = ast.parse(path.read_text("utf-8"))
    constants = {id(node.value) for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign))}
    imported = path.relative_to(ROOT).parts[0] in _IMPORTED
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and _is_pattern_call(node.func)):
            continue
        where = f"{path.relative_to(ROOT)}:{node.lineno}"
        if where.partition(":")[0] in _OF_USERS:
            continue
        try:
            flags = [each for each in node.args[1:] if isinstance(each, ast.Attribute)]
            values = [eval(compile(ast.Expression(each), where, "eval"), {"re": re}) for each in (node.args[0], *flags)]
        except NameError:
            known = imported and id(node) in constants
            assert known, f"{where}: a pattern that is neither a literal nor a constant of its module"
            continue
        if not isinstance(values[0], re.Pattern):
            yield Found(where, re.compile(*values[:2]), getattr(node.func, "attr", "") in ("match", "fullmatch"))


def _is_pattern_call(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in _FUNCTIONS
    )


def costly_text(pattern: re.Pattern[Any], whole: bool = False) -> str | None:
    """A text of some 50,000 characters on which the pattern takes more than linear time; None where none is found."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else 0)
    for prefix, pump, suffix in _attacks(list(tree)):
        times = CHARS // len(pump)
        # A quarter of the text first: what takes quadratic time shows there, too, and most patterns are done with it.
        if all(
            _takes_longer(seconds, pattern, prefix + pump * (times // part) + suffix, whole)
            for part, seconds in ((4, SECONDS / 32), (1, SECONDS))
        ):
            return f"{prefix!r} + {pump!r} * {times} + {suffix!r}"
    return None


def _takes_longer(seconds: float, pattern: re.Pattern[Any], text: str, whole: bool) -> bool:
    """Whether matching takes more than so much of the CPU's time; it is stopped then."""
    subject: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")

    def stop(*_: object) -> None:
        raise TimeoutError

    former = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        if not whole:
            deque(pattern.finditer(subject), maxlen=0)
        pattern.match(subject)
        pattern.fullmatch(subject)
    except TimeoutError:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)
    return False


def _attacks(tree: list[Any]) -> Iterator[tuple[str, str, str]]:
    """Beginning, what is repeated, end: for each repetition of the pattern, and for the pattern as a whole."""
    whole = _sample(tree)
    chars = list(dict.fromkeys(_chars(tree)))
    named = list(dict.fromkeys([*_literals(tree), *chars]))[:_PAIRED]
    pairs = ["".join(pair) for pair in product(named, repeat=2)]
    places = [
        ("", [whole, *chars[:_MOST_PUMPS]]),
        *((char, pairs) for char in named[:1]),
        *_repeats(tree, "", 0),
        *_repeats(tree, "", 1),
    ]
    seen = set()
    for prefix, pumps in places:
        kept = [pump for pump in dict.fromkeys(pumps) if pump][: _MOST_PUMPS + _PAIRED**2]
        for attack in product({prefix, ""}, kept, _SUFFIXES):
            if attack not in seen:
                seen.add(attack)
                yield attack


def _repeats(tree: list[Any], before: str, least: int) -> Iterator[tuple[str, list[str]]]:
    """For each repetition: a text that leads to it, and what it may repeat, also together with what follows it."""
    for place, (kind, value) in enumerate(tree):
        prefix = before + _sample(tree[:place], least)
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT) and value[1] > 1:
            body = list(value[2])
            samples = [_sample(body, least), *_chars(body)]
            following = [_sample(tree[place + 1 : place + more]) for more in (2, 3)]
            yield prefix, [*samples[:_MOST_PUMPS], *(samples[0] + each for each in following), _sample(tree[place:])]
        for inner in _inside(kind, value):
            yield from _repeats(inner, prefix, least)


def _inside(kind: Any, value: Any) -> list[list[Any]]:
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return [list(value[2])]
    if kind is op.SUBPATTERN:
        return [list(value[3])]
    if kind is op.BRANCH:
        return [list(each) for each in value[1]]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [list(value[1])]
    return [list(value)] if kind is op.ATOMIC_GROUP else []


def _sample(tree: list[Any], least: int = 0) -> str:
    """A text that the tree matches, as far as that can be had without looking around.

    Repetitions stand in it as often as they must, at least ``least`` times.
    """
    return "".join(_sample_of(kind, value, least) for kind, value in tree)


def _sample_of(kind: Any, value: Any, least: int) -> str:
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return _sample(list(value[2]), least) * max(value[0], min(least, value[1]))
    if kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
        return next(iter(_chars([(kind, value)])), "")
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return ""
    return next((_sample(inner, least) for inner in _inside(kind, value)), "")


def _chars(tree: list[Any]) -> list[str]:
    """Characters of each kind that the tree speaks of."""
    found: list[str] = []
    for kind, value in tree:
        if kind is op.LITERAL:
            found.append(chr(value))
        elif kind in (op.NOT_LITERAL, op.ANY):
            found += [char for char in "a \n" if kind is op.ANY or ord(char) != value]
        elif kind is op.IN:
            found += _members(value)
        for inner in _inside(kind, value):
            found += _chars(inner)
    return found


def _literals(tree: list[Any]) -> list[str]:
    """Characters that the tree names, also to leave them out."""
    found: list[str] = []
    for kind, value in tree:
        if kind in (op.LITERAL, op.NOT_LITERAL):
            found.append(chr(value))
        elif kind is op.IN:
            found += _literals([member for member in value if member[0] is op.LITERAL])
        for inner in _inside(kind, value):
            found += _literals(inner)
    return found


def _members(members: list[Any]) -> list[str]:
    named = [char for member in members for char in _named(*member)]
    if members[0][0] is not op.NEGATE:
        return named
    return [char for char in 'a 1\n*"x-' if char not in named]


def _named(kind: Any, value: Any) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.RANGE:
        return chr(value[0]) + chr(value[1])
    return _CATEGORIES.get(value, "") if kind is op.CATEGORY else ""
