"""The menu: which tiers there are, what they cost and can do, and the two fixed rules (length, task) over them.

A menu comes from ``router.toml`` (the packaged one is the default), is built in code, or is read from an artifact's
header. All three are checked alike.
"""

from __future__ import annotations

import json
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from classifier.errors import ArtifactError, ConfigError
from classifier.untrusted import read_toml

STRATEGIES = ("learned", "length", "task")
CAPABILITIES = ("images", "files", "audio", "video", "tools", "json_schema", "reasoning")
CONFIG_VARIABLE = "TIERWISE_CONFIG"
MAX_TIERS = 128
MAX_TASKS = 10_000  # and as many aliases of them
MAX_NAME_CHARS = 200
MAX_LABEL_CHARS = 4_000  # of a normalised label: a character can become eighteen
MAX_PRICE = 1_000_000  # USD per 1M tokens
MAX_TOKENS = 10**12

_PACKAGED = Path(__file__).with_name("router.toml")
_MAX_ALIASES = 64  # of a tier
_SUGGESTED_FROM, _SUGGESTED_CHARS, _LISTED = 1_000, 60, 20
_ALIKE = dict.fromkeys(map(ord, "_-\u2010\u2011\u2012\u2013\u2014"), " ")


Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Tier:
    """One entry of the menu.

    Attributes
    ----------
    name : what tables and options call it.
    model : what is sent to the endpoint as ``model``.
    input_price, output_price : USD per 1M tokens; both None where prices are unknown and the table brings the costs.
    context_window : most tokens of prompt and answer together; None: unlimited or unknown.
    max_output_tokens : most tokens of the answer; None: unlimited or unknown.
    images, files, audio, video, tools, json_schema : what its requests may hold; files as images where not given.
    reasoning : it can be asked to think before it answers.
    aliases : other names it is found by.

    Raises
    ------
    ConfigError : a field has a wrong type or value.
    """

    name: str
    model: str
    input_price: float | None
    output_price: float | None
    context_window: int | None = None
    max_output_tokens: int | None = None
    images: bool = True
    files: bool | None = None
    audio: bool = False
    video: bool = False
    tools: bool = True
    json_schema: bool = True
    reasoning: bool = True
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"tier {_show(self.name)}"
        for key in ("name", "model"):
            _expect(_is_name(getattr(self, key)), where, key, getattr(self, key), "a non-empty string on one line")
        sound = isinstance(self.aliases, tuple) and all(map(_is_name, self.aliases))
        _expect(sound, where, "aliases", self.aliases, "a list of non-empty strings")
        _expect_at_most(where, "aliases", len(self.aliases), _MAX_ALIASES)
        _expect_at_most(where, "characters in a name", max(map(len, self.names())), MAX_NAME_CHARS)
        for key in ("input_price", "output_price"):
            price = getattr(self, key)
            _expect(price is None or _is_price(price), where, key, price, "USD per 1M tokens, a number of 0 or more")
            _expect((price or 0.0) <= MAX_PRICE, where, key, price, f"USD per 1M tokens, at most {MAX_PRICE:,}")
        if (self.input_price is None) != (self.output_price is None):
            missing = "input_price" if self.input_price is None else "output_price"
            raise ConfigError(
                f"{where}: {missing} is missing; give both prices, or none where the table brings the costs"
            )
        for key in ("context_window", "max_output_tokens"):
            limit = getattr(self, key)
            _expect(limit is None or (type(limit) is int and limit > 0), where, key, limit, "a whole number above 0")
            _expect((limit or 0) <= MAX_TOKENS, where, key, limit, f"at most {MAX_TOKENS:,}")
        if self.files is None:
            object.__setattr__(self, "files", self.images)
        for key in CAPABILITIES:
            _expect(isinstance(getattr(self, key), bool), where, key, getattr(self, key), "true or false")

    def names(self) -> Iterator[str]:
        """Everything it is found by."""
        yield from (self.name, self.model, *self.aliases)


@dataclass(frozen=True, slots=True)
class LengthRule:
    """The length baseline: characters plus ``max_tokens`` against two thresholds.

    Attributes
    ----------
    small, medium, large : tier names.
    thresholds : the sizes from which a request is medium and large.
    """

    small: str
    medium: str
    large: str
    thresholds: tuple[int, int] = (500, 5000)

    def __post_init__(self) -> None:
        for key in ("small", "medium", "large"):
            _expect(_is_name(getattr(self, key)), "length", key, getattr(self, key), "a tier's name")
        sizes = self.thresholds
        pair = isinstance(sizes, tuple) and len(sizes) == 2 and all(type(size) is int for size in sizes)
        _expect(
            pair and 0 < sizes[0] < sizes[1] <= MAX_TOKENS,
            "length",
            "thresholds",
            sizes,
            "two increasing whole numbers above 0",
        )


