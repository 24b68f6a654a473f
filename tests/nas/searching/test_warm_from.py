"""A study that knows from its start what others have trained."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_models import Worker
from nas.quality_model.features import features_of, matrix_of
from nas.quality_model.prior import StudyGains
from nas.sampling.warm_prior import other_trainings, warm_prior
from nas.searching.study_setup import canonical, prepare_study
from nas.studies.folder import StudyFolder
from nas.studies.options import SearchOptions
from nas.studies.settings import Settings, StudyRequest
from nas.studies.study import Study, create_study, join_study
from nas.studies.warm_start import WarmStart
from search_spaces import InputError, NasError

from ..console import SEARCH, Console
from ..studies.finished import candidates, finished_study
from ..studies.test_study import SETTINGS
from .test_study_setup import REQUEST

FOUND = candidates(3)


@pytest.fixture
def first(console: Console) -> Study:
    """Three networks and both references, trained; in the current folder."""
    assert console.folder == Path.cwd()
    return finished_study("first", FOUND)


@pytest.mark.usefixtures("first")
def test_what_another_study_trained_is_kept_though_that_is_gone() -> None:
    request = replace(REQUEST, warm_from=("first", "first"))
    with Worker() as worker:
        prepare_study("second", request, None, worker)
        shutil.rmtree("studies/first")
        study, _ = prepare_study("second", request, None, worker)
    assert study.settings.warm_from == ("first",)
    assert "--warm-from first" in SearchOptions.repeating(study).command
    (start,) = join_study("second").warm_starts()
    assert start.study == "first"
    assert len(start.networks) == 5
    assert [network.candidate for network in start.networks[2:]] == FOUND
    assert {network.psnr_db for network in start.networks} == {29.0}
    with pytest.raises(InputError, match="was made with warm_from first, not other"):
        study.settings.refuse_other("second", StudyRequest(warm_from=("other",)))


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no study 'nope' here; known: first, nothing, of-x2", ("--warm-from", "nope")),
        ("study name ''", ("--warm-from", "")),
        (
            "'nothing' has trained no network yet",
            ("--warm-from", "first", "--warm-from", "nothing"),
        ),
        ("of x2, this one of x3", ("--warm-from", "of-x2")),
        ("of x3, this one of x4", ("--warm-from", "first", "--scale", "4")),
        ("sampler tpe learns nothing", ("--warm-from", "first", "--sampler", "tpe")),
    ],
)
def test_what_tells_nothing_is_refused(
    console: Console, value: str, words: tuple[str, ...]
) -> None:
    for name, scale in (("nothing", 3), ("of-x2", 2)):
        create_study(StudyFolder.named(name), None, replace(SETTINGS, scale=scale))
    code, errors = console.run(*SEARCH, *words)
    assert code == 2
    assert errors.startswith("error: ")
    assert value in errors
    assert errors.count("\n") == 1
    assert not Path("studies/s").exists()


def test_names_stay_names_and_folders_are_told_by_their_whole_path(first: Study) -> None:
    words = ("first", "./studies/first", str(first.folder.path.resolve()))
    whole = str(first.folder.path.resolve())
    assert canonical(StudyRequest(warm_from=words)).warm_from == ("first", whole)


OTHER_IMAGES = replace(SETTINGS, data_fingerprint="others", device="vs680")


def test_each_study_has_conditions_of_its_own_unless_images_and_training_are_the_same(
    first: Study,
) -> None:
    start = WarmStart.of(first)
    assert set(conditions(SETTINGS, [start])) == {0}  # on another device
    assert set(conditions(OTHER_IMAGES, [start])) == {1}
    longer = replace(SETTINGS, recipe=replace(SETTINGS.recipe, steps=500))
    assert conditions(OTHER_IMAGES, [start, replace(start, settings=longer), start]) == (
        [1] * 5 + [2] * 5 + [1] * 5
    )


def conditions(settings: Settings, starts: Sequence[WarmStart]) -> list[int]:
    return list(map(int, other_trainings(settings, starts).conditions))


def test_what_it_knows_takes_doubt_from_what_it_expects(first: Study) -> None:
    features = matrix_of([features_of(candidate) for candidate in FOUND])
    nothing = np.zeros((0, features.shape[1]))
    cold, warm, same = (
        StudyGains(warm_prior(settings, starts), nothing, np.zeros(0), nothing).of(features)
        for settings, starts in (
            (OTHER_IMAGES, []),
            (OTHER_IMAGES, [WarmStart.of(first)]),
            (SETTINGS, [WarmStart.of(first)]),
        )
    )
    assert (warm.deviation_db < cold.deviation_db).all()
    assert (same.deviation_db < warm.deviation_db).all()


def test_it_is_read_as_it_was_written(first: Study) -> None:
    start = WarmStart.of(first)
    assert WarmStart.from_text(start.to_text()) == start
    assert start.to_text() == start.to_text()
    for damaged in ("", "no base64", start.to_text()[:100]):
        with pytest.raises(NasError, match="cannot be read"):
            WarmStart.from_text(damaged)
