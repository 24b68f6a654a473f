"""A study that another search makes while this one is still being prepared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from latency_models import Worker
from nas.choices import Precision
from nas.searching import study_setup as setup
from nas.searching.objects import SearchObjects
from nas.searching.study_setup import prepare_study
from nas.searching.worker_loop import Resources
from nas.studies.folder import StudyFolder
from nas.studies.settings import Settings, StudyRequest
from nas.studies.study import create_study, load_study
from search_spaces import InputError

from ..commands import SMALL_PHOTOS, SMALL_SPACE

REQUEST = StudyRequest(
    space=str(SMALL_SPACE), data=str(SMALL_PHOTOS), input="90x160", steps=50,
    precision=Precision.FLOAT32, baselines=False,
)  # fmt: skip


@pytest.fixture(autouse=True)
def overtaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While settings are worked out, a search with seed 7 makes the study and trains a network."""
    monkeypatch.chdir(tmp_path)
    make_settings = setup._make_settings

    def overtake(
        request: StudyRequest, worker: Worker, objects: SearchObjects, folder: StudyFolder
    ) -> tuple[Settings, Resources]:
        settings, resources = make_settings(request, worker, objects, folder)
        study = create_study(StudyFolder.named("s"), None, replace(settings, seed=7))
        study.optuna.add_trial(optuna.create_trial(value=1.0))
        return settings, resources

    monkeypatch.setattr(setup, "_make_settings", overtake)


def test_a_search_that_does_not_mind_joins_it() -> None:
    with Worker() as worker:
        study, _ = prepare_study("s", REQUEST, None, worker)
    assert study.settings.seed == 7
    assert len(study.optuna.trials) == 1


def test_a_search_of_something_else_is_refused() -> None:
    with Worker() as worker, pytest.raises(InputError, match="was made with seed 7, not 3"):
        prepare_study("s", replace(REQUEST, seed=3), None, worker)
    assert len(load_study("s").optuna.trials) == 1
