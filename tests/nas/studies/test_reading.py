"""What is read of a study by rows is what Optuna reads by its models."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.studies import reading
from nas.studies.heartbeat import GRACE_SECONDS
from nas.studies.reading import RowReadingStorage

from .heartbeats import beat

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "z": CategoricalDistribution(("a", None, 2.5, True)),
    "a": IntDistribution(1, 64, log=True),
    "m": FloatDistribution(-1.0, 1.0),
}
FINISHED = optuna.create_trial(
    values=[math.inf, -1.5],
    params={"z": None, "a": 8, "m": 0.1},
    distributions=DISTRIBUTIONS,
    user_attrs={"x": {"y": [1, None]}, "empty": ""},
    system_attrs={"constraints:x": -0.5},
    intermediate_values={3: 1.0, 1: math.inf, 2: -math.inf},
)


@pytest.fixture(params=["file", "server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'study.db'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def study(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[optuna.Study]:
    """Of trials of every state, more than are read at once, beside another study's."""
    monkeypatch.setattr(reading, "_MAX_TRIALS_PER_STATEMENT", 2)
    storage = RDBStorage(url)
    directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    studies = [
        optuna.create_study(storage=storage, study_name=uuid.uuid4().hex, directions=directions)
        for _ in range(2)
    ]
    for study in studies:
        study.enqueue_trial({"a": 4}, user_attrs={"baseline": "ABPN"})
        study.add_trial(FINISHED)
        study.add_trial(optuna.create_trial(state=TrialState.PRUNED))
        study.add_trial(FINISHED)
        study.add_trial(optuna.create_trial(state=TrialState.FAIL, user_attrs={"outcome": "no"}))
        running = study.ask()  # the one that waited
        running.suggest_int("a", 1, 64, log=True)
        study.ask()
        study.enqueue_trial({})
    yield studies[0]
    storage.engine.dispose()


@pytest.fixture
def by_rows(url: str, study: optuna.Study) -> Iterator[RowReadingStorage]:
    """The same database."""
    storage = RowReadingStorage(url)
    yield storage
    storage.engine.dispose()


def test_they_are_the_same(study: optuna.Study, by_rows: RowReadingStorage) -> None:
    trials = by_rows.get_all_trials(study._study_id)
    assert trials == study.get_trials()
    assert list(trials[1].params.items()) == [("z", None), ("a", 8), ("m", 0.1)]
    assert [by_rows.get_trial(trial._trial_id) for trial in trials] == trials
    running = (TrialState.RUNNING,)
    assert by_rows.get_all_trials(study._study_id, states=running) == study.get_trials(
        states=running
    )


def test_those_that_a_worker_does_not_know_yet(
    study: optuna.Study, by_rows: RowReadingStorage
) -> None:
    trials = study.get_trials()

    def read(included: list[FrozenTrial], after: FrozenTrial) -> list[FrozenTrial]:
        ids = {trial._trial_id for trial in included}
        return by_rows._get_trials(study._study_id, None, ids, after._trial_id)

    assert read([trials[0], trials[2]], trials[4]) == [trials[0], trials[2], *trials[5:]]
    assert read([], trials[5]) == trials[6:]
    assert read([], trials[-1]) == []


def test_attributes_of_the_study(study: optuna.Study, by_rows: RowReadingStorage) -> None:
    assert by_rows.get_study_user_attrs(study._study_id) == {}
    values = {"x": {"y": [1, None]}, "empty": "", "time": [1.5, 2.5]}
    for name, value in values.items():
        study.set_user_attr(name, 0)
        study.set_user_attr(name, value)
    assert by_rows.get_study_user_attrs(study._study_id) == values == study.user_attrs


def test_stale_are_those_that_run_and_have_not_been_heard_of_for_long(
    study: optuna.Study, url: str
) -> None:
    options: dict[str, Any] = {"heartbeat_interval": 10, "grace_period": GRACE_SECONDS}
    optunas, by_rows = RDBStorage(url, **options), RowReadingStorage(url, **options)
    alive, silent = study.get_trials(states=(TrialState.RUNNING,))
    ended = study.ask()
    study.ask()  # of which nothing was ever heard
    beat(optunas, alive._trial_id, GRACE_SECONDS // 2)
    for trial_id in (silent._trial_id, ended._trial_id):
        beat(optunas, trial_id, 2 * GRACE_SECONDS)
    study.tell(ended, [0.0, 0.0])
    stale = by_rows._get_stale_trial_ids(study._study_id)
    assert stale == [silent._trial_id] == optunas._get_stale_trial_ids(study._study_id)
    for storage in (optunas, by_rows):
        storage.engine.dispose()


def test_what_is_not_there_is_an_error(study: optuna.Study, by_rows: RowReadingStorage) -> None:
    with pytest.raises(KeyError):
        by_rows.get_trial(10**6)
    with pytest.raises(KeyError):
        by_rows.get_all_trials(10**6)
    with pytest.raises(KeyError):
        by_rows.get_study_user_attrs(10**6)
