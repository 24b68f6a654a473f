"""The prior of a device's prices, before anything is measured.

The prices are expected to be those of other devices times one factor, the device's speed, which is
almost unknown; each may deviate from that by some factor. Kinds of operators that share a term
deviate from each other by a smaller factor. All factors are log-normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .prices import Prices
from .quantities import Quantity
from .structure import Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Expected ms for a unit of each quantity, to one digit, on a device with 0.3 ms for 1e9 MACs. They
#: lie between the prices of VS680 and those of Arm's compiler for Ethos-U. Guessed are: MERGES and
#: OPERANDS cost as much as TRAFFIC, MISALIGNED twice as much in addition; an inference costs as
#: much as ten operators, and a fused operator next to nothing.
_EXPECTED_MS = {
    Quantity.INFERENCE: 0.5,
    Quantity.KERNEL: 0.05,
    Quantity.MACS: 0.3,
    Quantity.ARITHMETIC: 0.3,
    Quantity.TRAFFIC: 0.05,
    Quantity.OUTPUT: 0.6,
    Quantity.PIXELS: 0.3,
    Quantity.MERGES: 0.05,
    Quantity.MOVED: 0.2,
    Quantity.SPREAD: 0.9,
    Quantity.MISALIGNED: 0.1,
    Quantity.OPERANDS: 0.05,
    Quantity.FUSED: 0.01,
}
#: Standard deviations of logarithms (as factors): of a price relative to those of other devices
#: (2.7), of a kind of operator relative to its term (1.6), of another software of the same device
#: (1.6), of a price with ``expected_ms`` (2), and of the device's speed (20: almost unknown).
_PRICE_DEVIATION = 1.0
_KIND_DEVIATION = 0.5
_STACK_DEVIATION = 0.5
_EXPECTED_DEVIATION = 0.7
_SPEED_DEVIATION = 3.0


@dataclass(frozen=True)
class Prior:
    """Normal distribution of the constants of ``Prices``; all arrays are (constants,).

    At a given speed of the device they are independent with ``deviation``. The logarithm of the
    speed shifts those with ``by_speed`` 1, and not those with 0.
    """

    mean: Floats
    deviation: Floats
    by_speed: Floats

    @cached_property
    def covariance(self) -> Floats:
        """Covariance, (constants, constants), if the speed is unknown."""
        return self._covariance(_SPEED_DEVIATION**2)

    def at_speed(self, logarithm: float, networks: int) -> tuple[Floats, Floats]:
        """Returns mean, (constants,), and covariance, (constants, constants), at a measured speed.

        ``logarithm`` is that of the speed. It is estimated from ``networks`` networks, and its
        variance is therefore that of a price divided by their number.
        """
        return self.mean + logarithm * self.by_speed, self._covariance(
            _PRICE_DEVIATION**2 / networks
        )

    def _covariance(self, variance_of_speed: float) -> Floats:
        import numpy as np

        shared = variance_of_speed * np.outer(self.by_speed, self.by_speed)
        return np.asarray(np.diag(self.deviation**2) + shared)


def prior_of(prices: Prices) -> Prior:
    """Returns the prior of ``prices``."""
    import numpy as np

    terms = [prices.structure.terms[place] for place in prices.terms]
    others = [_KIND_DEVIATION] * len(prices.kinds) + [_STACK_DEVIATION] * len(prices.stacks)
    mean = [math.log(_expected_ms(term)) for term in terms] + [0.0] * len(others)
    deviation = [
        _PRICE_DEVIATION if term.expected_ms is None else _EXPECTED_DEVIATION for term in terms
    ]
    by_speed = [float(term.expected_ms is None) for term in terms] + [0.0] * len(others)
    return Prior(np.array(mean), np.array([*deviation, *others]), np.array(by_speed))


def _expected_ms(term: Term) -> float:
    return _EXPECTED_MS[term.quantity] if term.expected_ms is None else term.expected_ms
