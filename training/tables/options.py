"""What a user may say of tables, where they do not say it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from classifier.errors import InputError
from training.tables.numbers import Mark
from training.tables.scales import ScoreScale
from training.tables.times import DateOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How tables are to be read.

    Attributes
    ----------
    skip_bad : go on where more than a few rows or cells cannot be used.
    scale : what scores run between, or what words among them are worth; None: judged by the scores.
    scores : tier -> its column of scores, for names that are not the standard ones.
    dates : the order of day, month and year in dates such as 01/02/2026; None: judged by the dates.
    decimal : the mark before decimals; None: judged by the numbers.
    encoding : of text, as Python names it; None: judged by the bytes.
    sheet : of workbooks; None: the only one that is a table.
    requests_only : leave out what models made of the requests, whatever it is.
    """

    skip_bad: bool = False
    scale: ScoreScale | None = None
    scores: Mapping[str, str] = field(default_factory=dict)
    dates: DateOrder | None = None
    decimal: Mark | None = None
    encoding: str | None = None
    sheet: str | None = None
    requests_only: bool = False

    def __post_init__(self) -> None:
        """Check what has few values.

        Raises
        ------
        InputError : one has another.
        """
        if self.dates is not None and self.dates not in get_args(DateOrder):
            raise InputError(f"dates: found {self.dates!r}, expected one of {', '.join(get_args(DateOrder))}")
        if self.decimal is not None and self.decimal not in tuple(Mark):
            raise InputError(f"decimal: found {self.decimal!r}, expected a point or a comma")
