"""Where the bytes of a table are: a file, compressed or not, or a member of an archive.

What a file is, its first bytes say, not its name. What it unpacks to is bounded.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from classifier.errors import TableError

_LEAST_LIMIT = 2**29
_MOST_RATIO = 100
_MOST_MEMBERS = 1_000
_HEAD = 512

_GZIP, _BZ2, _XZ, _ZIP, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_PACKED: dict[bytes, str] = {_GZIP: "gzip", _BZ2: "bzip2", _XZ: "xz"}
_ONE_PIECE = ("[Content_Types].xml", "mimetype", "header.json", "_journal/start.json")
_ENDINGS = (".gz", ".bz2", ".xz", ".zip", ".tgz")
_PACKED_AS = {".gz": "gzip", ".tgz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}
_DAMAGE = (gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError)

Opener = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes of one table.

    Attributes
    ----------
    name : as messages call it. path : the file that it is or lies in.
    size : bytes of the file, or of the member as it is packed.
    is_plain : whether the file holds just these bytes.
    """

    name: str
    path: Path
    size: int
    is_plain: bool
    _open: Opener

    @property
    def suffix(self) -> str:
        """How the name ends, without what says that it is packed."""
        name = self.name.lower()
        for ending in _ENDINGS:
            name = name.removesuffix(ending)
        return PurePosixPath(name).suffix

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the bytes, unpacked; what goes wrong while they are read becomes `TableError`."""
        try:
            with self._open() as stream:
                yield stream
        except _DAMAGE:
            raise _damaged(self.name, self.path) from None
        except RuntimeError as error:  # zipfile's word for a password
            if "password" not in str(error):
                raise
            raise TableError(
                f"{self.name}: found an encrypted archive, expected one without a password; unpack it"
            ) from None
        except OSError as error:
            raise unreadable(self.path, error) from None

    def head(self) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(_HEAD)

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """A file with just these bytes."""
        if self.is_plain:
            yield self.path
            return
        with tempfile.NamedTemporaryFile(suffix=self.suffix) as copy, self.open() as stream:
            while block := stream.read(2**20):
                copy.write(block)
            copy.flush()
            yield Path(copy.name)


def unpacked(path: Path, name: str) -> list[Stored]:
    """The tables' bytes that a file holds: itself, or what is in it.

    Parameters
    ----------
    name : as messages call it.

    Raises
    ------
    TableError : no such file, one that cannot be read, an empty one, an archive without tables.
    """
    size = _checked_size(path)
    plain = Stored(name, path, size, True, lambda: path.open("rb"))
    head = plain.head()
    if head.startswith(_ZSTD):
        raise TableError(
            f"{name}: found zstd data, expected a table or a .gz, .bz2, .xz or .zip file; unpack it: zstd -d"
        )
    packed = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
    if packed is None and not head.startswith(_ZIP) and path.suffix.lower() in _PACKED_AS:
        raise _damaged(name, path)
    if packed:
        whole = Stored(name, path, size, False, lambda: _limited(_decompressor(path, packed), name, size))
        return _tar_members(whole) if _is_tar(whole.head()) else [whole]
    if head.startswith(_ZIP) and not _is_one_piece(plain):
        return _zip_members(plain)
    return _tar_members(plain) if _is_tar(head) else [plain]


def unreadable(path: Path, error: OSError) -> TableError:
    """The error for a file that the system does not let us read."""
    return TableError(f"{path}: found {error.strerror or error}, expected a readable file; check its permissions")


def _damaged(name: str, path: Path) -> TableError:
    ending = path.suffix.lower()
    data = f"{_PACKED_AS[ending]} data" if ending in _PACKED_AS else "compressed data"
    whole = f"{ending} file" if ending in _PACKED_AS else "archive"
    return TableError(f"{name}: found damaged {data}, expected a whole {whole}; copy it again")


def _checked_size(path: Path) -> int:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise TableError(f"{path}: found no such file, expected an outcome table; check the path") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error if isinstance(error, OSError) else OSError(str(error))) from None
    if not stat.S_ISREG(status.st_mode):
        raise TableError(f"{path}: found something that is not a regular file, expected a file on disk; copy it to one")
    if status.st_size == 0:
        raise TableError(f"{path}: found an empty file, expected an outcome table; write it again")
    return status.st_size


def _decompressor(path: Path, packed: str) -> IO[bytes]:
    if packed == "gzip":
        return cast(IO[bytes], gzip.GzipFile(path, "rb"))
    if packed == "bzip2":
        return bz2.BZ2File(path, "rb")
    return lzma.LZMAFile(path, "rb")


class _Limited(io.BufferedIOBase):
    """A stream that refuses to unpack to many times its size."""

    def __init__(self, inner: IO[bytes], name: str, limit: int) -> None:
        self._inner, self._name, self._limit = inner, name, limit
        self._read = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._read

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self._counted(self._inner.read(2**20)), b""))
        return self._counted(self._inner.read(size))

    def read1(self, size: int = -1) -> bytes:
        return self.read(2**16 if size < 0 else size)

    def _counted(self, block: bytes) -> bytes:
        self._read += len(block)
        if self._read > self._limit:
            raise TableError(
                f"{self._name}: found data that unpacks to more than {_MOST_RATIO} times its size, expected a table; "
                "unpack it, and name the file that was in it"
            )
        return block

    def close(self) -> None:
        self._inner.close()
        super().close()


def _limited(inner: IO[bytes], name: str, size: int) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(cast(Any, _Limited(inner, name, max(_LEAST_LIMIT, _MOST_RATIO * size)))))


def _is_one_piece(stored: Stored) -> bool:
    """Whether a ZIP file is a spreadsheet, or a log of inspect_ai: these are no archives of tables."""
    try:
        with zipfile.ZipFile(stored.path) as archive:
            names = set(archive.namelist()[:_MOST_MEMBERS])
            return not names.isdisjoint(_ONE_PIECE)
    except (*_DAMAGE, OSError, NotImplementedError, ValueError):
        return False


def _zip_members(stored: Stored) -> list[Stored]:
    with _archive(stored) as archive:
        members = [
            (info.filename, info.compress_size) for info in archive.infolist() if info.filename and not info.is_dir()
        ]
    return _tables(
        stored,
        [
            Stored(f"{stored.name}/{name}", stored.path, size, False, partial(_zip_stream, stored, name, size))
            for name, size in members
            if _is_wanted(name)
        ],
    )


@contextmanager
def _archive(stored: Stored) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(stored.path) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error):
        raise TableError(f"{stored.name}: found a damaged archive, expected a whole .zip file; copy it again") from None


@contextmanager
def _zip_stream(stored: Stored, name: str, size: int) -> Iterator[BinaryIO]:
    with _archive(stored) as archive, archive.open(name) as member:
        yield _limited(member, stored.name, size)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _tar_members(stored: Stored) -> list[Stored]:
    found = []
    with stored.open() as stream, tarfile.open(fileobj=cast(Any, stream), mode="r|") as archive:
        for member in archive:
            if member.isfile() and _is_wanted(member.name):
                found.append((member.name, member.size))
            if len(found) > _MOST_MEMBERS:
                break
    return _tables(
        stored,
        [
            Stored(f"{stored.name}/{name}", stored.path, size, False, partial(_tar_stream, stored, name))
            for name, size in found
        ],
    )


@contextmanager
def _tar_stream(stored: Stored, name: str) -> Iterator[BinaryIO]:
    with stored.open() as stream, tarfile.open(fileobj=cast(Any, stream), mode="r|") as archive:
        for member in archive:
            if member.name == name:
                inner = archive.extractfile(member)
                if inner is not None:
                    yield _limited(inner, stored.name, stored.size)
                    return
    raise EOFError


def _is_wanted(name: str) -> bool:
    """Whether a member may be a table: not what systems and editors leave in archives."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith((".", "__MACOSX", "~$")) for part in parts) and not name.lower().endswith(
        (".md", ".txt.license", ".pdf", ".png", ".jpg", ".html")
    )


def _tables(stored: Stored, members: list[Stored]) -> list[Stored]:
    if not members:
        raise TableError(f"{stored.name}: found no table in the archive, expected at least one; put one in")
    if len(members) > _MOST_MEMBERS:
        raise TableError(
            f"{stored.name}: found more than {_MOST_MEMBERS:,} files in the archive, expected tables; unpack it, and "
            "name those that are meant"
        )
    return members
