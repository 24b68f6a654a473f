"""D-optimal experimental design: which networks to measure to learn a device's prices best.

A design is D-optimal if it maximizes the log determinant of the posterior precision of the prices.
The precision depends on the prices, which are unknown before the measurements: the criterion is its
mean over draws from their prior (Chaloner and Verdinelli, Statistical Science 10, 1995). Networks
are chosen greedily, then exchanged one by one as long as that improves the criterion (Fedorov,
Theory of Optimal Experiments, 1972).
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

#: Draws of prices for each structure and padding that the device may have.
_DRAWS = 3
_MAX_EXCHANGE_ROUNDS = 10


@dataclass(frozen=True)
class PossiblePrices:
    """One draw of the prices.

    ``precision``, (constants, constants), is that of the prior of their logarithms; ``slopes``,
    (networks, constants), are derivatives of log times, in units of the noise.
    """

    precision: Floats
    slopes: Floats

    def information(self, networks: Sequence[int]) -> float:
        """Returns the log determinant of the posterior precision once ``networks`` are measured."""
        import numpy as np

        measured = self.slopes[list(networks)]
        return float(np.linalg.slogdet(self.precision + measured.T @ measured)[1])

    def gains(self, networks: Sequence[int]) -> Floats:
        """Returns (networks,): increase of ``information`` by measuring each network, too."""
        import numpy as np

        measured = self.slopes[list(networks)]
        covariance = np.linalg.inv(self.precision + measured.T @ measured)
        gained: Floats = np.log1p(((self.slopes @ covariance) * self.slopes).sum(axis=1))
        return gained


def possible_prices(
    structures: Sequence[CostStructure],
    networks: Sequence[Sequence[LoweredOperator]],
    seed: int = 0,
) -> tuple[PossiblePrices, ...]:
    """Draws prices from each structure's prior, for each of its paddings.

    Operators are assumed to run one after another, since engines are not known yet.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    table = OperatorTable.of(networks)
    possible = []
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
                possible.append(PossiblePrices(precision, slopes))
    return tuple(possible)


def information(prices: Sequence[PossiblePrices], networks: Sequence[int]) -> float:
    """Returns the mean of ``PossiblePrices.information`` over ``prices``."""
    return sum(one.information(networks) for one in prices) / len(prices)


def d_optimal(
    prices: Sequence[PossiblePrices],
    count: int,
    fixed: Sequence[int] = (),
    allowed: Sequence[int] | None = None,
    holds: Mask | None = None,
) -> tuple[int, ...]:
    """Chooses ``count`` networks of ``allowed`` (None: all) to measure in addition to ``fixed``.

    Networks are row numbers of ``slopes``; ties go to the lower number. The mask ``holds``,
    (networks, kinds), says which kinds of operators they contain: if possible, each kind is in a
    chosen network, since an operator that was never measured cannot be predicted.
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
    for _ in range(_MAX_EXCHANGE_ROUNDS):
        before = list(chosen)
        for index in range(len(chosen)):
            chosen[index] = best([*fixed, *chosen[:index], *chosen[index + 1 :]])
        if chosen == before:
            break
    return tuple(chosen)
