"""How likely it is, by the networks that failed, that a network can be trained."""

from __future__ import annotations

from typing import Any

from optuna.distributions import CategoricalDistribution

from nas.sampling.failures import success_probabilities
from nas.sampling.replay import Choice, Choices


def choices(**values: Any) -> Choices:
    return {name: Choice(value, CategoricalDistribution([value])) for name, value in values.items()}


def test_without_failures_every_network_can_be_trained() -> None:
    found = success_probabilities([choices(a=1), choices()], [choices(a=2)], [])
    assert found.tolist() == [1, 1]


def test_the_least_reliable_value_counts() -> None:
    trained = [choices(a=1, b="x"), choices(a=1, b="z")]
    failed = [choices(a=1, b="y"), choices(a=2, b="y"), choices(a=3, b="y")]
    options = [choices(a=1, b="x"), choices(a=1, b="y"), choices(a=4, b="z"), choices(a=2, b="x")]
    found = success_probabilities(options, trained, failed)
    assert found.tolist() == [3 / 4, 1 / 4, 1, 1 / 2]
