"""Which promises were certified on which rows before: the ledger beside the models.

A certificate is wrong in 5% of runs at most. Whoever trains twenty times on the same rows and keeps the router that
saves most, picks among twenty chances of being wrong: without a ledger, the promise was broken for 45 of 120 simulated
users. So all runs that certify one promise on the same rows share its error: the first gets nine tenths of it, and each
further one half of what is left. The same settings again are the same run. All certificates together then hold with
the confidence asked for (a union bound), whichever is kept.

The rows are known by a digest that does not depend on the file's name, its form or the order of its rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from filelock import FileLock, Timeout
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from classifier.errors import InputError, RouterError
from training.data import RoutingData
from training.drafts import draft_of

LEDGER = "certified.json"
FIRST_SHARE = 0.9

_MOST_BYTES = 16 * 2**20
_MOST_TABLES = 1_000
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Try:
    """One run that certifies a promise on some rows.

    Attributes
    ----------
    number : 1 for the first on these rows.
    share : of the error allowed, that it may use.
    first : date of the first, ISO 8601.
    """

    number: int
    share: float
    first: str


def share_of(number: int) -> float:
    """Of the error, what the given try may use; all of them together use less than the whole."""
    return FIRST_SHARE if number == 1 else (1 - FIRST_SHARE) / 2 ** (number - 1)


def enter_try(folder: Path, data: RoutingData, promise: Mapping[str, Any], settings: Mapping[str, Any]) -> Try:
    """Note a run in the ledger of a folder, and say which try it is.

    Parameters
    ----------
    folder : where the models are kept; it is made if it is not there.
    promise : what is certified. settings : what else decides how the certificate turns out; plain data both.

    Raises
    ------
    InputError : the ledger cannot be read.
    RouterError : another run holds it for long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, rows = folder / LEDGER, rows_digest(data)
    try:
        with FileLock(folder / f".{LEDGER}.lock", timeout=_PATIENCE):
            tables = _read(path)
            tries = tables.setdefault(rows, {}).setdefault(_digest(promise), [])
            key = _digest(settings)
            number = next((place for place, each in enumerate(tries, 1) if each["settings"] == key), 0)
            if not number:
                tries.append({"settings": key, "date": datetime.now(UTC).date().isoformat()})
                number = len(tries)
                _write(path, tables)
    except Timeout:
        raise RouterError(f"{path}: another run holds it; try again") from None
    return Try(number, share_of(number), tries[0]["date"])


def rows_digest(data: RoutingData) -> str:
    """A digest of the requests and scores that can certify, whatever their order; tiers by name."""
    order = np.argsort(data.names)
    names = [data.names[tier] for tier in order]
    digests = sorted(
        hashlib.sha256(repr((data.table.requests[row].text, scores)).encode("utf-8", "surrogatepass")).digest()
        for row, scores in zip(
            np.flatnonzero(~data.logged).tolist(),
            np.round(data.scores[~data.logged][:, order], 9).tolist(),
            strict=True,
        )
    )
    return hashlib.sha256(repr(names).encode("utf-8", "surrogatepass") + b"".join(digests)).hexdigest()


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


class _Entry(TypedDict):
    settings: str
    date: str


_Tables: TypeAlias = dict[str, dict[str, list[_Entry]]]  # rows' digest -> promise's digest -> tries, oldest first


class _Ledger(TypedDict):
    version: Literal[1]
    tables: _Tables


def _read(path: Path) -> _Tables:
    """What a ledger holds.

    Raises
    ------
    InputError : it is no ledger.
    """
    if not path.exists():
        return {}
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError
        return TypeAdapter(_Ledger).validate_json(path.read_bytes())["tables"]
    except ValueError:
        raise InputError(
            f"{path}: found no ledger of certified promises that this version can read, expected the file that "
            "train-router writes; restore it, or delete it if no certificate made here is relied on"
        ) from None


def _write(path: Path, tables: _Tables) -> None:
    """The newest tables are kept."""
    kept = _Ledger(version=1, tables=dict(list(tables.items())[-_MOST_TABLES:]))
    with draft_of(path) as draft:
        draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
