"""Draws networks with known parameter values; the other parameters get random values."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)

from search_spaces import Candidate
from search_spaces.spaces.enumeration import Parameter, RandomTrial
from search_spaces.spaces.space import Space


@dataclass(frozen=True)
class Choice:
    """A parameter's value, and the distribution it was chosen from."""

    value: Any
    distribution: BaseDistribution


#: By the parameter's name, in the order in which the space asks for them.
Choices = Mapping[str, Choice]


def values_of(choices: Choices) -> dict[str, Any]:
    """Returns the values without their distributions."""
    return {name: choice.value for name, choice in choices.items()}


@dataclass(frozen=True)
class Draw:
    """A network of a space, and the choices with which the space draws it."""

    candidate: Candidate
    choices: Choices


class ReplayTrial(RandomTrial):
    """Gives the ``known`` values where the space asks for them, and random ones elsewhere.

    A known value that the distribution does not contain is replaced by a random one.
    """

    def __init__(self, rng: random.Random, known: Mapping[str, Any]) -> None:
        super().__init__(rng)
        self._known = known
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        self._note(name, IntDistribution(low, high, log=log, step=step))
        return super().suggest_int(name, low, high, step=step, log=log)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self._note(name, FloatDistribution(low, high, log=log, step=step))
        return super().suggest_float(name, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self._note(name, CategoricalDistribution(tuple(choices)))
        return super().suggest_categorical(name, choices)

    def _note(self, name: str, distribution: BaseDistribution) -> None:
        """Stores the distribution; of a parameter that is asked for twice, the first one."""
        known = self.distributions.setdefault(name, distribution)
        check_distribution_compatibility(known, distribution)  # as Optuna's trial does

    def _draw(self, parameter: Parameter) -> int:
        if parameter.name in self._known:
            index = parameter.place_of(self._known[parameter.name])
            if index is not None:
                return index
        return super()._draw(parameter)


def draw(space: Space, scale: int, rng: random.Random, known: Mapping[str, Any]) -> Draw:
    """Draws a network of ``space`` with the ``known`` values.

    Raises GraphError if the space refuses the choices.
    """
    trial = ReplayTrial(rng, known)
    candidate = space.draw(trial, scale)
    choices = {
        name: Choice(value, trial.distributions[name]) for name, value in trial.params.items()
    }
    return Draw(candidate, choices)
