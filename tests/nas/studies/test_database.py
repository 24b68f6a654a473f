"""A study's database tells what is wrong with it, and only that."""

from __future__ import annotations

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
