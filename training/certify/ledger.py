"""Which rows certified a promise before: the ledger beside the models.

A certificate is wrong in 5% of runs at most. Whoever trains twenty times on the same rows and keeps the router that
saves most, picks among twenty chances of being wrong: without a ledger, the promise was broken for 45 of 120 simulated
users. So all runs on the same rows share the error: the first gets nine tenths of it, and each further one half of what
is left. The same settings again are the same run. All certificates together then hold with the confidence asked for (a
union bound), whichever is kept.

Rows are known again by a sketch: the smallest hashes of (prompt, tier, score), whatever the file's name, form or order.
Two tables that share more than half of these are the same rows (Broder, "On the Resemblance and Containment of
Documents", 1997), so that leaving out a few changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from classifier.errors import InputError
from classifier.files import atomic_write
from training.prepare.data import RoutingData
from training.prepare.split import folded

LEDGER = "certified.json"
FIRST_SHARE = 0.9

_MOST_BYTES = 16 * 2**20
_MOST_TABLES = 1_000
_PATIENCE = 10.0
_SKETCHED = 256
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class Try:
    """One run that certifies on some rows.

    Attributes
    ----------
    number : 1 for the first on these rows.
    share : of the error allowed, that it may use.
    """

    number: int
    share: float


def share_of(number: int) -> float:
    """Of the error, what the given try may use; all of them together use less than the whole."""
    return FIRST_SHARE if number == 1 else (1 - FIRST_SHARE) / 2 ** (number - 1)


def enter_try(folder: Path, data: RoutingData, settings: Mapping[str, Any]) -> Try | None:
    """Note a run in the ledger of a folder, and say which try it is; None: the ledger cannot be written.

    Parameters
    ----------
    folder : where the models are kept; it is made if it is not there.
    settings : what decides how the certificate turns out, beside the rows; plain data.

    Raises
    ------
    InputError : the ledger cannot be read.
    """
    path, own = folder / LEDGER, rows_sketch(data)
    key = _digest({**settings, "rows": _arrangement(data)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{LEDGER}.lock", timeout=_PATIENCE):
            tables = _read(path)
            table = next((each for each in tables if resemblance(each["rows"], own) > _SAME), None)
            if table is None:
                table = _Rows(rows=own, tries=[])
                tables.append(table)
            tries = table["tries"]
            number = next((place for place, each in enumerate(tries, 1) if each["settings"] == key), 0)
            if not number:
                tries.append(_Entry(settings=key, date=datetime.now(UTC).date().isoformat()))
                number = len(tries)
                _write(path, tables)
    except (OSError, Timeout):
        return None
    return Try(number, share_of(number))


def rows_sketch(data: RoutingData) -> list[str]:
    """The smallest hashes of what can certify: of a row its prompt, but for case and blanks, a tier and its score."""
    own = np.flatnonzero(~data.logged)
    scores = np.round(data.scores[own], 6).tolist()
    hashes = {
        hashlib.blake2b(repr((text, name, score)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        for text, row in zip((folded(data.table.requests[row].text) for row in own.tolist()), scores, strict=True)
        for name, score in zip(data.names, row, strict=True)
    }
    return sorted(hashes)[:_SKETCHED]


def resemblance(one: list[str], other: list[str]) -> float:
    """Of two sketches: about the share of all hashes of the two that both have."""
    union = sorted({*one, *other})[:_SKETCHED]
    return len({*one} & {*other} & {*union}) / max(len(union), 1)


def _arrangement(data: RoutingData) -> str:
    """A digest of what else of the rows decides: their order, groups, times and all that the model sees of them."""
    table = data.table
    digest = hashlib.sha256(repr((data.names, table.groups, data.matrix.tasks)).encode("utf-8", "surrogatepass"))
    for numbers in (table.timestamps, data.scores, data.costs, data.matrix.dense):
        digest.update(np.ascontiguousarray(numbers).tobytes())
    return digest.hexdigest()


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


class _Entry(TypedDict):
    settings: str
    date: str


class _Rows(TypedDict):
    rows: list[str]
    tries: list[_Entry]


class _Ledger(TypedDict):
    version: Literal[1]
    tables: list[_Rows]


def _read(path: Path) -> list[_Rows]:
    """What a ledger holds, oldest first.

    Raises
    ------
    InputError : it is no ledger.
    """
    if not path.exists():
        return []
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            raise ValueError
        return TypeAdapter(_Ledger).validate_json(path.read_bytes())["tables"]
    except ValueError:
        raise InputError(
            f"{path}: found no ledger of certificates that this version can read, expected the file that train-router "
            "writes; restore it, or delete it if no certificate made here is relied on"
        ) from None


def _write(path: Path, tables: list[_Rows]) -> None:
    """The newest tables are kept."""
    kept = _Ledger(version=1, tables=tables[-_MOST_TABLES:])
    with atomic_write(path) as draft:
        draft.write_text(json.dumps(kept) + "\n", encoding="utf-8")
