"""What a worker writes to its trial at once, and when others see it."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas.studies.database import open_file, open_url
from nas.studies.gathering import GatheringStorage, writing_together


@pytest.fixture(params=["file", "server"])
def storages(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[BaseStorage, BaseStorage]:
    """The same database twice: a worker's, and somebody else's."""
    if request.param == "file":
        own, other = (GatheringStorage(open_file(tmp_path / "study.db")) for _ in range(2))
        return own, other
    url = str(request.getfixturevalue("postgres"))
    return open_url(url), open_url(url)


def begun(storage: BaseStorage, other: BaseStorage) -> tuple[optuna.Trial, Any]:
    """A trial, after another with the same parameters, and what others see of it."""
    name = uuid.uuid4().hex
    study = optuna.create_study(study_name=name, storage=storage)
    study.optimize(ask_all, n_trials=1)
    trial = study.ask()
    view = optuna.load_study(study_name=name, storage=other)
    return trial, lambda: view.get_trials(deepcopy=False)[-1]


def ask_all(trial: optuna.Trial) -> float:
    for name in ("c", "a", "b"):
        trial.suggest_int(name, 0, 9)
    return 0.0


def test_all_is_written_together_and_parameters_keep_their_order(
    storages: tuple[BaseStorage, BaseStorage],
) -> None:
    trial, seen = begun(*storages)
    with writing_together(storages[0], trial._trial_id):
        ask_all(trial)
        trial.set_user_attr("x", 1)
        trial.set_user_attr("x", {"y": [2]})
        assert seen().params == seen().user_attrs == {}
    found: FrozenTrial = seen()
    assert list(found.params.items()) == list(trial.params.items())
    assert list(found.params) == ["c", "a", "b"]
    assert found.user_attrs == {"x": {"y": [2]}}


def test_parameters_that_another_process_has_chosen_wait_too(
    storages: tuple[BaseStorage, BaseStorage],
) -> None:
    """As soon as its trials are read, which a worker does before its first."""
    trial, seen = begun(*storages)
    study = optuna.load_study(study_name=trial.study.study_name, storage=storages[1])
    study.get_trials()
    other = study.ask()
    with writing_together(storages[1], other._trial_id):
        ask_all(other)
        with pytest.raises(ValueError, match="kind"):
            other.suggest_categorical("a", (1, 2))
        assert trial.study.get_trials()[-1].params == {}
    assert seen().params == other.params


def test_it_is_there_before_the_worker_reads_or_ends_its_trial(
    storages: tuple[BaseStorage, BaseStorage],
) -> None:
    trial, seen = begun(*storages)
    with writing_together(storages[0], trial._trial_id):
        trial.set_user_attr("x", 1)
        assert trial.study.get_trials()[-1].user_attrs == {"x": 1} == seen().user_attrs
        trial.set_user_attr("y", 2)
        trial.study.tell(trial, 1.0)
        assert (seen().state, seen().user_attrs) == (TrialState.COMPLETE, {"x": 1, "y": 2})


def test_it_is_there_though_the_worker_failed_and_not_if_the_trial_is_another_s_by_now(
    storages: tuple[BaseStorage, BaseStorage],
) -> None:
    trial, seen = begun(*storages)
    with contextlib.suppress(ZeroDivisionError), writing_together(storages[0], trial._trial_id):
        trial.set_user_attr("x", 1)
        raise ZeroDivisionError
    assert seen().user_attrs == {"x": 1}
    storages[1].set_trial_state_values(trial._trial_id, TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError), writing_together(storages[0], trial._trial_id):
        trial.set_user_attr("x", 2)
    assert seen().user_attrs == {"x": 1}
    trial = trial.study.ask()
    trial.set_user_attr("x", 3)  # nothing of before is in the way
    assert seen().user_attrs == {"x": 3}


def test_what_a_parameter_was_chosen_from_before_holds(
    storages: tuple[BaseStorage, BaseStorage],
) -> None:
    trial, _ = begun(*storages)
    with writing_together(storages[0], trial._trial_id), pytest.raises(ValueError, match="kind"):
        trial.suggest_categorical("a", (1, 2))
