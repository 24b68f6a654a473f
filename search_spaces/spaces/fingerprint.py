"""Fingerprint of a space: 16 hex digits that stay the same while it draws the same networks.

It is computed from networks, not from source text. So a comment does not change it, but a change of
anything that affects a network does, including rewrites and modules that a user's file imports.
"""

from __future__ import annotations

import hashlib
import json
import random

from ..errors import InputError, NasError
from .enumeration import RandomTrial
from .space import Space

#: Number of random networks from which a fingerprint is computed.
_NUM_NETWORKS = 200
#: Maximum number of draws, for spaces in which most combinations fail.
_MAX_DRAWS = 2000
#: Number of networks that are drawn again with the same choices, to check that they are equal.
_NUM_REPEATED = 3


def fingerprint(space: Space, scale: int) -> str:
    """Returns a hash of the space's version, parameters and networks at ``scale``.

    Networks are drawn at random with a fixed seed. Raises InputError if the same choices do not
    always give the same network.
    """
    rng = random.Random(0)
    rows: list[object] = []
    networks = 0
    while networks < _NUM_NETWORKS and len(rows) < _MAX_DRAWS:
        trial = RandomTrial(rng)
        hashes = _draw_hashes(space, scale, trial)
        if hashes and networks < _NUM_REPEATED:
            repeated_hashes = _draw_hashes(space, scale, RandomTrial(rng, trial.indices))
            if repeated_hashes != hashes:
                raise InputError(
                    f"search space {space.name}: the same parameters gave two different networks; "
                    "sample() may depend on its trial alone"
                )
        networks += bool(hashes)
        parameters = [parameter.to_json() for parameter in trial.parameters]
        rows.append([parameters, trial.indices, hashes])
    text = json.dumps([space.version, rows], default=lambda value: type(value).__name__)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _draw_hashes(space: Space, scale: int, trial: RandomTrial) -> tuple[str, ...]:
    """Returns hashes of the network and of its deployed form; nothing if the combination fails."""
    try:
        candidate = space.draw(trial, scale)
    except NasError:
        return ()
    return candidate.hash, candidate.deployed.hash
