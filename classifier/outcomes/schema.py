"""The tables, and how an older database is brought up to them.

``decisions``: one row a request; columns are the fields of `DecisionRecord`. ``attempts``: one row a call of a model,
``decision`` and the fields of `AttemptRecord`; primary key (decision, position). ``feedback``: the fields of
`FeedbackRecord`. ``deleted``: ids of decisions that were deleted and must not come back from a spill file or a late
audit. ``store_settings``: name and value; "key" is the fingerprint of the key that the store began with, "hash_key" the
key of the prompt hashes, sealed with it (`classifier.outcomes.keys`). ``schema_version``: one row.

Times are UTC, money is USD, latencies are seconds. What is a list or mapping in a record is JSON text. Text and JSON
are escaped as `classifier.outcomes.encoding` says. There are no foreign keys: an attempt may arrive before its
decision, when that one waits in another process's spill file.

Migrations: `MIGRATIONS` lists by version the function that makes it from the one before. Alembic would bring a folder
of scripts, a configuration and a table of its own to an embedded store with a handful of changes, and leave the locking
to us all the same; these lines are all that is needed.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    inspect,
    select,
    text,
)

from classifier.errors import StoreError
from classifier.outcomes.encoding import dump_json, escape, load_json, unescape
from classifier.outcomes.keys import Keys
from classifier.outcomes.privacy import EXPECTATIONS, hidden_expectations
from classifier.outcomes.sealing import KEY_BYTES, fingerprint, seal

VERSION = 5
_SEALED_FROM = 4  # the version that seals what gives requests away
HASH_KEY, KEY = "hash_key", "key"  # names of settings

_LOCK = 0x74696572  # of PostgreSQL's advisory locks; any number that others will not take
_MOST = 2**63 - 1
_PAGE = 500


class AnyText(TypeDecorator[str]):
    """Any string that Python can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape."""
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Unescape."""
        return None if value is None else unescape(value)


class JsonText(TypeDecorator[Any]):
    """Any JSON value; None is SQL's NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write as JSON."""
        return None if value is None else dump_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read JSON."""
        return None if value is None else load_json(value)


class UtcTime(TypeDecorator[datetime]):
    """An aware time; a naive one is taken for UTC. SQLite holds it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Make aware, in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Number(TypeDecorator[float]):
    """A finite float; any other is NULL, not observed."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Leave out what is not finite."""
        return None if value is None or not math.isfinite(value) else float(value)


class Whole(TypeDecorator[int]):
    """A whole number of 64 bits; a larger one is NULL, not observed."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Leave out what does not fit."""
        return None if value is None or abs(value) > _MOST else int(value)


class Flag(TypeDecorator[bool]):
    """True or false, of numpy too."""

    impl = Boolean
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> bool | None:
        """Make a plain bool."""
        return None if value is None else bool(value)


METADATA = MetaData()

