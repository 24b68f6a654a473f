"""Weights that stand in for trained ones, where a graph is only to be timed.

Compilers look at values. A kernel with zeros in the right places is packed and runs twice as fast,
slopes that are all alike make a PReLU a leaky ReLU, which costs nothing, and tensors of one scale
need no rescaling. First weights are full of that, trained ones are not: for Arm's compiler ECBSR
would take three quarters of its time, or less.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_spaces import Graph

from ..training.initialization import Array
from ..training.job import Weights
from ..training.network import Network

#: As ECBSR's and FSRCNN's were after 10,000 steps: some are negative, which has a price of its own.
_SLOPES = (-0.1, 1.0)
#: By how much, as a factor, a range may differ from the first one.
_RANGES = (0.5, 1.0)
#: Of the image's 0..1.
_BIAS = 0.02


def surrogate_weights(graph: Graph) -> Weights:
    """Every value of a network of ``graph``, the same at each call, no two alike."""
    random = np.random.default_rng(0)
    first = Network(graph).snapshot()
    return {
        name: np.asarray(_drawn(name, value, random), np.float32) for name, value in first.items()
    }


def _drawn(name: str, value: Array, random: np.random.Generator) -> npt.ArrayLike:
    match name.rpartition("/")[2]:
        case "low" | "high":
            return value * random.uniform(*_RANGES)
        case "alpha":
            return random.uniform(*_SLOPES, value.shape)
        case "bias":
            return random.normal(0.0, _BIAS, value.shape)
    # Trained weights have long tails, and most of them therefore few levels: they pack better than
    # normal ones do.
    return random.laplace(0.0, np.prod(value.shape[:3]) ** -0.5, value.shape)
