"""New networks made of known ones: some choices changed, or those of two taken together.

Regularized evolution (Real et al., arXiv:1802.01548) and BANANAS (White et al., arXiv:1910.11858)
look for architectures in the same way. Choices that only the new network has are drawn at random.
"""

from __future__ import annotations

import random
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.spaces.asking import is_same

from .replay import Choice, Choices, values_of

#: Of two choices to change, how often the second is changed, too.
_SECOND = 0.5
#: How often a number goes to one nearby instead of any other.
_NEARBY = 0.6
#: Nearby: within so many steps, or this part of a range without steps.
_STEPS, _PART = 2, 0.1


def changed(choices: Choices, rng: random.Random) -> dict[str, Any]:
    """The same values, one or two of them changed."""
    values = values_of(choices)
    open_names = [name for name, choice in choices.items() if not choice.distribution.single()]
    count = min(len(open_names), 1 + (rng.random() < _SECOND))
    for name in rng.sample(open_names, count):
        values[name] = _other(choices[name], rng)
    return values


def crossed(first: Choices, second: Choices, rng: random.Random) -> dict[str, Any]:
    """Each value of one of both; where one has none, that of the other."""
    ours, others = values_of(first), values_of(second)
    return {
        name: others[name] if name in others and rng.random() < 0.5 else value
        for name, value in (others | ours).items()
    }


def _other(choice: Choice, rng: random.Random) -> Any:
    """Another value of the same distribution."""
    match choice.distribution:
        case CategoricalDistribution(choices=choices):
            others = [value for value in choices if not is_same(value, choice.value)]
            return rng.choice(others or choices)  # a space may say one twice
        case IntDistribution(low=low, high=high, step=step):
            if rng.random() < _NEARBY:
                low = max(low, choice.value - _STEPS * step)
                high = min(high, choice.value + _STEPS * step)
            numbers = range(low, high + 1, step)
            place = numbers.index(choice.value) + rng.randrange(1, len(numbers))
            return numbers[place % len(numbers)]
        case FloatDistribution(low=low, high=high):
            if rng.random() < _NEARBY:
                reach = (high - low) * _PART
                low, high = max(low, choice.value - reach), min(high, choice.value + reach)
            return rng.uniform(low, high)
    return choice.value
