"""Estimates the size of a space's smallest networks; a search ends if no time is left for them."""

from __future__ import annotations

import random

from search_spaces import InputSpec, NasError, infer
from search_spaces.spaces.space import Space

from ..sampling.replay import draw
from ..studies.budget import Budget
from ..studies.settings import Settings

#: Number of random networks, drawn in a tenth of a second. More often than not, one of them is
#: among the smallest 2 % of the space.
_DRAWS = 50


def smallest_macs(space: Space, settings: Settings, budget: Budget) -> int:
    """Returns the fewest MACs of some random networks at the study's input size.

    Returns 0 if no network can be drawn, or ``budget`` has no time limit.
    """
    if budget.seconds is None:
        return 0
    rng, spec = random.Random(settings.seed), InputSpec.parse(settings.input)
    found = []
    for _ in range(_DRAWS):
        try:
            found.append(infer(draw(space, settings.scale, rng, {}).candidate.deployed, spec).macs)
        except NasError:  # refused by the space or for the input size
            continue
    return min(found, default=0)
