"""`read_tables`: files of any form and format -> one `OutcomeTable`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from classifier.errors import TableError
from training.progress import Progress
from training.tables.bulk import read_in_bulk
from training.tables.columns import Columns, Layout, check_names, hints_for, recognise
from training.tables.exports import Export, ExportOpener
from training.tables.files import RawTable, Tick, digest
from training.tables.forms import READERS, RowReader
from training.tables.joins import join_notes
from training.tables.locate import LocatedFile, located
from training.tables.opening import open_table
from training.tables.options import ReadOptions
from training.tables.outcomes import Collector, FileCells, FileSummary, OutcomeTable
from training.tables.paths import outer_columns, with_paths
from training.tables.problems import ProblemLog, all_skipped, check_few
from training.tables.settling import settle
from training.tables.stored import Stored, unpacked


def read_tables(
    paths: Sequence[str | Path],
    columns: Columns = Columns(),  # noqa: B008 - frozen
    *,
    strict: bool = False,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    progress: Progress | None = None,
    exports: ExportOpener | None = None,
) -> OutcomeTable:
    """Read outcome tables; the package's docstring says which forms and cells are understood.

    Rows keep the order of the files and of the rows in them. Tiers that a file does not know are NaN in its rows.

    Parameters
    ----------
    paths : files, patterns such as ``runs/*.csv``, folders; ``-`` is standard input. What a file is, its content says.
    columns : names of the columns, where they differ from the standard ones.
    strict : refuse the first bad row or cell instead of leaving it out.
    options : what the tables do not say themselves.
    progress : called now and then with the bytes read so far and the bytes of all files.
    exports : knows the files that are exports of a tool (`training.imports.open_exports`); None: there are none.

    Raises
    ------
    TableError : a file cannot be read or understood, none of its rows can be used, or ``strict`` met a bad one. One
        line that says where, what was found, what is expected and how to mend it.
    UnsureError : a file can be read in several ways, or more than a few of its rows cannot be used; it names the option
        that settles it.
    """
    if not paths:
        raise TableError("found no files, expected at least one outcome table; name a file such as data.csv")
    check_names(columns)
    with located(paths) as found, ExitStack() as stack, ThreadPoolExecutor(1) as hasher:
        files = list(_opened(found, columns, options, stack, exports))
        _check_renamed(files, columns, options)
        digests = {path: hasher.submit(digest, path) for path in dict.fromkeys(file.path for file in files)}
        log, out = ProblemLog(strict), Collector()
        total, done = sum(file.size for file in files), 0
        parts = []
        for file in files:
            parts.append(_read(file, log, out, _tick(progress, done, file.size, total)))
            done += file.size
        return _table(files, parts, columns, options, digests, log, out)


@dataclass(frozen=True, slots=True)
class _File:
    """A file, or a member of an archive, that is about to be read.

    Attributes
    ----------
    path : of the file, or of the archive. used : the columns that are read.
    export : of a tool; None: it is a table.
    """

    path: Path
    name: str
    size: int
    format: str
    table: RawTable
    layout: Layout
    used: list[str]
    notes: tuple[str, ...] = ()
    export: Export | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read of a file. ``used`` : its rows that are in the table, before any cell was judged."""

    cells: FileCells
    used: int
    notes: list[str]


def _opened(
    found: Sequence[LocatedFile],
    names: Columns,
    options: ReadOptions,
    stack: ExitStack,
    exports: ExportOpener | None,
) -> Iterator[_File]:
    """All files that have rows; what only goes with others has none."""
    groups = [unpacked(each.path, each.name) for each in found]
    known = exports([stored for group in groups for stored in group], names) if exports is not None else {}
    for group in groups:
        yield from (_open_export(stored, export) for stored in group if (export := known.get(stored)) is not None)
        tables = [stored for stored in group if stored not in known]
        if tables:
            yield from _open(tables, names, options, stack)


def _open_export(stored: Stored, export: Export) -> _File:
    columns = export.table.columns
    layout = recognise(stored.name, columns, export.names)
    used = layout.used(columns)
    return _File(stored.path, stored.name, stored.size, export.format, export.table, layout, used, export=export)


def _open(members: Sequence[Stored], names: Columns, options: ReadOptions, stack: ExitStack) -> list[_File]:
    """The tables of a file; of an archive, those of its members that are tables."""
    files: list[_File] = []
    refused: list[TableError] = []
    for stored in members:
        try:
            table = open_table(stored, names, options, stack)
            layout = recognise(stored.name, table.columns, names, options.scores, nested=table.nested)
        except TableError as error:
            if len(members) == 1:
                raise
            refused.append(error)
            continue
        used = layout.used(table.columns)
        twice = [name for name in used if name in table.repeated]
        if twice:
            raise TableError(f"{stored.name}: found column {twice[0]} twice, expected each once; drop or rename one")
        notes = (*table.understood, *layout.understood)
        files.append(_File(stored.path, stored.name, stored.size, table.format, table, layout, used, notes))
    if not files:
        raise refused[0]
    if refused:
        left_out = tuple(f"left out as no table: {error}" for error in refused)
        files[0] = replace(files[0], notes=(*files[0].notes, *left_out))
    return files


def _read(file: _File, log: ProblemLog, out: Collector, tick: Tick) -> _Part:
    name, table, layout = file.name, file.table, file.layout
    before = len(log.problems)
    cells = FileCells(out, name, layout.measures, layout.roles)
    reader = RowReader(file.used, layout, log)
    used = read_in_bulk(table, layout, log, cells)
    if used is None:
        outer = outer_columns(table.columns, file.used)
        rows = with_paths(table.rows(outer, log, tick), table.columns, outer, file.used)
        used = READERS[layout.form](rows, reader, cells)
    skipped = [problem for problem in log.problems[before:] if problem.skipped]
    if skipped and not used:
        raise all_skipped(skipped)
    if not used:
        raise TableError(f"{name}: found columns but no rows, expected at least one row; add rows")
    tick(file.size)
    return _Part(cells, used, list(_chat_notes(reader)))


def _chat_notes(reader: RowReader) -> Iterator[str]:
    if reader.counts["chats"]:
        yield f"{reader.layout.roles['prompt']} holds chats in {reader.counts['chats']:,} rows"
    if reader.counts["answers"]:
        yield (
            f"left out {reader.counts['answers']:,} turns of the assistant at the end of {reader.counts['answered']:,} "
            "chats: they are the answers"
        )


def _table(
    files: Sequence[_File],
    parts: Sequence[_Part],
    names: Columns,
    options: ReadOptions,
    digests: Mapping[Path, Future[str]],
    log: ProblemLog,
    out: Collector,
) -> OutcomeTable:
    """Everything that was read, with what its cells came to."""
    known = [(file.name, file.layout, part.cells) for file, part in zip(files, parts, strict=True)]
    settled = settle(known, options, log, out)
    joined = join_notes([name for name, *_ in known], [part.cells.rows for part in parts], out)
    summaries = []
    for file, part, judged, joins in zip(files, parts, settled, joined, strict=True):
        name = file.name
        skipped = [problem for problem in log.problems if problem.skipped and problem.file == name]
        read = part.used + len(skipped) - judged.dropped
        if not options.skip_bad:
            check_few(name, read, [problem for problem in log.faults() if problem.file == name])
        if part.used == judged.dropped:
            raise all_skipped(skipped)
        exported = () if file.export is None else file.export.table.notes
        notes = (*file.notes, *exported, *part.notes, *judged.understood, *joins)
        counts = (read, part.used - judged.dropped, judged.repeats)
        summaries.append(_summary(file, names, counts, digests[file.path].result(), notes))
    return out.table(summaries, log)


def _summary(
    file: _File, names: Columns, counts: tuple[int, int, int], sha256: str, notes: tuple[str, ...]
) -> FileSummary:
    """What was understood of a file; ``counts`` : rows that were read and kept, and repeats."""
    outer = set(outer_columns(file.table.columns, file.used))
    ignored = tuple(column for column in file.table.columns if column and column not in outer)
    return FileSummary(
        path=file.name,
        format=file.format,
        form=file.layout.form,
        rows_read=counts[0],
        rows_kept=counts[1],
        repeats=counts[2],
        sha256=sha256,
        ignored=ignored,
        hints=tuple(hints_for(file.layout, ignored, names)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _check_renamed(files: Sequence[_File], names: Columns, options: ReadOptions) -> None:
    present = {name for file in files for name in (*file.table.columns, *file.used)}
    wanted = names.renamed() | {f"the score of {tier}": column for tier, column in options.scores.items()}
    for role, column in wanted.items():
        if column not in present:
            where = ", ".join(file.name for file in files)
            raise TableError(
                f'{where}: found no column "{column}", expected it for {role}; check the option\'s spelling'
            )


def _tick(progress: Progress | None, done: int, size: int, total: int) -> Tick:
    if progress is None:
        return lambda _: None
    return lambda read: progress(done + min(read, size), total)
