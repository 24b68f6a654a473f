"""One name of a parameter stands for one set of choices: a study takes no other for it."""

from __future__ import annotations

import contextlib
import random

from optuna.distributions import BaseDistribution, check_distribution_compatibility

from search_spaces import InputError, NasError
from search_spaces.spaces.space import Space

from .replay import ReplayTrial

#: Enough to meet what one network in fifty has.
_DRAWS = 200


class AskedParameters:
    """What the networks of a space have asked for, each name once."""

    def __init__(self) -> None:
        self._known: dict[str, BaseDistribution] = {}

    def require(self, space: Space, trial: ReplayTrial) -> None:
        """InputError if ``trial`` was asked for a parameter that another was asked for otherwise.

        Numbers may have other ranges, as in Optuna.
        """
        for name, distribution in trial.distributions.items():
            try:
                check_distribution_compatibility(
                    self._known.setdefault(name, distribution), distribution
                )
            except ValueError:
                raise InputError(
                    f"search space {space.name}: parameter {name!r} has other choices in other "
                    "networks; a study keeps one set for a name: give each a name of its own"
                ) from None


def require_agreement(space: Space, scale: int) -> None:
    """InputError if random networks do not agree; those that the space refuses have asked, too."""
    rng, asked = random.Random(0), AskedParameters()
    for _ in range(_DRAWS):
        trial = ReplayTrial(rng, {})
        with contextlib.suppress(NasError):
            space.draw(trial, scale)
        asked.require(space, trial)
