"""A URL -> connections to the store's database, with its tables in place.

SQLite is used in WAL mode with ``synchronous=FULL``: what is committed survives the death of the process and, where
the disk keeps its word, a power cut. ``secure_delete`` overwrites what is deleted. PostgreSQL commits as it is
configured to; by default a commit survives both, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    SQLAlchemyError,
)

from classifier.errors import InputError, NoStoreError, StoreError
from classifier.outcomes.schema import VERSION, bring_up, check_version, found_version

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
_PROGRAM_LIMIT = "54"  # class of SQLSTATE: a value too large


class Database:
    """Where outcomes are kept. Nothing is opened before it is needed.

    Attributes
    ----------
    path : the SQLite file, absolute; None for PostgreSQL.
    shown : the URL for messages: without user, password and options.
    """

    def __init__(self, url: str) -> None:
        """Understand a URL.

        Raises
        ------
        InputError : it is none, names a database or driver that is not supported, or its driver is not installed.
        """
        parsed = _parsed(url)
        self.path = Path(parsed.database or "") if parsed.get_backend_name() == _SQLITE else None
        self.shown = _shown(parsed)
        self._engine = _engine(parsed)

    def connect(self, *, write: bool) -> Connection:
        """A connection. To write, tables are made or brought up; to read, they have to be there.

        Raises
        ------
        SQLAlchemyError : the database cannot be reached or used.
        StoreError : a newer release made the tables; to read, there are none.
        """
        if self.path is not None:
            self._check_file(write)
        connection = self._engine.connect()
        try:
            if write and self.path is not None:
                _run_on_sqlite(connection, "PRAGMA journal_mode=WAL")
            self._prepare(connection, write)
        except BaseException:
            connection.close()
            raise
        return connection.execution_options(write=write)

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[Connection]:
        """A connection for a while.

        Raises
        ------
        StoreError : the database cannot be reached or used; the message is one line without any content. NoStoreError :
            to read, there is no store there.
        """
        try:
            with self.connect(write=write) as connection:
                yield connection
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
                _run_on_sqlite(connection, "VACUUM")
                self.checkpoint(connection)
            else:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM (ANALYZE)")

    def checkpoint(self, connection: Connection) -> None:
        """Empty SQLite's write-ahead log, which may still hold what was deleted; readers may put it off."""
        if self.path is not None:
            _run_on_sqlite(connection, "PRAGMA wal_checkpoint(TRUNCATE)")

    def _check_file(self, write: bool) -> None:
        assert self.path is not None
        if write:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{error.strerror}; check the folder") from None
        elif not self.path.is_file():
            raise NoStoreError("no such file; check the path (nothing has been recorded there yet)")

    def _prepare(self, connection: Connection, write: bool) -> None:
        with connection.begin():
            version = found_version(connection)
        if version == VERSION:
            return
        if version is None and not write:
            raise NoStoreError("no outcomes in this database; check the URL")
        if version is not None:
            check_version(version)
        connection.execution_options(write=True)
        with connection.begin():
            bring_up(connection)


def is_down(error: Exception) -> bool:
    """Whether the store is to blame, rather than what was to be written."""
    if isinstance(error, StoreError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError | NotSupportedError):
        return False
    return not (getattr(error.orig, "sqlstate", None) or "").startswith(_PROGRAM_LIMIT)


def reason(error: Exception) -> str:
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


def _run_on_sqlite(connection: Connection, statement: str) -> None:
    """Run what must not stand in a transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        driver.execute(statement)
    except sqlite3.Error as error:
        raise OperationalError(statement, None, error) from None
