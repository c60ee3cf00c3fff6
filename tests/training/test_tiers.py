from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalog import Tier, default_menu
from classifier.errors import InputError
from training.prepare.tiers import match_tiers, menu_for, price_order

MENU = default_menu()
OWN = [Tier(f"own {rank}", f"vendor/own-{rank}", float(rank), float(rank)) for rank in range(1, 7)]


def matched(names, models=None, prices=None, costs=False):
    return match_tiers(names, MENU, models=models or {}, prices=prices or {}, costs_known=[costs] * len(names))


def test_names_models_and_aliases_of_the_menu_are_found() -> None:
    tiers = matched(["haiku", "tokenfast/claude-sonnet-4-6", "large"])
    assert [tier.name for tier in tiers] == ["haiku", "sonnet", "opus"]


def test_case_and_separators_make_no_difference() -> None:
    assert [tier.name for tier in matched(["Haiku", "Claude Sonnet 4_6"])] == ["haiku", "sonnet"]


def test_a_model_is_found_behind_its_provider_and_a_bare_word_is_not() -> None:
    tiers = matched(["openai:chat:claude-haiku-4-5", "anthropic/claude-sonnet-4-6"])
    assert [tier.name for tier in tiers] == ["haiku", "sonnet"]
    (own,) = matched(["mistral/large"], costs=True)
    assert own.name == "mistral/large"


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


def test_a_mapping_goes_before_the_name() -> None:
    (tier,) = matched(["haiku"], models={"haiku": "opus"})
    assert tier.name == "opus"


def test_a_given_price_replaces_the_menus() -> None:
    (tier,) = matched(["haiku"], prices={"haiku": (0.0, 0.5)})
    assert tier == replace(MENU.find("haiku"), input_price=0.0, output_price=0.5)


def test_without_a_price_both_lists_are_shown() -> None:
    with pytest.raises(InputError, match=r"no price for mixtral: .*haiku.*a price for mixtral"):
        matched(["mixtral", "haiku"])


def test_only_tiers_without_price_and_costs_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"no price for c: the table has tiers a, b, c") as raised:
        match_tiers(["a", "b", "c"], MENU, models={}, prices={"b": (1.0, 1.0)}, costs_known=[True, False, False])
    assert "\n" not in str(raised.value)


def test_two_names_for_one_tier_are_refused() -> None:
    with pytest.raises(InputError, match="'haiku' and 'small' are both"):
        matched(["haiku", "small"])


@pytest.mark.parametrize(
    ("names", "models"),
    [
        (["cheap", "dear"], {"cheap": "vendor/x", "dear": "vendor/x"}),
        (["Mixtral", "mixtral"], {}),
        (["a b", "a-b"], {}),
        (["vendor/x", "cheap"], {"cheap": "Vendor/X"}),
        (["haiku", "claude-haiku-4-5"], {"haiku": "vendor/x"}),
    ],
)
def test_two_names_that_a_menu_cannot_tell_apart_are_refused(names: list[str], models: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"'{names[0]}' and '{names[1]}' are both .*--tier {names[1]}=MODEL"):
        matched(names, models, costs=True)


def test_options_for_tiers_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="price of gpt: the data has no such tier"):
        matched(["haiku"], prices={"gpt": (1.0, 2.0)})
    with pytest.raises(InputError, match="tier gpt: the data has no such tier; its tiers are: haiku"):
        matched(["haiku"], models={"gpt": "opus"})


def test_price_order_is_by_mean_cost() -> None:
    assert price_order(np.array([[3.0, 1.0, 2.0], [3.0, np.nan, 2.0]])).tolist() == [1, 2, 0]


def test_tiers_of_equal_cost_keep_their_order() -> None:
    assert price_order(np.array([[2.0, 1.0, 2.0, 1.0]])).tolist() == [1, 3, 0, 2]
    assert price_order(np.zeros((5, 6))).tolist() == list(range(6))


def test_the_menus_long_tier_comes_along_and_own_tiers_come_alone() -> None:
    ladder = matched(["haiku", "sonnet", "opus"])
    assert [tier.name for tier in menu_for(MENU, ladder).tiers] == ["haiku", "sonnet", "opus", "gemini"]
    menu = menu_for(MENU, OWN[:2])
    assert [tier.name for tier in menu.tiers] == ["own 1", "own 2"]
    assert (menu.length.small, menu.length.medium, menu.length.large) == ("own 1", "own 2", "own 2")
    assert menu.task_table["summarization"] == "own 1"
    assert menu.task_table["creative writing"] == "own 2"


def test_some_of_the_menus_tiers_take_over_what_the_missing_ones_did() -> None:
    menu = menu_for(MENU, matched(["haiku", "sonnet"]))
    assert [tier.name for tier in menu.tiers] == ["haiku", "sonnet", "gemini"]
    assert (menu.length.small, menu.length.medium, menu.length.large) == ("haiku", "sonnet", "sonnet")
    assert menu.task_table["code generation"] == "sonnet"
    assert menu.task_table["long document analysis"] == "gemini"


def test_no_window_is_longer_than_none() -> None:
    boundless = replace(MENU.find("haiku"), context_window=None)
    assert [tier.name for tier in menu_for(MENU, [boundless, MENU.find("opus")]).tiers] == ["haiku", "opus"]


def test_the_menus_long_tier_is_not_added_beside_a_tier_of_the_tables_own() -> None:
    ladder = [*matched(["haiku"]), *OWN[:1]]
    assert [tier.name for tier in menu_for(MENU, ladder).tiers] == ["haiku", "own 1"]


@given(st.lists(st.sampled_from([*MENU.tiers, *OWN]), min_size=1, max_size=6, unique=True))
def test_every_ladder_makes_a_sound_menu(ladder: list[Tier]) -> None:
    menu = menu_for(MENU, ladder)  # a menu checks itself
    assert menu.tiers[: len(ladder)] == tuple(ladder)
    assert set(menu.task_table) == set(MENU.task_table)
    for tier in menu.tiers[len(ladder) :]:
        assert tier in MENU.tiers


def test_a_misspelt_tier_of_the_menu_is_recognised() -> None:
    with pytest.raises(InputError, match=r'no price for hiaku \(did you mean "haiku"\?\), mine: the table has'):
        match_tiers(["hiaku", "mine", "opus"], MENU, models={}, prices={}, costs_known=[False] * 3)
