"""Cells of CSV files that a spreadsheet would take for formulas: kept from it when written, as they were when read.

As OWASP advises ("CSV Injection"), an apostrophe is put before text that begins with one of ``= + - @``, their
full-width forms, a tab or a line break; and before text that begins so after apostrophes of its own, which makes
reading the exact inverse. Only files that `training.log.export` wrote are read so: elsewhere an apostrophe may be
the text's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_EXPORT = frozenset({"decision", "propensity", "group", "tools", "response_format"})


def guarded(cell: Any) -> Any:
    """A cell to be written; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The inverse of `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def is_guarded(columns: Collection[str]) -> bool:
    """Whether a file with these columns is an export, whose cells are guarded."""
    return _EXPORT.issubset(columns)
