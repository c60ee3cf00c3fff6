"""`read_tables`: files of any form and format -> one `OutcomeTable`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classifier.errors import TableError
from training.progress import Progress
from training.tables.columns import Columns, Form, check_names, close_names, recognise, used_columns
from training.tables.delimited import DelimitedTable
from training.tables.exports import Export, ExportOpener
from training.tables.files import RawTable, Tick, check_file, digest
from training.tables.forms import READERS, RowReader
from training.tables.jsonlines import JsonLinesTable
from training.tables.outcomes import Collector, FileSummary, OutcomeTable
from training.tables.parquet import ParquetTable
from training.tables.problems import ProblemLog, all_skipped


def read_tables(
    paths: Sequence[str | Path],
    columns: Columns = Columns(),  # noqa: B008 - frozen
    *,
    strict: bool = False,
    progress: Progress | None = None,
    exports: ExportOpener | None = None,
) -> OutcomeTable:
    """Read outcome tables; the package's docstring says which forms and cells are understood.

    Rows keep the order of the files and of the rows in them. Tiers that a file does not know are NaN in its rows.

    Parameters
    ----------
    paths : files ending in .csv, .tsv, .jsonl, .ndjson (each also with .gz), .parquet or .pq.
    columns : names of the columns, where they differ from the standard ones.
    strict : refuse the first bad row or cell instead of leaving it out.
    progress : called now and then with the bytes read so far and the bytes of all files.
    exports : knows the files that are exports of a tool (`training.imports.open_exports`); None: there are none.

    Raises
    ------
    TableError : a file cannot be read or understood, none of its rows can be used, or ``strict`` met a bad one. One
        line that says where, what was found, what is expected and how to mend it.
    """
    if not paths:
        raise TableError("found no files, expected at least one outcome table; name a file such as data.csv")
    check_names(columns)
    files = _opened([Path(path) for path in paths], columns, exports)
    _check_renamed(files, columns)
    log, out = ProblemLog(strict), Collector()
    total, done = sum(file.size for file in files), 0
    counts, bounds = [], [0]
    for file in files:
        counts.append(_read(file, log, out, _tick(progress, done, file.size, total)))
        bounds.append(len(out.scores))
        done += file.size
    read = zip(files, counts, out.repeats(bounds), strict=True)
    return out.table([_summary(file, columns, count, repeats) for file, count, repeats in read], log)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    format: str
    size: int
    table: RawTable
    form: Form
    used: list[str]
    names: Columns
    export: Export | None = None


@dataclass(frozen=True, slots=True)
class _Count:
    read: int
    kept: int


def _opened(paths: Sequence[Path], names: Columns, exports: ExportOpener | None) -> list[_File]:
    """All files that have rows; what only goes with others has none."""
    known = exports(paths, names) if exports is not None else {}
    files = []
    for path in paths:
        export = known.get(path)
        if export is not None:
            files.append(_open_export(path, export))
        elif path not in known:
            files.append(_open(path, names))
    return files


def _open_export(path: Path, export: Export) -> _File:
    used = list(export.table.columns)
    return _File(path, export.format, path.stat().st_size, export.table, export.form, used, export.names, export)


def _open(path: Path, names: Columns) -> _File:
    kind, zipped = check_file(path)
    table: RawTable
    if kind == "parquet":
        table = ParquetTable(path)
    elif kind == "jsonl":
        table = JsonLinesTable(path, zipped)
    else:
        table = DelimitedTable(path, zipped, "\t" if kind == "tsv" else ",")
    form = recognise(str(path), table.columns, names)
    return _File(path, kind, path.stat().st_size, table, form, used_columns(table.columns, form, names), names)


def _read(file: _File, log: ProblemLog, out: Collector, tick: Tick) -> _Count:
    before = len(log.problems)
    rows = file.table.rows(file.used, log, tick)
    kept = READERS[file.form](str(file.path), rows, RowReader(file.used, file.names, log), out)
    skipped = [problem for problem in log.problems[before:] if problem.skipped]
    if skipped and not kept:
        raise all_skipped(skipped)
    if not kept:
        raise TableError(f"{file.path}: found columns but no rows, expected at least one row; add rows")
    tick(file.size)
    return _Count(kept + len(skipped), kept)


def _summary(file: _File, names: Columns, count: _Count, repeats: int) -> FileSummary:
    ignored = tuple(column for column in file.table.columns if column and column not in file.used)
    return FileSummary(
        path=str(file.path),
        format=file.format,
        form=file.form,
        rows_read=count.read,
        rows_kept=count.kept,
        repeats=repeats,
        sha256=digest(file.path),
        ignored=ignored,
        hints=tuple(close_names(ignored, names)),
        notes=() if file.export is None else file.export.table.notes,
    )


def _check_renamed(files: Sequence[_File], names: Columns) -> None:
    present = {column for file in files for column in file.table.columns}
    for role, column in names.renamed().items():
        if column not in present:
            where = ", ".join(str(file.path) for file in files)
            raise TableError(
                f'{where}: found no column "{column}", expected it for {role}; check the option\'s spelling'
            )


def _tick(progress: Progress | None, done: int, size: int, total: int) -> Tick:
    if progress is None:
        return lambda _: None
    return lambda read: progress(done + min(read, size), total)
