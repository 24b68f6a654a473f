"""A server that is away for a while: its clients go on when it is back."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nas.studies.database import database_lock, open_url
from nas.studies.folder import StudyFolder
from nas.studies.persistence import retry_while_unreachable
from nas.studies.place import DatabaseError, UnreachableError
from nas.studies.proxy_server import serving
from nas.studies.study import Study, create_study, join_study

from ..postgres import PostgresServer
from .heartbeats import age, backend
from .test_study import SETTINGS


def test_studies_go_on_after_a_restart_of_postgresql(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped as by a power cut, in the middle of trials and with the lock held."""
    monkeypatch.chdir(tmp_path)
    url = postgres_server.url
    ours = create_study(StudyFolder.named("restarted"), url, SETTINGS)
    study = ours.optuna
    trial = study.ask()
    with serving(url, "127.0.0.1", 0) as (_, address), ThreadPoolExecutor(6) as pool:
        by_proxy = join_study("restarted", f"grpc://{address}")
        begun = [(worker, worker.optuna.ask()) for worker in (ours, by_proxy)]
        with database_lock(url):
            postgres_server.stop()
            looked = pool.submit(optuna.storages.fail_stale_trials, study)
            told = pool.submit(study.tell, trial, 1.0)
            asked = pool.submit(study.ask)
            named = [pool.submit(of.name_worker, one, "elsewhere/0123") for of, one in begun]
            entered = pool.submit(enter, url)
            postgres_server.start()
            assert told.result(timeout=60).value == 1.0
            assert asked.result(timeout=60).number == 3
            for done in (looked, *named):
                done.result(timeout=60)
        entered.result(timeout=60)
    assert states(ours) == [TrialState.COMPLETE] + [TrialState.RUNNING] * 3
    for _, running in begun:  # their workers beat no more
        age(backend(study._storage), running._trial_id, seconds=90)
    ours.recover()
    assert states(ours) == [
        TrialState.COMPLETE, TrialState.FAIL, TrialState.FAIL, TrialState.RUNNING,
        TrialState.WAITING, TrialState.WAITING,
    ]  # fmt: skip


def states(study: Study) -> list[TrialState]:
    return [trial.state for trial in study.optuna.get_trials()]


def enter(url: str) -> None:
    with database_lock(url):
        pass


def test_a_server_that_stays_away_is_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 10.0)
    pauses: list[float] = []
    monkeypatch.setattr("nas.studies.persistence.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("nas.studies.persistence.time.sleep", pauses.append)
    with pytest.raises(DatabaseError, match="gone") as error:
        retry_while_unreachable(gone)
    assert type(error.value) is DatabaseError
    assert len(pauses) == 30
    assert pauses[0] <= 0.2
    assert max(pauses) <= 5.0


def gone() -> None:
    raise UnreachableError("gone")


def test_what_another_try_does_not_mend_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DatabaseError("full")

    monkeypatch.setattr("nas.studies.persistence.time.sleep", pytest.fail)
    with pytest.raises(DatabaseError, match="full"):
        retry_while_unreachable(fail)


def test_a_trial_may_be_ended_again_as_it_has_ended(tmp_path: Path) -> None:
    """The server may have gone after it did so and before it said so."""
    storage = open_url(f"sqlite:///{tmp_path}/shared.db")
    study = optuna.create_study(storage=storage)
    number = study.ask()._trial_id
    for _ in range(2):
        assert storage.set_trial_state_values(number, TrialState.COMPLETE, [1.0])
    for state, values in ((TrialState.COMPLETE, [2.0]), (TrialState.FAIL, None)):
        with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
            storage.set_trial_state_values(number, state, values)
