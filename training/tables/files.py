"""A path -> a raw table: its format, its columns, and its rows as they stand in the file."""

from __future__ import annotations

import gzip
import hashlib
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Protocol, cast

from classifier.errors import TableError
from training.tables.problems import ProblemLog, Source

RawRow = tuple[Source, Sequence[Any]]
Tick = Callable[[int], None]

_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_ADVICE = {
    ".json": "write one JSON object per line and call it .jsonl",
    ".xlsx": "save the sheet as CSV UTF-8",
    ".xls": "save the sheet as CSV UTF-8",
    ".txt": "rename it to what it holds",
}
_BOM_UTF8 = b"\xef\xbb\xbf"
_BOMS_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class RawTable(Protocol):
    """What the three formats have in common."""

    columns: tuple[str, ...]

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows: cells of the wanted columns in their order, None where the file holds nothing.

        Broken rows go to ``log``. ``tick`` is told now and then how many bytes of the file have been read.
        """
        ...


def check_file(path: Path) -> tuple[str, bool]:
    """Format ("csv", "tsv", "jsonl", "parquet") and whether the file is gzip-compressed.

    Raises
    ------
    TableError : no such file, a directory, an extension that says nothing, an empty file.
    """
    name = path.name.lower()
    zipped = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise TableError(f"{path}: found no such file, expected an outcome table; check the path") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise TableError(f"{path}: found a directory, expected a file; name the files in it, such as {path / '*.csv'}")
    kind = _FORMATS.get(suffix)
    if kind is None or (zipped and kind == "parquet"):
        known = "csv, tsv, jsonl, ndjson (each also with .gz), parquet, pq"
        advice = "unpack it" if zipped and kind else _ADVICE.get(suffix, "convert or rename it")
        ending = "".join(path.suffixes[-2:] if zipped else path.suffixes[-1:]) or "none"
        raise TableError(f"{path}: found extension {ending}, expected one of {known}; {advice}")
    if not stat.S_ISREG(status.st_mode):
        raise TableError(f"{path}: found something that is not a regular file, expected a file on disk; copy it to one")
    if status.st_size == 0:
        raise TableError(f"{path}: found an empty file, expected an outcome table; write it again")
    return kind, zipped


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> TableError:
    """The error for a file that the system does not let us read."""
    return TableError(f"{path}: found {error.strerror or error}, expected a readable file; check its permissions")


@contextmanager
def open_text(path: Path, zipped: bool) -> Iterator[tuple[TextIOWrapper, Callable[[], int]]]:
    """Open UTF-8 (or UTF-16 with a byte order mark) text with line ends as they stand.

    Yields the text and a function that tells how many bytes of the file have been read. What goes wrong while reading
    (encoding, compression, the disk) becomes `TableError`.
    """
    try:
        with path.open("rb") as raw, _unzipped(raw, zipped) as stream:
            encoding = _encoding(stream)
            with TextIOWrapper(cast(Any, stream), encoding=encoding, newline="") as text:
                yield text, raw.tell
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, zipped, error) from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise TableError(f"{path}: found damaged gzip data, expected a whole .gz file; copy it again") from None
    except OSError as error:
        raise unreadable(path, error) from None


@contextmanager
def _unzipped(raw: IO[bytes], zipped: bool) -> Iterator[IO[bytes]]:
    if not zipped:
        yield raw
        return
    with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
        yield cast(IO[bytes], stream)


def _encoding(stream: IO[bytes]) -> str:
    head = stream.read(3)
    stream.seek(0)
    if head.startswith(_BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if head.startswith(_BOMS_UTF16) else "utf-8"


def _wrong_encoding(path: Path, zipped: bool, error: UnicodeDecodeError) -> TableError:
    """Say where: the decoder knows its own block only, so the file is read again line by line."""
    fix = f"convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}"
    if error.encoding.lower().replace("_", "-").startswith("utf-16"):
        return TableError(f"{path}: found damaged UTF-16 text, expected whole UTF-8 text; save it again as UTF-8")
    offset = 0
    with path.open("rb") as raw, _unzipped(raw, zipped) as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as bad:
                place = f"line {number}, byte {offset + bad.start} of the file"
                found = f"byte 0x{line[bad.start]:02x}, which is not UTF-8"
                return TableError(f"{path}: {place}: found {found}, expected UTF-8 text; {fix}")
            offset += len(line)
    return TableError(f"{path}: found text that is not UTF-8, expected UTF-8 text; {fix}")
