"""Trials of a space without a search: what it asks, and how many networks it can say."""

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

#: Up to this many combinations are counted one by one.
_COUNTABLE = 5000
_TRIALS = 2000
#: One after another.
_MOST_REFUSED = 2000
#: If so many fail by the space's own code, all do.
_FIRST_DRAWS = 20


@dataclass(frozen=True)
class Numbers(Sequence[float]):
    """``size`` numbers from ``low`` to ``high``, in equal steps of them or of their logarithms."""

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
        part = index / max(self.size - 1, 1)
        if self.log:
            return self.low * (self.high / self.low) ** part
        return self.low + (self.high - self.low) * part

    def place_of(self, value: float) -> int | None:
        """Of the number nearest to ``value``; None if that is outside."""
        if not self.low <= value <= self.high:
            return None
        if self.high == self.low:
            return 0
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return round(part * (self.size - 1))


#: So many stand for all the numbers of an interval.
_REAL = 2**20 + 1
#: Up to so many whole numbers are written down one by one.
_LISTED = 1000


@dataclass(frozen=True)
class Parameter:
    """What a space asks a trial for, and the values that it may get, in order.

    A tuple of choices; a ``range`` of very many whole numbers; ``Numbers`` for others.
    """

    name: str
    choices: Sequence[Any]
    #: are small numbers as likely as large ones, by their logarithms?
    log: bool = False

    @property
    def is_real(self) -> bool:
        """Does any number of an interval do?"""
        return isinstance(self.choices, Numbers) and self.choices.size == _REAL

    def place_of(self, value: Any) -> int | None:
        """Which of the choices ``value`` is; of real numbers, the nearest; None: it is none."""
        if isinstance(self.choices, Numbers):
            return self.choices.place_of(value)
        same = (index for index, choice in enumerate(self.choices) if is_same(choice, value))
        return next(same, None)

    @property
    def text(self) -> str:
        """All choices, or the ends and the step of a range of numbers."""
        choices = self.choices
        if len(choices) <= 4 or not all(type(choice) in (int, float) for choice in choices[:5]):
            return ", ".join(map(_plain, choices))
        step = choices[1] - choices[0]
        step_text = "" if step == 1 or self.is_real else f", step {_plain(step)}"
        return f"{_plain(choices[0])} to {_plain(choices[-1])}{step_text}{', log' * self.log}"

    def to_json(self) -> dict[str, Any]:
        """All choices, or the ends of what is too long to write down."""
        if isinstance(self.choices, tuple):
            return {"name": self.name, "choices": self.choices}
        low, high = self.choices[0], self.choices[-1]
        return {"name": self.name, "low": low, "high": high, "log": self.log}


@dataclass(frozen=True)
class Count:
    """Combinations of parameters; an estimate has a standard error."""

    combinations: float
    standard_error: float

    @property
    def exact(self) -> bool:
        return self.standard_error == 0


