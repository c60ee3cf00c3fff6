"""What users name -> the files that are meant: paths, patterns, folders, standard input."""

from __future__ import annotations

import glob
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from classifier.errors import TableError

STANDARD_INPUT = "-"
_TABLES = (
    ".csv",
    ".tsv",
    ".tab",
    ".psv",
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".pq",
    ".arrow",
    ".feather",
    ".xlsx",
    ".eval",
)
_PACKED = ("", ".gz", ".bz2", ".xz", ".zip")
_ENDINGS = tuple(ending + packed for ending in _TABLES for packed in _PACKED)
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class LocatedFile:
    """A file, and its name as messages call it."""

    path: Path
    name: str


@contextmanager
def located(paths: Sequence[str | Path]) -> Iterator[list[LocatedFile]]:
    """The files, in the order in which they are named; those of a pattern or folder by name.

    Standard input is copied to a file that is gone at the end.

    Raises
    ------
    TableError : a pattern or folder holds no table, or standard input is named twice.
    """
    if [str(path) for path in paths].count(STANDARD_INPUT) > 1:
        raise TableError("standard input: found - twice, expected it once; name each table once")
    with tempfile.TemporaryDirectory(prefix="tierwise-") as folder:
        found: list[LocatedFile] = []
        for path in paths:
            if str(path) == STANDARD_INPUT:
                found.append(LocatedFile(_spooled(Path(folder)), "standard input"))
            else:
                found += [LocatedFile(each, str(each)) for each in _files(Path(path))]
        yield list(dict.fromkeys(found))


def _spooled(folder: Path) -> Path:
    copy = folder / "standard-input"
    with copy.open("wb") as stream:
        while block := sys.stdin.buffer.read(_BLOCK):
            stream.write(block)
    if not copy.stat().st_size:
        raise TableError("standard input: found nothing, expected an outcome table; pipe one in")
    return copy


def _files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            return _inside(path)
        if path.exists() or not glob.has_magic(str(path)):
            return [path]
    except (OSError, ValueError):
        return [path]
    found = sorted(Path(name) for name in glob.iglob(str(path), recursive=True))
    files = [each for each in found if each.is_file()]
    if not files:
        raise TableError(f"{path}: found no file of this pattern, expected at least one; check the path")
    return files


def _inside(folder: Path) -> list[Path]:
    found = sorted(
        each
        for each in folder.iterdir()
        if each.name.lower().endswith(_ENDINGS) and not each.name.startswith((".", "~$"))
    )
    files = [each for each in found if each.is_file()]
    if not files:
        raise TableError(
            f"{folder}: found a directory without tables in it, expected a file, or files that end as tables do; name "
            f"the files in it, such as {folder / '*.csv'}"
        )
    return files
