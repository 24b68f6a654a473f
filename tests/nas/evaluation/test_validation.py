"""A network judged while it is in training: the truth, and no harm done."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nas.choices import RecipeName
from nas.evaluation.evaluator import MAX_PARITY_GAP_DB, CandidateEvaluator
from nas.evaluation.validation import PeriodicValidation, ValidationPoint
from nas.quality.image_quality import evaluate
from nas.training.job import Phase, Progress
from nas.training.recipe import Recipe, recipe_named
from nas.training.trainer import Trainer, train_phases
from nas.training.training_run import float_quality
from search_spaces import Candidate
from search_spaces.spaces import anchor

from .. import evaluators

RECIPE = Recipe(steps=60, batch=4, patch=16)


@pytest.fixture(scope="module")
def evaluator() -> Iterator[CandidateEvaluator]:
    with evaluators.opened("vs680", RECIPE) as evaluator:
        yield evaluator


def test_what_is_said_on_the_way_is_what_is_found_in_the_end(evaluator: CandidateEvaluator) -> None:
    candidate = Candidate(anchor.build([(8, 1), (8, 1)], 3, residual="anchor", tail="single"))
    job = evaluator.job(candidate, 1)
    trainers: list[Trainer] = []
    found: list[ValidationPoint] = []

    def observe(progress: Progress) -> None:
        if progress.step == progress.steps:
            PeriodicValidation(evaluator, found.append, 0.0).observe(trainers[-1], progress)

    disturbed = train_phases(job, evaluator.data.training, tuple(Phase), trainers.append, observe)
    undisturbed = train_phases(
        job, evaluator.data.training, tuple(Phase), lambda trainer: None, lambda progress: None
    )
    for phase in Phase:
        pairs = zip(
            disturbed.weights[phase].values(), undisturbed.weights[phase].values(), strict=True
        )
        assert all(np.array_equal(one, other) for one, other in pairs)

    steps = job.recipe.int8_schedule.steps
    assert [(i.phase, i.step) for i in found] == [
        (Phase.FLOAT, RECIPE.steps), (Phase.INT8, steps), (Phase.TWIN, steps),
    ]  # fmt: skip
    last = {point.phase: point.psnr_db for point in found}
    for phase in (Phase.FLOAT, Phase.TWIN):
        quality = float_quality(job, disturbed.weights[phase], evaluator.data.validation)
        assert last[phase] == quality.psnr_db
    tflite = evaluator.convert(candidate.deployed, disturbed.weights[Phase.INT8])
    of_file = evaluate(evaluator.upscaler(tflite), evaluator.data.validation)
    assert last[Phase.INT8] == pytest.approx(of_file.psnr_db, abs=MAX_PARITY_GAP_DB)
    assert last[Phase.FLOAT] != last[Phase.TWIN]


def test_judging_takes_a_small_part_of_the_time(evaluator: CandidateEvaluator) -> None:
    candidate = Candidate(anchor.build([(8, 1)], 3, residual="anchor", tail="single"))
    found: list[ValidationPoint] = []
    trainer = Trainer(evaluator.job(candidate, 1), evaluator.data.training)
    progress = Progress(Phase.FLOAT, 1, RECIPE.steps, 1.0)
    eager, patient = (
        PeriodicValidation(evaluator, found.append, seconds) for seconds in (0.0, 1e6)
    )
    for _ in range(20):
        eager.observe(trainer, progress)
        patient.observe(trainer, progress)
    assert len(found) == 1


def test_recipes_by_name() -> None:
    proxy, full = recipe_named(RecipeName.PROXY), recipe_named(RecipeName.FULL)
    assert (full.steps, full.patch, full.batch) == (200_000, 32, 16)
    assert proxy.patch == 32
    assert full.smaller_copies
    assert not proxy.smaller_copies  # what searches rest on was trained without
    assert 100 * proxy.steps <= full.steps
