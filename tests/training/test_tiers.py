from __future__ import annotations

import numpy as np
import pytest

from classifier.catalog import Tier, default_menu
from classifier.errors import InputError
from training.tiers import match_tiers, menu_for, price_order

MENU = default_menu()


def matched(names, models=None, prices=None, costs=False):
    return match_tiers(names, MENU, models=models or {}, prices=prices or {}, costs_known=[costs] * len(names))


def test_names_models_and_aliases_of_the_menu_are_found() -> None:
    tiers = matched(["haiku", "tokenfast/claude-sonnet-4-6", "large"])
    assert [tier.name for tier in tiers] == ["haiku", "sonnet", "opus"]


def test_a_table_brings_its_own_tiers_with_costs_or_prices() -> None:
    (own,) = matched(["mixtral"], costs=True)
    assert (own.name, own.model, own.input_price) == ("mixtral", "mixtral", None)
    (priced,) = matched(["mixtral"], prices={"mixtral": (0.6, 1.8)})
    assert (priced.input_price, priced.output_price) == (0.6, 1.8)


def test_a_mapping_leads_to_the_menu_or_to_a_model_of_its_own() -> None:
    (menus,) = matched(["cheap"], models={"cheap": "claude-haiku-4-5"})
    assert menus.name == "haiku"
    (own,) = matched(["cheap"], models={"cheap": "vendor/model-9"}, costs=True)
    assert (own.name, own.model) == ("cheap", "vendor/model-9")


def test_without_a_price_both_lists_are_shown() -> None:
    with pytest.raises(InputError, match=r"no price for mixtral: .*haiku.*--price mixtral=IN,OUT"):
        matched(["mixtral", "haiku"])


def test_two_names_for_one_tier_are_refused() -> None:
    with pytest.raises(InputError, match="'haiku' and 'small' are both"):
        matched(["haiku", "small"])


def test_options_for_tiers_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="--price gpt: the data has no such tier"):
        matched(["haiku"], prices={"gpt": (1.0, 2.0)})


def test_price_order_is_by_mean_cost() -> None:
    assert price_order(np.array([[3.0, 1.0, 2.0], [3.0, np.nan, 2.0]])).tolist() == [1, 2, 0]


def test_the_menus_long_tier_comes_along_and_own_tiers_come_alone() -> None:
    ladder = matched(["haiku", "sonnet", "opus"])
    assert [tier.name for tier in menu_for(MENU, ladder).tiers] == ["haiku", "sonnet", "opus", "gemini"]
    own = [Tier("a", "a", 1.0, 1.0), Tier("b", "b", 2.0, 2.0)]
    menu = menu_for(MENU, own)
    assert [tier.name for tier in menu.tiers] == ["a", "b"]
    assert (menu.length.small, menu.length.medium, menu.length.large) == ("a", "b", "b")
    assert menu.task_table["summarization"] == "a"
    assert menu.task_table["creative writing"] == "b"
