"""Explores a space without a search: its parameters, random networks, and their number."""

from __future__ import annotations

import contextlib
import math
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import GraphError, NasError
from ..transforms.candidate import Candidate
from .asking import is_same
from .space import Space

#: Spaces of up to this number of combinations are counted exactly.
_MAX_EXACT_COUNT = 5000
#: Random trials from which the number of combinations of a larger space is estimated.
_ESTIMATION_TRIALS = 2000
#: Number of consecutive failed draws after which ``samples`` gives up.
_MAX_CONSECUTIVE_FAILURES = 2000
#: ``samples`` gives up if this number of first draws fail, the last by an error in the space.
_MAX_INITIAL_FAILURES = 20


@dataclass(frozen=True)
class NumberGrid(Sequence[float]):
    """``size`` numbers from ``low`` to ``high``, equally spaced or logarithmically spaced."""

    low: float
    high: float
    size: int
    log: bool = False

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(self.size)))
        if not -self.size <= index < self.size:
            raise IndexError(index)
        index %= self.size
        fraction = index / max(self.size - 1, 1)
        if self.log:
            return self.low * (self.high / self.low) ** fraction
        return self.low + (self.high - self.low) * fraction

    def place_of(self, value: float) -> int | None:
        """Returns the index of the number nearest to ``value``; None if that is out of range."""
        if not self.low <= value <= self.high:
            return None
        if self.high == self.low:
            return 0
        if self.log:
            fraction = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            fraction = (value - self.low) / (self.high - self.low)
        return round(fraction * (self.size - 1))


#: Number of grid points by which an interval of real numbers is represented.
_REAL_GRID_SIZE = 2**20 + 1
#: A range of up to this number of integers is stored as a tuple.
_MAX_LISTED_INTEGERS = 1000


@dataclass(frozen=True)
class Parameter:
    """A parameter that a space samples, and its possible values in order.

    ``choices`` is a tuple, a ``range`` for a large range of integers, or ``NumberGrid`` for floats.
    """

    name: str
    choices: Sequence[Any]
    #: whether random integers are drawn uniformly by their logarithms
    log: bool = False

    @property
    def is_real(self) -> bool:
        """Whether the parameter may be any number of an interval."""
        return isinstance(self.choices, NumberGrid) and self.choices.size == _REAL_GRID_SIZE

    def place_of(self, value: Any) -> int | None:
        """Returns the index of ``value``, or of the nearest real number; None if it is absent."""
        if isinstance(self.choices, NumberGrid):
            return self.choices.place_of(value)
        same = (index for index, choice in enumerate(self.choices) if is_same(choice, value))
        return next(same, None)

    @property
    def text(self) -> str:
        """All choices as text; for a range of numbers, its ends and its step."""
        choices = self.choices
        if len(choices) <= 4 or not all(type(choice) in (int, float) for choice in choices[:5]):
            return ", ".join(map(_value_text, choices))
        step = choices[1] - choices[0]
        step_text = "" if step == 1 or self.is_real else f", step {_value_text(step)}"
        ends_text = f"{_value_text(choices[0])} to {_value_text(choices[-1])}"
        return f"{ends_text}{step_text}{', log' * self.log}"

    def to_json(self) -> dict[str, Any]:
        """Returns the parameter as JSON: all its choices, or the ends of a long range."""
        if isinstance(self.choices, tuple):
            return {"name": self.name, "choices": self.choices}
        low, high = self.choices[0], self.choices[-1]
        return {"name": self.name, "low": low, "high": high, "log": self.log}


@dataclass(frozen=True)
class Count:
    """Number of combinations of parameters; the standard error of an exact count is 0."""

    combinations: float
    standard_error: float

    @property
    def exact(self) -> bool:
        return self.standard_error == 0


