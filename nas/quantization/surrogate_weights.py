"""Random weights that replace trained ones when a graph is only timed.

Compilers optimize for particular values. They compress kernels with zeros in the right places,
which then run twice as fast; they turn a PReLU with equal slopes into a leaky ReLU, which costs
nothing; and they omit rescaling between tensors of equal scale. Initial weights allow all of this,
trained ones do not: with initial weights, ECBSR would take at most three quarters of its real time
by Arm's compiler.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_spaces import Graph

from ..training.initialization import Array
from ..training.job import Weights
from ..training.network import Network

#: Bounds of PReLU slopes, like those of ECBSR and FSRCNN after 10,000 steps; negative slopes cost
#: additional time.
_SLOPE_BOUNDS = (-0.1, 1.0)
#: Bounds of the factor between a range and its initial value.
_RANGE_FACTOR_BOUNDS = (0.5, 1.0)
#: Standard deviation of biases, where the image's range is 0..1.
_BIAS_DEVIATION = 0.02


def surrogate_weights(graph: Graph) -> Weights:
    """Returns distinct random values for all weights of ``graph``, the same at each call."""
    random = np.random.default_rng(0)
    initial = Network(graph).snapshot()
    return {
        name: np.asarray(_random_value(name, value, random), np.float32)
        for name, value in initial.items()
    }


def _random_value(name: str, value: Array, random: np.random.Generator) -> npt.ArrayLike:
    match name.rpartition("/")[2]:
        case "low" | "high":
            return value * random.uniform(*_RANGE_FACTOR_BOUNDS)
        case "alpha":
            return random.uniform(*_SLOPE_BOUNDS, value.shape)
        case "bias":
            return random.normal(0.0, _BIAS_DEVIATION, value.shape)
    # Trained weights have a long-tailed distribution, so that most of them lie on few levels and
    # compress better than normally distributed ones.
    return random.laplace(0.0, np.prod(value.shape[:3]) ** -0.5, value.shape)
