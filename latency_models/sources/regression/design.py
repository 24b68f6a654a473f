"""Which networks are worth measuring: those that leave the least of the prices open.

A design is D-optimal if the logarithm of the determinant of the prices' precision is the greatest
that can be had. Prices are not known before they are measured, so it is the mean over draws of
their prior (Chaloner and Verdinelli, Statistical Science 10, 1995). Networks are taken one by one,
then exchanged as long as that is better (Fedorov, Theory of Optimal Experiments, 1972).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search_spaces import LoweredOperator

from .operator_table import OperatorTable
from .prices import Prices
from .prior import prior_of
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Prices that a design is judged by, of each structure that the device may have.
_DRAWS = 3
_ROUNDS = 10


@dataclass(frozen=True)
class PossiblePrices:
    """Prices that a device may have: their prior ``precision``, (constants, constants), and how
    each network's time hangs on them, in standard deviations of the noise, (networks, constants).
    """

    precision: Floats
    slopes: Floats

    def information(self, networks: Sequence[int]) -> float:
        """Log det of the precision once ``networks`` are measured."""
        import numpy as np

        known = self.slopes[list(networks)]
        return float(np.linalg.slogdet(self.precision + known.T @ known)[1])

    def gains(self, networks: Sequence[int]) -> Floats:
        """(networks,): what each one brings beside ``networks``."""
        import numpy as np

        known = self.slopes[list(networks)]
        covariance = np.linalg.inv(self.precision + known.T @ known)
        gained: Floats = np.log1p(((self.slopes @ covariance) * self.slopes).sum(axis=1))
        return gained


def possible_prices(
    structures: Sequence[CostStructure],
    networks: Sequence[Sequence[LoweredOperator]],
    seed: int = 0,
) -> tuple[PossiblePrices, ...]:
    """Draws of each structure's prior, under each of its paddings.

    Operators are taken to run one after another: engines are not known yet.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    table = OperatorTable.of(networks)
    found = []
    for structure in structures:
        prices = Prices(structure, ())
        prior, which = prior_of(prices), prices.of_charges(structure.stack)
        precision = np.asarray(np.linalg.inv(prior.covariance), dtype=np.float64)
        for padding in structure.paddings:
            work, known_ms = prices.work(table, padding, np.ones(len(table)))
            for constants in random.multivariate_normal(prior.mean, prior.covariance, _DRAWS):
                paid = work * np.exp(which @ constants)
                total = np.maximum(known_ms + paid.sum(axis=1), 1e-12)
                slopes = paid @ which / total[:, None] / structure.scatter
                found.append(PossiblePrices(precision, slopes))
    return tuple(found)


def information(prices: Sequence[PossiblePrices], networks: Sequence[int]) -> float:
    """Mean log det over ``prices``."""
    return sum(one.information(networks) for one in prices) / len(prices)


def d_optimal(
    prices: Sequence[PossiblePrices],
    count: int,
    fixed: Sequence[int] = (),
    allowed: Sequence[int] | None = None,
    holds: Mask | None = None,
) -> tuple[int, ...]:
    """``count`` networks of those ``allowed`` beside ``fixed``; of equally good ones the first.

    ``holds``, (networks, kinds), says which operators they hold: each kind is in one of them if
    that can be, since nothing is said of an operator that was never measured.
    """
    import numpy as np

    networks = len(prices[0].slopes)
    free = np.zeros(networks, dtype=bool)
    free[list(range(networks) if allowed is None else allowed)] = True
    held = np.ones((networks, 1), dtype=bool) if holds is None else holds
    wanted = held[free].any(axis=0)

    def best(beside: list[int]) -> int:
        gains: Floats = sum((one.gains(beside) for one in prices), np.zeros(networks))
        lacking = held[:, wanted & ~held[beside].any(axis=0)].sum(axis=1)
        gains[~free | (lacking < lacking[free].max(initial=0))] = -np.inf
        gains[beside] = -np.inf
        return int(gains.argmax())

    chosen: list[int] = []
    while len(chosen) < min(count, int(free.sum()) - len({*fixed} & {*np.flatnonzero(free)})):
        chosen.append(best([*fixed, *chosen]))
    for _ in range(_ROUNDS):
        before = list(chosen)
        for index in range(len(chosen)):
            chosen[index] = best([*fixed, *chosen[:index], *chosen[index + 1 :]])
        if chosen == before:
            break
    return tuple(chosen)
