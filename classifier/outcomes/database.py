"""A URL -> connections to the store's database, with its tables in place.

SQLite is used in WAL mode with ``synchronous=FULL``: what is committed survives the death of the process and, where
the disk keeps its word, a power cut. ``secure_delete`` overwrites what is deleted. PostgreSQL commits as it is
configured to; by default a commit survives both, too. SQLite's files are for their owner alone.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from classifier.errors import InputError, NoStoreError, StoreError
from classifier.outcomes.keys import Keys
from classifier.outcomes.reading import can_write, location
from classifier.outcomes.schema import HASH_KEY, VERSION, bring_up, check_version, found_version, store_settings
from classifier.outcomes.sealing import unseal
from classifier.outcomes.watch import Identity, identity, prepare_file, why_unfit

_SQLITE, _POSTGRES = "sqlite", "postgresql"
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_FILE_ENDS = (".db", ".sqlite", ".sqlite3")
_EXPECTED = "sqlite:///outcomes.db or postgresql://user@host/database"
_LOCK_SECONDS = 2.0  # to wait for another process's transaction on SQLite
_CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 10_000}  # s, ms: a dead server is found out in seconds
_OF_THE_RECORD = ("54", "XX000")  # beginnings of SQLSTATE: a value too large, also for the server's memory
HOME = "home"  # of a connection's ``info``: the `Identity` of the file
_ABSENT = "no such file; check the path (nothing has been recorded there yet)"
_EMPTY = "no outcomes in this database; check the URL"

_log = logging.getLogger(__name__)


class Database:
    """Where outcomes are kept. Nothing is opened before it is needed.

    Attributes
    ----------
    path : the SQLite file, absolute; None for PostgreSQL.
    shown : the URL for messages: without user, password and options.
    keys : of what is hidden in it.
    """

    def __init__(self, url: str, keys: Keys) -> None:
        """Understand a URL.

        Raises
        ------
        InputError : it is none, names a database or driver that is not supported, or its driver is not installed.
        """
        parsed = _parsed(url)
        self.path = Path(parsed.database or "") if parsed.get_backend_name() == _SQLITE else None
        self.shown = _shown(parsed)
        self.keys = keys
        self._engine = _engine(parsed)

    def connect(self) -> Connection:
        """A connection to write; the file and its tables are made, or brought up. ``info`` has its `HOME`.

        Raises
        ------
        SQLAlchemyError : the database cannot be reached or used.
        StoreError : a newer release made the tables; an older one did, and there is no key that is kept to seal what
            they hold; or the file cannot be written.
        """
        before = self._make_file()
        connection = self._engine.connect()
        try:
            if self.path is not None:
                run_on_sqlite(connection, "PRAGMA journal_mode=WAL")
            self._prepare(connection, write=True)
            connection.info[HOME] = found = identity(self.path)
            if before is not None and (found is None or found.inode != before.inode):
                raise StoreError("the file was replaced while it was opened")
        except BaseException:
            connection.close()
            raise
        return connection.execution_options(write=True)

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[Connection]:
        """A connection for a while.

        Raises
        ------
        StoreError : the database cannot be reached or used; the message is one line without any content. NoStoreError :
            to read, there is no store there.
        """
        try:
            with self.connect() if write else self._reading() as connection:
                yield connection
        except OSError as error:
            raise StoreError(f"{self.shown}: {error.strerror}; check the file and its folder") from None
        except StoreError as error:
            raise type(error)(f"{self.shown}: {error}") from None
        except SQLAlchemyError as error:  # its own message may quote what is stored
            if getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise NoStoreError(f"{self.shown}: not an SQLite database; check the path") from None
            raise StoreError(f"{self.shown}: {reason(error)}; check the store, its permissions and its URL") from None

    def vacuum(self) -> None:
        """Give the space of what was deleted back to the disk.

        Raises
        ------
        StoreError : the database cannot be reached or used.
        """
        with self.session(write=True) as connection:
            if self.path is not None:
                run_on_sqlite(connection, "VACUUM")
                self.checkpoint(connection)
            else:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM (ANALYZE)")

    def checkpoint(self, connection: Connection, mode: str = "TRUNCATE") -> bool:
        """Bring SQLite's write-ahead log, which may still hold what was deleted, into its file; readers may put it off.

        Returns
        -------
        Whether the file now holds all that was committed, on the disk.
        """
        if self.path is None:
            return True
        busy, logged, done = run_on_sqlite(connection, f"PRAGMA wal_checkpoint({mode})")
        return not busy and logged == done

    def is_whole(self, connection: Connection, size: int) -> bool:
        """Whether SQLite's file, of which everything was brought from its log, may be of so many bytes.

        Only SQLite may open the file: whoever closes it ends the locks that this process has on it.
        """
        try:
            (pages,), (page,) = (run_on_sqlite(connection, f"PRAGMA page_{what}") for what in ("count", "size"))
        except SQLAlchemyError:
            return False
        return size >= pages * page

    def hash_key(self, connection: Connection) -> bytes | None:
        """The key of the store's hashes; None: it is sealed with a key that is not at hand."""
        name, value = store_settings.c
        with connection.begin():
            sealed = connection.scalar(select(value).where(name == HASH_KEY))
        try:
            return unseal(bytes.fromhex(sealed or ""), (self.keys.own(), *self.keys.all()))
        except ValueError:
            return None

    def _make_file(self) -> Identity | None:
        if self.path is None:
            return None
        if (wrong := why_unfit(self.path)) is not None:
            raise NoStoreError(wrong)
        try:
            if prepare_file(self.path):
                _log.info("outcome store %s: others could read it; now only its owner can", self.shown)
        except OSError as error:
            raise StoreError(f"{error.strerror}; check the file and its folder") from None
        if not can_write(self.path):
            raise StoreError("it cannot be written (read-only file system or permissions)")
        return identity(self.path)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self.path is not None and not self.path.is_file():
            raise NoStoreError(why_unfit(self.path) or _ABSENT)
        if self.path is None or can_write(self.path):
            with self._engine.connect() as connection:
                self._prepare(connection, write=False)
                yield connection
            return
        with location(self.path, _connect_sqlite) as uri, _read_only_engine(uri).connect() as connection:
            self._check_readable(connection)
            yield connection

    def _prepare(self, connection: Connection, write: bool) -> None:
        with connection.begin():
            version = found_version(connection)
        if version == VERSION:
            return
        if version is None and not write:
            raise NoStoreError(_EMPTY)
        if version is not None:
            check_version(version)
        connection.execution_options(write=True)
        with connection.begin():
            brought_up = bring_up(connection, self.keys)
        if brought_up:
            self._tell_of_sealing(connection)

    def _check_readable(self, connection: Connection) -> None:
        with connection.begin():
            version = found_version(connection)
        if version is None:
            raise NoStoreError(_EMPTY)
        check_version(version)
        if version < VERSION:
            raise StoreError(
                f"found schema version {version}, expected {VERSION}, and it cannot be written to bring it up; copy it "
                "to a folder that can be written"
            )

    def _tell_of_sealing(self, connection: Connection) -> None:
        """Leave nothing of what was in the clear, as far as that is in our hands, and say where the key is."""
        with suppress(SQLAlchemyError):  # others read, or we may not
            if self.path is None:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
                    other.exec_driver_sql(f"VACUUM (FULL) {store_settings.name}")
            else:
                self.checkpoint(connection)
        _log.warning(
            "outcome store %s: brought up to schema version %d: what gives requests away is sealed; the key is %s; "
            "keep it",
            self.shown,
            VERSION,
            self.keys.where,
        )


