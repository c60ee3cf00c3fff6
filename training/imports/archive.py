"""Archives of inspect_ai (``.eval``): a ZIP file of JSON documents, compressed with Zstandard since 2025."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from classifier.errors import TableError
from training.tables.stored import Stored

if sys.version_info >= (3, 14):
    import zipfile

    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError, zipfile

_HEADERS = ("header.json", "_journal/start.json")  # the second of a run that was cut short
_SAMPLES = "samples/"
_MOST_BYTES = 2**28  # of one document
_MOST_TOTAL = 2**35  # of all of them
_DAMAGED = (
    *(zipfile.BadZipFile, ZstdError, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, KeyError),  # of methods of compression, passwords, headers, names
)


def is_archive(stored: Stored) -> bool:
    """Whether a ZIP file is an archive of inspect_ai."""
    try:
        with stored.on_disk() as path, zipfile.ZipFile(path) as archive:
            return any(name in archive.NameToInfo for name in _HEADERS)
    except (*_DAMAGED, TableError):
        return False


def archive_header(stored: Stored) -> Any:
    """What the archive says of the run as a whole.

    Raises
    ------
    TableError : it is damaged.
    """
    with _opened(stored) as archive:
        name = next((name for name in _HEADERS if name in archive.NameToInfo), _HEADERS[0])
        return _document(stored, archive, name)


def archive_samples(stored: Stored) -> Iterator[Any]:
    """The samples, in the order in which they were written; errors as for the header."""
    with _opened(stored) as archive:
        names = [name for name in archive.NameToInfo if name.startswith(_SAMPLES) and name.endswith(".json")]
        if sum(archive.NameToInfo[name].file_size for name in names) > _MOST_TOTAL:
            raise TableError(f"{stored.name}: found over {_MOST_TOTAL:,} bytes of samples, expected fewer; export less")
        for name in names:
            yield _document(stored, archive, name)


@contextmanager
def _opened(stored: Stored) -> Iterator[Any]:
    with stored.on_disk() as path:
        try:
            archive = zipfile.ZipFile(path)
        except _DAMAGED as error:
            raise _damaged(stored, error) from None
        with archive:
            yield archive


def _document(stored: Stored, archive: Any, name: str) -> Any:
    """One document; no more of it is unpacked than a document may have, whatever the archive says of its size."""
    try:
        with archive.open(name) as stream:
            text = stream.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise TableError(f"{stored.name}: found over {_MOST_BYTES:,} bytes in {name}, expected fewer; export less")
        return json.loads(text)
    except RecursionError:
        raise _damaged(stored, "JSON nested too deeply") from None
    except _DAMAGED as error:
        raise _damaged(stored, error) from None


def _damaged(stored: Stored, error: object) -> TableError:
    why = str(error).split("\n")[0][:100]
    return TableError(f"{stored.name}: found a damaged archive ({why}), expected one of inspect_ai; copy it again")
