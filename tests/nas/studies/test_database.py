"""A study's database tells what is wrong with it, and only that."""

from __future__ import annotations

import fcntl
import os
import re
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from sqlalchemy import create_engine, event, inspect, text

from nas.studies.database import database_lock, open_file, open_url, url_has_tables
from nas.studies.place import DatabaseError, Place
from nas.studies.study import load_study
from search_spaces import InputError


@pytest.mark.parametrize(
    ("raised", "told"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError("gone"), DatabaseError)]
)
def test_ctrl_c_while_the_database_works_is_no_failure_of_it(
    tmp_path: Path, raised: BaseException, told: type[BaseException]
) -> None:
    storage = open_file(tmp_path / "study.db")

    def stop(*_: Any) -> None:
        raise raised

    event.listen(storage.engine, "do_execute", stop)
    with pytest.raises(told):
        optuna.create_study(storage=storage)


def open_each(together: Barrier, urls: list[str | Path]) -> None:
    for url in urls:
        together.wait(120)
        opened(url)


def opened(url: str | Path) -> BaseStorage:
    return open_file(url) if isinstance(url, Path) else open_url(url)


def open_at_the_same_moment(urls: list[str | Path]) -> None:
    """In three processes; all must be able to, and find whole tables."""
    server = get_context("forkserver")
    together = server.Barrier(3)
    several = [server.Process(target=open_each, args=(together, urls)) for _ in range(3)]
    for process in several:
        process.start()
    for process in several:
        process.join(120)
        assert process.exitcode == 0
    for url in urls:
        assert optuna.get_all_study_names(opened(url)) == []


def test_processes_may_open_a_new_one_at_the_same_moment(tmp_path: Path) -> None:
    open_at_the_same_moment([tmp_path / f"{number}.db" for number in range(4)])


def test_machines_may_open_a_new_one_at_the_same_moment(postgres: str) -> None:
    names = [f"new{number}" for number in range(4)]
    with create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
    open_at_the_same_moment([postgres.replace("/postgres", f"/{name}") for name in names])


def test_reading_makes_no_file(tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path}/typo.db",
        f"sqlite+pysqlite:///{tmp_path}/typo.db?timeout=3",
        f"sqlite:///file:{tmp_path}/typo.db?mode=rwc&uri=true",
        "sqlite://",
    ):
        assert not url_has_tables(url)
        with pytest.raises(InputError, match=r"no such database: sqlite"):
            load_study("s", url)
    (tmp_path / "empty.db").touch()
    assert not url_has_tables(f"sqlite:///{tmp_path}/empty.db")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.db"]
    assert (tmp_path / "empty.db").stat().st_size == 0
    with pytest.raises(DatabaseError, match="no folder /no/such"):
        url_has_tables("sqlite:////no/such/x.db")


def test_reading_makes_no_tables(postgres: str) -> None:
    with create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CREATE DATABASE untouched"))
    url = postgres.replace("/postgres", "/untouched")
    with pytest.raises(InputError, match="no such database: postgresql"):
        load_study("s", url)
    with create_engine(url).connect() as connection:
        assert not inspect(connection).get_table_names()
    open_url(url)
    with pytest.raises(InputError, match="no study 's' in the database postgresql"):
        load_study("s", url)


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("database or disk is full", "its disk is full"),
        ("could not extend file: No space left on device", "its disk is full"),
        ("attempt to write a readonly database", "cannot be written to"),
        ("database disk image is malformed", "restore it from a copy"),
        ("password 'SECRET' is wrong", r"\(password '\*\*\*' is wrong\)"),
    ],
)
def test_what_is_told_of_a_failure(cause: str, told: str) -> None:
    failure = Place.of_url("postgresql+psycopg://user:SECRET@host/db").failure(cause)
    assert str(failure).startswith("postgresql+psycopg://user:***@host/db: ")
    assert re.search(told, str(failure))


@pytest.mark.parametrize("prefix", ["sqlite:///", "sqlite:///file:"])
def test_a_file_s_lock_excludes_other_processes(tmp_path: Path, prefix: str) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    url = f"{prefix}{tmp_path / 'study.db'}?uri=true"
    try:
        with database_lock(url), pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
