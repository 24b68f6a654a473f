"""A study's database: looked at before anything is written, and its failures told in one line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from search_spaces import InputError, NasError

_BUSY_SECONDS = 60
_HEARTBEAT_SECONDS = 10
#: after this without a heartbeat a trial's worker is dead
GRACE_SECONDS = 60
#: Optuna's, one of which is made first
_TABLES = frozenset({"studies", "version_info"})
#: Any number that nobody else locks by in a database of studies.
_LOCK = 0x6E6173


class DatabaseError(NasError, optuna.exceptions.StorageInternalError):
    """The database is damaged, full, somebody else's, or out of reach.

    To Optuna it is one of its own, so that it tries again where it does so.
    """


class _Storage(RDBStorage):
    """Optuna's storage; whenever it is used and fails, it raises DatabaseError."""

    def __init__(self, url: str, place: str, connect: dict[str, Any]) -> None:
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
                raise _failure(place, context.original_exception) from None

        event.listen(self.engine, "handle_error", tell)

    def record_heartbeat(self, trial_id: int) -> None:
        # In a thread of its own: one missed beat does no harm, and the trial's writes tell.
        with contextlib.suppress(DatabaseError):
            super().record_heartbeat(trial_id)


def is_begun(database: Path) -> bool:
    """Is ``database`` a sound file with Optuna's tables? False if it is missing or empty.

    DatabaseError if it is damaged or somebody else's; nothing is written to it.
    """
    if not database.exists():
        return False
    uri = f"{database.absolute().as_uri()}?mode=rw"
    with (
        _told(str(database)),
        contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection,
    ):
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        if tables and not tables & _TABLES:
            raise sqlite3.DatabaseError("it is not Optuna's")
    return bool(tables)


def open_file(database: Path) -> RDBStorage:
    """The SQLite database of one machine's workers, made if it is missing."""
    # Of two who change a file's mode or make Optuna's tables at once, one fails.
    with _told(str(database)), _alone_in(database.parent):
        # The mode is a property of the file: readers never wait for the writer.
        with contextlib.closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return _Storage(f"sqlite:///{database}", str(database), {"timeout": _BUSY_SECONDS})


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
    """A database that machines share; InputError if ``url`` is none."""
    try:
        place = make_url(url).render_as_string(hide_password=True)
        with _told(place), _alone_at(url):
            return _Storage(url, place, {})
    except (ArgumentError, ValueError) as error:
        raise InputError(f"--storage {url!r}: {error}; write {_EXAMPLE}") from None
    except ImportError:
        raise NasError(
            f"--storage {place}: its driver is not installed; "
            f"pip install 'npu-nas[postgres]' and write {_EXAMPLE}"
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


def holds_password(url: str) -> bool:
    """Would whoever reads ``url`` learn a password?"""
    return make_url(url).password is not None


_EXAMPLE = "postgresql+psycopg://USER@HOST/DATABASE"


@contextlib.contextmanager
def _told(place: str) -> Iterator[None]:
    try:
        yield
    except ArgumentError:
        raise
    # Optuna's RuntimeError: tables of another version.
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.OptunaError, RuntimeError) as error:
        if isinstance(error, DatabaseError):
            raise
        raise _failure(place, error.__cause__ or error) from None


def _failure(place: str, cause: BaseException) -> DatabaseError:
    return DatabaseError(
        f"{place}: the study's database cannot be used ({cause}); check its disk or server, "
        "restore it from a copy, or start another study by --study"
    )