@dataclass(frozen=True, slots=True)
class Menu:
    """Tiers and the fixed rules over them.

    Attributes
    ----------
    tiers : at least one; in price order, as far as prices are known.
    task_table : normalised task label -> tier name.
    task_aliases : normalised other spelling -> normalised label.
    length : the length rule.
    strategy : "learned", "length" or "task".
    task_default : tier for a task that is unknown or not given; None: the length rule decides.
    own_tiers : the user's file names the tiers itself, even if they are those of the packaged menu.

    Raises
    ------
    ConfigError : two tiers share a name, a rule names a tier that is not there, a label is not normalised.
    """

    tiers: tuple[Tier, ...]
    task_table: Mapping[str, str]
    task_aliases: Mapping[str, str]
    length: LengthRule
    strategy: str = "learned"
    task_default: str | None = None
    own_tiers: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not self.tiers:
            raise ConfigError("menu: it has no tiers, expected at least one [[tiers]] entry")
        for key, given, most in (
            ("tiers", self.tiers, MAX_TIERS),
            ("tasks", self.task_table, MAX_TASKS),
            ("task_aliases", self.task_aliases, MAX_TASKS),
        ):
            _expect_at_most("menu", key, len(given), most)
        names = _distinct_names(self.tiers)
        for key in ("small", "medium", "large"):
            _expect_one_of(names, "length", key, getattr(self.length, key))
        for label, name in self.task_table.items():
            _expect(label == normalise_label(label), "tasks", label, label, "a normalised label")
            _expect_one_of(names, "tasks", label, name)
        for alias, label in self.task_aliases.items():
            _expect(alias == normalise_label(alias), "task_aliases", label, alias, "a normalised label")
            if alias in self.task_table and alias != label:
                raise ConfigError(f"task_aliases, {_show(label)}: {_show(alias)} is a task of its own in [tasks]")
        _expect_one_of(STRATEGIES, "menu", "strategy", self.strategy)
        if self.task_default is not None:
            _expect_one_of(names, "menu", "task_default", self.task_default)

    def find(self, name: str) -> Tier | None:
        """The tier of this name, model or alias (case, spaces, hyphens and underscores aside), or None."""
        wanted = normalise_label(name)
        return next((tier for tier in self.tiers if wanted in map(normalise_label, tier.names())), None)


_MENU_KEYS = frozenset({"strategy", "task_default", "tiers", "length", "tasks", "task_aliases"})
_TIER_KEYS = frozenset(each.name for each in fields(Tier))
_LENGTH_KEYS = frozenset(each.name for each in fields(LengthRule))


def normalise_label(label: str | None) -> str | None:
    """The form in which labels and names are compared; None where nothing is left of it.

    Compatibility characters, case, and the kind and number of separators (space, hyphen, underscore) make no
    difference. Only the first 200 characters count.
    """
    if not isinstance(label, str):
        return None
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label[:MAX_NAME_CHARS]).casefold())
    return " ".join(folded.translate(_ALIKE).split()) or None


def load_menu(path: str | Path | None = None) -> Menu:
    """Read a menu from a ``router.toml``; parts it leaves out are the packaged default's. Tiers come in price order.

    Parameters
    ----------
    path : the file; None: the one that ``$TIERWISE_CONFIG`` names, else ``router.toml`` in the working directory, else
        the packaged default.

    Raises
    ------
    ConfigError : the file is missing, not TOML, or says something a menu cannot be; the message names file and key.
    """
    named = os.environ.get(CONFIG_VARIABLE) if path is None else None
    file = Path(named or "router.toml") if path is None else Path(path)
    if path is None and not named and not os.path.isfile(file):
        return default_menu()
    source = f"{file} (named by ${CONFIG_VARIABLE})" if named else str(file)
    try:
        table = _read_toml(file)
        return replace(_menu_from_table(_completed(table, default_menu())), own_tiers="tiers" in table)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


@cache
def default_menu() -> Menu:
    """The packaged menu, in price order."""
    menu = _menu_from_table(_read_toml(_PACKAGED))
    return replace(menu, tiers=in_price_order(menu.tiers))


