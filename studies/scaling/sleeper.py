"""A stand-in worker that trains nothing: it does all of a search except training and timing.

Its trials use the normal loop, database, locks and files of ``nas``; a training is a sleep.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import optuna
from optuna.samplers import RandomSampler

from latency_models import (
    Latency,
    LatencyRequest,
    LatencySource,
    OperatorLatency,
    WeightGranularity,
    Worker,
)
from nas.choices import Objective, Quantization, Risk, SamplerKind
from nas.data.images import Data, ImagePair, ImageSet
from nas.evaluation.evaluator import CandidateEvaluator, EvaluatedCandidate, StageSeconds
from nas.quality.image_quality import ImageQuality, MetricValues, Quality
from nas.searching.display import Lines, Reporter
from nas.searching.stopping import Run
from nas.searching.worker_loop import TimeSpent, run_trials
from nas.studies.budget import Budget
from nas.studies.folder import StudyFolder
from nas.studies.settings import References, Settings
from nas.studies.study import Study, create_study, join_study
from nas.training.job import TrainingResult, TrainingSeconds
from nas.training.recipe import Recipe
from search_spaces import Candidate, Graph, InputSpec, NasError
from search_spaces.spaces.loading import load_space

if TYPE_CHECKING:
    from nas.training.job import Progress

SPACE, SCALE, INPUT = "mobile", 3, InputSpec(360, 640)
_BLACK = ImagePair("black", *(np.zeros((side, side, 3), np.uint8) for side in (32, 32 * SCALE)))
_IMAGES = ImageSet(SCALE, (_BLACK,))
_QUALITY = Quality((ImageQuality("0", MetricValues({"psnr_db": 29.0, "ssim": 0.8})),))


class Silence(Lines):
    """Prints nothing, since there are thousands of trials."""

    def line(self, text: str) -> None:
        pass


class _OneMillisecond(LatencySource):
    """Gives every network the same latency, so that none is refused for its time."""

    def measure(self, request: LatencyRequest) -> Latency:
        rows = tuple(OperatorLatency(k.name, k.kind, "npu", 0.0) for k in request.operators)
        return Latency(1.0, 1.0, 1.0, rows, (), "stand-in")


@dataclass(frozen=True)
class SleepingEvaluator(CandidateEvaluator):
    """Sleeps for ``seconds`` in place of a training."""

    seconds: float = 0.0

    @classmethod
    def sleeping(cls, seconds: float) -> Self:
        """Returns an evaluator whose trainings take ``seconds``."""
        return cls(
            source=_OneMillisecond(),
            worker=Worker(),
            data=Data("nothing", _IMAGES, _IMAGES),
            recipe=Recipe(steps=100),
            input=INPUT,
            granularity=WeightGranularity.CHANNEL,
            threads=1,
            seconds=seconds,
        )

    def start(self) -> None:
        """Does nothing, since there is no process to start."""

    def fresh_latency(self, graph: Graph) -> Latency:
        return self.source.measure(LatencyRequest.of_graph(graph, self.input, bytes))

    def evaluate(
        self, candidate: Candidate, seed: int, observe: Callable[[Progress], None]
    ) -> EvaluatedCandidate:
        time.sleep(self.seconds)
        result = TrainingResult({}, {}, False, _QUALITY, (), TrainingSeconds())
        return EvaluatedCandidate(b"TFL3", result, _QUALITY, StageSeconds(0.0, 0.0, 0.0, 0.0))


def make_study(name: str, url: str | None, trials: int) -> Study:
    """Creates a study in the current folder with a budget of ``trials`` trained trials."""
    space = load_space(SPACE)
    settings = Settings(
        space=SPACE, space_version=space.version, space_fingerprint="", device="stand-in",
        device_fingerprint="", data="nothing", data_fingerprint="", input=str(INPUT), scale=SCALE,
        objective=Objective.SCORE, risk=Risk.MEAN, sampler=SamplerKind.RANDOM,
        quantize=Quantization.PTQ, max_latency_ms=None, seed=0, trial_seconds=None, baselines=False,
        recipe=Recipe(steps=100), references=References(26.0, 25.0), versions={},
    )  # fmt: skip
    study = create_study(StudyFolder.named(name), url, settings)
    study.set_budget(Budget(trials))
    return study


def work(folder: Path, name: str, url: str | None, seconds: float, seed: int) -> None:
    """Works on the study to its end, in ``folder``, which represents a machine."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.ERROR)  # silences errors of a server that is down
    warnings.simplefilter("ignore")
    try:
        study = join_study(name, url)
    except NasError:
        sys.exit(1)  # the server is down: another worker will be started
    study.folder.create()
    study.optuna.sampler = RandomSampler(seed)
    observer = Reporter(study, Silence())
    run, space = Run.beginning(study.records()), load_space(SPACE)
    run_trials(
        study,
        study.budget(),
        run,
        space,
        SleepingEvaluator.sleeping(seconds),
        observer,
        TimeSpent(study),
    )
