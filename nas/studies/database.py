"""A study's database: looked at before anything is written, and its failures told in one line."""

from __future__ import annotations

import contextlib
import fcntl
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

from .gathering import GatheringStorage
from .heartbeat import GRACE_SECONDS, HEARTBEAT_SECONDS
from .persistence import persistent, persistently
from .place import EXAMPLE, DatabaseError, DiskFullError, Place, UnreachableError, is_proxy
from .reading import RowReadingStorage

_BUSY_SECONDS = 60
_FILE_ENGINE = {"connect_args": {"timeout": _BUSY_SECONDS}}
#: Optuna's, one of which is made first
_TABLES = frozenset({"studies", "version_info"})
#: Any number that nobody else locks by in a database of studies.
_LOCK = 0x6E6173


class _Storage(RowReadingStorage):
    """Optuna's storage; whenever it is used and fails, it raises DatabaseError."""

    def __init__(self, url: str, place: Place, engine: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            # The heartbeat's: it may change with another version of Optuna.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(
                url,
                engine_kwargs=engine,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )

        def tell(context: ExceptionContext) -> None:
            if not isinstance(context.original_exception, Exception):
                return  # Ctrl-C while the database worked
            if isinstance(context.sqlalchemy_exception, IntegrityError):
                return  # Optuna's own affair
            raise _failure(
                place, context.original_exception, context.sqlalchemy_exception
            ) from None

        event.listen(self.engine, "handle_error", tell)


@persistent
class _SharedStorage(GatheringStorage):
    """The same of a server, which is waited for while it is away."""

    def write_gathered(self) -> None:
        persistently(super().write_gathered)


