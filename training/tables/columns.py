"""Column names -> the form of a table, and which of its columns hold what.

Names by the convention come first. Where a table has none of them, names that can mean one thing only are taken
(``haiku_score``, ``scores.haiku``, ``question``), and what was taken is said; any doubt is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Literal, get_args

from classifier.errors import TableError
from training.tables.names import PER_TIER, Measure, close_names, listed, loose_measures, role_of_name, tier_of

Form = Literal["wide", "labelled", "long", "pairwise"]

TOKENS_OUT = "tokens_out"
RESPONSE = "response"
SHARED = ("prompt", "messages", "task", "max_tokens", "group", "timestamp", "tools", "response_format")

# Other names of what every row needs; taken only where a table has exactly one of them and no standard name.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "messages": ("conversations", "conversation", "chat", "dialog", "dialogue", "turns", "chat_messages"),
    "prompt": ("question", "query", "user_prompt", "user_message", "instruction", "input", "prompt_text"),
    "model": ("model_name", "model_id", "llm"),
    "score": ("rating", "grade", "correct", "is_correct", "passed"),
}
_ONE_HOT = {
    "winner_model_a": (1.0, 0.0),
    "winner_model_b": (0.0, 1.0),
    "winner_tie": (1.0, 1.0),
    "winner_tie_bothbad": (0.0, 0.0),
}
_SIDES = ("model_a", "model_b")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that are looked for; a dotted path (``request.messages``) names what lies inside a column.

    What stands before ``__`` in per-tier columns is fixed.
    """

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


@dataclass(frozen=True, slots=True)
class Layout:
    """What each column of a file holds.

    Attributes
    ----------
    roles : standard name -> column, for those that the form reads.
    measures : "score", "cost", "tokens_out", "response" -> tier -> column; of pairwise rows, "model_a" and "model_b"
        stand for the tiers that these columns name.
    one_hot : column -> scores of the two models where it is the one that holds 1.
    understood : a sentence for each name that is not the standard one.
    """

    form: Form
    roles: Mapping[str, str]
    measures: Mapping[Measure, Mapping[str, str]] = field(default_factory=dict)
    one_hot: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    understood: tuple[str, ...] = ()

    def used(self, columns: Iterable[str]) -> list[str]:
        """The columns that the form reads, in the file's order, then what is read from inside of others."""
        wanted = {*self.roles.values(), *self.one_hot}
        wanted.update(column for tiers in self.measures.values() for column in tiers.values())
        first = [column for column in columns if column in wanted]
        return first + sorted(wanted.difference(first))


def recognise(
    file: str,
    columns: Sequence[str],
    names: Columns,
    scores: Mapping[str, str] | None = None,
    *,
    nested: Sequence[str] = (),
) -> Layout:
    """What the columns hold.

    Parameters
    ----------
    scores : tier -> its column of scores, where the user names them.
    nested : dotted paths of what lies inside columns.

    Raises
    ------
    TableError : no form fits, or several do.
    """
    names_there = _Names(file, columns, nested, names)
    scores = {tier: column for tier, column in (scores or {}).items() if names_there.has(column)}
    fitting = _complete(names_there, scores)
    request = names_there.request()
    if not fitting:
        loose = _loose_form(names_there)
        fitting = [] if loose is None else [loose]
    if len(fitting) > 1:
        raise TableError(
            f"{file}: found columns of {len(fitting)} forms ({' and '.join(fitting)}) among {listed(columns)}; "
            f"expected one form: {_needs(names)}; drop or rename the columns of the others"
        )
    if not fitting or not request:
        hints = "".join(f"; {hint}" for hint in close_names(columns, asdict(names).values()))
        raise TableError(f"{file}: found columns {listed(columns)}; expected one form: {_needs(names)}{hints}")
    return _layout(fitting[0], names_there, scores, request)


def recognises(columns: Sequence[str], names: Columns, scores: Mapping[str, str]) -> bool:
    """Whether columns make a table."""
    try:
        recognise("", columns, names, scores)
    except TableError:
        return False
    return True


