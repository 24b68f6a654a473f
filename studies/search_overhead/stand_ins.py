"""Makes a study with finished trials, and an evaluator for workers that trains nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import optuna

from latency_models import LatencyRequest, LatencySource
from latency_models.device import load_device, open_regression
from nas.choices import Objective
from nas.evaluation.evaluator import EvaluatedCandidate, StageSeconds
from nas.quality.image_quality import ImageQuality, ModelQuality, Quality
from nas.quality_model.features import features_of
from nas.sampling.replay import Draw, draw
from nas.searching.refusals import bottleneck, gaps
from nas.studies.expectations import Expectations
from nas.studies.folder import StudyFolder
from nas.studies.record import (
    ARCHITECTURE_KEY,
    BEGUN_KEY,
    CANDIDATE_KEY,
    ENDED_KEY,
    OUTCOME_KEY,
    Outcome,
    Result,
)
from nas.studies.study import Study, create_study
from nas.training.job import TrainingResult, TrainingSeconds
from search_spaces import Candidate, NasError, infer
from search_spaces.spaces.loading import load_space

from ..scaling.sleeper import SleepingEvaluator
from ..search_efficiency.simulation import BICUBIC_DB, INPUT, SETTINGS, figures_of

if TYPE_CHECKING:
    from nas.training.job import Progress

NAME = "overhead"
#: In a search for a front no proposal is refused for its latency, whichever sampler made it.
_SETTINGS = replace(SETTINGS, space="mobile", objective=Objective.PARETO)
#: Model file and weights about as large as those of the space's networks.
_FILE, _WEIGHTS = bytes(60_000), {"weights": np.zeros(40_000, np.float32)}


def source_of(device: str) -> LatencySource:
    """Returns the device's regression, or the regression of its compiler."""
    source = open_regression(load_device(device))
    assert source is not None, device
    return source


def psnr_db_of(candidate: Candidate) -> float:
    """Returns a PSNR that grows with the width and the depth of the network."""
    features = features_of(candidate)
    gain_db = 0.2 + 0.12 * features.log_depth + 0.08 * (features.log_mean_width - 4)
    return BICUBIC_DB + gain_db + 0.15 * features.carries_image - 0.3 * features.log_stride


def empty_study(device: str) -> Study:
    """Creates a study without trials in the current folder."""
    settings = replace(_SETTINGS, device=device)
    return create_study(StudyFolder.named(NAME), None, settings)


def fill(study: Study, count: int) -> None:
    """Adds finished trials of random networks until there are ``count``."""
    device = load_device(study.settings.device)
    source = source_of(device.name)
    space = replace(load_space(study.settings.space), pixel_shuffle=device.pixel_shuffle)
    known = {record.candidate for record in study.records()}
    rng = random.Random(len(known))
    while len(known) < count:
        try:
            drawn = draw(space, study.settings.scale, rng, {})
        except NasError:
            continue
        graph = drawn.candidate.graph
        if drawn.candidate.hash in known or bottleneck(graph) or gaps(graph):
            continue
        known.add(drawn.candidate.hash)
        study.optuna.add_trial(_finished_trial(study, drawn, source))


def _finished_trial(study: Study, drawn: Draw, source: LatencySource) -> optuna.trial.FrozenTrial:
    candidate, settings = drawn.candidate, study.settings
    figures, psnr_db = infer(candidate.deployed, INPUT), psnr_db_of(candidate)
    expected = Expectations(settings, ()).of(candidate.graph, figures.macs, psnr_db, ())
    latency = source.measure(LatencyRequest.of_graph(candidate.deployed, INPUT, bytes))
    quality = ModelQuality(figures_of(psnr_db), figures_of(psnr_db))
    result = Result(
        quality, expected, latency, figures.macs, figures.parameters, tflite_kb=60.0, seed=0,
        risk=settings.risk, seconds={"latency": 0.1, "training": 20.0, "total": 25.0},
    )  # fmt: skip
    return optuna.create_trial(
        values=[expected.psnr_db, result.scored_ms],
        params={name: choice.value for name, choice in drawn.choices.items()},
        distributions={name: choice.distribution for name, choice in drawn.choices.items()},
        user_attrs={
            ARCHITECTURE_KEY: candidate.to_json(),
            CANDIDATE_KEY: candidate.hash,
            BEGUN_KEY: 0.0,
            ENDED_KEY: 25.0,
            OUTCOME_KEY: Outcome.TRAINED,
            **result.to_attributes(),
        },
    )


@dataclass(frozen=True)
class InstantEvaluator(SleepingEvaluator):
    """Replaces a training by a formula for the network's PSNR, which takes no time."""

    def evaluate(
        self, candidate: Candidate, seed: int, observe: Callable[[Progress], None]
    ) -> EvaluatedCandidate:
        quality = Quality((ImageQuality("0", figures_of(psnr_db_of(candidate))),))
        result = TrainingResult({}, _WEIGHTS, False, quality, (), TrainingSeconds())
        return EvaluatedCandidate(_FILE, result, quality, StageSeconds(20.0, 18.0, 2.0, 2.0))
