"""A study's database tells what is wrong with it, and only that."""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import event

from nas.studies.database import DatabaseError, open_file


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


def open_each(together: Barrier, databases: list[Path]) -> None:
    for database in databases:
        together.wait(120)
        open_file(database)


def test_processes_may_open_a_new_one_at_the_same_moment(tmp_path: Path) -> None:
    server, databases = get_context("forkserver"), [tmp_path / f"{n}.db" for n in range(4)]
    together = server.Barrier(3)
    several = [server.Process(target=open_each, args=(together, databases)) for _ in range(3)]
    for process in several:
        process.start()
    for process in several:
        process.join(120)
        assert process.exitcode == 0
    for database in databases:
        assert optuna.get_all_study_names(open_file(database)) == []
