"""A network judged while it is in training: the truth, and no harm done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nas.choices import RecipeName
from nas.interim import Interim, InterimJudge
from nas.laboratory import MAX_PARITY_GAP_DB, Laboratory
from nas.networks.lesson import Phase, Progress
from nas.networks.recipe import Recipe, recipe_named
from nas.networks.training import Trainer
from search_spaces import Candidate, anchor

from . import laboratories

RECIPE = Recipe(steps=60, batch=4, patch=16)
FORK = RECIPE.fork_step


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    with laboratories.opened("vs680", RECIPE) as laboratory:
        yield laboratory


def test_what_is_said_on_the_way_is_what_is_found_in_the_end(laboratory: Laboratory) -> None:
    candidate = Candidate(anchor.build([(8, 1), (8, 1)], 3, residual="anchor", tail="single"))
    undisturbed = laboratory.develop(candidate, 1, lambda progress: None)
    trainers: list[Trainer] = []
    found: list[Interim] = []
    left: list[int] = []

    def observe(progress: Progress) -> None:
        left.append(progress.steps_left)
        if progress.step in (FORK, RECIPE.steps):
            InterimJudge(laboratory, found.append, 0.0).observe(trainers[0], progress)

    developed = laboratory.develop(candidate, 1, observe, trainers.append)
    assert developed.tflite == undisturbed.tflite
    assert developed.float_quality == undisturbed.float_quality

    start, int8, twin = found
    assert [(i.phase, i.step) for i in found] == [
        (Phase.FLOAT, FORK), (Phase.INT8, RECIPE.steps), (Phase.TWIN, RECIPE.steps),
    ]  # fmt: skip
    assert twin.psnr_db == developed.float_quality.psnr_db
    assert int8.psnr_db == pytest.approx(developed.quality.psnr_db, abs=MAX_PARITY_GAP_DB)
    assert start.psnr_db != twin.psnr_db

    # The steps of the twin were counted from the first one on.
    assert left == list(range(len(left)))[::-1]


def test_judging_takes_a_small_part_of_the_time(laboratory: Laboratory) -> None:
    candidate = Candidate(anchor.build([(8, 1)], 3, residual="anchor", tail="single"))
    found: list[Interim] = []
    trainer = Trainer(candidate, laboratory.data.training, RECIPE, laboratory.granularity, seed=1)
    progress = Progress(Phase.FLOAT, 1, RECIPE.steps, 1.0, 77)
    eager, patient = (InterimJudge(laboratory, found.append, seconds) for seconds in (0.0, 1e6))
    for _ in range(20):
        eager.observe(trainer, progress)
        patient.observe(trainer, progress)
    assert len(found) == 1


def test_recipes_by_name() -> None:
    proxy, full = recipe_named(RecipeName.PROXY), recipe_named(RecipeName.FULL)
    assert (full.steps, full.patch, full.batch) == (200_000, 64, 16)
    assert proxy.patch == 32
    assert 100 * proxy.steps <= full.steps