def is_header(cells: Sequence[str], names: Columns, scores: Mapping[str, str]) -> bool:
    """Whether a record of a text table or a sheet is its header: names of columns, one of which holds requests."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    wanted = {names.prompt, names.messages}
    known = wanted | {name.split(".")[0] for name in wanted}
    known |= {other for role in ("prompt", "messages") for other in _OTHER_NAMES[role]} | {"prompt", "messages"}
    requests = [cell for cell in filled if cell in known or role_of_name(cell) in known]
    return bool(requests) and len(set(filled)) >= min(2, len(cells))


def hints_for(layout: Layout, ignored: Sequence[str], names: Columns) -> list[str]:
    """For columns that are not used but nearly have a name that would be, a sentence that says so."""
    given = asdict(names)
    wanted = [given[role] for role in (*SHARED, *_ROLES[layout.form]) if role in given]
    taken = set(layout.roles)
    open_names = [name for role, name in given.items() if name in wanted and role not in taken]
    tiers = layout.measures.get("score", {}) if layout.form == "wide" else None
    return close_names(ignored, open_names, scored=tiers)


def check_names(names: Columns) -> None:
    """Refuse names that give one column two roles."""
    roles: dict[str, str] = {}
    for role, column in asdict(names).items():
        if column in roles:
            raise TableError(f'columns: found "{column}" for both {roles[column]} and {role}, expected one column each')
        roles[column] = role


_ROLES: Mapping[Form, tuple[str, ...]] = {
    "wide": (),
    "labelled": ("tier",),
    "long": ("model", "score", "cost", TOKENS_OUT, RESPONSE),
    "pairwise": ("model_a", "model_b", "winner"),
}


class _Names:
    """The columns of one file, looked up by what they may hold."""

    def __init__(self, file: str, columns: Sequence[str], nested: Sequence[str], names: Columns) -> None:
        self.file, self.columns, self.nested, self.names = file, columns, nested, names
        self._present = {*columns, *nested}
        self._folded: dict[str, list[str]] = {}
        for column in columns:
            self._folded.setdefault(role_of_name(column), []).append(column)

    def has(self, column: str) -> bool:
        """Whether a column, or what a dotted path names, is there."""
        return column in self._present or ("." in column and column.split(".")[0] in self._present)

    def find(self, role: str) -> str | None:
        """The column of a standard name: as it stands, or case and blanks aside."""
        name = getattr(self.names, role, role)
        if self.has(name):
            return str(name)
        alike = self._folded.get(role, []) if name == role else []
        return alike[0] if len(alike) == 1 else None

    def other(self, role: str) -> str | None:
        """The column of another name, where only one can be meant."""
        if getattr(self.names, role) != role:
            return None
        found = [column for name in _OTHER_NAMES[role] for column in self._folded.get(name, [])]
        inside = [path for path in self.nested if path.split(".")[-1] == role]
        found = found or inside
        return found[0] if len(found) == 1 else None

    def request(self) -> dict[str, str]:
        """The columns that hold requests; empty where it is not certain which do."""
        found = {role: column for role in ("prompt", "messages") if (column := self.find(role))}
        if found:
            return found
        others = {role: column for role in ("messages", "prompt") if (column := self.other(role))}
        return dict([next(iter(others.items()))]) if others else {}


def _complete(names: _Names, scores: Mapping[str, str]) -> list[Form]:
    """The forms whose columns are there under standard names."""
    pair = all(names.find(side) for side in _SIDES)
    complete: dict[Form, bool] = {
        "wide": bool(scores) or any(tier_of(column, "score__") for column in names.columns),
        "labelled": names.find("tier") is not None,
        "long": names.find("model") is not None and names.find("score") is not None,
        "pairwise": pair and (names.find("winner") is not None or len(_one_hot(names)) >= 2),
    }
    return [form for form, fits in complete.items() if fits]


def _loose_form(names: _Names) -> Form | None:
    """The form that columns under other names make, where only one can be meant."""
    pair = all(names.find(side) for side in _SIDES)
    found = loose_measures([*names.columns, *names.nested]).get("score", {})
    if pair:
        return "pairwise" if set(found) == set(_SIDES) else None
    model, score = (names.find(role) or names.other(role) for role in ("model", "score"))
    if model and score:
        return "long"
    return "wide" if len(found) > 1 else None


def _one_hot(names: _Names) -> dict[str, tuple[float, float]]:
    return {column: scores for column in names.columns if (scores := _ONE_HOT.get(role_of_name(column)))}


def _layout(form: Form, names: _Names, scores: Mapping[str, str], request: Mapping[str, str]) -> Layout:
    roles = dict(request)
    for role in (*SHARED[2:], *_ROLES[form]):
        column = names.find(role) or (names.other(role) if role in ("model", "score") else None)
        if column:
            roles[role] = column
    measures = _measures(form, names, scores)
    one_hot = {} if form != "pairwise" or "winner" in roles else _one_hot(names)
    layout = Layout(form, roles, measures, one_hot)
    return Layout(form, roles, measures, one_hot, tuple(_understood(layout, names.names)))


def _measures(form: Form, names: _Names, scores: Mapping[str, str]) -> dict[Measure, Mapping[str, str]]:
    """What is known of each tier, by its column."""
    if form == "long":
        return {}
    standard: dict[Measure, dict[str, str]] = {
        measure: {tier: column for column in names.columns if (tier := tier_of(column, f"{measure}__"))}
        for measure in PER_TIER
    }
    if form == "labelled":
        return {measure: tiers for measure, tiers in standard.items() if tiers and measure != "score"}
    loose = loose_measures([*names.columns, *names.nested])
    if form == "pairwise":
        return {measure: tiers for measure, tiers in loose.items() if tiers and set(tiers) <= set(_SIDES)}
    tiers = {**standard["score"], **scores} or dict(loose.get("score", {}))
    found: dict[Measure, Mapping[str, str]] = {"score": tiers}
    for measure in PER_TIER[1:]:
        known = standard[measure] or loose.get(measure, {})
        found[measure] = {tier: column for tier, column in known.items() if tier in tiers}
    return {measure: columns for measure, columns in found.items() if columns}


def _understood(layout: Layout, names: Columns) -> Iterable[str]:
    """What was taken for what, of names that are not the standard ones."""
    for role, column in layout.roles.items():
        if column != getattr(names, role, role):
            yield f'{role} is read from column "{column}"'
    for measure, tiers in layout.measures.items():
        other = [f"{tier} from {column}" for tier, column in tiers.items() if column != f"{measure}__{tier}"]
        if other:
            yield f"{measure}s: {', '.join(other)}" if measure != TOKENS_OUT else f"{measure}: {', '.join(other)}"
    if layout.one_hot:
        yield f"winners are read from {', '.join(layout.one_hot)}"


def _needs(names: Columns) -> str:
    request = f"{names.prompt} (or {names.messages})"
    needs: dict[Form, str] = {
        "wide": "score__<tier> for each tier",
        "labelled": f"{names.tier}",
        "long": f"{names.model}, {names.score}",
        "pairwise": f"{names.model_a}, {names.model_b}, {names.winner}",
    }
    return f"{request} and " + ", or ".join(f"{needs[form]} ({form})" for form in get_args(Form))
