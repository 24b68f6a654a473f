"""What a price is expected to be before any time of a device is known.

A device's prices are other devices' times its own speed; the speed is nearly open, and each price
is within a factor of that. Kinds of operators that one engine runs at one price are alike, within
a smaller factor.
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

#: ms for a unit of work, to one digit, where a billion multiply-accumulates take 0.3: between VS680
#: and what Arm's compiler says of Ethos-U. What neither tells is a guess: that merging, and reading
#: an operand, are traffic; that what is misaligned costs as much again, twice; that an inference
#: costs as ten operators do, and that a fused operator costs next to nothing.
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
#: Standard deviations of logarithms: a factor of 2.7 for what a price is to other devices', 1.6 for
#: what a kind of operator is to its like, 1.6 for another software of the same device, 2 for what
#: is expected of this very device. The speed is as good as open.
_OF_PRICE = 1.0
_OF_KIND = 0.5
_OF_STACK = 0.5
_OF_EXPECTED = 0.7
_OF_SPEED = 3.0


@dataclass(frozen=True)
class Prior:
    """Normal, of the constants of ``Prices``, (constants,), which are independent at a given speed
    of the device; ``by_speed`` is 1 for those that it shifts, 0 for others.
    """

    mean: Floats
    deviation: Floats
    by_speed: Floats

    @cached_property
    def covariance(self) -> Floats:
        """(constants, constants) as long as the speed is open."""
        return self._covariance(_OF_SPEED**2)

    def at_speed(self, logarithm: float, networks: int) -> tuple[Floats, Floats]:
        """Mean, (constants,), and covariance, (constants, constants), once networks have shown the
        speed, each as well as a price would.
        """
        return self.mean + logarithm * self.by_speed, self._covariance(_OF_PRICE**2 / networks)

    def _covariance(self, variance_of_speed: float) -> Floats:
        import numpy as np

        shared = variance_of_speed * np.outer(self.by_speed, self.by_speed)
        return np.asarray(np.diag(self.deviation**2) + shared)


def prior_of(prices: Prices) -> Prior:
    """What is expected of ``prices``."""
    import numpy as np

    terms = [prices.structure.terms[place] for place in prices.terms]
    others = [_OF_KIND] * len(prices.kinds) + [_OF_STACK] * len(prices.stacks)
    mean = [math.log(_expected_ms(term)) for term in terms] + [0.0] * len(others)
    deviation = [_OF_PRICE if term.expected_ms is None else _OF_EXPECTED for term in terms]
    by_speed = [float(term.expected_ms is None) for term in terms] + [0.0] * len(others)
    return Prior(np.array(mean), np.array([*deviation, *others]), np.array(by_speed))


def _expected_ms(term: Term) -> float:
    return _EXPECTED_MS[term.quantity] if term.expected_ms is None else term.expected_ms
