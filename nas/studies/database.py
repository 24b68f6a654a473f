"""Opens a study's database: checks it before any write, and reports errors in one line.

Also provides the locks by which workers exclude each other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import create_engine, event, inspect, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from search_spaces import InputError, NasError

from ..system.locks import folder_lock
from .gathering import GatheringStorage
from .heartbeat import GRACE_SECONDS, HEARTBEAT_SECONDS
from .persistence import retry_while_unreachable, with_retries
from .place import URL_EXAMPLE, DatabaseError, DiskFullError, Place, UnreachableError, is_proxy
from .reading import RowReadingStorage

#: How long SQLite waits for another process's lock on the file.
_BUSY_SECONDS = 60
_FILE_ENGINE = {"connect_args": {"timeout": _BUSY_SECONDS}}
#: Tables of every Optuna database; an interrupted creation may have left only one of them.
_OPTUNA_TABLES = frozenset({"studies", "version_info"})
#: Key of the PostgreSQL advisory lock; arbitrary, but unused by other programs (ASCII "nas").
_ADVISORY_LOCK_KEY = 0x6E6173


class _DatabaseStorage(RowReadingStorage):
    """Optuna's storage that raises DatabaseError for every failed database operation."""

    def __init__(self, url: str, place: Place, engine: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            # Optuna's heartbeat is experimental and warns about it.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(
                url,
                engine_kwargs=engine,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )

        def translate(context: ExceptionContext) -> None:
            if not isinstance(context.original_exception, Exception):
                return  # Ctrl-C during a database operation
            if isinstance(context.sqlalchemy_exception, IntegrityError):
                return  # Optuna handles it
            raise _database_error(
                place, context.original_exception, context.sqlalchemy_exception
            ) from None

        event.listen(self.engine, "handle_error", translate)


@with_retries
class _RetryingStorage(GatheringStorage):
    """Storage in a shared database; operations are retried while its server is unreachable."""

    def write_gathered(self) -> None:
        retry_while_unreachable(super().write_gathered)


