"""JSON schemas, checked within bounds: a schema and an answer may both come from people who wish us ill.

jsonschema does the checking. What it leaves unbounded is bounded here: its keywords spend steps of a budget, so that
references and alternatives that multiply come to an end; patterns are matched by RE2, in linear time; equal values are
found by numbering them, not by comparing each with each.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import attrs
import jsonschema
import re2
import referencing
from jsonschema.exceptions import UnknownType, ValidationError
from jsonschema.validators import validator_for

SCHEMA_STEPS = 120_000  # in which a schema must be found valid; each takes about half a microsecond
OWN_SCHEMA_STEPS = 50 * SCHEMA_STEPS  # for one that the program itself brings, checked once
_ANSWER_STEPS = 25_000  # for all checks of one answer; each takes up to 3 µs
_KEPT_CHARS = 50_000
_MOST_KEPT = 32
_PATTERN_CHARS = 2_000
_SEARCH_STEPS = 6_000  # that go on looking for what is nowhere
_MOST_DEPTH = 150  # of keywords inside others: each takes some four frames of Python's stack
_CHARS_PER_STEP = 2_000  # times the instructions of a pattern, which RE2 may have to follow all for each character

_EXTEND: Any = jsonschema.validators.extend  # which has no types

# An own registry, since jsonschema's default one fetches what a schema refers to from the network.
_REGISTRY: referencing.Registry[Any] = referencing.Registry()


class UnusableSchemaError(Exception):
    """A schema against which nothing can be checked; says why, after "the schema"."""


class UncheckedError(Exception):
    """What cannot be checked within bounds; says why."""


class Work:
    """What is left to spend on checking one answer, and what was found out on the way.

    Parameters
    ----------
    steps : what may be spent.
    shared : among several schemas, so that what is left for one says nothing of it.

    Raises
    ------
    UncheckedError : by `spend`, when nothing is left.
    """

    def __init__(self, steps: int = _ANSWER_STEPS, shared: bool = False) -> None:
        self.left = steps
        self.shared = shared
        self.patterned = False
        self.depth = 0  # of keywords that are being checked
        self._weights: dict[int, tuple[Any, int]] = {}  # by identity; the value is kept so that it stays the same one
        self._numbers: dict[int, tuple[Any, int]] = {}
        self._known: dict[Any, int] = {}

    def spend(self, steps: int) -> None:
        """Take steps off."""
        self.left -= steps
        if self.left < 0:
            raise UncheckedError("takes too long to check")

    def weigh(self, value: Any) -> int:
        """How many values a JSON value is made of, and 64th parts of its characters."""
        if isinstance(value, str):
            return 1 + len(value) // 64
        if not isinstance(value, (list, dict)):
            return 1
        if id(value) not in self._weights:
            self.spend(1)
            inner = value.values() if isinstance(value, dict) else value
            self._weights[id(value)] = value, 1 + sum(map(self.weigh, inner))
        return self._weights[id(value)][1]

    def number(self, value: Any) -> int:
        """A number that equal JSON values share, and no others: 1 and 1.0 are equal, 1 and true are not."""
        if not isinstance(value, (list, dict)):
            return self._known.setdefault((isinstance(value, bool), value), len(self._known))
        if id(value) not in self._numbers:
            if isinstance(value, dict):
                key: Any = frozenset((name, self.number(each)) for name, each in value.items())
            else:
                key = tuple(map(self.number, value))
            self._numbers[id(value)] = value, self._known.setdefault((type(value), key), len(self._known))
        return self._numbers[id(value)][1]


_WORK: ContextVar[Work] = ContextVar("work")


@dataclass(frozen=True, slots=True)
class Checker:
    """A schema that is known to be valid, ready to check values.

    Attributes
    ----------
    validator : jsonschema's, with bounded keywords.
    patterned : whether ``patternProperties`` stand anywhere in the schema.
    """

    validator: Any
    patterned: bool

    def fault(self, value: Any, work: Work) -> str | None:
        """What is wrong with a value, in the words of the schema language alone.

        Raises
        ------
        UnusableSchemaError : the schema refers to what cannot be found, or fails when used.
        UncheckedError : the value cannot be checked within bounds.
        """
        work.patterned, work.depth = self.patterned, 0
        token = _WORK.set(work)
        try:
            error = next(self.validator.iter_errors(value), None)
        except referencing.exceptions.Unresolvable as failure:
            work.left -= _SEARCH_STEPS
            raise UnusableSchemaError("refers to what cannot be found") from failure
        except RecursionError:
            return "too deeply nested to check"
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, UnknownType) as failure:
            raise UnusableSchemaError("cannot be used") from failure
        except BaseException as failure:
            if type(failure).__name__ != "PanicException":  # of a part in Rust that ran out of stack: no Exception
                raise
            return "too deeply nested to check"
        finally:
            _WORK.reset(token)
        return None if error is None else f"breaks a rule of the schema: {error.validator}"


def make_checker(schema: Mapping[str, Any], work: Work | None = None) -> Checker:
    """What checks values against a schema; kept for the next use, unless long, as is that a schema has none.

    Parameters
    ----------
    work : what may be spent on finding that the schema is valid; by default ``SCHEMA_STEPS``.

    Raises
    ------
    UnusableSchemaError : it is no valid schema.
    UncheckedError : whether it is one cannot be told within bounds.
    """
    work = work or Work(SCHEMA_STEPS)
    _spend_on_size(schema, work)
    try:
        text = json.dumps(dict(schema), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableSchemaError("is no valid JSON schema") from error
    found = _kept.get(_key(text))
    if found is None or (isinstance(found, UncheckedError) and work.left > SCHEMA_STEPS):
        found = _tried(text, work)
    if isinstance(found, Checker):
        return found
    raise type(found)(*found.args)


_kept: dict[bytes, Checker | UnusableSchemaError | UncheckedError] = {}


def _tried(text: str, work: Work) -> Checker | UnusableSchemaError | UncheckedError:
    """A new checker, or why there is none."""
    found: Checker | UnusableSchemaError | UncheckedError
    try:
        found = _new_checker(text, work)
    except (UnusableSchemaError, UncheckedError) as error:
        found = type(error)(*error.args)  # without the frames that it was raised in
    lasting = len(text) <= _KEPT_CHARS if isinstance(found, Checker) else not work.shared
    if lasting:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[_key(text)] = found
    return found


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _spend_on_size(schema: Any, work: Work) -> None:
    """Spend on all values of a schema, each as often as it stands in others: in Python they may share their parts."""
    todo = [schema]
    while todo:
        value = todo.pop()
        if isinstance(value, Mapping):
            todo.extend(value.keys())
            todo.extend(value.values())
        elif isinstance(value, (list, tuple)):
            todo.extend(value)
        work.spend(1 + len(todo) // 1000 + (len(value) // 32 if isinstance(value, str) else 0))


def _new_checker(text: str, work: Work) -> Checker:
    try:
        schema = json.loads(text)
        kind = _bounded(validator_for(schema, default=jsonschema.Draft202012Validator))
        meta = _bounded(validator_for(kind.META_SCHEMA, default=kind))
        grammar = Checker(meta(kind.META_SCHEMA, registry=_REGISTRY, format_checker=_FORMATS), False)
        sound = grammar.fault(schema, work) is None
    except (UnusableSchemaError, RecursionError, TypeError, AttributeError) as error:
        raise UnusableSchemaError("is no valid JSON schema") from error
    if not sound:
        raise UnusableSchemaError("is no valid JSON schema")
    return Checker(kind(schema, registry=_REGISTRY), '"patternProperties"' in text)


@cache
def _bounded(kind: Any) -> Any:
    """A draft's validator whose keywords spend steps."""
    own = {name: check for name, check in _OWN.items() if name in kind.VALIDATORS}
    keywords = {name: _counted(name, check) for name, check in {**kind.VALIDATORS, **own}.items()}
    made = _EXTEND(kind, validators=keywords)
    fields = [(field.name, field.alias) for field in attrs.fields(made) if field.init]

    def evolve(self: Any, **changes: Any) -> Any:
        """As jsonschema's own, which would leave the bounds at a part that names its draft."""
        _WORK.get().spend(6)
        schema = changes.setdefault("schema", self.schema)
        named = validator_for(schema, default=made)
        for name, alias in fields:
            changes.setdefault(alias, getattr(self, name))
        return (made if named is made else _bounded(named))(**changes)

    made.evolve = evolve
    return made


