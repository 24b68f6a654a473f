"""A study that knows from its start what others have trained."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_models import Worker
from latency_models.device import load_device
from nas.quality_model.features import features_of, matrix_of
from nas.quality_model.short_training_model import StudyGains
from nas.sampling.surrogate import SurrogateSampler
from nas.sampling.warm_prior import other_trainings, warm_prior
from nas.searching.display import Lines, Reporter
from nas.searching.stopping import Run
from nas.searching.study_setup import canonical, prepare_study
from nas.searching.warm_starts import warm_start_of
from nas.searching.worker_loop import Resources, TimeSpent, worker_sampler
from nas.studies.budget import Budget
from nas.studies.folder import StudyFolder
from nas.studies.options import SearchOptions
from nas.studies.record import ARCHITECTURE_KEY, CANDIDATE_KEY
from nas.studies.settings import Settings, StudyRequest
from nas.studies.study import Study, create_study, join_study
from nas.studies.warm_start import WarmStart
from search_spaces import InputError, NasError
from search_spaces.spaces.loading import load_space
from studies.search_overhead.stand_ins import InstantEvaluator, empty_study, fill, source_of

from ..console import SEARCH, Console
from ..records import make_result
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
    start = warm_start_of(first)
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
            (OTHER_IMAGES, [warm_start_of(first)]),
            (SETTINGS, [warm_start_of(first)]),
        )
    )
    assert (warm.deviation_db < cold.deviation_db).all()
    assert (same.deviation_db < warm.deviation_db).all()


def test_it_is_read_as_it_was_written(first: Study) -> None:
    start = with_one_more(first)
    assert WarmStart.from_text(start.to_text()) == start
    assert start.to_text() == start.to_text()
    text = start.to_text()
    flipped = f"{text[:100]}{'A' if text[100] != 'A' else 'B'}{text[101:]}"
    no_rows = base64.b64encode(gzip.compress(b"5")).decode()
    # an invalid first block, behind the ten bytes of a header
    no_block = base64.b64encode(gzip.compress(b"")[:10] + b"\xff" * 20).decode()
    for damaged in ("", "no base64", text[:100], flipped, no_rows, no_block):
        with pytest.raises(NasError, match="cannot be read"):
            WarmStart.from_text(damaged)


def test_what_an_earlier_version_kept_has_no_choices(first: Study) -> None:
    start = with_one_more(first)
    about, *rows = gzip.decompress(base64.b64decode(start.to_text())).decode().splitlines()
    older = [{k: v for k, v in json.loads(row).items() if k != "choices"} for row in rows]
    text = "\n".join([about, *map(json.dumps, older)])
    read = WarmStart.from_text(base64.b64encode(gzip.compress(text.encode())).decode())
    assert read.networks == tuple(replace(row, choices={}) for row in start.networks)
    assert read.networks != start.networks


def with_one_more(study: Study) -> WarmStart:
    """With the choices of one network more."""
    trial = study.optuna.ask()
    candidate, result = load_space("anchor").draw(trial, 3), make_result()
    known = {CANDIDATE_KEY: candidate.hash, ARCHITECTURE_KEY: candidate.to_json()}
    for name, value in (result.to_attributes() | known).items():
        trial.set_user_attr(name, value)
    study.optuna.tell(trial, result.log2_score)
    start = warm_start_of(study)
    assert [row.choices for row in start.networks] == [{}] * 5 + [trial.params]
    return start


def test_a_search_begins_with_what_a_study_kept_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = empty_study("vs680")
    fill(first, 6)
    settings = replace(first.settings, seed=1)
    second = create_study(StudyFolder.named("second"), None, settings, [warm_start_of(first)])
    evaluator = replace(InstantEvaluator.sleeping(0.0), source=source_of("vs680"))
    space, device = load_space(settings.space), load_device("vs680")
    resources = Resources.deployed(space, device, evaluator.data, None)
    observer, spent = Reporter(second, Lines()), TimeSpent(second)
    sampler = worker_sampler(second, Budget(9), Run(0), resources, evaluator, observer, spent)
    assert isinstance(sampler, SurrogateSampler)
    draws = sampler._problem.warm_draws
    known = {draw.candidate.hash for draw in draws}
    assert known > {row.candidate for row in first.records()}  # and what comes with the package
