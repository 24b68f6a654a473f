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
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, event, inspect, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from search_spaces import InputError, NasError

from .place import EXAMPLE, DatabaseError, DiskFullError, Place

_BUSY_SECONDS = 60
_HEARTBEAT_SECONDS = 10
#: after this without a heartbeat a trial's worker is dead
GRACE_SECONDS = 60
#: Optuna's, one of which is made first
_TABLES = frozenset({"studies", "version_info"})
#: Any number that nobody else locks by in a database of studies.
_LOCK = 0x6E6173


class _Storage(RDBStorage):
    """Optuna's storage; whenever it is used and fails, it raises DatabaseError."""

    def __init__(self, url: str, place: Place, connect: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            # The heartbeat's: it may change with another version of Optuna.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(
                url,
                engine_kwargs={"connect_args": connect},
                heartbeat_interval=_HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )

        def tell(context: ExceptionContext) -> None:
            if not isinstance(context.original_exception, Exception):
                return  # Ctrl-C while the database worked
            if not isinstance(context.sqlalchemy_exception, IntegrityError):  # Optuna's own affair
                raise place.failure(context.original_exception) from None

        event.listen(self.engine, "handle_error", tell)

    def record_heartbeat(self, trial_id: int) -> None:
        # In a thread of its own: one missed beat does no harm, and the trial's writes tell.
        with contextlib.suppress(DatabaseError):
            super().record_heartbeat(trial_id)


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
        super().__init__(f"sqlite:///{copy}", Place.of_file(database), {"timeout": _BUSY_SECONDS})


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
        return _Storage(f"sqlite:///{database}", place, {"timeout": _BUSY_SECONDS})


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


def open_url(url: str) -> RDBStorage:
    """A database that machines share, made if it is missing; InputError if ``url`` is none."""
    place = Place.of_url(url)
    with _reached(place), _alone_at(url):
        return _Storage(url, place, {})


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
    with _alone_in(database.parent) if url is None else _alone_at(url):
        yield


@contextlib.contextmanager
def _alone_at(url: str) -> Iterator[None]:
    """Within, nobody else is so at ``url``; of PostgreSQL on any machine, of a file on this one."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        with create_engine(url, poolclass=NullPool).connect() as connection:
            # Held until the connection ends, whatever ends it.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            yield
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
        raise place.failure(error.__cause__ or error) from None
