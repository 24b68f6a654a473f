"""The physical part of a fit with residual trees: ms are the sum of work times prices.

The prices are found by non-negative least squares of relative errors (scipy.optimize.nnls).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search_spaces import InputError

from .known import networks_of
from .measurements import Measurement
from .operator_table import OperatorTable
from .quantities import ChannelPadding
from .structure import CostStructure
from .work import on_critical_path, work_matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Most iterations: the critical path depends on the prices, and they on it; a few usually suffice.
_ROUNDS = 30


@dataclass(frozen=True)
class StackFactor:
    """Ratio of times with another software to those with the device's."""

    stack: str
    factor: float


@dataclass(frozen=True)
class Physical:
    """Fitted prices: ms of one operator are its work times ``coefficients``, (terms,)."""

    structure: CostStructure
    padding: ChannelPadding
    coefficients: tuple[float, ...]
    stacks: tuple[StackFactor, ...]

    def operator_ms(self, table: OperatorTable) -> Floats:
        """(operators,): ms of each operator by itself, on the critical path or not."""
        import numpy as np

        ms: Floats = work_matrix(self.structure, table, self.padding) @ np.array(self.coefficients)
        return ms

    def factor(self, stack: str) -> float:
        """Factor of ``stack``; 1 if it is the device's, or unknown."""
        return next((item.factor for item in self.stacks if item.stack == stack), 1.0)


@dataclass(frozen=True)
class Charges:
    """The work of measured networks at one padding: ``matrix`` is (operators, terms)."""

    structure: CostStructure
    padding: ChannelPadding
    rows: tuple[Measurement, ...]
    table: OperatorTable
    matrix: Floats

    @classmethod
    def of(
        cls, structure: CostStructure, rows: Sequence[Measurement], padding: ChannelPadding
    ) -> Charges:
        """The work of ``rows``."""
        table = OperatorTable.of([row.operators for row in rows])
        return cls(structure, padding, tuple(rows), table, work_matrix(structure, table, padding))

    def only(self, indices: Sequence[int]) -> Charges:
        """The work of the rows ``indices``, which must be rising."""
        import numpy as np

        kept = np.isin(self.table.network, indices)
        rows = tuple(self.rows[index] for index in indices)
        return replace(self, rows=rows, table=self.table.only(indices), matrix=self.matrix[kept])

    def network_ms(self, coefficients: Floats) -> Floats:
        """(rows,): ms with the device's software."""
        operator_ms = self.matrix @ coefficients
        return self.table.per_network(operator_ms * self.waited(operator_ms))

    def waited(self, operator_ms: Floats) -> Mask:
        """Mask (operators,): the operator is on the critical path."""
        return on_critical_path(self.structure, [row.operators for row in self.rows], operator_ms)


def least_rows(structure: CostStructure, rows: Sequence[Measurement]) -> int:
    """Measurements that ``structure`` needs, with the software stacks of ``rows``.

    For least squares, twice the number of constants; with a prior, half of it, since the interval
    then shows what the rows leave open.
    """
    stacks = {row.stack for row in rows} - {structure.stack}
    constants = sum(term.known_ms is None for term in structure.terms) + len(stacks)
    return 2 * constants if structure.residual else math.ceil(constants / 2)


def require_enough(structure: CostStructure, rows: Sequence[Measurement]) -> None:
    """InputError if ``rows`` are fewer than ``least_rows``, or all of one network."""
    least = least_rows(structure, rows)
    if least > len(rows):
        raise InputError(
            f"{len(rows)} measurements are too few for what the device may charge; measure {least} "
            "or more, or leave terms out"
        )
    require_others(rows)


def require_others(rows: Sequence[Measurement]) -> None:
    """InputError if all ``rows`` are of one network: nothing tells how far off a model is then."""
    if len({*networks_of(rows)}) < 2:
        raise InputError(
            f"all {len(rows)} measurements are of one network, {rows[0].network}; measure others"
        )


def fit_physical(charges: Charges) -> Physical:
    """Fits prices and stack factors that minimize the mean squared relative error of the rows."""
    import numpy as np

    structure, rows = charges.structure, charges.rows
    ms = np.array([row.ms for row in rows])
    waited = np.ones(len(charges.table), dtype=bool)
    factors = np.ones(len(rows))
    best: tuple[float, Any, Any] | None = None
    for _ in range(_ROUNDS):
        design = charges.table.per_network(charges.matrix * waited[:, None])
        coefficients = _prices(structure, design * (factors / ms)[:, None])
        operator_ms = charges.matrix @ coefficients
        before = waited, factors
        waited = charges.waited(operator_ms)
        serial = charges.table.per_network(operator_ms * waited)
        factors = _stack_factors(structure, rows, serial, ms)
        error = float(np.mean((serial * factors / ms - 1) ** 2))
        if best is not None and error >= best[0] - 1e-12:
            break
        best = (error, coefficients, factors)
        if all(map(np.array_equal, before, (waited, factors))):
            break  # converged: the next round would give the same
    assert best is not None
    named = {row.stack: float(f) for row, f in zip(rows, best[2], strict=True)}
    stacks = tuple(StackFactor(k, v) for k, v in sorted(named.items()) if k != structure.stack)
    return Physical(structure, charges.padding, tuple(best[1].tolist()), stacks)


def _prices(structure: CostStructure, relative: Floats) -> Floats:
    """(terms,): prices with which the rows of ``relative``, (rows, terms), add up to 1 best."""
    import numpy as np
    from scipy.optimize import nnls

    prices = np.array([term.known_ms or 0.0 for term in structure.terms])
    free = np.array([term.known_ms is None for term in structure.terms])
    if free.any():
        # Columns scaled to 1, against rounding errors: quantities have different units.
        size = np.maximum(relative[:, free].max(axis=0), 1e-12)
        prices[free] = nnls(relative[:, free] / size, 1 - relative @ prices)[0] / size
    return prices


def _stack_factors(
    structure: CostStructure, rows: Sequence[Measurement], serial: Floats, ms: Floats
) -> Floats:
    """(rows,): the least-squares factor of each row's stack; 1 for the device's own."""
    import numpy as np

    factors = np.ones(len(rows))
    stacks = np.array([row.stack for row in rows])
    for stack in set(stacks.tolist()) - {structure.stack}:
        of_it = stacks == stack
        ratio = serial[of_it] / ms[of_it]
        factors[of_it] = ratio.sum() / max((ratio**2).sum(), 1e-12)
    return factors