class _SnapshotStorage(_DatabaseStorage):
    """Storage of a temporary copy of a database file that SQLite cannot open in its own folder.

    The copy is deleted with this object.
    """

    def __init__(self, database: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nas-")
        copy = Path(self._folder.name) / database.name
        # The write-ahead log beside the file contains the latest transactions.
        for file in (database, database.with_name(f"{database.name}-wal")):
            if file.exists():
                shutil.copyfile(file, copy.with_name(file.name))
        _check_sqlite_file(copy, Place.of_file(database))
        super().__init__(f"sqlite:///{copy}", Place.of_file(database), _FILE_ENGINE)


def file_has_tables(database: Path) -> bool:
    """Returns whether ``database`` contains Optuna's tables; False if it is missing or empty.

    Raises DatabaseError if it is damaged or not Optuna's. Writes nothing to it.
    """
    return database.exists() and _check_sqlite_file(database, Place.of_file(database))


def _check_sqlite_file(database: Path, place: Place) -> bool:
    """Returns whether an existing file contains tables.

    Raises DatabaseError, with a message about ``place``, if it is damaged or not Optuna's.
    """
    uri = f"{database.absolute().as_uri()}?mode=rw"
    with (
        _translated_errors(place),
        contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection,
    ):
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        if tables and not tables & _OPTUNA_TABLES:
            raise sqlite3.DatabaseError("it is not Optuna's")
    return bool(tables)


def url_has_tables(url: str) -> bool:
    """Returns whether the database at ``url`` exists and contains Optuna's tables; creates nothing.

    Raises InputError if ``url`` is not a database URL, DatabaseError if it cannot be reached.
    """
    place = Place.of_url(url)
    if is_proxy(url):
        from .proxy import require_proxy

        require_proxy(url)
        return True  # the proxy creates the tables when it starts
    if make_url(url).get_backend_name() == "sqlite":
        if place.file is None:
            return False  # a new database in memory
        if not place.file.parent.is_dir():
            raise place.failure(f"there is no folder {place.file.parent}")
        if not place.file.exists():
            return False
    with (
        _translated_first_use_errors(place),
        _unretried_database_lock(url),
        create_engine(url, poolclass=NullPool).connect() as connection,
    ):
        return set(inspect(connection).get_table_names()) >= _OPTUNA_TABLES


def open_file(database: Path) -> RDBStorage:
    """Opens the SQLite database of one machine's workers; creates it if it is missing."""
    place = Place.of_file(database)
    # If two processes set the journal mode or create the tables at the same time, one fails.
    with _translated_errors(place), folder_lock(database.parent):
        # With a write-ahead log readers never wait for the writer. The file stores this mode.
        with contextlib.closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return _DatabaseStorage(f"sqlite:///{database}", place, _FILE_ENGINE)


def open_to_read(database: Path) -> RDBStorage | None:
    """Opens a database file for reading; returns None if it is missing.

    If its disk is full or read-only, it opens a copy: SQLite needs to write a journal even to read.
    """
    if not database.exists():
        return None
    if can_be_written(database):
        with contextlib.suppress(DiskFullError):
            return open_file(database) if file_has_tables(database) else None
    with _translated_errors(Place.of_file(database)):
        return _SnapshotStorage(database)


def can_be_written(database: Path) -> bool:
    """Returns whether this user may write the file and create files in its folder."""
    return os.access(database, os.W_OK) and os.access(database.parent, os.W_OK)


def open_url(url: str, connections: int | None = None) -> BaseStorage:
    """Opens a database that machines share; creates its tables if they are missing.

    ``connections`` is the maximum number of connections to a database server; None means
    SQLAlchemy's default. Raises InputError if ``url`` is not a database URL.
    """
    if is_proxy(url):
        from .proxy import open_proxy

        return open_proxy(url)
    place = Place.of_url(url)
    pooled = connections is not None and place.file is None
    engine = {"pool_size": connections, "max_overflow": 0} if pooled else {}
    with _translated_first_use_errors(place), _unretried_database_lock(url):
        return _RetryingStorage(_DatabaseStorage(url, place, engine))


@contextlib.contextmanager
def _translated_first_use_errors(place: Place) -> Iterator[None]:
    """Converts errors of the first use of a URL to messages about the option ``--storage``.

    Raises InputError for a wrong URL, NasError for a missing driver, else as
    ``_translated_errors``.
    """
    try:
        with _translated_errors(place):
            yield
    except ArgumentError as error:
        raise InputError(f"--storage {place.shown!r}: {error}; write {URL_EXAMPLE}") from None
    except ImportError:
        raise NasError(
            f"--storage {place.shown}: its driver is not installed; "
            f"pip install 'npu-nas[postgres]' and write {URL_EXAMPLE}"
        ) from None


@contextlib.contextmanager
def study_lock(database: Path, url: str | None) -> Iterator[None]:
    """Holds an exclusive lock among all processes that work on the same study.

    In PostgreSQL the lock excludes other machines too; for a file only processes of this machine.
    ``database`` is the study's own file, used if there is no ``url``. The lock is not reentrant.
    """
    with folder_lock(database.parent) if url is None else database_lock(url):
        yield


@contextlib.contextmanager
def database_lock(url: str) -> Iterator[None]:
    """Holds an exclusive lock on a shared database; retries while its server is unreachable.

    Meant for a database that this process has opened before.
    """
    place = Place.of_url(url)

    def acquire() -> None:
        with _translated_errors(place):
            lock.enter_context(_unretried_database_lock(url))

    with contextlib.ExitStack() as lock:
        retry_while_unreachable(acquire)
        yield


@contextlib.contextmanager
def _unretried_database_lock(url: str) -> Iterator[None]:
    """Like ``database_lock``, but fails at once if the server is unreachable.

    Excludes all machines in PostgreSQL, other processes of this machine for a SQLite file.
    """
    if is_proxy(url):
        from .proxy import proxy_lock

        with proxy_lock(url):
            yield
        return
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        connection = create_engine(url, poolclass=NullPool).connect()
        try:
            # PostgreSQL releases the lock when the connection ends, even by a crash.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK_KEY})
            yield
        finally:
            with contextlib.suppress(SQLAlchemyError):  # already broken, so the lock is released
                connection.close()
        return
    file = Place.of_url(url).file
    folder = None if file is None else file.parent
    with folder_lock(folder) if folder and folder.is_dir() else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _translated_errors(place: Place) -> Iterator[None]:
    """Converts database errors inside the block to DatabaseError; ArgumentError is left alone."""
    try:
        yield
    except ArgumentError:
        raise
    # Optuna raises RuntimeError if the tables are those of another version.
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.OptunaError, RuntimeError) as error:
        if isinstance(error, DatabaseError):
            raise
        raise _database_error(place, error.__cause__ or error, error) from None


def _database_error(
    place: Place, cause: BaseException, error: BaseException | None
) -> DatabaseError:
    """Returns the DatabaseError for ``cause``, the driver's exception behind ``error``.

    It is an UnreachableError if the operation may succeed later, when the server is back.
    """
    failure = place.failure(cause)
    is_transient = isinstance(error, OperationalError | InterfaceError) and place.file is None
    if is_transient and type(failure) is DatabaseError:
        return UnreachableError(str(failure))
    return failure
