"""Simulates searches: a function gives a network's PSNR in milliseconds, without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from latency_models import LatencyRequest, LatencySource, Worker
from latency_models.device import load_device, open_source
from nas.choices import Objective, Quantization, Risk, SamplerKind
from nas.quality.image_quality import MetricValues, ModelQuality
from nas.quality_model.features import Features, features_of
from nas.quality_model.short_training_model import GainPrior, shipped_prior
from nas.sampling.latency_estimate import LatencyEstimator
from nas.sampling.problem import SamplingProblem
from nas.sampling.samplers import SamplerContext, make_sampler
from nas.searching.refusals import bottleneck, gaps
from nas.studies.expectations import Expectations
from nas.studies.record import (
    ARCHITECTURE_KEY,
    CANDIDATE_KEY,
    OUTCOME_KEY,
    Outcome,
    Result,
    TrialRecord,
)
from nas.studies.settings import References, Settings
from nas.training.recipe import Recipe
from search_spaces import Candidate, InputSpec, NasError, infer
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space

BICUBIC_DB = 26.4
INPUT = InputSpec(360, 640)
SETTINGS = Settings(
    space="anchor", space_version=1, space_fingerprint="f",
    device="dimensity8100-nnapi", device_fingerprint="v", data="embedded", data_fingerprint="d",
    input=str(INPUT), scale=3, objective=Objective.SCORE, sampler=SamplerKind.SURROGATE,
    risk=Risk.MEAN,
    quantize=Quantization.AUTO, max_latency_ms=None, seed=0, trial_seconds=None, baselines=False,
    recipe=Recipe(steps=250), references=References(BICUBIC_DB, BICUBIC_DB - 1), versions={},
)  # fmt: skip


#: Function from a network's features to its gain over bicubic enlargement in dB.
GainOf = Callable[[Features], float]


@dataclass(frozen=True)
class Simulation:
    """A study in memory whose networks get their PSNR from ``gain_of``."""

    settings: Settings
    gain_of: GainOf
    study: optuna.Study
    space: Space
    source: LatencySource

    @classmethod
    def of(
        cls,
        settings: Settings,
        gain_of: GainOf,
        read_prior: Callable[[], GainPrior] = shipped_prior,
        sampler: BaseSampler | None = None,
    ) -> Self:
        """Creates a simulation with the sampler that ``settings`` name, or with ``sampler``.

        ``read_prior`` returns the prior of the sampler "surrogate".
        """
        device, space = load_device(settings.device), load_space(settings.space)
        directions = [StudyDirection.MAXIMIZE]
        if settings.objective is Objective.PARETO:
            directions.append(StudyDirection.MINIMIZE)
        with Worker() as worker:  # a regression needs no worker
            source = open_source(device, worker)
        estimator = LatencyEstimator.of(device, INPUT, settings.risk)
        problem = SamplingProblem(
            space, settings, estimator, Expectations(settings, ()), read_prior
        )
        context = SamplerContext(problem, records_of, all_fit, settings.seed)
        sampler = sampler or make_sampler(SamplerKind(settings.sampler), context)
        study = optuna.create_study(directions=directions, sampler=sampler)
        return cls(settings, gain_of, study, space, source)

    def run(self, trainings: int) -> list[Result]:
        """Runs trials until ``trainings`` more networks are trained; returns their results."""
        found: list[Result] = []
        while len(found) < trainings:
            result = self._trial()
            if result is not None:
                found.append(result)
        return found

    def _trial(self) -> Result | None:
        """Runs one trial; returns None, and prunes the trial, if a search would not train it."""
        trial = self.study.ask()
        try:
            candidate = self.space.draw(trial, self.settings.scale)
            trial.set_user_attr(ARCHITECTURE_KEY, candidate.to_json())
            trial.set_user_attr(CANDIDATE_KEY, candidate.hash)
            if bottleneck(candidate.graph) or gaps(candidate.graph):
                raise NasError("the image does not get through")
            result = self.result_of(candidate)
        except NasError:
            self.study.tell(trial, state=TrialState.PRUNED)
            return None
        for name, value in result.to_attributes().items():
            trial.set_user_attr(name, value)
        trial.set_user_attr(OUTCOME_KEY, Outcome.TRAINED)
        values = [result.log2_score]
        if self.settings.objective is Objective.PARETO:
            values = [result.expected.psnr_db, result.latency.ms]
        self.study.tell(trial, values)
        return result

    def result_of(self, candidate: Candidate) -> Result:
        """Returns the result that a training of ``candidate`` would give."""
        figures = infer(candidate.deployed, INPUT)
        psnr_db = BICUBIC_DB + self.gain_of(features_of(candidate))
        expectations = Expectations(self.settings, ())
        request = LatencyRequest.of_graph(candidate.deployed, INPUT, bytes)
        return Result(
            quality=ModelQuality(figures_of(psnr_db), figures_of(psnr_db)),
            expected=expectations.of(candidate.graph, figures.macs, psnr_db, ()),
            latency=self.source.measure(request),
            macs=figures.macs,
            parameters=figures.parameters,
            tflite_kb=1.0,
            seed=0,
            risk=self.settings.risk,
            seconds={"total": 1.0},
        )


def figures_of(psnr_db: float) -> MetricValues:
    """Returns metric values with this PSNR; the other values are not used."""
    return MetricValues({"psnr_db": psnr_db, "ssim": 0.8})


def all_fit(number: int, records: Sequence[TrialRecord], macs: Sequence[int]) -> list[bool]:
    """Returns that every network fits in the time budget."""
    return [True] * len(macs)


def records_of(trials: Sequence[FrozenTrial]) -> list[TrialRecord]:
    """Returns the records of trials, as a study does."""
    return [TrialRecord.of(trial) for trial in trials]


def networks(simulation: Simulation) -> list[str]:
    """Returns the hashes of the tried networks, in order."""
    return [str(trial.user_attrs[CANDIDATE_KEY]) for trial in simulation.study.get_trials()]
