"""Optuna's samplers, kept from taking reference trials, without parameters, for candidates."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from ..choices import SamplerKind
from ..studies.record import is_baseline
from .problem import SamplingProblem
from .surrogate import Fits, Foresees, RecordsOf, SurrogateSampler, Times, untold

#: Random candidates before TPE takes over; the two reference trials count among them.
_STARTUP_TRIALS = 8
_POPULATION = 20


@dataclass(frozen=True)
class SamplerPlace:
    """What a sampler may know of the worker that it is of."""

    problem: SamplingProblem
    records_of: RecordsOf
    fits: Fits
    #: another for every run of a worker: with an old one come the old proposals
    seed: int
    foresees: Foresees = untold
    #: None: only a device can tell
    times: Times | None = None


def make_sampler(kind: SamplerKind, place: SamplerPlace) -> BaseSampler:
    """The sampler of one worker's run."""
    seed = place.seed
    match kind:
        case SamplerKind.SURROGATE:
            return SurrogateSampler(
                place.problem, place.records_of, place.fits, place.foresees, place.times
            )
        case SamplerKind.TPE:
            # By groups: a space may ask for a parameter only under a condition.
            return TPESampler(
                n_startup_trials=_STARTUP_TRIALS, multivariate=True, group=True, seed=seed
            )
        case SamplerKind.NSGA2:
            return OfCandidates(NSGAIISampler(population_size=_POPULATION, seed=seed))
        case SamplerKind.RANDOM:
            return RandomSampler(seed=seed)


class OfCandidates(BaseSampler):
    """A sampler that sees candidates alone.

    Of a reference trial, without any parameter, most samplers conclude that no parameter is common
    to all trials, and draw at random.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(_Candidates(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(_Candidates(study), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._sampler.sample_independent(
            _Candidates(study), trial, param_name, param_distribution
        )

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._sampler.before_trial(_Candidates(study), trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._sampler.after_trial(_Candidates(study), trial, state, values)

    def reseed_rng(self) -> None:
        self._sampler.reseed_rng()


class _Candidates(optuna.Study):
    """The same study, reference trials left out of its trials."""

    def __init__(self, study: optuna.Study) -> None:
        self.__dict__ = study.__dict__

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        trials = super()._get_trials(deepcopy, states, use_cache)
        return [trial for trial in trials if not is_baseline(trial)]