class RandomTrial:
    """A trial that takes choices of given indices first, then random ones, and records them."""

    def __init__(self, rng: random.Random, given: Sequence[int] = ()) -> None:
        self._rng, self._given_indices = rng, given
        self.parameters: list[Parameter] = []
        self.indices: list[int] = []
        self.number = 0
        #: values by the parameter's name
        self.params: dict[str, Any] = {}
        self.user_attrs: dict[str, Any] = {}

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        _require_order(name, low, high)
        numbers = range(low, high + 1, step)
        choices = tuple(numbers) if len(numbers) <= _MAX_LISTED_INTEGERS else numbers
        return int(self._suggest(Parameter(name, choices, log)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        _require_order(name, low, high)
        if step is None:
            count = _REAL_GRID_SIZE if high > low else 1
        else:
            count = math.floor((high - low) / step + 1e-9) + 1
            high = low + (count - 1) * step
        return float(self._suggest(Parameter(name, NumberGrid(low, high, count, log), log)))

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        return self.suggest_float(name, low, high, step=q)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if not choices:
            raise ValueError(f"parameter {name!r} has no choices")
        return self._suggest(Parameter(name, tuple(choices)))

    def set_user_attr(self, key: str, value: Any) -> None:
        self.user_attrs[key] = value

    def _suggest(self, parameter: Parameter) -> Any:
        if parameter.name in self.params:  # as in Optuna, the same name gives the same value
            return self.params[parameter.name]
        place = len(self.indices)
        given = place < len(self._given_indices)
        index = self._given_indices[place] if given else self._draw(parameter)
        self.parameters.append(parameter)
        self.indices.append(index)
        self.params[parameter.name] = parameter.choices[index]
        return parameter.choices[index]

    def _draw(self, parameter: Parameter) -> int:
        choices = parameter.choices
        if parameter.log and not isinstance(choices, NumberGrid):
            ends = math.log(choices[0] - 0.5), math.log(choices[-1] + 0.5)
            number = round(math.exp(self._rng.uniform(*ends)))
            return int(min(max(number - choices[0], 0), len(choices) - 1))
        return self._rng.randrange(len(choices))

    @property
    def combinations(self) -> float:
        """Product of the numbers of choices of all parameters; infinite if one is real."""
        if any(parameter.is_real for parameter in self.parameters):
            return math.inf
        return math.prod(len(parameter.choices) for parameter in self.parameters)


def samples(
    space: Space, scale: int, count: int, seed: int
) -> Iterator[tuple[RandomTrial, Candidate]]:
    """Yields ``count`` random networks, each with its trial.

    Skips combinations that fail, as a search does, but raises an error if too many fail in a row.
    """
    rng, refused, drawn = random.Random(seed), 0, 0
    while drawn < count:
        trial = RandomTrial(rng)
        try:
            candidate = space.draw(trial, scale)
        except NasError as error:
            refused += 1
            if not drawn and refused == _MAX_INITIAL_FAILURES and not isinstance(error, GraphError):
                raise  # the space's code is at fault
            if refused > _MAX_CONSECUTIVE_FAILURES:
                raise GraphError(
                    f"search space {space.name}: {refused} draws in a row were refused; the last: "
                    f"{error}"
                ) from error
            continue
        yield trial, candidate
        drawn, refused = drawn + 1, 0


def parameters(space: Space, scale: int, trials: int = 500) -> dict[Parameter, float]:
    """Returns the parameters of ``space`` and the share of random networks that have each."""
    seen: dict[Parameter, int] = {}
    for trial, _ in samples(space, scale, trials, seed=0):
        for parameter in trial.parameters:
            seen[parameter] = seen.get(parameter, 0) + 1
    return {parameter: number / trials for parameter, number in seen.items()}


def count(space: Space, scale: int) -> Count:
    """Returns the number of combinations, exact or estimated by random trials.

    The mean over random trials of the product of their numbers of choices is an unbiased estimate
    of the number of leaves (Knuth, "Estimating the Efficiency of Backtrack Programs", 1975).
    Different combinations may give the same network. Raises an error if all combinations fail.
    """
    next(samples(space, scale, 1, seed=0))
    trial = _trial_starting_with(space, scale, [])
    for leaves in range(1, _MAX_EXACT_COUNT + 1):
        next_indices = _next_indices(trial)
        if next_indices is None:
            return Count(leaves, 0.0)
        trial = _trial_starting_with(space, scale, next_indices)
    rng = random.Random(0)
    trials = (_run(space, scale, RandomTrial(rng)) for _ in range(_ESTIMATION_TRIALS))
    products = [trial.combinations for trial in trials]
    if math.inf in products:
        return Count(math.inf, 0.0)
    error = statistics.stdev(products) / math.sqrt(_ESTIMATION_TRIALS)
    return Count(statistics.fmean(products), error)


def _trial_starting_with(space: Space, scale: int, indices: Sequence[int]) -> RandomTrial:
    """Returns a trial that takes the choices of ``indices``, then always the first one."""
    return _run(space, scale, RandomTrial(_FirstChoices(), indices))


def _run(space: Space, scale: int, trial: RandomTrial) -> RandomTrial:
    with contextlib.suppress(NasError):  # combinations without a network count, too
        space.draw(trial, scale)
    return trial


def _next_indices(trial: RandomTrial) -> list[int] | None:
    """Returns the first indices of the lexicographically next trial; None after the last trial."""
    for place in reversed(range(len(trial.indices))):
        if trial.indices[place] + 1 < len(trial.parameters[place].choices):
            return [*trial.indices[:place], trial.indices[place] + 1]
    return None


class _FirstChoices(random.Random):
    """A random generator that always selects the first choice."""

    def randrange(self, *args: Any, **options: Any) -> int:
        return 0

    def uniform(self, a: float, b: float) -> float:
        return a


def _require_order(name: str, low: float, high: float) -> None:
    if not low <= high:  # also rejects NaN
        raise ValueError(f"parameter {name!r}: low {low:g} is more than high {high:g}")


def _value_text(choice: object) -> str:
    return f"{choice:g}" if isinstance(choice, float) else str(choice)
