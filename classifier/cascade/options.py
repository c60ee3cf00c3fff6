"""The options of a cascade, each declared once: its kind, its range, and what it means.

`Options` is what type checkers and editors see; what is checked at run time, and the text of ``help(Options)``, are
read off it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import cleandoc
from math import isfinite
from pathlib import Path
from textwrap import fill
from types import NoneType
from typing import Annotated, Any, TypedDict, get_args, get_type_hints

from typing_extensions import Doc

from classifier.cascade.budget import Budget
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.recording import OutcomeSink
from classifier.cascade.route import GateRates
from classifier.errors import InputError
from classifier.gates import Gate
from classifier.router import Router


@dataclass(frozen=True, slots=True)
class Range:
    """Which values of its kind an option takes; ``expected`` says it in words."""

    holds: Callable[[Any], bool]
    expected: str


_SHARE = Range(lambda share: 0 <= share <= 1, "a share from 0 to 1, such as 0.02")
_PART = Range(lambda part: 0 <= part < 1, "a part from 0 to below 1, such as 0.75")
_LIMIT = Range(lambda limit: limit is None or (isfinite(limit) and limit > 0), "seconds, a number above 0, or None")
_SECONDS = Range(lambda seconds: isfinite(seconds) and seconds >= 0, "seconds, a number of 0 or more")
_COUNT = Range(lambda count: count >= 0, "a whole number of 0 or more")


class Options(TypedDict, total=False):
    """Keyword arguments of `Cascade` and `AsyncCascade`."""

    router: Annotated[Router | None, Doc("default: the shared one of `classifier.predict_model`.")]
    gate: Annotated[
        Gate | None,
        Doc(
            "what an answer must pass to be kept; default: `classifier.gates.default_gate`, and the learned gate where "
            "the router's artifact has one that is certified."
        ),
    ]
    rates: Annotated[
        GateRates | None,
        Doc(
            "how often the gate passes good and bad answers, which decides whether trying a tier is worth it; default: "
            "a learned gate's own odds, else those of a gate that lets three quarters of the bad answers pass."
        ),
    ]
    start: Annotated[
        str,
        Doc(
            '"router" (default): where the router\'s expectations say that it is worth most; "cheapest"; or a tier\'s '
            "name."
        ),
    ]
    deadline: Annotated[
        float | None,
        _LIMIT,
        Doc(
            "seconds for all of a request's calls together, 600 by default; for a stream, until it says something, and "
            "from each chunk to the next. A ``timeout`` given with the request takes its place. None: the client's own "
            "limit for each call."
        ),
    ]
    retries: Annotated[
        int,
        _COUNT,
        Doc("how often the last tier is asked again, after a pause, when nothing else is left; 2 by default."),
    ]
    store: Annotated[
        OutcomeSink | str | None,
        Doc("a `classifier.outcomes.OutcomeStore` or its URL; None (default): nothing is kept."),
    ]
    explore: Annotated[
        float,
        _SHARE,
        Doc(
            "share of the requests, 0 by default, that begin at another tier than the chosen one, drawn at random "
            "among those whose expected quality is at least ``explore_floor`` of the reference's."
        ),
    ]
    explore_floor: Annotated[float, _SHARE, Doc("see ``explore``; 0.9 by default.")]
    candidate: Annotated[
        Router | str | Path | None,
        Doc(
            "an artifact that may come into use: a path, such as ``models/candidate`` (a pointer that retraining "
            "writes and empties; it may be missing, and is looked at every few seconds), a `Router`, or one that is "
            "watched. Where it would begin elsewhere, requests explore that start, whatever ``explore_floor`` is; the "
            "share that explores stays ``explore``. A broken, missing or slow candidate is ignored."
        ),
    ]
    explore_directed: Annotated[
        float,
        _PART,
        Doc("part of ``explore`` that the candidate directs, 0.75 by default; the rest is drawn as without one."),
    ]
    audit: Annotated[
        float,
        _SHARE,
        Doc(
            "share of the answers passed by the gate, 0 by default, for which the reference is asked as well, in the "
            "background, so that the gate's false-pass rate is known. ``audit_gate`` judges both; without one they are "
            "compared."
        ),
    ]
    audit_gate: Annotated[Gate | None, Doc("see ``audit``.")]
    budget: Annotated[Budget | None, Doc("spend limits.")]
    limits: Annotated[
        AnswerLimits,
        Doc("how large an answer may be, see `AnswerLimits`; a larger one is malformed, and another tier is asked."),
    ]
    close_timeout: Annotated[
        float,
        _SECONDS,
        Doc(
            "seconds, 10 by default, that closing the cascade, or the end of a process that does not, waits for "
            "audits, and as many for outcomes; audits that are not done by then are left out, and counted."
        ),
    ]
    stream_optimistically: Annotated[
        bool,
        Doc(
            "with ``stream=True``, stream the first tier's answer without waiting for the gate, whose verdict is then "
            "only recorded; False by default."
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Option:
    """What is checked of an option."""

    kinds: tuple[type, ...]
    range: Range | None
    meaning: str

    @classmethod
    def declared(cls, hint: Any) -> _Option:
        kind, *rest = get_args(hint)
        ranges = [each for each in rest if isinstance(each, Range)]
        (doc,) = (each for each in rest if isinstance(each, Doc))
        return cls(get_args(kind) or (kind,), ranges[0] if ranges else None, doc.documentation)

    def takes(self, value: object) -> bool:
        kinds = tuple(int if kind is float else kind for kind in self.kinds) + self.kinds
        # What a sink of outcomes must have, `Settings` says: a protocol is no class to be an instance of.
        return OutcomeSink in kinds or isinstance(value, kinds)


_DECLARED: Mapping[str, _Option] = {
    name: _Option.declared(hint) for name, hint in get_type_hints(Options, include_extras=True).items()
}
_LIST = "\n".join(
    fill(f"{name} : {option.meaning}", 110, subsequent_indent="    ", break_on_hyphens=False)
    for name, option in _DECLARED.items()
)
Options.__doc__ = f"{cleandoc(Options.__doc__ or '')}\n\n{_LIST}\n"


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse what is no option, or a value that an option does not take.

    Raises
    ------
    InputError : the message names the option, what was found and what is expected.
    """
    for name, value in options.items():
        if name not in _DECLARED:
            close = get_close_matches(name, _DECLARED, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"'{name}' is no option of a cascade; expected one of: {', '.join(_DECLARED)}{hint}")
        option = _DECLARED[name]
        if not option.takes(value):
            raise InputError(f"{name}: found {shown(value)}, expected {_wanted(option.kinds)}")
        if option.range is not None and not option.range.holds(value):
            raise InputError(f"{name} is {value}; expected {option.range.expected}")


def shown(value: object) -> str:
    """A value in few words: of a class, that it is one."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _wanted(kinds: tuple[type, ...]) -> str:
    words = {float: "a number", int: "a whole number", NoneType: "None"}
    return " or ".join(words.get(kind, kind.__name__) for kind in kinds)
