"""What vendors ask for their models, from the package ``genai-prices``; loaded when a menu leaves prices out.

A menu's own price goes first. Else ``prices.toml`` beside the menu says it, which ``tierwise prices update`` writes,
and else the installed package does. A model with a vendor before it (``openai/gpt-5``) has that vendor's price; what
stands before it may also be a reseller that nobody here knows, whose prices are then unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier.config_checks import check_keys, typed
from classifier.errors import ConfigError
from classifier.prices import Prices, PriceStep, prices_from_table
from classifier.untrusted import read_toml

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelPrice, Provider

FILE = "prices.toml"

_FIELDS = {
    "input_price": "input_mtok",
    "output_price": "output_mtok",
    "cached_input_price": "cache_read_mtok",
    "cache_write_price": "cache_write_mtok",
    "audio_input_price": "input_audio_mtok",
    "audio_output_price": "output_audio_mtok",
}
_STEPPED = ("input_price", "output_price", "cached_input_price", "cache_write_price")
_LEVELS = ("processing", "service_tier")  # by which variants of a price are told apart


@dataclass(frozen=True, slots=True)
class Listed:
    """A vendor's price.

    Attributes
    ----------
    vendor, model : whose it is, by the package's names.
    source : where it was read: the package's version, or ``prices.toml`` with the date in it.
    """

    prices: Prices
    vendor: str
    model: str
    source: str


def find_listed(model: str, snapshot: DataSnapshot | None = None, when: datetime | None = None) -> Listed | None:
    """The price of a model; None: it is not listed.

    Parameters
    ----------
    snapshot : the prices to look in; None: those of the installed package.
    when : the time that it is asked for; None: now.
    """
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    data = get_snapshot() if snapshot is None else snapshot
    vendor, slash, rest = model.partition("/")
    provider: Provider | None = find_provider_by_id(data.providers, vendor) if slash else None
    if slash and provider is None:
        return None
    try:
        provider, found = data.find_provider_model(rest if slash else model, provider, None, None)
    except LookupError:
        return None
    prices = _prices(found.get_prices(when or datetime.now(UTC)), _levels(found, when))
    return None if prices is None else Listed(prices, provider.id, found.id, source_of(data))


def read_prices(folder: Path) -> dict[str, Listed]:
    """By model, the prices of ``prices.toml`` in a folder; {} where there is none.

    Raises
    ------
    ConfigError : the file cannot be read, or says something else.
    """
    file = folder / FILE
    try:
        table = read_toml(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read as TOML: {' '.join(str(reason).split())}") from error
    try:
        check_keys("prices", table, {"source", "models"}, required={"source", "models"})
        models = typed("prices", "models", table["models"], dict)
        return {model: _listed(model, entry, str(table["source"])) for model, entry in models.items()}
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}; write it anew with tierwise prices update") from error


def _listed(model: str, entry: Any, source: str) -> Listed:
    known = dict(typed("models", model, entry, dict))
    vendor, name = str(known.pop("vendor", "")), str(known.pop("listed_as", model))
    return Listed(prices_from_table(f"model {model}", known), vendor, name, source)


def source_of(snapshot: DataSnapshot) -> str:
    """How its prices are called: by the day when they were fetched, or the installed package's version."""
    if snapshot.from_auto_update:
        return f"genai-prices of {snapshot.timestamp:%Y-%m-%d}"
    return f"genai-prices {version('genai-prices')}"


def _prices(found: ModelPrice, services: Mapping[str, float]) -> Prices | None:
    """The package's prices in our form; None where a plain token has none."""
    base = {ours: _base(getattr(found, theirs)) for ours, theirs in _FIELDS.items()}
    into, out = base.pop("input_price"), base.pop("output_price")
    if into is None or out is None:
        return None
    stepped = {ours: _steps(getattr(found, _FIELDS[ours])) for ours in _STEPPED}
    starts = sorted({start for steps in stepped.values() for start in steps})
    steps = tuple(PriceStep(start, **{ours: each.get(start) for ours, each in stepped.items()}) for start in starts)
    return Prices(into, out, **base, steps=steps, services=services)


def _base(price: Any) -> float | None:
    return None if price is None else float(getattr(price, "base", price))


def _steps(price: Any) -> dict[int, float]:
    return {int(each.start): float(each.price) for each in getattr(price, "tiers", ())}


def _levels(found: Any, when: datetime | None) -> dict[str, float]:
    """By service level, what it multiplies the usual price by, where it is the same for tokens in and out."""
    time = when or datetime.now(UTC)
    usual = found.get_prices(time)
    times: dict[str, float] = {}
    for variant in found.price_variants or ():
        (key, level), *others = variant.when.items()
        if others or key not in _LEVELS:
            continue
        special = found.get_prices(time, {key: level})
        shares = [_share(special, usual, name) for name in ("input_mtok", "output_mtok")]
        if shares[0] is not None and shares[0] == shares[1] != 1.0:
            times[level] = shares[0]
    return times


def _share(special: ModelPrice, usual: ModelPrice, name: str) -> float | None:
    """What one price multiplies another by; None where one is unknown or nothing."""
    price, base = _base(getattr(special, name)), _base(getattr(usual, name))
    return round(price / base, 6) if price and base else None
