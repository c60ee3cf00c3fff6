"""What calls cost."""

from __future__ import annotations

import numpy as np
import pytest

from classifier import ConfigError, Tier
from classifier.catalog import load_menu
from classifier.prices import Prices, PriceStep, Usage, plain_amount

STEPPED = Prices(2.0, 12.0, 0.2, steps=(PriceStep(200_000, 4.0, 18.0), PriceStep(500_000, 8.0)))


@pytest.mark.parametrize(
    ("tokens", "input_price", "output_price"),
    [(200_000, 2.0, 12.0), (200_001, 4.0, 18.0), (500_001, 8.0, 18.0)],
)
def test_a_longer_prompt_has_all_its_tokens_at_the_steps_prices(tokens, input_price, output_price):
    expected = (tokens * input_price + 1000 * output_price) / 1e6
    assert STEPPED.cost(Usage(tokens, 1000)) == pytest.approx(expected)
    assert STEPPED.usual([tokens, 10], [1000, 0]) == pytest.approx([expected, 20 / 1e6])


def test_cached_tokens_count_for_the_step_and_rise_with_it():
    assert STEPPED.cost(Usage(300_000, 0, cached=300_000)) == pytest.approx(300_000 * 0.4 / 1e6)


def test_a_service_level_multiplies_the_price():
    prices = Prices(1.0, 5.0, services={"flex": 0.5})
    assert prices.cost(Usage(1000, 100, service="flex")) == pytest.approx(0.00075)
    assert prices.cost(Usage(1000, 100, service="FLEX")) == pytest.approx(0.00075)
    assert prices.cost(Usage(1000, 100, service="default")) == pytest.approx(0.0015)
    assert np.allclose(prices.usual(1000, 100, "flex"), 0.00075)


def test_unknown_tokens_have_no_cost():
    assert Prices(1.0, 5.0).cost(Usage(None, 3)) is None
    assert Prices(1.0, 5.0).cost(Usage(3, None)) is None


def test_a_menu_reads_steps_other_prices_and_service_levels(tmp_path):
    (tmp_path / "router.toml").write_text(
        """
[[tiers]]
name = "long"
model = "m"
input_price = 2.0
output_price = 12.0
cached_input_price = 0.2
price_steps = [{ above = 200_000, input_price = 4.0, output_price = 18.0 }]
service_prices = { batch = 0.5 }

[tiers.arguments]
service_tier = "batch"
"""
    )
    (tier,) = load_menu(tmp_path / "router.toml").tiers
    assert tier.service == "batch"
    assert tier.prices is not None
    assert tier.prices.cost(Usage(300_000, 0, service=tier.service)) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"price_steps": (PriceStep(5, 1.0), PriceStep(5, 2.0))}, "price step 2: above is 5"),
        ({"price_steps": (PriceStep(5),)}, "at least one of input_price"),
        ({"price_steps": (PriceStep(5, -1.0),)}, "USD per 1M tokens"),
        ({"price_steps": [3]}, "price_steps is"),
        ({"cached_input_price": "cheap"}, 'cached_input_price is "cheap"'),
        ({"service_prices": {"flex": "half"}}, 'service_prices.flex is "half"'),
        ({"service_prices": 3}, "service_prices is 3"),
        ({"input_price": None}, "input_price is missing"),
    ],
)
def test_prices_that_mean_nothing_are_refused(fields, said):
    with pytest.raises(ConfigError, match=said):
        Tier(**{"name": "a", "model": "m", "input_price": 1.0, "output_price": 2.0, **fields})


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0.0, "0"),
        (0.0000461234, "0.00004612"),
        (-0.0000461234, "-0.00004612"),
        (0.5, "0.5"),
        (6.2954, "6.295"),
        (999.96, "1,000"),
        (12_345.6, "12,346"),
        (-12_345.6, "-12,346"),
    ],
)
def test_amounts_are_written_without_an_exponent(amount, said):
    assert plain_amount(amount) == said
