"""What a space says, in 16 hex digits: the same as long as it draws the same networks.

Of the networks themselves and not of any text: a comment changes nothing, and whatever decides a
network counts, be it a rewrite or a module that a user's file imports.
"""

from __future__ import annotations

import hashlib
import json
import random

from ..errors import InputError, NasError
from .enumeration import RandomTrial
from .space import Space

_NETWORKS = 200
#: Of a space that refuses most combinations.
_MOST_DRAWS = 2000
#: Networks that are drawn a second time, by the same choices.
_REPEATED = 3


def fingerprint(space: Space, scale: int) -> str:
    """Of ``space`` at ``scale``, its version, parameters and networks, by random draws of one seed.

    InputError if the same choices do not always give the same network.
    """
    rng = random.Random(0)
    rows: list[object] = []
    networks = 0
    while networks < _NETWORKS and len(rows) < _MOST_DRAWS:
        trial = RandomTrial(rng)
        drawn = _drawn(space, scale, trial)
        if drawn and networks < _REPEATED:
            again = _drawn(space, scale, RandomTrial(rng, trial.indices))
            if again != drawn:
                raise InputError(
                    f"search space {space.name}: the same parameters gave two different networks; "
                    "sample() may depend on its trial alone"
                )
        networks += bool(drawn)
        rows.append([[parameter.to_json() for parameter in trial.parameters], trial.indices, drawn])
    text = json.dumps([space.version, rows], default=lambda value: type(value).__name__)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _drawn(space: Space, scale: int, trial: RandomTrial) -> tuple[str, ...]:
    """The network and what is deployed of it; nothing if the combination is refused."""
    try:
        candidate = space.draw(trial, scale)
    except NasError:
        return ()
    return candidate.hash, candidate.deployed.hash
