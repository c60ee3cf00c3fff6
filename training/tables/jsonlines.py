"""JSON Lines -> raw rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from classifier.errors import TableError
from training.tables.files import RawRow, Tick, open_text
from training.tables.problems import ProblemLog, Source, kind

_TICK_ROWS = 1024
_EXPECTED = "one JSON object on each line (an array becomes lines with: jq -c '.[]')"


class JsonLinesTable:
    """A file with one object a line. Its columns are all the keys of all its objects; blank lines are no rows."""

    def __init__(self, path: Path, zipped: bool) -> None:
        self._path, self._zipped = path, zipped
        # A first pass for the keys alone: a tier may turn up for the first time in the last line.
        keys: dict[str, None] = {}
        wrong: str | None = None
        with open_text(path, zipped) as (text, _):
            for line, content in _contents(text):
                if isinstance(content, dict):
                    keys.update(dict.fromkeys(content))
                elif wrong is None:
                    wrong = f"line {line}: found {_found(content)}"
        if not keys:
            raise TableError(f"{path}: {wrong or 'found no rows'}, expected {_EXPECTED}")
        self.columns = tuple(keys)

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        file = str(self._path)
        with open_text(self._path, self._zipped) as (text, position):
            for row, (line, content) in enumerate(_contents(text), 1):
                if row % _TICK_ROWS == 0:
                    tick(position())
                source = Source(file, row, line)
                if isinstance(content, dict):
                    yield source, list(map(content.get, wanted))
                else:
                    log.skip(source, None, _found(content), _EXPECTED)


def _contents(text: TextIOWrapper) -> Iterator[tuple[int, Any]]:
    """Line number and parsed content of each line that is not blank; an exception stands for what is not JSON."""
    decode = json.loads
    for number, line in enumerate(text, 1):
        if line.isspace():
            continue
        try:
            content = decode(line)
        except (ValueError, RecursionError) as error:
            content = error
        yield number, content


def _found(content: Any) -> str:
    if isinstance(content, json.JSONDecodeError):
        return f"text that is not JSON ({content.msg} at character {content.pos + 1})"
    if isinstance(content, Exception):
        return "JSON nested too deeply or with too long a number"
    return kind(content)
