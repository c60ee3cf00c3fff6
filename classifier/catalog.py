"""The menu: which tiers there are, what they cost and can do, and the two fixed rules (length, task) over them.

A menu comes from ``router.toml`` (the packaged one is the default), is built in code, or is read from an artifact's
header. All three are checked alike.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from classifier.arguments import NO_ARGUMENTS, Arguments, parse_arguments
from classifier.config_checks import (
    check_keys,
    expect,
    expect_at_most,
    expect_one_of,
    expect_price,
    show,
    suggestion,
    typed,
)
from classifier.errors import ArtifactError, ConfigError
from classifier.prices import OTHER_PRICES, Prices, PriceStep, check_services, check_steps, steps_from_table
from classifier.untrusted import read_toml

STRATEGIES = ("learned", "length", "task")
CAPABILITIES = ("images", "files", "audio", "video", "tools", "json_schema", "reasoning")
CONFIG_VARIABLE = "TIERWISE_CONFIG"
MAX_TIERS = 128
MAX_TASKS = 10_000  # and as many aliases of them
MAX_NAME_CHARS = 200
MAX_LABEL_CHARS = 4_000  # of a normalised label: a character can become eighteen
MAX_TOKENS = 10**12

_PACKAGED = Path(__file__).with_name("router.toml")
_MAX_ALIASES = 64  # of a tier
_ALIKE = dict.fromkeys(map(ord, "_-\u2010\u2011\u2012\u2013\u2014"), " ")


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
    images, files, audio, video, tools, json_schema : what its requests may hold; of files, audio and
        video those that are not given are as images: a tier that says nothing else takes text alone, or everything.
    reasoning : it can be asked to think before it answers.
    aliases : other names it is found by.
    cached_input_price, cache_write_price, audio_input_price, audio_output_price : USD per 1M tokens of these kinds;
        None: as `classifier.prices` assumes.
    price_steps : prices of longer prompts, ascending.
    service_prices : by service level ("batch", "flex", "priority"), what it multiplies the prices by.
    arguments : what becomes of a call's arguments; a mapping as in ``router.toml`` is understood.

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
    audio: bool | None = None
    video: bool | None = None
    tools: bool = True
    json_schema: bool = True
    reasoning: bool = True
    aliases: tuple[str, ...] = ()
    cached_input_price: float | None = None
    cache_write_price: float | None = None
    audio_input_price: float | None = None
    audio_output_price: float | None = None
    price_steps: tuple[PriceStep, ...] = ()
    service_prices: Mapping[str, float] = field(default_factory=dict, hash=False)
    arguments: Arguments = field(default=NO_ARGUMENTS, hash=False)

    def __post_init__(self) -> None:
        where = f"tier {show(self.name)}"
        for key in ("name", "model"):
            expect(_is_name(getattr(self, key)), where, key, getattr(self, key), "a non-empty string on one line")
        sound = isinstance(self.aliases, tuple) and all(map(_is_name, self.aliases))
        expect(sound, where, "aliases", self.aliases, "a list of non-empty strings")
        expect_at_most(where, "aliases", len(self.aliases), _MAX_ALIASES)
        expect_at_most(where, "characters in a name", max(map(len, self.names())), MAX_NAME_CHARS)
        self._check_prices(where)
        if not isinstance(self.arguments, Arguments):
            object.__setattr__(self, "arguments", parse_arguments(where, self.arguments))
        for key in ("context_window", "max_output_tokens"):
            limit = getattr(self, key)
            expect(limit is None or (type(limit) is int and limit > 0), where, key, limit, "a whole number above 0")
            expect((limit or 0) <= MAX_TOKENS, where, key, limit, f"at most {MAX_TOKENS:,}")
        for key in ("files", "audio", "video"):
            if getattr(self, key) is None:
                object.__setattr__(self, key, self.images)
        for key in CAPABILITIES:
            expect(isinstance(getattr(self, key), bool), where, key, getattr(self, key), "true or false")

    def names(self) -> Iterator[str]:
        """Everything it is found by."""
        yield from (self.name, self.model, *self.aliases)

    @property
    def prices(self) -> Prices | None:
        """All its prices; None: they are unknown."""
        if self.input_price is None or self.output_price is None:
            return None
        return Prices(
            self.input_price,
            self.output_price,
            cached_input_price=self.cached_input_price,
            cache_write_price=self.cache_write_price,
            audio_input_price=self.audio_input_price,
            audio_output_price=self.audio_output_price,
            steps=self.price_steps,
            services=self.service_prices,
        )

    @property
    def service(self) -> str | None:
        """The service level that its arguments ask for."""
        level = self.arguments.apply({}).get("service_tier")
        return level if isinstance(level, str) else None

    def _check_prices(self, where: str) -> None:
        for key in ("input_price", "output_price", *OTHER_PRICES):
            expect_price(where, key, getattr(self, key))
        if (self.input_price is None) != (self.output_price is None):
            missing = "input_price" if self.input_price is None else "output_price"
            raise ConfigError(
                f"{where}: {missing} is missing; give both prices, or none where the table brings the costs"
            )
        check_steps(where, self.price_steps)
        check_services(where, self.service_prices)


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
            expect(_is_name(getattr(self, key)), "length", key, getattr(self, key), "a tier's name")
        sizes = self.thresholds
        pair = isinstance(sizes, tuple) and len(sizes) == 2 and all(type(size) is int for size in sizes)
        expect(
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
            expect_at_most("menu", key, len(given), most)
        names = _distinct_names(self.tiers)
        for key in ("small", "medium", "large"):
            expect_one_of(names, "length", key, getattr(self.length, key))
        for label, name in self.task_table.items():
            expect(label == normalise_label(label), "tasks", label, label, "a normalised label")
            expect_one_of(names, "tasks", label, name)
        for alias, label in self.task_aliases.items():
            expect(alias == normalise_label(alias), "task_aliases", label, alias, "a normalised label")
            if alias in self.task_table and alias != label:
                raise ConfigError(f"task_aliases, {show(label)}: {show(alias)} is a task of its own in [tasks]")
        expect_one_of(STRATEGIES, "menu", "strategy", self.strategy)
        if self.task_default is not None:
            expect_one_of(names, "menu", "task_default", self.task_default)

    def find(self, name: str) -> Tier | None:
        """The tier of this name, model or alias (case, spaces, hyphens and underscores aside), or None.

        Of several tiers of one model, which differ in their arguments, the first; `sharing` has them all.
        """
        return next(iter(self.sharing(name)), None)

    def sharing(self, name: str) -> tuple[Tier, ...]:
        """The tiers that a name, alias or model may mean: more than one only where it is a model that they share."""
        wanted = normalise_label(name)
        named = [tier for tier in self.tiers if wanted in map(normalise_label, (tier.name, *tier.aliases))]
        return tuple(named or self._of_model(name))

    def counterpart(self, tier: Tier) -> Tier | None:
        """The tier of this menu that another menu's tier is: the same model at the same arguments.

        Where none has the same arguments, it is the one of that model that bears the same name.
        """
        same = self._of_model(tier.model)
        alike = [each for each in same if each.arguments == tier.arguments]
        named = [each for each in same if normalise_label(each.name) == normalise_label(tier.name)]
        return next(iter([*alike, *named]), None)

    def _of_model(self, model: str) -> list[Tier]:
        wanted = normalise_label(model)
        return [tier for tier in self.tiers if normalise_label(tier.model) == wanted]


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


def load_menu(path: str | Path | None = None, *, list_prices: bool = True) -> Menu:
    """Read a menu from a ``router.toml``; parts it leaves out are the packaged default's. Tiers come in price order.

    Parameters
    ----------
    path : the file; None: the one that ``$TIERWISE_CONFIG`` names, else ``router.toml`` in the working directory, else
        the packaged default.
    list_prices : look up the prices that the file leaves out (`classifier.list_prices`); where nobody lists them, they
        stay unknown.

    Raises
    ------
    ConfigError : the file is missing, not TOML, or says something a menu cannot be; the message names file and key.
    """
    file = menu_file(path)
    if file is None:
        return default_menu()
    named = path is None and bool(os.environ.get(CONFIG_VARIABLE))
    try:
        table = _read_toml(file)
        menu = _menu_from_table(_completed(table, default_menu(), file.parent if list_prices else None))
        return replace(menu, own_tiers="tiers" in table)
    except ConfigError as error:
        raise ConfigError(f"{file}{f' (named by ${CONFIG_VARIABLE})' if named else ''}: {error}") from error


def menu_file(path: str | Path | None = None) -> Path | None:
    """The file that `load_menu` reads; None: it is the packaged default."""
    if path is not None:
        return Path(path)
    named = os.environ.get(CONFIG_VARIABLE)
    file = Path(named or "router.toml")
    return file if named or os.path.isfile(file) else None


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


def priced(tier: Tier, prices: Prices) -> Tier:
    """The tier at other prices."""
    return replace(
        tier,
        input_price=prices.input_price,
        output_price=prices.output_price,
        cached_input_price=prices.cached_input_price,
        cache_write_price=prices.cache_write_price,
        audio_input_price=prices.audio_input_price,
        audio_output_price=prices.audio_output_price,
        price_steps=prices.steps,
        service_prices=prices.services,
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
        "tiers": [tier_to_table(tier) for tier in menu.tiers],
        "length": {**asdict(menu.length), "thresholds": list(menu.length.thresholds)},
        "tasks": dict(menu.task_table),
        "task_aliases": aliases,
    }
    return _without_none(table)


def tier_to_table(tier: Tier) -> dict[str, Any]:
    """A tier as ``router.toml`` writes it, as plain data."""
    table = {
        **asdict(tier),
        "aliases": list(tier.aliases),
        "price_steps": [_without_none(asdict(step)) for step in tier.price_steps] or None,
        "service_prices": dict(tier.service_prices) or None,
        "arguments": tier.arguments.table() or None,
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


def _completed(table: dict[str, Any], base: Menu, folder: Path | None) -> dict[str, Any]:
    """The table with the parts it leaves out taken from ``base``, and its tiers in price order.

    ``folder`` : where ``prices.toml`` may say prices that it leaves out; None: they are not looked up.
    """
    check_keys("menu", table, _MENU_KEYS)
    tiers = in_price_order(_with_list_prices(_tiers(table["tiers"]), folder)) if "tiers" in table else base.tiers
    default = menu_to_header(with_tiers(base, tiers))
    length = typed("menu", "length", table.get("length", {}), dict)
    if "tasks" in table:
        labels = set(map(normalise_label, typed("menu", "tasks", table["tasks"], dict)))
        default["task_aliases"] = {
            label: [alias for alias in aliases if alias not in labels]
            for label, aliases in default["task_aliases"].items()
        }
    else:
        labels = set(base.task_table)
    for label in typed("menu", "task_aliases", table.get("task_aliases", {}), dict):
        if normalise_label(label) not in labels:
            raise ConfigError(f"task_aliases: {show(label)} is no task of [tasks]{suggestion(label, labels)}")
    return {**default, **table, "tiers": default["tiers"], "length": {**default["length"], **length}}


def _menu_from_table(table: dict[str, Any]) -> Menu:
    """The menu of a complete table, one with every part."""
    check_keys("menu", table, _MENU_KEYS, required=_MENU_KEYS - {"task_default"})
    return Menu(
        tiers=_tiers(table["tiers"]),
        task_table=_task_table(typed("menu", "tasks", table["tasks"], dict)),
        task_aliases=_task_aliases(typed("menu", "task_aliases", table["task_aliases"], dict)),
        length=_length(typed("menu", "length", table["length"], dict)),
        strategy=table["strategy"],
        task_default=table.get("task_default"),
    )


def _with_list_prices(tiers: Sequence[Tier], folder: Path | None) -> Sequence[Tier]:
    """The tiers, those without prices at what their models are listed at."""
    if folder is None or all(tier.prices is not None for tier in tiers):
        return tiers
    from classifier.list_prices import find_listed, read_prices  # a seventh of a second, only where it is needed

    updated = read_prices(folder)
    listed = {tier.name: updated.get(tier.model) or find_listed(tier.model) for tier in tiers if tier.prices is None}
    return [tier if (found := listed.get(tier.name)) is None else priced(tier, found.prices) for tier in tiers]


def _tiers(entries: Any) -> tuple[Tier, ...]:
    """Tiers of a list, or of a table by name."""
    if isinstance(entries, dict):
        entries = [_named(name, entry) for name, entry in islice(entries.items(), MAX_TIERS + 1)]
    expect_at_most("menu", "tiers", len(typed("menu", "tiers", entries, list)), MAX_TIERS)
    tables = [dict(typed("menu", f"tier {number}", entry, dict)) for number, entry in enumerate(entries, start=1)]
    _move_arguments(tables)
    return tuple(tier_from_table(f"tier {number}", table) for number, table in enumerate(tables, start=1))


def _move_arguments(tables: list[dict[str, Any]]) -> None:
    """Give tiers the arguments that ``[tiers.NAME.arguments]`` says below a list of them.

    TOML takes that for a part of the list's last entry.
    """
    named = {name: table for table in tables if isinstance(name := table.get("name"), str) and name not in _TIER_KEYS}
    for table in tables:
        for name in [key for key, value in table.items() if key in named and _only_arguments(value)]:
            if "arguments" in named[name]:
                raise ConfigError(f"tier {show(name)}: arguments are given twice; give them once")
            named[name]["arguments"] = table.pop(name)["arguments"]


def _only_arguments(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"arguments"}


def _named(name: str, entry: Any) -> dict[str, Any]:
    """An entry of ``[tiers.NAME]``."""
    table = typed("menu", f"tiers.{name}", entry, dict)
    if table.get("name", name) != name:
        raise ConfigError(f"tiers.{name}: name is {show(table['name'])}, expected it to be left out: the key names it")
    return {"name": name, **table}


def tier_from_table(where: str, table: dict[str, Any]) -> Tier:
    """The tier that a table says, which errors call ``where``, or by its name.

    Raises
    ------
    ConfigError : a key is unknown or missing, or its value wrong.
    """
    where = f"tier {show(table['name'])}" if "name" in table else where
    check_keys(where, table, _TIER_KEYS, required={"name", "model"})
    fields = {"input_price": None, "output_price": None, **_with_tuples(table)}
    if "price_steps" in table:
        fields["price_steps"] = steps_from_table(where, table["price_steps"])
    if "arguments" in table:
        fields["arguments"] = parse_arguments(where, table["arguments"])
    return Tier(**fields)


def _length(section: dict[str, Any]) -> LengthRule:
    check_keys("length", section, _LENGTH_KEYS, required={"small", "medium", "large"})
    return LengthRule(**_with_tuples(section))


def _task_table(section: dict[str, Any]) -> dict[str, str]:
    table: dict[str, str] = {}
    expect_at_most("menu", "tasks", len(section), MAX_TASKS)
    for written, tier in section.items():
        label = _label("tasks", written)
        if label in table:
            raise ConfigError(f"tasks: {show(written)} is listed twice (case, spaces, hyphens and underscores aside)")
        table[label] = tier
    return table


def _task_aliases(section: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = {}
    given = sum(len(aliases) for aliases in section.values() if isinstance(aliases, list))
    expect_at_most("menu", "task_aliases", max(len(section), given), MAX_TASKS)
    for written, aliases in section.items():
        label = _label("task_aliases", written)
        for entry in typed("task_aliases", written, aliases, list):
            alias = _label(f"task_aliases, {show(written)}", entry)
            if labels.setdefault(alias, label) != label:
                raise ConfigError(
                    f"task_aliases: {show(entry)} stands for both {show(labels[alias])} and {show(label)}"
                )
    return labels


def _label(where: str, written: Any) -> str:
    label = normalise_label(written)
    if label is None:
        raise ConfigError(f"{where}: found {show(written)}, expected a task label, text with at least one letter")
    return label


def _distinct_names(tiers: Sequence[Tier]) -> list[str]:
    """The tiers' names; no two tiers may be found by the same one, but by a model that they call differently."""
    owners: dict[str | None, list[int]] = {}
    for position, tier in enumerate(tiers):
        for label, written in {normalise_label(written): written for written in tier.names()}.items():
            for owner in owners.setdefault(label, []):
                if not told_apart(tiers[owner], tier, label):
                    pair = f"tier {owner + 1} ({show(tiers[owner].name)}) and tier {position + 1} ({show(tier.name)})"
                    raise ConfigError(f"{pair} are both found by {show(written)}; rename one")
            owners[label].append(position)
    return [tier.name for tier in tiers]


def told_apart(one: Tier, other: Tier, label: str | None) -> bool:
    """Whether two tiers found by a label are one model that is called in two ways, and not both named so."""
    shared = normalise_label(one.model) == normalise_label(other.model) and one.arguments != other.arguments
    both = all(label in map(normalise_label, (tier.name, *tier.aliases)) for tier in (one, other))
    return shared and not both


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str) and value.isprintable() and value == value.strip() and normalise_label(value) is not None
    )


def _with_tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}
