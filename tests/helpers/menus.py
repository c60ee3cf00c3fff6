"""Menus of a user's own."""

from __future__ import annotations

from pathlib import Path

OWN = """
[[tiers]]
name = "mini"
model = "openai/mini"
input_price = 0.2
output_price = 1.0
context_window = 100_000

[[tiers]]
name = "middle"
model = "mistral/middle"
input_price = 1.0
output_price = 4.0

[[tiers]]
name = "big"
model = "anthropic/big"
input_price = 3.0
output_price = 15.0
images = false

[length]
thresholds = [100, 1000]

[tasks]
summary = "mini"
translation = "mini"
"creative writing" = "big"
"""
MODELS = {"mini": "openai/mini", "middle": "mistral/middle", "big": "anthropic/big"}


def write_menu(text: str = OWN) -> None:
    """A ``router.toml`` in the working directory."""
    Path("router.toml").write_text(text, encoding="utf-8")


def tier_table(name: str, model: str, price: float) -> str:
    """A tier of such a file."""
    return f'[[tiers]]\nname = "{name}"\nmodel = "{model}"\ninput_price = {price}\noutput_price = {price}\n'
