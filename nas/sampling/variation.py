"""Makes new networks from known ones, by mutation and crossover of their choices.

Regularized evolution (Real et al., arXiv:1802.01548) and BANANAS (White et al., arXiv:1910.11858)
search for architectures in the same way. Parameters that only the new network has get random
values.
"""

from __future__ import annotations

import random
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.spaces.asking import is_same

from .replay import Choice, Choices, values_of

#: Probability that a mutation changes two choices instead of one.
_TWO_CHANGES_PROBABILITY = 0.5
#: Probability that a number changes to one nearby instead of any other in its range.
_NEARBY_PROBABILITY = 0.6
#: Largest change to a nearby number: in steps, or as a fraction of a range without steps.
_NEARBY_STEPS, _NEARBY_FRACTION = 2, 0.1


def mutate(choices: Choices, rng: random.Random) -> dict[str, Any]:
    """Returns the values of ``choices``, one or two of them changed."""
    values = values_of(choices)
    open_names = [name for name, choice in choices.items() if not choice.distribution.single()]
    count = min(len(open_names), 1 + (rng.random() < _TWO_CHANGES_PROBABILITY))
    for name in rng.sample(open_names, count):
        values[name] = _other_value(choices[name], rng)
    return values


def crossover(first: Choices, second: Choices, rng: random.Random) -> dict[str, Any]:
    """Returns values that are each taken at random from one of the two parents that have it."""
    first_values, second_values = values_of(first), values_of(second)
    return {
        name: second_values[name] if name in second_values and rng.random() < 0.5 else value
        for name, value in (second_values | first_values).items()
    }


def _other_value(choice: Choice, rng: random.Random) -> Any:
    """Returns another random value of the same distribution."""
    match choice.distribution:
        case CategoricalDistribution(choices=choices):
            others = [value for value in choices if not is_same(value, choice.value)]
            return rng.choice(others or choices)  # a space may list a value twice
        case IntDistribution(low=low, high=high, step=step):
            if rng.random() < _NEARBY_PROBABILITY:
                low = max(low, choice.value - _NEARBY_STEPS * step)
                high = min(high, choice.value + _NEARBY_STEPS * step)
            numbers = range(low, high + 1, step)
            index = numbers.index(choice.value) + rng.randrange(1, len(numbers))
            return numbers[index % len(numbers)]
        case FloatDistribution(low=low, high=high):
            if rng.random() < _NEARBY_PROBABILITY:
                reach = (high - low) * _NEARBY_FRACTION
                low, high = max(low, choice.value - reach), min(high, choice.value + reach)
            return rng.uniform(low, high)
    return choice.value
