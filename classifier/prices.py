"""What calls cost: prices with steps by prompt length, apart for what is cached, spoken, or served at another level.

Sources: openai.com/api/pricing, platform.claude.com "Pricing" and ai.google.dev "Pricing" for the kinds of prices and
for what is assumed where a menu does not say: tokens read from a cache cost a tenth of the input price, tokens written
to one a quarter more than it (for an hour: twice it), spoken tokens as much as others, every service level the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifier.config_checks import check_keys, expect, expect_at_most, expect_price, typed

CACHED_SHARE = 0.1  # of the input price
WRITE_SHARE, HOUR_SHARE = 1.25, 1.6  # of the input price, and of the price of a shorter write
MAX_STEPS, MAX_SERVICES = 16, 16
OTHER_PRICES = ("cached_input_price", "cache_write_price", "audio_input_price", "audio_output_price")

_MOST_TOKENS = 10**12
_MOST_TIMES = 1_000
_PER_MILLION = 1e-6


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call.

    Attributes
    ----------
    tokens_in : of the request, all of them; None: unknown.
    tokens_out : of the answer, all of them; None: unknown.
    cached : of the request's, those read from a cache.
    cache_writes, hour_writes : of the request's, those written to a cache, and to one that lasts an hour.
    audio_in, audio_out : of the request's and of the answer's, those that are sound.
    reasoning : of the answer's, those that are not shown; None: unknown.
    service : level that served the call, such as "flex", "priority" or "batch"; None: the usual one.
    """

    tokens_in: int | None = None
    tokens_out: int | None = None
    cached: int = 0
    cache_writes: int = 0
    hour_writes: int = 0
    audio_in: int = 0
    audio_out: int = 0
    reasoning: int | None = None
    service: str | None = None


UNKNOWN_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class PriceStep:
    """Prices of calls whose prompt is longer than so many tokens; None: as before.

    Attributes
    ----------
    above : tokens of the prompt, cached ones among them; the step is for longer ones, and for all tokens of these.
    input_price, output_price, cached_input_price, cache_write_price : USD per 1M tokens.
    """

    above: int
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    cache_write_price: float | None = None


