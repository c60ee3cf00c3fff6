"""Column names -> the form of a table, and which of its columns hold what."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from classifier.errors import TableError

Form = Literal["wide", "labelled", "long", "pairwise"]

PER_TIER = ("score__", "cost__", "tokens_out__", "response__")
TOKENS_OUT = "tokens_out"
RESPONSE = "response"
_ALMOST_PER_TIER = re.compile(r"(score|cost|tokens_out|response)[_\-.: /]{1,3}(?=[^_\-.: /])", re.IGNORECASE)
_MOST_SHOWN = 30
_CLOSE = 0.75


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that are looked for; what stands before ``__`` in per-tier columns is fixed."""

    prompt: str = "prompt"
    messages: str = "messages"
    task: str = "task"
    max_tokens: str = "max_tokens"
    group: str = "group"
    timestamp: str = "timestamp"
    tier: str = "tier"
    model: str = "model"
    score: str = "score"
    cost: str = "cost"
    model_a: str = "model_a"
    model_b: str = "model_b"
    winner: str = "winner"
    tools: str = "tools"
    response_format: str = "response_format"

    def renamed(self) -> dict[str, str]:
        """Standard name -> name in the files, for the columns that were renamed."""
        given = asdict(self)
        return {field.name: given[field.name] for field in fields(self) if given[field.name] != field.default}


def recognise(file: str, columns: Sequence[str], names: Columns) -> Form:
    """The one form whose columns are there.

    Raises
    ------
    TableError : no form fits, or several do.
    """
    present = set(columns)
    request = names.prompt in present or names.messages in present
    complete: dict[Form, bool] = {
        "wide": any(_tier_of(column, "score__") for column in columns),
        "labelled": names.tier in present,
        "long": {names.model, names.score} <= present,
        "pairwise": {names.model_a, names.model_b, names.winner} <= present,
    }
    fitting = [form for form, fits in complete.items() if request and fits]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise TableError(
            f"{file}: found columns of {len(fitting)} forms ({' and '.join(fitting)}) among {_listed(columns)}; "
            f"expected one form: {_needs(names)}; drop or rename the columns of the others"
        )
    hints = "".join(f"; {hint}" for hint in close_names(columns, names))
    raise TableError(f"{file}: found columns {_listed(columns)}; expected one form: {_needs(names)}{hints}")


def used_columns(columns: Sequence[str], form: Form, names: Columns) -> list[str]:
    """The columns that the form reads, in the file's order; the others are ignored.

    A per-tier column of a wide table counts only beside that tier's score.
    """
    wanted = {names.prompt, names.messages, names.task, names.max_tokens}
    wanted |= {names.group, names.timestamp, names.tools, names.response_format}
    if form == "labelled":
        wanted.add(names.tier)
    elif form == "long":
        wanted |= {names.model, names.score, names.cost, TOKENS_OUT, RESPONSE}
    elif form == "pairwise":
        wanted |= {names.model_a, names.model_b, names.winner}
    scored = {tier for column in columns if (tier := _tier_of(column, "score__"))}
    for prefix in PER_TIER if form == "wide" else PER_TIER[1:] if form == "labelled" else ():
        for column in columns:
            tier = _tier_of(column, prefix)
            if tier and (form == "labelled" or tier in scored):
                wanted.add(column)
    return [column for column in columns if column in wanted]


def per_tier(columns: Sequence[str], prefix: str) -> dict[str, str]:
    """Tier -> its column, for the columns that start with the prefix."""
    return {tier: column for column in columns if (tier := _tier_of(column, prefix))}


def close_names(columns: Sequence[str], names: Columns) -> list[str]:
    """For columns that are not used but nearly have a name that would be, a sentence that says so."""
    known = [*asdict(names).values(), TOKENS_OUT, RESPONSE]
    hints = []
    for column in columns:
        if column in known or _tier_of(column, "score__"):
            continue
        tier = next(filter(None, (_tier_of(column, prefix) for prefix in PER_TIER)), "")
        if tier:
            hints.append(f'column "{_safe(column)}": there is no score__{tier} beside it')
            continue
        meant = _meant(column, known)
        if meant and meant not in columns:
            hints.append(f'column "{_safe(column)}": did you mean "{meant}"?')
    return hints


def _meant(column: str, known: Sequence[str]) -> str:
    """The name that a column was probably meant to have: one that is known, or that of a tier's column."""
    almost = _ALMOST_PER_TIER.match(column)
    if almost:
        return f"{almost[1].lower()}__{column[almost.end() :]}"
    prefix, parted, tier = column.partition("__")
    if parted and tier:
        kinds = [each.removesuffix("__") for each in PER_TIER]
        found = difflib.get_close_matches(prefix.strip().lower(), kinds, 1, _CLOSE)
        return f"{found[0]}__{tier}" if found else ""
    return next(iter(difflib.get_close_matches(column.strip().lower(), known, 1, _CLOSE)), "")


def check_names(names: Columns) -> None:
    """Refuse names that give one column two roles."""
    roles: dict[str, str] = {}
    for role, column in asdict(names).items():
        if roles.setdefault(column, role) != role:
            raise TableError(f'columns: found "{column}" for both {roles[column]} and {role}, expected one column each')


def _tier_of(column: str, prefix: str) -> str:
    return column[len(prefix) :] if column.startswith(prefix) else ""


def _needs(names: Columns) -> str:
    request = f"{names.prompt} (or {names.messages})"
    needs: dict[Form, str] = {
        "wide": "score__<tier> for each tier",
        "labelled": f"{names.tier}",
        "long": f"{names.model}, {names.score}",
        "pairwise": f"{names.model_a}, {names.model_b}, {names.winner}",
    }
    return f"{request} and " + ", or ".join(f"{needs[form]} ({form})" for form in get_args(Form))


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(_safe(column) for column in columns[:_MOST_SHOWN])
    return shown + (f" and {len(columns) - _MOST_SHOWN} more" if len(columns) > _MOST_SHOWN else "")


def _safe(column: str) -> str:
    """The name, unless it reads like text: the header of a table without one is its first row, prompt and all."""
    if column.startswith(PER_TIER) and len(column) <= 120 and len(column.split()) == 1:
        return column
    if len(column) <= 40 and len(column.split()) <= 3 and column.isprintable():
        return column
    return f"<a name of {len(column)} characters; is the header missing?>"
