"""What a tier does with the arguments of a call: two tiers may be one model at different efforts.

In ``router.toml``, below the tier::

    [tiers.arguments]
    reasoning_effort = "high"                           # set, whatever the caller says
    max_tokens = { rename = "max_completion_tokens" }   # the caller's, under another name
    temperature = { drop = true }                       # left out
    verbosity = { default = "low" }                     # set where the caller says nothing
    extra_body = { thinking = { type = "enabled", budget_tokens = 8000 } }

A table whose only key is rename, drop, default or set says what is done; any other is a value. What stands in
``extra_body``, ``reasoning`` or ``text`` is added to the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from classifier.config_checks import expect, expect_at_most, show, typed
from classifier.errors import ConfigError

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")  # names of the limit on an answer's tokens
MAX_ARGUMENTS = 64

_MOST_CHARS = 65_536  # of all values as JSON
_MOST_NAME = 100
_KINDS = ("rename", "drop", "default", "set")
_BODY = "extra_body"
_MERGED = frozenset({_BODY, "reasoning", "text"})  # tables that are added to the caller's
# Names in the Responses API of what chat completions take: the argument, and the key in it.
_IN_RESPONSES = {
    **dict.fromkeys(LIMITS, ("max_output_tokens", None)),
    "reasoning_effort": ("reasoning", "effort"),
    "verbosity": ("text", "verbosity"),
}
_REFUSED = {
    "model": "it is the tier's own key",
    "messages": "it is the request itself",
    "input": "it is the request itself",
    "stream": "the caller decides it",
    "timeout": "a cascade has a deadline for it",
    "extra_headers": "headers may hold keys; give them to the client",
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What becomes of a call's arguments.

    Attributes
    ----------
    values : set, whatever the caller says.
    defaults : set where the caller says nothing.
    renamed : the caller's name -> the tier's.
    dropped : names that are left out.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.values or self.defaults or self.renamed or self.dropped)

    def apply(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A call's arguments as the tier takes them."""
        made = {name: value for name, value in given.items() if name not in self.dropped and name not in self.renamed}
        for name, other in self.renamed.items():
            if name in given:
                made.setdefault(other, given[name])
        for name, value in {**self.defaults, **self.values}.items():
            own = made.get(name)
            if name in _MERGED and isinstance(own, Mapping) and isinstance(value, Mapping):
                made[name] = {**value, **own} if name in self.defaults else {**own, **value}
            elif name in self.values or own is None:
                made[name] = value
        return made

    def for_responses(self) -> Arguments:
        """The same for calls of the Responses API, which has other names for some of what chat completions take."""
        dropped = frozenset(_IN_RESPONSES.get(name, (name, None))[0] for name in self.dropped if name not in LIMITS)
        renamed = {name: other for name, other in self.renamed.items() if name not in LIMITS}
        return Arguments(_in_responses(self.values), _in_responses(self.defaults), renamed, dropped)

    def added(self) -> frozenset[str]:
        """Names that the tier brings, whatever the caller's are."""
        return frozenset({*self.values, *self.defaults, *self.renamed.values()})

    def table(self) -> dict[str, Any]:
        """As ``router.toml`` writes it; `parse_arguments` is the inverse."""
        return {
            **{name: {"set": value} if _says_what_to_do(value) else value for name, value in self.values.items()},
            **{name: {"default": value} for name, value in self.defaults.items()},
            **{name: {"rename": other} for name, other in self.renamed.items()},
            **{name: {"drop": True} for name in sorted(self.dropped)},
        }


NO_ARGUMENTS = Arguments()


def _in_responses(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values under the names that the Responses API has for them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        other, key = _IN_RESPONSES.get(name, (name, None))
        if key is not None:
            found[other] = {**found.get(other, {}), key: value}
        elif other in _MERGED and isinstance(value, Mapping):
            found[other] = {**found.get(other, {}), **value}
        else:
            found[other] = value
    return found


def answer_limit(*limits: Any) -> Any:
    """The limit on an answer's tokens, of those given under several names: the smallest; None: there is none."""
    given = [limit for limit in limits if limit is not None]
    if len(given) < 2:
        return given[0] if given else None
    return min((limit for limit in given if isinstance(limit, Real)), default=given[0])


def parse_arguments(where: str, table: Any) -> Arguments:
    """The arguments that a tier's table says.

    Raises
    ------
    ConfigError : the table says something else; the message names the argument.
    """
    where = f"{where}, arguments"
    _check_size(where, typed(where, "arguments", table, dict))
    parts: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    for name, value in table.items():
        _check_name(where, name)
        kind, content = next(iter(value.items())) if _says_what_to_do(value) else ("set", value)
        parts[kind][name] = content
    for kind in ("set", "default"):
        body = parts[kind].get(_BODY, {})
        expect(isinstance(body, Mapping), where, _BODY, body, "a table")
    for name, value in parts["drop"].items():
        expect(value is True, where, f"{name}.drop", value, "true")
    for name, other in parts["rename"].items():
        expect(isinstance(other, str), where, f"{name}.rename", other, "the name that the tier takes")
        _check_name(where, other)
        if other in {**parts["rename"], **parts["drop"]}:
            raise ConfigError(f"{where}: {name} is renamed to {show(other)}, which is renamed or dropped itself")
    return Arguments(parts["set"], parts["default"], parts["rename"], frozenset(parts["drop"]))


def _says_what_to_do(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _KINDS


def _check_size(where: str, table: dict[Any, Any]) -> None:
    expect_at_most(where, "arguments", len(table), MAX_ARGUMENTS)
    try:
        chars = len(json.dumps(table, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise ConfigError(
            f"{where}: found a value that no request can hold, expected text, finite numbers, true, false, lists and "
            "tables; write dates as text"
        ) from None
    expect_at_most(where, "characters", chars, _MOST_CHARS)


def _check_name(where: str, name: Any) -> None:
    sound = isinstance(name, str) and name.isidentifier() and len(name) <= _MOST_NAME
    expect(sound, where, "an argument", name, "a name such as reasoning_effort")
    if name in _REFUSED:
        raise ConfigError(f"{where}: {show(name)} cannot be one of them: {_REFUSED[name]}")
