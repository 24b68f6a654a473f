"""Checks that a space asks for each parameter name with the same choices in every network.

A study stores one distribution for each name and refuses any other.
"""

from __future__ import annotations

import contextlib
import random

from optuna.distributions import BaseDistribution, check_distribution_compatibility

from search_spaces import InputError, NasError
from search_spaces.spaces.space import Space

from .replay import ReplayTrial

#: Number of random networks checked; a parameter of one network in fifty is very likely met.
_CHECKED_DRAWS = 200


class AskedParameters:
    """The distributions that the networks of a space have asked for so far, by parameter name."""

    def __init__(self) -> None:
        self._distributions: dict[str, BaseDistribution] = {}

    def require(self, space: Space, trial: ReplayTrial) -> None:
        """Raises InputError if ``trial`` has a parameter that an earlier trial had differently.

        The ranges of numbers may differ, as in Optuna.
        """
        for name, distribution in trial.distributions.items():
            try:
                check_distribution_compatibility(
                    self._distributions.setdefault(name, distribution), distribution
                )
            except ValueError:
                raise InputError(
                    f"search space {space.name}: parameter {name!r} has other choices in other "
                    "networks; a study stores one set of choices per name: use a name for each set"
                ) from None


def require_agreement(space: Space, scale: int) -> None:
    """Raises InputError if random networks of ``space`` disagree on a parameter's choices.

    Networks that the space refuses are checked as well: they have asked for parameters, too.
    """
    rng, asked = random.Random(0), AskedParameters()
    for _ in range(_CHECKED_DRAWS):
        trial = ReplayTrial(rng, {})
        with contextlib.suppress(NasError):
            space.draw(trial, scale)
        asked.require(space, trial)
