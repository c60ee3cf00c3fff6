"""Excel workbooks (.xlsx) -> raw rows, through calamine."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import time, timedelta
from typing import Any

from python_calamine import CalamineWorkbook, SheetVisibleEnum

from classifier.errors import TableError
from training.tables.files import RawRow, Tick
from training.tables.problems import ProblemLog, Source, UnsureError
from training.tables.stored import Stored

_TICK_ROWS = 1024
_HEADER_WITHIN = 20
_MOST_CELLS = 30_000_000
_MOST_BYTES = 2**31
_MOST_RATIO = 300
_CELL = re.compile(rb"""\sr\s*=\s*["']\s*\$?([A-Za-z]{1,3})\$?(\d{1,7})["']""")
_BLOCK = 2**20
_OVERLAP = 64

IsHeader = Callable[[Sequence[str]], bool]


class ExcelTable:
    """A sheet of a workbook; rows above the header are no rows, nor are blank ones.

    Parameters
    ----------
    wanted : the sheet that the user names; None: the one that has a header that is known.
    """

    format = "xlsx"
    nested: tuple[str, ...] = ()

    def __init__(self, stored: Stored, wanted: str | None, is_header: IsHeader) -> None:
        self._stored = stored
        sheets = _sheets(stored)
        name = _chosen(stored.name, sheets, wanted, is_header)
        self._rows = sheets[name]
        self._start = _header_place(self._rows, is_header)
        header = [_name(cell) for cell in self._rows[self._start]] if self._rows else []
        while header and not header[-1]:
            header.pop()
        if not header:
            raise TableError(
                f"{stored.name}: found no header in sheet {name!r}, expected column names in a row; add them"
            )
        self._header = header
        self.columns = tuple(dict.fromkeys(header))
        self.repeated = frozenset(name for name, count in Counter(header).items() if count > 1 and name)
        notes = [f"rows are read from sheet {name!r}"] if len(sheets) > 1 else []
        notes += [f"the header is in row {self._start + 1}"] if self._start else []
        self.understood = tuple(notes)

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`; a row's line is its number in the sheet."""
        places = [self._header.index(name) for name in wanted]
        number = 0
        for line, cells in enumerate(self._rows[self._start + 1 :], self._start + 2):
            if all(cell is None or cell == "" for cell in cells):
                continue
            number += 1
            if number % _TICK_ROWS == 0:
                tick(self._stored.size * line // len(self._rows))
            yield Source(self._stored.name, number, line), [_value(cells[place]) for place in places]


def _sheets(stored: Stored) -> dict[str, list[list[Any]]]:
    """Rows of all sheets that are shown."""
    with stored.on_disk() as path:
        _refuse_huge(stored.name, str(path), stored.size)
        try:
            book = CalamineWorkbook.from_path(path)
            shown = [sheet.name for sheet in book.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
            return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in shown}
        except BaseException as error:
            # A panic of calamine's is no Exception; whatever else is none has to go on.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise _damaged(stored.name, error) from None


def _damaged(name: str, error: BaseException) -> TableError:
    why = str(error).strip().split("\n")[0][:200]
    return TableError(
        f"{name}: found a damaged or foreign workbook ({why}), expected Excel's .xlsx; save it again, or save the "
        "sheet as CSV UTF-8"
    )


def _refuse_huge(name: str, path: str, size: int) -> None:
    """Refuse a workbook that unpacks to too much, or whose cells are so far apart that its sheet would fill memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
            if unpacked > min(_MOST_BYTES, max(2**26, _MOST_RATIO * size)):
                raise _too_large(name)
            for info in archive.infolist():
                if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml"):
                    with archive.open(info) as sheet:
                        if _area(sheet) > _MOST_CELLS:
                            raise _too_large(name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise _damaged(name, error) from None


def _too_large(name: str) -> TableError:
    return TableError(
        f"{name}: found a sheet of more than {_MOST_CELLS:,} cells, expected a table; save the sheet as CSV UTF-8"
    )


def _area(sheet: Any) -> int:
    """Rows times columns of the smallest rectangle from the first cell to the last."""
    columns = rows = 0
    tail = b""
    while block := sheet.read(_BLOCK):
        for letters, number in _CELL.findall(tail + block):
            column = 0
            for letter in letters.upper():
                column = column * 26 + letter - 64
            columns, rows = max(columns, column), max(rows, int(number))
        tail = block[-_OVERLAP:]
    return columns * rows


def _chosen(file: str, sheets: dict[str, list[list[Any]]], wanted: str | None, is_header: IsHeader) -> str:
    if wanted is not None:
        if wanted not in sheets:
            raise TableError(f"{file}: found no sheet {wanted!r}, expected one of: {', '.join(sheets)}")
        return wanted
    filled = [name for name, rows in sheets.items() if any(any(cell not in (None, "") for cell in row) for row in rows)]
    known = [
        name
        for name in filled
        if is_header([_name(cell) for cell in sheets[name][_header_place(sheets[name], is_header)]])
    ]
    fitting = known or filled
    if len(fitting) > 1:
        raise UnsureError(
            f"{file}: found tables in the sheets {', '.join(fitting[:10])}, expected one; say which one is meant",
            "sheet",
            fitting[0],
        )
    if not fitting:
        raise TableError(f"{file}: found empty sheets, expected a table; save the workbook again")
    return fitting[0]


def _header_place(rows: list[list[Any]], is_header: IsHeader) -> int:
    names = ([_name(cell) for cell in row] for row in rows[:_HEADER_WITHIN])
    first = next((place for place, row in enumerate(rows) if any(cell not in (None, "") for cell in row)), 0)
    return next((place for place, row in enumerate(names) if is_header(row)), first)


def _name(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _value(cell: Any) -> Any:
    """A cell; what Excel keeps as a duration or a time of day is text here."""
    if cell == "":
        return None
    return str(cell) if isinstance(cell, (time, timedelta)) else cell