def is_down(error: Exception) -> bool:
    """Whether the store is to blame, rather than what was to be written."""
    if isinstance(error, StoreError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError | NotSupportedError):
        return False
    if isinstance(error, ProgrammingError | InterfaceError) and getattr(error.orig, "sqlstate", None) is None:
        return error.connection_invalidated  # else the driver does not know how to send a value
    return not (getattr(error.orig, "sqlstate", None) or "").startswith(_OF_THE_RECORD)


def reason(error: BaseException) -> str:
    """One line that says what went wrong, without any content."""
    if isinstance(error, StoreError):
        return str(error)
    orig = getattr(error, "orig", None) or error
    if isinstance(error, OperationalError):
        return (str(orig).strip().splitlines() or [type(orig).__name__])[0]
    return type(orig).__name__


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError, TypeError, AttributeError):  # whose messages quote it with its password
        raise InputError(f"store URL: found {_not_a_url(url)}, expected {_EXPECTED}") from None
    if parsed.drivername not in _DRIVERS:
        raise InputError(f"store URL: found database {parsed.drivername}, expected {_EXPECTED}")
    if parsed.get_backend_name() == _SQLITE and (parsed.database or ":memory:").startswith((":memory:", "file:")):
        raise InputError("store URL: found SQLite without a plain file, expected sqlite:///outcomes.db")
    parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    if parsed.get_backend_name() == _POSTGRES:
        return parsed
    return parsed.set(database=str(Path(parsed.database or "").absolute()))  # a program may change its folder


def _not_a_url(url: object) -> str:
    """What was given in place of a URL; a file's name is quoted, anything that may hold a password is not."""
    if isinstance(url, str) and url.endswith(_FILE_ENDS) and "@" not in url and "://" not in url:
        return f"a file's name (write {f'sqlite:///{url}'!r})"
    return "something that is not a URL"


def _shown(url: URL) -> str:
    bare = URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database)
    return bare.render_as_string()


def _engine(url: URL) -> Engine:
    arguments: dict[str, Any] = {"timeout": _LOCK_SECONDS, "check_same_thread": False}
    if url.get_backend_name() == _POSTGRES:
        arguments = {name: value for name, value in _CONNECT.items() if name not in url.query}
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)
    except ImportError:
        raise InputError(
            "store URL: PostgreSQL needs psycopg, which is not installed; pip install 'tierwise[postgres]'"
        ) from None
    if engine.dialect.name == _SQLITE:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that first reads and then writes could not wait for another writer.
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _read_only_engine(uri: str) -> Engine:
    engine = create_engine(
        "sqlite+pysqlite://", creator=lambda: _connect_sqlite(uri), poolclass=NullPool, hide_parameters=True
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_sqlite(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS, check_same_thread=False)


def run_on_sqlite(connection: Connection, statement: str) -> tuple[int, ...]:
    """Run what must not stand in a transaction; its first row."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        return driver.execute(statement).fetchone() or ()
    except sqlite3.Error as error:
        raise OperationalError(statement, None, error) from None
