"""What the tiers of a menu cost, where each price comes from, and how to bring listed ones up to date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier.catalog import Tier, load_menu, menu_file
from classifier.errors import RouterError
from classifier.files import atomic_write
from classifier.list_prices import FILE, Listed, find_listed, read_prices
from classifier.prices import Prices, prices_to_table

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

PACKAGED = "packaged menu"

_HEAD = "# Written by tierwise prices update. Delete this file to use the prices of the installed package.\n"


class NoPricesError(RouterError):
    """Current prices could not be fetched."""


@dataclass(frozen=True, slots=True)
class PricedTier:
    """A tier, and what it costs.

    Attributes
    ----------
    prices : that are in use; None: nobody knows them.
    source : where they are from: the menu's file, ``prices.toml``, or the package; empty where they are unknown.
    own : the menu itself says them, so nothing else does.
    listed : what the model's vendor asks by the package; None: it is not listed.
    """

    tier: Tier
    prices: Prices | None
    source: str
    own: bool
    listed: Listed | None


def menu_prices(path: str | Path | None = None, snapshot: DataSnapshot | None = None) -> list[PricedTier]:
    """The tiers of a menu with their prices, in its order.

    Parameters
    ----------
    path : as of `load_menu`.
    snapshot : current prices, which go before those of ``prices.toml`` and the installed package; None: there are none.

    Raises
    ------
    ConfigError : the menu or ``prices.toml`` is wrong.
    """
    file = menu_file(path)
    name = PACKAGED if file is None else file.name
    updated = {} if file is None or snapshot is not None else read_prices(file.parent)
    return [_priced(tier, name, updated, snapshot) for tier in load_menu(path, list_prices=False).tiers]


def fetch_newest(url: str | None = None) -> DataSnapshot:
    """Current prices from the network, by the package's own updater.

    Parameters
    ----------
    url : where from; None: where the package publishes them.

    Raises
    ------
    NoPricesError : they cannot be fetched, or are none.
    """
    from genai_prices.update_prices import DEFAULT_UPDATE_URL, UpdatePrices

    address = url or DEFAULT_UPDATE_URL
    try:
        found = UpdatePrices(url=address).fetch()
    except Exception as error:  # whatever its client or its data raise
        raise NoPricesError(
            f"{address}: no prices could be fetched ({type(error).__name__}), so none were changed; check the network, "
            "or take those of the installed package"
        ) from error
    if found is None:
        raise NoPricesError(f"{address}: it has no prices")
    return found


def installed_prices() -> DataSnapshot:
    """The prices of the installed package."""
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def write_prices(folder: Path, tiers: Sequence[PricedTier], source: str) -> Path:
    """Write the listed prices of tiers that have none of their own to ``prices.toml``, which appears whole or not."""
    file = folder / FILE
    listed = {each.tier.model: each.listed for each in tiers if not each.own and each.listed is not None}
    text = f"{_HEAD}source = {_toml(source)}\n"
    for model, found in listed.items():
        text += f"\n[models.{_toml(model)}]\nvendor = {_toml(found.vendor)}\nlisted_as = {_toml(found.model)}\n"
        text += "".join(f"{name} = {_toml(value)}\n" for name, value in prices_to_table(found.prices).items())
    if not listed:
        text += "\n[models]\n"
    with atomic_write(file) as draft:
        draft.write_text(text, encoding="utf-8")
    return file


def _priced(tier: Tier, name: str, updated: dict[str, Listed], snapshot: DataSnapshot | None) -> PricedTier:
    listed = updated.get(tier.model) or find_listed(tier.model, snapshot)
    if tier.prices is not None:  # what a reseller asks is compared with what the vendor does
        vendors = listed or find_listed(tier.model.rpartition("/")[2], snapshot)
        return PricedTier(tier, tier.prices, name, own=True, listed=vendors)
    if listed is None:
        return PricedTier(tier, None, "", own=False, listed=None)
    source = f"{FILE} ({listed.source})" if tier.model in updated else listed.source
    return PricedTier(tier, listed.prices, source, own=False, listed=listed)


def _toml(value: Any) -> str:
    """A value as TOML writes it; JSON's strings and numbers are TOML's, too."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(name)} = {_toml(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