decisions = Table(
    "decisions",
    METADATA,
    Column("id", AnyText, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("chosen", AnyText, nullable=False),
    Column("rule", AnyText, nullable=False),
    Column("artifact", AnyText),
    Column("setting", JsonText, nullable=False),
    Column("menu", JsonText, nullable=False),
    Column("prompt", AnyText),
    Column("messages", JsonText),
    Column("features", LargeBinary),
    Column("prompt_hash", AnyText),
    Column("task", AnyText),
    Column("max_tokens", Whole),
    Column("tools", JsonText),
    Column("response_format", JsonText),
    Column("probabilities", JsonText, nullable=False),
    Column("expected_quality", JsonText, nullable=False),
    Column("expected_cost", JsonText, nullable=False),
    Column("novelty", Number),
    Column("propensity", Number),
    Column("explored", Flag, nullable=False),
    Column("audited", Flag, nullable=False),
    Column("answered", AnyText),
    Column("key", AnyText),
    Column("planned", AnyText),
    Column("start_probabilities", JsonText),
    Column("candidate", AnyText),
    Column("explore_share", Number),
    Column("audit_share", Number),
    Column("gate", AnyText),
    Column("sealed", LargeBinary),
)
by_time = Index("decisions_by_time", decisions.c.time, decisions.c.id)

attempts = Table(
    "attempts",
    METADATA,
    Column("decision", AnyText, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("purpose", AnyText, nullable=False),
    Column("tier", AnyText, nullable=False),
    Column("model", AnyText, nullable=False),
    Column("passed", Flag),
    Column("score", Number),
    Column("gates", JsonText, nullable=False),
    Column("tokens_in", Whole),
    Column("tokens_out", Whole),
    Column("cost", Number),
    Column("latency", Number),
    Column("finish_reason", AnyText),
    Column("error", AnyText),
    Column("response", AnyText),
    Column("answer_features", JsonText),
    Column("tokens_cached", Whole),
    Column("tokens_reasoning", Whole),
    Column("cost_source", AnyText),
)

feedback = Table(
    "feedback",
    METADATA,
    Column("id", AnyText, primary_key=True),
    Column("decision", AnyText, nullable=False, index=True),
    Column("time", UtcTime, nullable=False),
    Column("score", Number, nullable=False),
    Column("source", AnyText, nullable=False),
    Column("tier", AnyText),
)

deleted = Table("deleted", METADATA, Column("id", AnyText, primary_key=True))

store_settings = Table(
    "store_settings",
    METADATA,
    Column("name", AnyText, primary_key=True),
    Column("value", AnyText, nullable=False),
)

schema_version = Table("schema_version", METADATA, Column("version", Integer, nullable=False))


def _to_version_2(connection: Connection, key: bytes) -> None:
    """Read by time without a scan, remember what was deleted, keep numbers for a learned gate."""
    by_time.create(connection)
    deleted.create(connection)
    connection.execute(text("ALTER TABLE attempts ADD COLUMN answer_features TEXT"))


def _to_version_3(connection: Connection, key: bytes) -> None:
    """Keep how the start was drawn, the shares that explore and are audited, and the gate."""
    number = Double().compile(dialect=connection.dialect)
    kinds = {"planned": "TEXT", "start_probabilities": "TEXT", "candidate": "TEXT", "gate": "TEXT"}
    for name, kind in {**kinds, "explore_share": number, "audit_share": number}.items():
        connection.execute(text(f"ALTER TABLE decisions ADD COLUMN {name} {kind}"))


def _to_version_4(connection: Connection, key: bytes) -> None:
    """Seal what gives requests away: features, expectations where no prompt is kept, and the key of the hashes."""
    blob = LargeBinary().compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE decisions ADD COLUMN sealed {blob}"))
    row, settings = decisions.c, store_settings.c
    bare = row.prompt.is_(None) & row.messages.is_(None)
    columns = [row[name] for name in ("id", "features", *EXPECTATIONS)]
    after = ""
    while page := connection.execute(
        select(*columns, bare.label("bare"))
        .where(row.id > after, bare | row.features.is_not(None))
        .order_by(row.id)
        .limit(_PAGE)
    ).all():
        for each in page:
            changed = {} if each.features is None else {"features": seal(each.features, key)}
            if each.bare:
                changed |= hidden_expectations({name: getattr(each, name) for name in EXPECTATIONS}, key)
            connection.execute(decisions.update().where(row.id == each.id).values(**changed))
        after = page[-1].id
    old = connection.scalar(select(settings.value).where(settings.name == HASH_KEY))
    connection.execute(store_settings.delete().where(settings.name == HASH_KEY))
    _begin_settings(connection, key, bytes.fromhex(old or "") or secrets.token_bytes(KEY_BYTES))


def _to_version_5(connection: Connection, key: bytes) -> None:
    """Keep cached and reasoning tokens, and where a cost comes from."""
    whole = BigInteger().compile(dialect=connection.dialect)
    for name, kind in {"tokens_cached": whole, "tokens_reasoning": whole, "cost_source": "TEXT"}.items():
        connection.execute(text(f"ALTER TABLE attempts ADD COLUMN {name} {kind}"))


MIGRATIONS: dict[int, Callable[[Connection, bytes], None]] = {
    2: _to_version_2,
    3: _to_version_3,
    4: _to_version_4,
    5: _to_version_5,
}


def _begin_settings(connection: Connection, key: bytes, hash_key: bytes) -> None:
    rows = {KEY: fingerprint(key), HASH_KEY: seal(hash_key, key).hex()}
    connection.execute(store_settings.insert(), [{"name": name, "value": value} for name, value in rows.items()])


def _kept_key(keys: Keys, version: int) -> bytes:
    try:
        return keys.kept()
    except StoreError as error:
        raise StoreError(
            f"found schema version {version}, expected {VERSION}, and it cannot be sealed to bring it up; {error}"
        ) from None


def found_version(connection: Connection) -> int | None:
    """The schema's version; None: there is no store in the database."""
    if not inspect(connection).has_table(schema_version.name):
        return None
    version = connection.scalar(select(schema_version.c.version))
    return None if version is None else int(version)


def check_version(version: int) -> None:
    """Refuse what a newer release wrote.

    Raises
    ------
    StoreError : it is newer than this release knows.
    """
    if version > VERSION:
        raise StoreError(f"found schema version {version}, expected at most {VERSION}; upgrade tierwise")


def bring_up(connection: Connection, keys: Keys) -> bool:
    """Make the tables, or bring older ones up to `VERSION`, in the connection's transaction and under a lock.

    The key seals what they hide; for ones before version 4, which hold it in the clear, it has to be a kept one.

    On SQLite the transaction has to have begun as an immediate one, which is the lock.

    Returns
    -------
    Whether there were older ones; False also where another program was faster.

    Raises
    ------
    StoreError : the tables are newer than this release knows, or they are older and the key is not kept.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    version = found_version(connection)
    if version is None:
        METADATA.create_all(connection)
        _begin_settings(connection, keys.own(), secrets.token_bytes(KEY_BYTES))
        connection.execute(schema_version.insert(), {"version": VERSION})
        return False
    check_version(version)
    if version == VERSION:
        return False
    key = _kept_key(keys, version) if version < _SEALED_FROM else b""
    for step in range(version + 1, VERSION + 1):
        MIGRATIONS[step](connection, key)
    connection.execute(schema_version.update(), {"version": VERSION})
    return True