_Keyword = Callable[[Any, Any, Any, Any], Any]
# Keywords that look at each part of the value, beside each part of their own.
_WALKING = frozenset({
    "items", "additionalItems", "prefixItems", "contains", "additionalProperties", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems",
})  # fmt: skip


def _counted(name: str, check: _Keyword) -> _Keyword:
    def run(validator: Any, given: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        work = _WORK.get()
        work.spend(_price(name, given, value, work))
        work.depth += 1
        if work.depth > _MOST_DEPTH:
            raise RecursionError
        try:
            for error in check(validator, given, value, schema) or ():
                yield error
                work.spend(6 + (work.weigh(value) + work.weigh(given)) // 8)  # both are written out in its message
        finally:
            work.depth -= 1

    return run


def _price(name: str, given: Any, value: Any, work: Work) -> int:
    size = len(value) if isinstance(value, (list, dict)) else 0
    price = 1 + (len(given) if isinstance(given, (list, dict)) else 0)
    if name in _WALKING:
        price += size
    if name == "unevaluatedProperties" and work.patterned:  # for which jsonschema uses Python's expressions
        raise UncheckedError("unevaluatedProperties beside patternProperties cannot be checked")
    if name.startswith("unevaluated"):
        price += size * size // 64
    if name.endswith(("Ref", "ref")) and isinstance(given, str):
        price += 12 + len(given) // 16 + (0 if given.startswith("#") else 50)  # others are looked for in every document
    return price


# Keywords that jsonschema leaves to Python's regular expressions, or compares each with each


def _pattern(validator: Any, given: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "string") and _is_found(given, value) is False:
        yield ValidationError("does not match")


def _pattern_properties(validator: Any, given: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "object"):
        for pattern, inner in given.items():
            for name, each in value.items():
                if _is_found(pattern, name):
                    yield from validator.descend(each, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, given: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(value, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name in [name for name in value if name not in named]:
        if any(_is_found(pattern, name) is not False for pattern in patterns):
            continue
        if given is False:
            yield ValidationError("has additional properties")
        elif given is not True:
            yield from validator.descend(value[name], given, path=name)


def _unique_items(validator: Any, given: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if given and validator.is_type(value, "array"):
        work = _WORK.get()
        work.spend(3 * work.weigh(value))
        if len(set(map(work.number, value))) < len(value):
            yield ValidationError("has repeated items")


def _enum(validator: Any, given: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    work = _WORK.get()
    work.spend(work.weigh(value) + work.weigh(given))
    if work.number(value) not in map(work.number, given):
        yield ValidationError("is none of the values")


def _const(validator: Any, given: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    yield from _enum(validator, [given], value, schema)


_OWN: Mapping[str, _Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "enum": _enum,
    "const": _const,
}


# Patterns, as RE2 understands them: ECMA's but for looking around, referring back and counting beyond 1,000

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 2**20
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_UNSUPPORTED = (
    b"invalid perl operator", b"invalid escape sequence", b"bad repetition operator", b"invalid repetition size",
    b"pattern too large", b"invalid named capture", b"expression nests too deeply",
)  # fmt: skip


def _is_found(pattern: str, text: str) -> bool | None:
    """Whether a pattern is found in a text; None where that cannot be told."""
    compiled = _compiled(pattern)
    if compiled is None:
        return None
    _WORK.get().spend(len(text) * (8 + compiled.programsize) // _CHARS_PER_STEP)
    return compiled.search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=32)
def _compiled(pattern: str) -> Any:
    """The pattern ready to search bytes; None where RE2 does not support it, or it is too long."""
    try:
        return _compile(pattern)
    except (re2.error, UnicodeError):
        return None


def _compile(pattern: str) -> Any:
    if len(pattern) > _PATTERN_CHARS:
        return None
    plain = _ESCAPE.sub(lambda found: rf"\x{{{found[1]}}}" if found[1] else found[0], pattern)
    return re2.compile(plain.encode(), _OPTIONS)


def _is_pattern(pattern: object) -> bool:
    """Whether a member that should be a pattern is one, supported or not."""
    try:
        if isinstance(pattern, str):
            _compile(pattern)
    except UnicodeError:
        return True
    except re2.error as error:
        return bool(error.args) and error.args[0].startswith(_UNSUPPORTED)
    return True


_FORMATS = jsonschema.FormatChecker(formats=())
_FORMATS.checks("regex")(_is_pattern)
