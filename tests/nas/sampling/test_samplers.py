"""Samplers see candidates, and no reference trials."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial

from nas.sampling.samplers import CandidateSampler
from nas.studies.record import BASELINE_KEY, is_baseline

REFERENCES = ("ABPN", "XLSR")


class Spy(BaseSampler):
    """Another sampler, and what that was shown."""

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler
        self.shown: list[FrozenTrial] = []
        self.common: list[set[str]] = []

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        self.shown += study.get_trials()
        self.shown += study._get_trials(use_cache=True)
        space = self._sampler.infer_relative_search_space(study, trial)
        self.common.append(set(space))
        return space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self.shown += study.trials
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        self.shown += study.trials
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


def objective(trial: optuna.Trial) -> float:
    if BASELINE_KEY in trial.user_attrs:
        return 0.0
    return float(trial.suggest_int("width", 8, 48))


@pytest.mark.parametrize(
    "sampler",
    [TPESampler(seed=0, multivariate=True),
     NSGAIISampler(seed=0, population_size=4)],
    ids=["tpe", "nsga2"],
)  # fmt: skip
def test_common_parameters_are_those_of_candidates(sampler: BaseSampler) -> None:
    spy = Spy(sampler)
    study = optuna.create_study(direction="maximize", sampler=CandidateSampler(spy))
    for name in REFERENCES:
        study.enqueue_trial({}, user_attrs={BASELINE_KEY: name})
    study.optimize(objective, n_trials=12)
    assert spy.common[-1] == {"width"}
    assert not any(map(is_baseline, spy.shown))
    assert len(spy.shown) > 12
    assert len(study.trials) == 12  # the study itself has all
