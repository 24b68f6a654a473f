"""The sampler made for this problem: it trains what is expected to improve the search most.

All of a network but its PSNR is known in milliseconds, and its PSNR is expected from what networks
like it have reached. While one network trains, the options for the next are made.
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
from .foresight import foreseen_front
from .latency_estimate import EstimatedLatency
from .options import ImprovementModel, Option
from .pool import make_pool, make_small
from .problem import NetworkMemory, SamplingProblem, StudyTrial
from .replay import Choices

#: Networks, for one proposal, whose own latency is asked for at most.
_MOST_TIMED = 8
#: So many seeds there are for a sampler of Optuna's; a study's may be any number.
_SEEDS = 2**32

Options = tuple[Option, ...]
#: Trials as the study knows them by now.
RecordsOf = Callable[[Sequence[FrozenTrial]], Sequence[TrialRecord]]
#: May trial ``number``, beside these trials, train networks of so many multiply-accumulates?
Fits = Callable[[int, Sequence[TrialRecord], Sequence[int]], Sequence[bool]]
#: The latency of a network by the device's own source; None if it has none.
Times = Callable[[Candidate], Latency | None]
#: Is told once what is expected of the front, if nothing is trained by then; in any thread.
Foresees = Callable[[ExpectedFront], None]


def untold(front: ExpectedFront) -> None:
    """Nobody is told."""


class SurrogateSampler(BaseSampler):
    """Optuna's sampler over a space of networks; the same trials and seed give the same proposal.

    The options for a trial know the results up to the one before the last, since they are made
    while the last one trains; the choice among them knows all.
    """

    def __init__(
        self,
        problem: SamplingProblem,
        records_of: RecordsOf,
        fits: Fits,
        foresees: Foresees = untold,
        times: Times | None = None,
    ) -> None:
        """``times``, where that takes no device: what is trained is chosen by it."""
        self._problem, self._records_of, self._fits = problem, records_of, fits
        self._foresees, self._times = foresees, times
        self._memory = NetworkMemory(problem.estimator)
        self._gains = StudyMemory()
        self._latest: ImprovementModel | None = None
        self._chance = RandomSampler(seed=problem.settings.seed % _SEEDS)
        self._coming: Callable[[], Options] | None = None
        self._choices: Choices = {}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """A reference asks for nothing: while it trains, the options for the next are made."""
        if is_baseline(trial):
            self._coming = self._made_for(self._trials(study), trial.number)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        self._choices = {}
        if "fixed_params" not in trial.system_attrs:  # no trial that is run again
            option = in_background(self._chosen, study, trial.number)()
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
        return self._chance.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Optuna calls it for parallel jobs; proposals differ by their trial's number."""

    def _chosen(self, study: optuna.Study, number: int) -> Option | None:
        """The most promising network that may be trained; None if none is left."""
        trials = self._trials(study)
        records = [trial.record for trial in trials]
        model = self._model(trials)
        if model.knowledge.trained:
            self._foresees = untold
        options = self._options(trials, number)

        def fits(macs: Sequence[int]) -> Sequence[bool]:
            return self._fits(number, records, macs)

        new = [option for option in options if option.hash not in model.knowledge.proposed]
        left = _fitting(new, fits)
        if new and not left and all(fits([0])):  # smaller networks may fit yet
            small = make_small(model, number, new)
            options, left = (*options, *small), _fitting(small, fits)
        if not left:  # the space is used up, or the time: new options would be no better
            self._coming = lambda: options
            return None
        chosen = self._settled(model, left)
        self._memory.note(chosen.hash, chosen.draw.candidate, chosen.features)
        self._coming = self._made_for(trials, number)
        return chosen

    def _settled(self, model: ImprovementModel, left: Sequence[Option]) -> Option:
        """The most promising, timed by the device's own source as long as that changes which."""
        options, risk = list(left), self._problem.settings.risk
        for _ in range(_MOST_TIMED):
            place = int(np.argmax(model.improvement(options)))
            option = options[place]
            if self._times is None or option.latency.is_settled:
                return option
            latency = self._times(option.draw.candidate)
            if latency is not None:
                options[place] = replace(option, latency=EstimatedLatency.of(latency, risk))
            elif len(options) > 1:
                del options[place]
        settled = [option for option in options if option.latency.is_settled] or options
        return settled[int(np.argmax(model.improvement(settled)))]

    def _made_for(self, trials: Sequence[StudyTrial], number: int) -> Callable[[], Options]:
        """The options for the trial after ``number``, made while that one trains."""
        return in_background(self._pool, self._model(trials[:number]), number + 1)

    def _options(self, trials: Sequence[StudyTrial], number: int) -> Options:
        if self._coming is not None:
            return self._coming()
        return self._pool(self._model(trials[: max(0, number - 1)]), number)

    def _pool(self, model: ImprovementModel, number: int) -> Options:
        options = make_pool(model, number)
        if not model.knowledge.trained and self._foresees is not untold:
            foresees, self._foresees = self._foresees, untold
            foresees(foreseen_front(model, options))
        return options

    def _model(self, trials: Sequence[StudyTrial]) -> ImprovementModel:
        """By these trials; the latest again, with all that it has computed, if it knows no others.

        The choice of a trial and the options for the next often know the same ones.
        """
        knowledge, latest = self._memory.knowledge(trials), self._latest
        if latest is None or latest.knowledge.records != knowledge.records:
            self._latest = latest = ImprovementModel(self._problem, knowledge, self._gains)
        return latest

    def _trials(self, study: optuna.Study) -> list[StudyTrial]:
        trials = study.get_trials(deepcopy=False)
        return [
            StudyTrial(record, self._memory.choices_of(trial))
            for record, trial in zip(self._records_of(trials), trials, strict=True)
        ]


def _fitting(
    options: Sequence[Option], fits: Callable[[Sequence[int]], Sequence[bool]]
) -> list[Option]:
    return list(itertools.compress(options, fits([option.macs for option in options])))
