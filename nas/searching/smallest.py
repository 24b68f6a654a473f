"""The size of the smallest networks of a space: if these exceed the time left, a search ends."""

from __future__ import annotations

import random

from search_spaces import InputSpec, NasError, infer
from search_spaces.spaces.space import Space

from ..sampling.replay import draw
from ..studies.budget import Budget
from ..studies.settings import Settings

#: Enough to meet one of the smallest fiftieth more often than not, in a tenth of a second.
_DRAWS = 50


def smallest_macs(space: Space, settings: Settings, budget: Budget) -> int:
    """The fewest MACs among some random networks at the study's input size.

    0 if no network can be drawn, or ``budget`` has no time limit.
    """
    if budget.seconds is None:
        return 0
    rng, spec = random.Random(settings.seed), InputSpec.parse(settings.input)
    found = []
    for _ in range(_DRAWS):
        try:
            found.append(infer(draw(space, settings.scale, rng, {}).candidate.deployed, spec).macs)
        except NasError:  # refused by the space, or at this size
            continue
    return min(found, default=0)
