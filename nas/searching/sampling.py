"""Optuna's samplers, kept from taking reference trials, without parameters, for candidates."""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.search_space import intersection_search_space
from optuna.trial import FrozenTrial

from ..choices import SamplerKind
from ..studies.record import is_baseline

#: Random candidates before TPE takes over; the two reference trials count among them.
_STARTUP_TRIALS = 8
_POPULATION = 20


def make_sampler(kind: SamplerKind, seed: int) -> BaseSampler:
    """The sampler of one worker's run; with the seed of another run it would repeat that one."""
    match kind:
        case SamplerKind.TPE:
            # By groups: a space may ask for a parameter only under a condition.
            return TPESampler(
                n_startup_trials=_STARTUP_TRIALS, multivariate=True, group=True, seed=seed
            )
        case SamplerKind.NSGA2:
            return _CandidateNsga2(population_size=_POPULATION, seed=seed)
        case SamplerKind.RANDOM:
            return RandomSampler(seed=seed)


class _CandidateNsga2(NSGAIISampler):
    """NSGA-II over the candidates alone."""

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        space = intersection_search_space(_candidates(study.get_trials(deepcopy=False)))
        return {name: values for name, values in space.items() if not values.single()}

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        return _candidates(super().get_population(study, generation))


def _candidates(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if not is_baseline(trial)]