class RandomTrial:
    """A trial that takes the given choices, by their index, then random ones; it remembers them."""

    def __init__(self, rng: random.Random, given: Sequence[int] = ()) -> None:
        self._rng, self._given = rng, given
        self.parameters: list[Parameter] = []
        self.indices: list[int] = []
        self.number = 0
        #: the values, by name
        self.params: dict[str, Any] = {}
        self.user_attrs: dict[str, Any] = {}

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        _require_order(name, low, high)
        numbers = range(low, high + 1, step)
        choices = tuple(numbers) if len(numbers) <= _LISTED else numbers
        return int(self._suggest(Parameter(name, choices, log)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        _require_order(name, low, high)
        if step is None:
            count = _REAL if high > low else 1
        else:
            count = math.floor((high - low) / step + 1e-9) + 1
            high = low + (count - 1) * step
        return float(self._suggest(Parameter(name, Numbers(low, high, count, log), log)))

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
        if parameter.name in self.params:  # Optuna gives the same value again
            return self.params[parameter.name]
        place = len(self.indices)
        given = place < len(self._given)
        index = self._given[place] if given else self._draw(parameter)
        self.parameters.append(parameter)
        self.indices.append(index)
        self.params[parameter.name] = parameter.choices[index]
        return parameter.choices[index]

    def _draw(self, parameter: Parameter) -> int:
        choices = parameter.choices
        if parameter.log and not isinstance(choices, Numbers):
            ends = math.log(choices[0] - 0.5), math.log(choices[-1] + 0.5)
            number = round(math.exp(self._rng.uniform(*ends)))
            return int(min(max(number - choices[0], 0), len(choices) - 1))
        return self._rng.randrange(len(choices))

    @property
    def combinations(self) -> float:
        """Product of the numbers of choices that were met; infinite with a real number."""
        if any(parameter.is_real for parameter in self.parameters):
            return math.inf
        return math.prod(len(parameter.choices) for parameter in self.parameters)


def samples(
    space: Space, scale: int, count: int, seed: int
) -> Iterator[tuple[RandomTrial, Candidate]]:
    """``count`` random networks; the error of combinations that give none, if most or all do.

    Others are passed over, as a search fails their trials and goes on.
    """
    rng, refused, drawn = random.Random(seed), 0, 0
    while drawn < count:
        trial = RandomTrial(rng)
        try:
            candidate = space.draw(trial, scale)
        except NasError as error:
            refused += 1
            if not drawn and refused == _FIRST_DRAWS and not isinstance(error, GraphError):
                raise  # of the space's own code
            if refused > _MOST_REFUSED:
                raise GraphError(
                    f"search space {space.name}: {refused} draws in a row were refused; the last: "
                    f"{error}"
                ) from error
            continue
        yield trial, candidate
        drawn, refused = drawn + 1, 0


def parameters(space: Space, scale: int, trials: int = 500) -> dict[Parameter, float]:
    """What ``space`` asks, with the share of random networks of which it does."""
    seen: dict[Parameter, int] = {}
    for trial, _ in samples(space, scale, trials, seed=0):
        for parameter in trial.parameters:
            seen[parameter] = seen.get(parameter, 0) + 1
    return {parameter: number / trials for parameter, number in seen.items()}


def count(space: Space, scale: int) -> Count:
    """Counted, or estimated by random trials.

    The mean of the products of choices along random trials is the number of leaves (Knuth,
    "Estimating the Efficiency of Backtrack Programs", 1975). Different combinations may give the
    same network. An error if the space draws none at all.
    """
    next(samples(space, scale, 1, seed=0))
    trial = _first_from(space, scale, [])
    for leaves in range(1, _COUNTABLE + 1):
        following = _following(trial)
        if following is None:
            return Count(leaves, 0.0)
        trial = _first_from(space, scale, following)
    rng = random.Random(0)
    products = [_played(space, scale, RandomTrial(rng)).combinations for _ in range(_TRIALS)]
    if math.inf in products:
        return Count(math.inf, 0.0)
    error = statistics.stdev(products) / math.sqrt(_TRIALS)
    return Count(statistics.fmean(products), error)


def _first_from(space: Space, scale: int, indices: Sequence[int]) -> RandomTrial:
    """The trial that begins with ``indices`` and goes on with first choices."""
    return _played(space, scale, RandomTrial(_Firsts(), indices))


def _played(space: Space, scale: int, trial: RandomTrial) -> RandomTrial:
    with contextlib.suppress(NasError):  # a combination that gives no network has been counted
        space.draw(trial, scale)
    return trial


def _following(trial: RandomTrial) -> list[int] | None:
    """Indices of the next trial in order: none behind the last that can be raised."""
    for place in reversed(range(len(trial.indices))):
        if trial.indices[place] + 1 < len(trial.parameters[place].choices):
            return [*trial.indices[:place], trial.indices[place] + 1]
    return None


class _Firsts(random.Random):
    """Always the first choice."""

    def randrange(self, *args: Any, **options: Any) -> int:
        return 0

    def uniform(self, a: float, b: float) -> float:
        return a


def _require_order(name: str, low: float, high: float) -> None:
    if not low <= high:  # NaN is in no order
        raise ValueError(f"parameter {name!r}: low {low:g} is more than high {high:g}")


def _plain(choice: object) -> str:
    return f"{choice:g}" if isinstance(choice, float) else str(choice)
