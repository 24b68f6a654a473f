"""How often a worker asks its database for one trial: each time is time in which nothing trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency_models.device import load_device
from nas.searching.display import Lines, Reporter
from nas.searching.stopping import Run
from nas.searching.worker_loop import Resources, TimeSpent, run_trials, worker_sampler
from nas.studies.budget import Budget
from nas.studies.gathering import GatheringStorage
from nas.studies.record import TrialRecord
from search_spaces.spaces.loading import load_space
from studies.search_overhead.stand_ins import InstantEvaluator, empty_study, source_of

DEVICE = "vs680"


class Counting(Reporter):
    """Notes what was asked of the database by the end of each trial."""

    def __init__(self, study: Any, asked: Counter[str]) -> None:
        super().__init__(study, Lines())
        self._asked = asked
        self.by_trial: list[Counter[str]] = []

    def ended(self, record: TrialRecord, records: Sequence[TrialRecord]) -> None:
        super().ended(record, records)
        assert records[record.number] == record
        self.by_trial.append(self._asked.copy())


def test_trials_are_read_no_more_often_than_they_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = Counter[str]()
    for name in ("get_all_trials", "get_trial"):
        monkeypatch.setattr(GatheringStorage, name, counted(asked, name))
    study = empty_study(DEVICE)
    evaluator = replace(InstantEvaluator.sleeping(0.0), source=source_of(DEVICE))
    resources = Resources.deployed(
        load_space(study.settings.space), load_device(DEVICE), evaluator.data, None
    )
    run, budget, spent, observer = Run(0), Budget(3), TimeSpent(study), Counting(study, asked)
    study.optuna.sampler = worker_sampler(study, budget, run, resources, evaluator, observer, spent)
    run_trials(study, budget, run, resources.space, evaluator, observer, spent)
    *_, before, last = observer.by_trial
    # Is one lost or waiting, does one wait for Optuna, what is to be proposed, is it another's, is
    # it still no other's once it is timed, and how did it end.
    assert (last - before)["get_all_trials"] == 6
    # Optuna's, as it begins the trial and ends it.
    assert (last - before)["get_trial"] == 2


def counted(asked: Counter[str], name: str) -> Any:
    operation = getattr(GatheringStorage, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        asked[name] += 1
        return operation(*args, **kwargs)

    return call
