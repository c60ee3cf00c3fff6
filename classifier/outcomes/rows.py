"""Records -> rows and back; each function is given a connection.

Writing is idempotent: a row whose primary key is there already is passed over, so that what is delivered twice (from a
spill file, an import) is stored once. A decision and its attempts are written in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from classifier.outcomes.lines import attempt_from, decision_from, values
from classifier.outcomes.records import (
    AttemptRecord,
    DecisionRecord,
    FeedbackRecord,
    LateAttempt,
    Outcome,
    Record,
    first_id,
)
from classifier.outcomes.schema import AnyText, UtcTime, attempts, decisions, deleted, feedback

_DELETION_LOCK = 0x74696573
_MOST_ID = 200  # characters; PostgreSQL cannot index much longer ones


def check_ids(records: Iterable[Record]) -> None:
    """Refuse what no store takes, before one is made for it.

    Raises
    ------
    ValueError : an identifier is too long.
    """
    _check_lengths(each.id if isinstance(each, DecisionRecord) else each.decision for each in records)


def write_records(connection: Connection, records: Iterable[Record]) -> None:
    """Store what is not stored yet and was not deleted, in the connection's transaction.

    Raises
    ------
    ValueError : an identifier is too long.
    SQLAlchemyError : the database cannot take it.
    """
    rows: dict[Table, list[dict[str, Any]]] = {decisions: [], attempts: [], feedback: []}
    for record in records:
        for table, row in _rows(record):
            rows[table].append(row)
    ids = {row["id" if table is decisions else "decision"] for table in rows for row in rows[table]}
    _check_lengths(ids)
    _hold_deletions(connection, "pg_advisory_xact_lock_shared")
    gone = set(connection.scalars(select(deleted.c.id).where(deleted.c.id.in_(ids))))
    for table, found in rows.items():
        left = [row for row in found if row["id" if table is decisions else "decision"] not in gone]
        if left:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            connection.execute(insert(table).on_conflict_do_nothing(), left)


def read_outcomes(
    connection: Connection, since: datetime | None, until: datetime | None, batch: int
) -> Iterator[Outcome]:
    """Decisions from ``since`` to before ``until``, oldest first, a short transaction for each batch."""
    after: tuple[datetime, str] | None = None
    while True:
        with connection.begin():
            page = _page(connection, _between(since, until), after, batch)
        yield from page
        if len(page) < batch:
            return
        after = page[-1].decision.time, page[-1].decision.id


def count_decisions(connection: Connection, since: datetime | None = None, until: datetime | None = None) -> int:
    """How many decisions there are from ``since`` to before ``until``."""
    with connection.begin():
        return connection.scalar(select(func.count()).select_from(decisions).where(_between(since, until))) or 0


def delete_decision(connection: Connection, decision: str) -> bool:
    """Remove a decision, its attempts and its feedback for good; whether it was there."""
    with connection.begin():
        _hold_deletions(connection, "pg_advisory_xact_lock")
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(deleted).on_conflict_do_nothing(), {"id": decision})
        return _remove(connection, [decision]) > 0


def prune_decisions(connection: Connection, before: datetime, batch: int = 1000) -> Iterator[int]:
    """Remove all decisions older than a time, what belongs to them, and what belongs to none.

    Yields how many decisions went after each of many short transactions, so that others can write meanwhile.
    """
    old = select(decisions.c.id).where(decisions.c.time < before).order_by(decisions.c.time).limit(batch)
    count = batch
    while count == batch:
        with connection.begin():
            count = _remove(connection, connection.scalars(old).all())
        yield count
    with connection.begin():
        for table in (attempts, feedback):
            orphan = ~exists().where(decisions.c.id == table.c.decision)
            connection.execute(delete(table).where(table.c.decision < first_id(before), orphan))
        connection.execute(delete(deleted).where(deleted.c.id < first_id(before)))


def _rows(record: Record) -> Iterator[tuple[Table, dict[str, Any]]]:
    if isinstance(record, LateAttempt):
        yield attempts, {"decision": record.decision, **values(record.attempt)}
    elif isinstance(record, FeedbackRecord):
        yield feedback, values(record)
    else:
        row = values(record)
        del row["attempts"]
        yield decisions, row
        for attempt in record.attempts:
            yield attempts, {"decision": record.id, **values(attempt)}


def _hold_deletions(connection: Connection, lock: str) -> None:
    """Let no deletion and writing overlap; on SQLite no two transactions that write do."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT {lock}(:key)"), {"key": _DELETION_LOCK})


def _between(since: datetime | None, until: datetime | None) -> ColumnElement[bool]:
    limits = [decisions.c.time >= since] if since else []
    return and_(literal(True), *limits, *([decisions.c.time < until] if until else []))


def _page(
    connection: Connection, wanted: ColumnElement[bool], after: tuple[datetime, str] | None, size: int
) -> list[Outcome]:
    query = select(decisions).where(wanted).order_by(decisions.c.time, decisions.c.id).limit(size)
    if after is not None:
        time, last = literal(after[0], UtcTime), literal(after[1], AnyText)
        beyond = or_(decisions.c.time > time, and_(decisions.c.time == time, decisions.c.id > last))
        query = query.where(decisions.c.time >= time, beyond)
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    tried = _by_decision(connection, attempts, ids, "position")
    judged = _by_decision(connection, feedback, ids, "time", "id")
    return [
        Outcome(
            decision_from(dict(row), tuple(_attempt(each) for each in tried[row["id"]])),
            tuple(FeedbackRecord(**dict(each)) for each in judged[row["id"]]),
        )
        for row in rows
    ]


def _by_decision(connection: Connection, table: Table, ids: Sequence[str], *order: str) -> dict[str, list[RowMapping]]:
    found: dict[str, list[RowMapping]] = defaultdict(list)
    query = select(table).where(table.c.decision.in_(ids)).order_by(*(table.c[name] for name in order))
    for row in connection.execute(query).mappings():
        found[row["decision"]].append(row)
    return found


def _attempt(row: RowMapping) -> AttemptRecord:
    return attempt_from(dict(row))


def _remove(connection: Connection, ids: Sequence[str]) -> int:
    if not ids:
        return 0
    for table in (attempts, feedback):
        connection.execute(delete(table).where(table.c.decision.in_(ids)))
    return connection.execute(delete(decisions).where(decisions.c.id.in_(ids))).rowcount


def _check_lengths(ids: Iterable[str]) -> None:
    if any(len(each) > _MOST_ID for each in ids):
        raise ValueError(f"found an identifier of more than {_MOST_ID} characters")