class _Snapshot(_Storage):
    """A copy of a file that cannot be opened where it is; gone with this object."""

    def __init__(self, database: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nas-")
        copy = Path(self._folder.name) / database.name
        # What is not yet in the file itself stands in the journal beside it.
        for file in (database, database.with_name(f"{database.name}-wal")):
            if file.exists():
                shutil.copyfile(file, copy.with_name(file.name))
        _require_sound(copy, Place.of_file(database))
        super().__init__(f"sqlite:///{copy}", Place.of_file(database), _FILE_ENGINE)


def is_begun(database: Path) -> bool:
    """Is ``database`` a sound file with Optuna's tables? False if it is missing or empty.

    DatabaseError if it is damaged or somebody else's; nothing is written to it.
    """
    return database.exists() and _require_sound(database, Place.of_file(database))


def _require_sound(database: Path, place: Place) -> bool:
    """Are there tables in it? DatabaseError, as of ``place``, if it is damaged or not Optuna's."""
    uri = f"{database.absolute().as_uri()}?mode=rw"
    with (
        _told(place),
        contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection,
    ):
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        if tables and not tables & _TABLES:
            raise sqlite3.DatabaseError("it is not Optuna's")
    return bool(tables)


def is_begun_at(url: str) -> bool:
    """Is there a database with Optuna's tables at ``url``? Nothing is made where there is none.

    InputError if ``url`` is none, DatabaseError if it is out of reach.
    """
    place = Place.of_url(url)
    if is_proxy(url):
        from .proxy import require_proxy

        require_proxy(url)
        return True  # the tables are made where it begins
    if make_url(url).get_backend_name() == "sqlite":
        if place.file is None:
            return False  # in memory, and nobody else's
        if not place.file.parent.is_dir():
            raise place.failure(f"there is no folder {place.file.parent}")
        if not place.file.exists():
            return False
    with (
        _reached(place),
        _alone_at(url),
        create_engine(url, poolclass=NullPool).connect() as opened,
    ):
        return set(inspect(opened).get_table_names()) >= _TABLES


def open_file(database: Path) -> RDBStorage:
    """The SQLite database of one machine's workers, made if it is missing."""
    place = Place.of_file(database)
    # Of two who change a file's mode or make Optuna's tables at once, one fails.
    with _told(place), _alone_in(database.parent):
        # The mode is a property of the file: readers never wait for the writer.
        with contextlib.closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return _Storage(f"sqlite:///{database}", place, _FILE_ENGINE)


def open_to_read(database: Path) -> RDBStorage | None:
    """What is at hand of a file, though its disk be full or take no writing; None if it is missing.

    SQLite itself would write: a journal beside the file.
    """
    if not database.exists():
        return None
    if can_be_written(database):
        with contextlib.suppress(DiskFullError):
            return open_file(database) if is_begun(database) else None
    with _told(Place.of_file(database)):
        return _Snapshot(database)


def can_be_written(database: Path) -> bool:
    """May the file be changed, and others be made beside it?"""
    return os.access(database, os.W_OK) and os.access(database.parent, os.W_OK)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Within, nobody else on this machine is so in ``folder``."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a network's disk may know no such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_url(url: str, connections: int | None = None) -> BaseStorage:
    """A database that machines share, made if it is missing; InputError if ``url`` is none.

    Of a server, at most so many ``connections`` are held; SQLAlchemy's default otherwise.
    """
    if is_proxy(url):
        from .proxy import open_proxy

        return open_proxy(url)
    place = Place.of_url(url)
    pooled = connections is not None and place.file is None
    engine = {"pool_size": connections, "max_overflow": 0} if pooled else {}
    with _reached(place), _alone_at(url):
        return _SharedStorage(_Storage(url, place, engine))


@contextlib.contextmanager
def _reached(place: Place) -> Iterator[None]:
    """Within, a URL is used for the first time."""
    try:
        with _told(place):
            yield
    except ArgumentError as error:
        raise InputError(f"--storage {place.shown!r}: {error}; write {EXAMPLE}") from None
    except ImportError:
        raise NasError(
            f"--storage {place.shown}: its driver is not installed; "
            f"pip install 'npu-nas[postgres]' and write {EXAMPLE}"
        ) from None


@contextlib.contextmanager
def alone(database: Path, url: str | None) -> Iterator[None]:
    """Within, nobody else that works on the same study is so: on any machine, of PostgreSQL.

    ``database`` is the file of a study without a ``url``. Not to be nested.
    """
    with _alone_in(database.parent) if url is None else alone_at(url):
        yield


@contextlib.contextmanager
def alone_at(url: str) -> Iterator[None]:
    """The same in a database that was opened before; a server that is away is waited for."""
    place = Place.of_url(url)

    def enter() -> None:
        with _told(place):
            held.enter_context(_alone_at(url))

    with contextlib.ExitStack() as held:
        persistently(enter)
        yield


@contextlib.contextmanager
def _alone_at(url: str) -> Iterator[None]:
    """Within, nobody else is so at ``url``; of PostgreSQL on any machine, of a file on this one."""
    if is_proxy(url):
        from .proxy import alone_at_proxy

        with alone_at_proxy(url):
            yield
        return
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        connection = create_engine(url, poolclass=NullPool).connect()
        try:
            # Held until the connection ends, whatever ends it.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            yield
        finally:
            with contextlib.suppress(SQLAlchemyError):  # lost, and the lock with it
                connection.close()
        return
    folder = Path(parsed.database or "").parent
    with _alone_in(folder) if folder.is_dir() else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _told(place: Place) -> Iterator[None]:
    try:
        yield
    except ArgumentError:
        raise
    # Optuna's RuntimeError: tables of another version.
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.OptunaError, RuntimeError) as error:
        if isinstance(error, DatabaseError):
            raise
        raise _failure(place, error.__cause__ or error, error) from None


def _failure(place: Place, cause: BaseException, error: BaseException | None) -> DatabaseError:
    """What is told of ``cause``, by which a server's ``error`` came; another try may mend some."""
    failure = place.failure(cause)
    may_pass = isinstance(error, OperationalError | InterfaceError) and place.file is None
    if may_pass and type(failure) is DatabaseError:
        return UnreachableError(str(failure))
    return failure
