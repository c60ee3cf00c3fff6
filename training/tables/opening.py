"""A file -> a raw table: what kind of file it is, its bytes say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from classifier.errors import TableError
from training.tables.arrow import ArrowTable
from training.tables.columns import Columns, is_header, recognises
from training.tables.delimited import DelimitedTable
from training.tables.encodings import find_encoding, open_text
from training.tables.excel import ExcelTable
from training.tables.files import FileTable
from training.tables.jsonfiles import JsonArrayTable, JsonLinesTable, is_json_lines
from training.tables.options import ReadOptions
from training.tables.stored import Stored

_HEAD = 2**20
_FOREIGN: Mapping[bytes, tuple[str, str]] = {
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook (.xls)", "save it as .xlsx, or the sheet as CSV UTF-8"),
    b"SQLite format 3": ("an SQLite database", "name an outcome store as one, or export the table as CSV"),
    b"FEA1": ("Feather of version 1", "write it as Parquet"),
    b"ORC": ("an ORC file", "write it as Parquet"),
    b"\x80\x04": ("a Python pickle", "write it as Parquet"),
    b"\x80\x05": ("a Python pickle", "write it as Parquet"),
    b"%PDF": ("a PDF file", "export the table as CSV"),
    b"\x89HDF": ("an HDF5 file", "write it as Parquet"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it"),
    b"Rar!": ("a RAR archive", "unpack it"),
    b"\x93NUMPY": ("a NumPy array", "write a table as Parquet"),
    b"<!DOCTYPE": ("a web page", "download the table itself"),
    b"<html": ("a web page", "download the table itself"),
    b"version https://git-lfs": ("a pointer of Git LFS", "fetch the file itself: git lfs pull"),
}


def open_table(stored: Stored, names: Columns, options: ReadOptions, stack: ExitStack) -> FileTable:
    """The table in a file.

    Parameters
    ----------
    stack : closes what has to stay open as long as the table is read.

    Raises
    ------
    TableError : it is of no kind that is known, or broken. UnsureError : it can be read in several ways.
    """
    head = stored.head()
    _refuse_foreign(stored, head)
    known = _header_of(names, options)
    if head.startswith(b"PAR1"):
        return ArrowTable(stored, "parquet", stack)
    if head.startswith(b"ARROW1"):
        return ArrowTable(stored, "arrow", stack)
    if head.startswith(b"\xff\xff\xff\xff"):
        return ArrowTable(stored, "arrow stream", stack)
    if head.startswith(b"PK\x03\x04"):
        return ExcelTable(stored, options.sheet, known)
    if stored.suffix in (".parquet", ".pq"):
        return ArrowTable(stored, "parquet", stack)
    return _open_text_table(stored, names, options)


def _open_text_table(stored: Stored, names: Columns, options: ReadOptions) -> FileTable:
    encoding = find_encoding(stored, options.encoding)
    with open_text(stored, encoding) as (text, _):
        head = text.read(_HEAD)
    start = head.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[")) and stored.suffix not in (".jsonl", ".ndjson", ".json"):
        return DelimitedTable(stored, encoding, _header_of(names, options))
    if stored.suffix in (".jsonl", ".ndjson") and not start.startswith("["):
        return JsonLinesTable(stored, encoding)
    if is_json_lines(head):
        return JsonLinesTable(stored, encoding)
    return JsonArrayTable(stored, encoding, lambda keys: recognises(keys, names, options.scores))


def _header_of(names: Columns, options: ReadOptions) -> Callable[[Sequence[str]], bool]:
    return lambda cells: is_header(cells, names, options.scores)


def _refuse_foreign(stored: Stored, head: bytes) -> None:
    lowered = head.lstrip()[:20]
    for magic, (found, advice) in _FOREIGN.items():
        if head.startswith(magic) or (magic.startswith(b"<") and lowered.lower().startswith(magic.lower())):
            raise TableError(f"{stored.name}: found {found}, expected CSV, JSON, Parquet, Arrow or .xlsx; {advice}")
