"""The default sampler: proposes the network that is expected to improve the search most.

All figures of a network except its PSNR can be computed within milliseconds. A model predicts the
PSNR from those of similar networks. While one network is trained, the options for the next trial
are made in the background.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from latency_models import Latency
from search_spaces import Candidate

from ..quality_model.short_training_model import StudyMemory
from ..studies.expected_front import ExpectedFront
from ..studies.record import TrialRecord, is_baseline
from ..system.background import in_background
from .foresight import predict_front
from .latency_estimate import EstimatedLatency
from .options import ImprovementModel, Option
from .pool import make_pool, make_small_options
from .problem import NetworkMemory, SamplingProblem, StudyTrial
from .replay import Choices

#: Maximum number of networks that the device's own source times for one proposal.
_MAX_TIMED = 8
#: Number of seeds that a sampler of Optuna's accepts; a study's seed may be any integer.
_SEEDS = 2**32

Options = tuple[Option, ...]
#: Returns the study's present records of these trials, in the same order.
RecordsOf = Callable[[Sequence[FrozenTrial]], Sequence[TrialRecord]]
#: Called with a trial's number, the study's records and MACs of networks; returns for each network
#: whether the budget allows the trial to train it.
CheckBudget = Callable[[int, Sequence[TrialRecord], Sequence[int]], Sequence[bool]]
#: Returns the latency of a network by the device's own source; None if the source has none.
FindLatency = Callable[[Candidate], Latency | None]
#: Called at most once, from any thread, with the front expected before anything is trained.
ReportFront = Callable[[ExpectedFront], None]


def ignore_front(front: ExpectedFront) -> None:
    """Does nothing."""


class SurrogateSampler(BaseSampler):
    """Sampler for Optuna over a space of networks; the same trials and seed give the same proposal.

    The options for a trial are made while the trial before it is trained. They are therefore
    based on all results but the last; the choice among them is based on all results.
    """

    def __init__(
        self,
        problem: SamplingProblem,
        records_of: RecordsOf,
        fits_budget: CheckBudget,
        report_front: ReportFront = ignore_front,
        find_latency: FindLatency | None = None,
    ) -> None:
        """``find_latency`` is None if latencies take a measurement on a device."""
        self._problem, self._records_of, self._fits_budget = problem, records_of, fits_budget
        self._report_front, self._find_latency = report_front, find_latency
        self._memory = NetworkMemory(problem.estimator)
        self._gain_memory = StudyMemory()
        self._latest_model: ImprovementModel | None = None
        self._random_sampler = RandomSampler(seed=problem.settings.seed % _SEEDS)
        self._next_options: Callable[[], Options] | None = None
        self._choices: Choices = {}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Starts to make the options for the next trial if ``trial`` is a reference.

        A reference has no parameters, so that Optuna asks for none.
        """
        if is_baseline(trial):
            self._next_options = self._start_options_after(self._trials(study), trial.number)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        self._choices = {}
        if "fixed_params" not in trial.system_attrs:  # those of a repeated trial are fixed
            option = in_background(self._choose, study, trial.number)()
            self._choices = {} if option is None else option.draw.choices
        return {
            name: choice.distribution
            for name, choice in self._choices.items()
            if not choice.distribution.single()
        }

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {name: self._choices[name].value for name in search_space}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._random_sampler.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Does nothing: Optuna calls it for parallel jobs, whose trial numbers differ anyway."""

    def _choose(self, study: optuna.Study, number: int) -> Option | None:
        """Returns the most promising option that fits the budget; None if there is none."""
        trials = self._trials(study)
        records = [trial.record for trial in trials]
        model = self._model(trials)
        if model.knowledge.trained:
            self._report_front = ignore_front
        options = self._options(trials, number)

        def fits_budget(macs: Sequence[int]) -> Sequence[bool]:
            return self._fits_budget(number, records, macs)

        new = [option for option in options if option.hash not in model.knowledge.proposed]
        fitting = _fitting(new, fits_budget)
        if new and not fitting and all(fits_budget([0])):  # smaller networks may still fit
            small = make_small_options(model, number, new)
            options, fitting = (*options, *small), _fitting(small, fits_budget)
        if not fitting:  # the space or the time is used up: other options would not help
            self._next_options = lambda: options
            return None
        chosen = self._most_promising(model, fitting)
        self._memory.note(chosen.hash, chosen.draw.candidate, chosen.features)
        self._next_options = self._start_options_after(trials, number)
        return chosen

    def _most_promising(self, model: ImprovementModel, fitting: Sequence[Option]) -> Option:
        """Returns the most promising option by latencies of the device's own source.

        The source times whichever option is the best at present, until that one is timed already.
        """
        options, risk = list(fitting), self._problem.settings.risk
        for _ in range(_MAX_TIMED):
            index = int(np.argmax(model.improvement(options)))
            option = options[index]
            if self._find_latency is None or option.latency.is_exact:
                return option
            latency = self._find_latency(option.draw.candidate)
            if latency is not None:
                options[index] = replace(option, latency=EstimatedLatency.of(latency, risk))
            elif len(options) > 1:
                del options[index]
        timed = [option for option in options if option.latency.is_exact] or options
        return timed[int(np.argmax(model.improvement(timed)))]

    def _start_options_after(
        self, trials: Sequence[StudyTrial], number: int
    ) -> Callable[[], Options]:
        """Starts making options for the trial after ``number``; the function waits for them."""
        return in_background(self._make_options, self._model(trials[:number]), number + 1)

    def _options(self, trials: Sequence[StudyTrial], number: int) -> Options:
        if self._next_options is not None:
            return self._next_options()
        return self._make_options(self._model(trials[: max(0, number - 1)]), number)

    def _make_options(self, model: ImprovementModel, number: int) -> Options:
        options = make_pool(model, number)
        if not model.knowledge.trained and self._report_front is not ignore_front:
            report_front, self._report_front = self._report_front, ignore_front
            report_front(predict_front(model, options))
        return options

    def _model(self, trials: Sequence[StudyTrial]) -> ImprovementModel:
        """Returns the model of these trials; the latest model again if they have not changed.

        The choice for one trial and the options for the next are often based on the same trials;
        the model keeps what it has computed.
        """
        knowledge, latest = self._memory.knowledge(trials), self._latest_model
        if latest is None or not latest.knowledge.is_of_same_trials(knowledge):
            latest = ImprovementModel(self._problem, knowledge, self._gain_memory)
            self._latest_model = latest
        return latest

    def _trials(self, study: optuna.Study) -> list[StudyTrial]:
        trials = study.get_trials(deepcopy=False)
        return [
            StudyTrial(record, self._memory.choices_of(trial))
            for record, trial in zip(self._records_of(trials), trials, strict=True)
        ]


def _fitting(
    options: Sequence[Option], fits_budget: Callable[[Sequence[int]], Sequence[bool]]
) -> list[Option]:
    return list(itertools.compress(options, fits_budget([option.macs for option in options])))