def with_tiers(menu: Menu, tiers: Sequence[Tier]) -> Menu:
    """The same rules over other tiers, given in price order.

    Tasks whose tier is gone are dropped. Where a tier of the length rule is gone, the first, the middle and the last of
    the new ones take its places.

    Raises
    ------
    ConfigError : there are none, or two share a name.
    """
    names = {tier.name for tier in tiers}
    length = menu.length
    if tiers and not names.issuperset((length.small, length.medium, length.large)):
        low, middle, high = tiers[0].name, tiers[len(tiers) // 2].name, tiers[-1].name
        length = replace(length, small=low, medium=middle, large=high)
    return replace(
        menu,
        tiers=tuple(tiers),
        length=length,
        task_table={label: name for label, name in menu.task_table.items() if name in names},
        task_default=menu.task_default if menu.task_default in names else None,
    )


def in_price_order(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Tiers by input plus output price, equals as they were; as they were altogether where a price is unknown."""
    given = tuple(tiers)
    if any(tier.input_price is None for tier in given):
        return given
    return tuple(sorted(given, key=lambda tier: (tier.input_price or 0.0) + (tier.output_price or 0.0)))


def menu_to_header(menu: Menu) -> dict[str, Any]:
    """The menu as JSON for an artifact's header, laid out like ``router.toml``; `menu_from_header` is its inverse."""
    aliases: dict[str, list[str]] = {}
    for alias, label in sorted(menu.task_aliases.items()):
        aliases.setdefault(label, []).append(alias)
    table = {
        "strategy": menu.strategy,
        "task_default": menu.task_default,
        "tiers": [_without_none({**asdict(tier), "aliases": list(tier.aliases)}) for tier in menu.tiers],
        "length": {**asdict(menu.length), "thresholds": list(menu.length.thresholds)},
        "tasks": dict(menu.task_table),
        "task_aliases": aliases,
    }
    return _without_none(table)


def menu_from_header(header: Mapping[str, Any], source: str = "the artifact") -> Menu:
    """The menu an artifact's header holds; tiers stay in their order.

    Raises
    ------
    ArtifactError : the header holds no sound menu; the message begins with ``source``.
    """
    try:
        return _menu_from_table(dict(header))
    except ConfigError as error:
        raise ArtifactError(f"{source}: its menu is unsound: {error}; train a new one with train-router") from error


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except FileNotFoundError as error:
        raise ConfigError("no such file; check the path, or leave it out for the default menu") from error
    except (OSError, ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors that say where
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot be read as TOML: {' '.join(str(reason).split())}") from error


def _completed(table: dict[str, Any], base: Menu) -> dict[str, Any]:
    """The table with the parts it leaves out taken from ``base``, and its tiers in price order."""
    _check_keys("menu", table, _MENU_KEYS)
    tiers = in_price_order(_tiers(table["tiers"])) if "tiers" in table else base.tiers
    default = menu_to_header(with_tiers(base, tiers))
    length = _typed("menu", "length", table.get("length", {}), dict)
    if "tasks" in table:
        labels = set(map(normalise_label, _typed("menu", "tasks", table["tasks"], dict)))
        default["task_aliases"] = {
            label: [alias for alias in aliases if alias not in labels]
            for label, aliases in default["task_aliases"].items()
        }
    else:
        labels = set(base.task_table)
    for label in _typed("menu", "task_aliases", table.get("task_aliases", {}), dict):
        if normalise_label(label) not in labels:
            raise ConfigError(f"task_aliases: {_show(label)} is no task of [tasks]{_suggestion(label, labels)}")
    return {**default, **table, "tiers": default["tiers"], "length": {**default["length"], **length}}


def _menu_from_table(table: dict[str, Any]) -> Menu:
    """The menu of a complete table, one with every part."""
    _check_keys("menu", table, _MENU_KEYS, required=_MENU_KEYS - {"task_default"})
    return Menu(
        tiers=_tiers(table["tiers"]),
        task_table=_task_table(_typed("menu", "tasks", table["tasks"], dict)),
        task_aliases=_task_aliases(_typed("menu", "task_aliases", table["task_aliases"], dict)),
        length=_length(_typed("menu", "length", table["length"], dict)),
        strategy=table["strategy"],
        task_default=table.get("task_default"),
    )


def _tiers(entries: Any) -> tuple[Tier, ...]:
    tiers = []
    _expect_at_most("menu", "tiers", len(_typed("menu", "tiers", entries, list)), MAX_TIERS)
    for number, entry in enumerate(entries, start=1):
        fields = _typed("menu", f"tier {number}", entry, dict)
        where = f"tier {_show(fields['name'])}" if "name" in fields else f"tier {number}"
        _check_keys(where, fields, _TIER_KEYS, required={"name", "model"})
        tiers.append(Tier(**{"input_price": None, "output_price": None, **_with_tuples(fields)}))
    return tuple(tiers)


def _length(section: dict[str, Any]) -> LengthRule:
    _check_keys("length", section, _LENGTH_KEYS, required={"small", "medium", "large"})
    return LengthRule(**_with_tuples(section))


def _task_table(section: dict[str, Any]) -> dict[str, str]:
    table: dict[str, str] = {}
    _expect_at_most("menu", "tasks", len(section), MAX_TASKS)
    for written, tier in section.items():
        label = _label("tasks", written)
        if label in table:
            raise ConfigError(f"tasks: {_show(written)} is listed twice (case, spaces, hyphens and underscores aside)")
        table[label] = tier
    return table


def _task_aliases(section: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = {}
    given = sum(len(aliases) for aliases in section.values() if isinstance(aliases, list))
    _expect_at_most("menu", "task_aliases", max(len(section), given), MAX_TASKS)
    for written, aliases in section.items():
        label = _label("task_aliases", written)
        for entry in _typed("task_aliases", written, aliases, list):
            alias = _label(f"task_aliases, {_show(written)}", entry)
            if labels.setdefault(alias, label) != label:
                raise ConfigError(
                    f"task_aliases: {_show(entry)} stands for both {_show(labels[alias])} and {_show(label)}"
                )
    return labels


def _label(where: str, written: Any) -> str:
    label = normalise_label(written)
    if label is None:
        raise ConfigError(f"{where}: found {_show(written)}, expected a task label, text with at least one letter")
    return label


def _distinct_names(tiers: Sequence[Tier]) -> list[str]:
    """The tiers' names; no two tiers may be found by the same one."""
    owners: dict[str | None, int] = {}
    for position, tier in enumerate(tiers):
        for written in tier.names():
            owner = owners.setdefault(normalise_label(written), position)
            if owner != position:
                pair = f"tier {owner + 1} ({_show(tiers[owner].name)}) and tier {position + 1} ({_show(tier.name)})"
                raise ConfigError(f"{pair} are both found by {_show(written)}; rename one")
    return [tier.name for tier in tiers]


def _check_keys(where: str, table: Mapping[str, Any], known: Set[str], required: Set[str] = frozenset()) -> None:
    for key in table:
        if key not in known:
            hint = _suggestion(key, known) or f"; expected one of {', '.join(sorted(known))}"
            raise ConfigError(f"{where}: unknown key {_show(key)}{hint}")
    for key in sorted(required):
        if key not in table:
            raise ConfigError(f"{where}: key {_show(key)} is missing")


def _typed(where: str, key: str, value: Any, kind: type[Kind]) -> Kind:
    _expect(isinstance(value, kind), where, key, value, "a list" if kind is list else "a table")
    return cast(Kind, value)


def _expect(holds: bool, where: str, key: str, found: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{where}: {key} is {_show(found)}, expected {expected}")


def _expect_one_of(options: Sequence[str], where: str, key: str, found: object) -> None:
    if not (isinstance(found, str) and found in options):
        choice = ", ".join(map(_show, options[:_LISTED])) + ("" if len(options) <= _LISTED else ", ...")
        raise ConfigError(f"{where}: {key} is {_show(found)}, expected one of {choice}{_suggestion(found, options)}")


def _suggestion(found: object, options: Iterable[str | None]) -> str:
    import difflib  # only an error needs it

    if not isinstance(found, str) or len(found) > _SUGGESTED_CHARS:  # comparing takes the square of a text's length
        return ""
    known = [option for option in islice(options, _SUGGESTED_FROM) if option and len(option) <= _SUGGESTED_CHARS]
    close = difflib.get_close_matches(found.casefold(), known, n=1)
    return f" (did you mean {_show(close[0])}?)" if close else ""


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str) and value.isprintable() and value == value.strip() and normalise_label(value) is not None
    )


def _is_price(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast(float, value) < math.inf


def _expect_at_most(where: str, key: str, found: int, most: int) -> None:
    if found > most:
        raise ConfigError(f"{where}: found {found} {key}, expected at most {most}")


def _with_tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _show(value: object) -> str:
    """A value as configuration files write it, on one line and of bounded length."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else shown[:77] + "..."
