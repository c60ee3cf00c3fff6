"""Checks that the gates' options share."""

from __future__ import annotations

from classifier.errors import ConfigError


def expect_share(gate: str, option: str, value: float) -> None:
    """Raise a ConfigError unless a value is a number from 0 to 1."""
    if not (isinstance(value, (int, float)) and 0 <= value <= 1):
        raise ConfigError(f"{gate}: {option} is {value!r}, expected a number from 0 to 1")


def expect_one_of(gate: str, option: str, value: str, options: tuple[str, ...]) -> None:
    """Raise a ConfigError unless a value is one of the options."""
    if value not in options:
        raise ConfigError(f"{gate}: {option} is {value!r}, expected one of {', '.join(options)}")


def expect_positive(gate: str, option: str, value: int) -> None:
    """Raise a ConfigError unless a value is a whole number above 0."""
    if not (isinstance(value, int) and value > 0):
        raise ConfigError(f"{gate}: {option} is {value!r}, expected a whole number above 0")