_STEP_KEYS = frozenset(each.name for each in fields(PriceStep))


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices of a tier, in USD per 1M tokens.

    Attributes
    ----------
    input_price, output_price : of plain tokens.
    cached_input_price, cache_write_price, audio_input_price, audio_output_price : of others; None: see the module.
    steps : for longer prompts, ascending.
    services : by service level, what it multiplies all prices by.
    """

    input_price: float
    output_price: float
    cached_input_price: float | None = None
    cache_write_price: float | None = None
    audio_input_price: float | None = None
    audio_output_price: float | None = None
    steps: tuple[PriceStep, ...] = ()
    services: Mapping[str, float] = field(default_factory=dict)

    def cost(self, usage: Usage) -> float | None:
        """USD of a call; None where its tokens are unknown."""
        if usage.tokens_in is None or usage.tokens_out is None:
            return None
        rates = self._at(usage.tokens_in)
        plain_in = usage.tokens_in - usage.cached - usage.cache_writes - usage.hour_writes - usage.audio_in
        parts = (
            max(plain_in, 0) * rates.input_price,
            usage.cached * rates.cached,
            (usage.cache_writes + HOUR_SHARE * usage.hour_writes) * rates.write,
            usage.audio_in * (rates.input_price if self.audio_input_price is None else self.audio_input_price),
            max(usage.tokens_out - usage.audio_out, 0) * rates.output_price,
            usage.audio_out * (rates.output_price if self.audio_output_price is None else self.audio_output_price),
        )
        return sum(parts) * _PER_MILLION * self.services.get((usage.service or "").lower(), 1.0)

    def usual(self, tokens_in: ArrayLike, tokens_out: ArrayLike, service: str | None = None) -> NDArray[np.float64]:
        """(n,) USD of calls with so many plain tokens, (n,) each."""
        length, said = np.asarray(tokens_in, float), np.asarray(tokens_out, float)
        rates = [self, *(self._at(step.above + 1) for step in self.steps)]
        place = np.searchsorted([step.above for step in self.steps], length, side="left")
        into = np.array([rate.input_price for rate in rates])[place]
        out = np.array([rate.output_price for rate in rates])[place]
        times = self.services.get((service or "").lower(), 1.0)
        return np.asarray((length * into + said * out) * _PER_MILLION * times)

    def rates(self, service: str | None = None) -> tuple[float, float]:
        """USD of a plain token in and out, of prompts below all steps."""
        times = self.services.get((service or "").lower(), 1.0) * _PER_MILLION
        return self.input_price * times, self.output_price * times

    @property
    def cached(self) -> float:
        """Of a token read from a cache."""
        return self.input_price * CACHED_SHARE if self.cached_input_price is None else self.cached_input_price

    @property
    def write(self) -> float:
        """Of a token written to a cache."""
        return self.input_price * WRITE_SHARE if self.cache_write_price is None else self.cache_write_price

    def _at(self, tokens_in: int) -> Prices:
        """The prices of prompts of a length."""
        known = {
            "input_price": self.input_price,
            "output_price": self.output_price,
            "cached_input_price": self.cached_input_price,
            "cache_write_price": self.cache_write_price,
        }
        for step in self.steps:
            if tokens_in > step.above:
                # What a step does not name rises as the input does.
                times = 1.0 if step.input_price is None else step.input_price / (self.input_price or 1.0)
                for name in ("cached_input_price", "cache_write_price"):
                    usual = getattr(self, name)
                    known[name] = None if usual is None else usual * times
                known |= {name: price for name in known if (price := getattr(step, name)) is not None}
        return Prices(**known)  # type: ignore[arg-type]


def prices_from_table(where: str, table: Mapping[str, Any]) -> Prices:
    """The prices that a table says with the keys of a menu's tier.

    Raises
    ------
    ConfigError : a key is unknown or missing, or a value is no price.
    """
    names = ("input_price", "output_price", *OTHER_PRICES)
    check_keys(where, table, {*names, "price_steps", "service_prices"}, required={"input_price", "output_price"})
    for name in names:
        expect_price(where, name, table.get(name))
    steps = steps_from_table(where, table.get("price_steps", []))
    services = table.get("service_prices", {})
    check_steps(where, steps)
    check_services(where, services)
    return Prices(**{name: table.get(name) for name in names}, steps=steps, services=services)  # type: ignore[arg-type]


def prices_to_table(prices: Prices) -> dict[str, Any]:
    """The inverse of `prices_from_table`."""
    plain = {name: getattr(prices, name) for name in ("input_price", "output_price", *OTHER_PRICES)}
    steps = [{name: value for name, value in asdict(step).items() if value is not None} for step in prices.steps]
    table = {**plain, "price_steps": steps or None, "service_prices": dict(prices.services) or None}
    return {name: value for name, value in table.items() if value is not None}


def steps_from_table(where: str, entries: Any) -> tuple[PriceStep, ...]:
    """The price steps of a list of tables, whose values `check_steps` checks.

    Raises
    ------
    ConfigError : it is no list of tables, or a key is unknown or missing.
    """
    steps = []
    expect_at_most(where, "price_steps", len(typed(where, "price_steps", entries, list)), MAX_STEPS)
    for number, entry in enumerate(entries, start=1):
        place = f"{where}, price step {number}"
        check_keys(place, typed(where, f"price step {number}", entry, dict), _STEP_KEYS, required={"above"})
        steps.append(PriceStep(**entry))
    return tuple(steps)


def check_steps(where: str, steps: tuple[PriceStep, ...]) -> None:
    """Check a tier's price steps.

    Raises
    ------
    ConfigError : they are too many, in no order, or hold no prices.
    """
    sound = isinstance(steps, tuple) and all(isinstance(step, PriceStep) for step in steps)
    expect(sound, where, "price_steps", steps, "a list of tables such as { above = 200_000, input_price = 4.0 }")
    expect_at_most(where, "price_steps", len(steps), MAX_STEPS)
    for number, step in enumerate(steps, start=1):
        place = f"{where}, price step {number}"
        least = steps[number - 2].above + 1 if number > 1 else 1
        whole = type(step.above) is int and least <= step.above <= _MOST_TOKENS
        expect(whole, place, "above", step.above, f"tokens of the prompt, a whole number of {least:,} or more")
        names = [each.name for each in fields(step)][1:]
        for name in names:
            expect_price(place, name, getattr(step, name))
        some = any(getattr(step, name) is not None for name in names)
        expect(some, place, "prices", None, f"at least one of {', '.join(names)}")


def check_services(where: str, services: Mapping[str, float]) -> None:
    """Check what service levels multiply a tier's prices by.

    Raises
    ------
    ConfigError : they are too many, have no name, or are no numbers.
    """
    sound = isinstance(services, Mapping)
    expect(sound, where, "service_prices", services, "a table such as { batch = 0.5, priority = 2.0 }")
    expect_at_most(where, "service_prices", len(services), MAX_SERVICES)
    for name, times in services.items():
        expect(isinstance(name, str) and 0 < len(name) <= 50, where, "service_prices", name, "names of service levels")
        number = type(times) in (int, float) and 0 <= times <= _MOST_TIMES
        expect(number, where, f"service_prices.{name}", times, f"a multiple of the prices, from 0 to {_MOST_TIMES:,}")


def plain_amount(amount: float, digits: int = 4) -> str:
    """An amount for people: so many significant digits, or whole where there are as many before the point.

    Costs of a call are often below a ten-thousandth of a dollar, where ``g`` would write an exponent.
    """
    if abs(amount) >= 10 ** (digits - 1):
        return f"{amount:,.0f}"
    return f"{Decimal(f'{amount:.{digits}g}'):,f}"
