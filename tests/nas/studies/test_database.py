"""A study's database tells what is wrong with it, and only that."""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, event, text

from nas.studies.database import DatabaseError, open_file, open_url


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


def opened(url: str | Path) -> RDBStorage:
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
