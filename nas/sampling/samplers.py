"""Makes the sampler of a worker: the project's own, or one of Optuna's.

Optuna's samplers are kept from taking reference trials, which have no parameters, for candidates.
"""

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
from .surrogate import (
    CheckBudget,
    FindLatency,
    RecordsOf,
    ReportFront,
    SurrogateSampler,
    ignore_front,
)

#: Random candidates before TPE takes over; the two reference trials count among them.
_STARTUP_TRIALS = 8
_POPULATION = 20


@dataclass(frozen=True)
class SamplerContext:
    """What a worker gives its sampler."""

    problem: SamplingProblem
    records_of: RecordsOf
    fits_budget: CheckBudget
    #: differs for each run of a worker, since the same seed would give the same proposals again
    seed: int
    report_front: ReportFront = ignore_front
    #: None if only a measurement on the device gives the latency
    find_latency: FindLatency | None = None


def make_sampler(kind: SamplerKind, context: SamplerContext) -> BaseSampler:
    """Returns the sampler of the given kind for one run of a worker."""
    seed = context.seed
    match kind:
        case SamplerKind.SURROGATE:
            return SurrogateSampler(
                context.problem,
                context.records_of,
                context.fits_budget,
                context.report_front,
                context.find_latency,
            )
        case SamplerKind.TPE:
            # Groups handle parameters that a space asks for only under a condition.
            return TPESampler(
                n_startup_trials=_STARTUP_TRIALS, multivariate=True, group=True, seed=seed
            )
        case SamplerKind.NSGA2:
            return CandidateSampler(NSGAIISampler(population_size=_POPULATION, seed=seed))
        case SamplerKind.RANDOM:
            return RandomSampler(seed=seed)


class CandidateSampler(BaseSampler):
    """Wraps a sampler so that it sees the trials of candidates only.

    If there is a reference trial, which has no parameters, most samplers conclude that no
    parameter is common to all trials, and draw at random.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(_CandidateStudy(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(_CandidateStudy(study), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._sampler.sample_independent(
            _CandidateStudy(study), trial, param_name, param_distribution
        )

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._sampler.before_trial(_CandidateStudy(study), trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._sampler.after_trial(_CandidateStudy(study), trial, state, values)

    def reseed_rng(self) -> None:
        self._sampler.reseed_rng()


class _CandidateStudy(optuna.Study):
    """The same study, whose list of trials omits the reference trials."""

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
