"""The physical part of a fit with residual trees: ms is the sum of work times price over all terms.

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

#: Maximum number of iterations; the critical path and the prices depend on each other.
_MAX_ROUNDS = 30


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
        """Returns (operators,): ms of each operator by itself, on the critical path or not."""
        import numpy as np

        ms: Floats = work_matrix(self.structure, table, self.padding) @ np.array(self.coefficients)
        return ms

    def factor(self, stack: str) -> float:
        """Returns the factor of ``stack``; 1 if it is the device's stack, or unknown."""
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
        """Computes the work of ``rows``."""
        table = OperatorTable.of([row.operators for row in rows])
        return cls(structure, padding, tuple(rows), table, work_matrix(structure, table, padding))

    def only(self, indices: Sequence[int]) -> Charges:
        """Returns the work of the rows ``indices``, which must be in ascending order."""
        import numpy as np

        kept = np.isin(self.table.network, indices)
        rows = tuple(self.rows[index] for index in indices)
        return replace(self, rows=rows, table=self.table.only(indices), matrix=self.matrix[kept])

    def network_ms(self, coefficients: Floats) -> Floats:
        """Returns (rows,): ms with the device's software."""
        operator_ms = self.matrix @ coefficients
        return self.table.per_network(operator_ms * self.waited(operator_ms))

    def waited(self, operator_ms: Floats) -> Mask:
        """Returns the mask (operators,) of the operators on the critical path."""
        return on_critical_path(self.structure, [row.operators for row in self.rows], operator_ms)


def least_rows(structure: CostStructure, rows: Sequence[Measurement]) -> int:
    """Returns how many measurements ``structure`` needs, given the software stacks of ``rows``.

    Least squares needs twice the number of constants. A fit with a prior needs half of it, since
    its interval then shows what the rows leave open.
    """
    stacks = {row.stack for row in rows} - {structure.stack}
    constants = sum(term.known_ms is None for term in structure.terms) + len(stacks)
    return 2 * constants if structure.residual else math.ceil(constants / 2)


def require_enough(structure: CostStructure, rows: Sequence[Measurement]) -> None:
    """Raises InputError if there are fewer than ``least_rows``, or all belong to one network."""
    least = least_rows(structure, rows)
    if least > len(rows):
        raise InputError(
            f"{len(rows)} measurements are too few for what the device may charge; measure {least} "
            "or more, or leave terms out"
        )
    require_several_networks(rows)


def require_several_networks(rows: Sequence[Measurement]) -> None:
    """Raises InputError if all ``rows`` are of one network: errors cannot be estimated then."""
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
    for _ in range(_MAX_ROUNDS):
        design = charges.table.per_network(charges.matrix * waited[:, None])
        coefficients = _fit_prices(structure, design * (factors / ms)[:, None])
        operator_ms = charges.matrix @ coefficients
        before = waited, factors
        waited = charges.waited(operator_ms)
        predicted = charges.table.per_network(operator_ms * waited)
        factors = _fit_stack_factors(structure, rows, predicted, ms)
        error = float(np.mean((predicted * factors / ms - 1) ** 2))
        if best is not None and error >= best[0] - 1e-12:
            break
        best = (error, coefficients, factors)
        if all(map(np.array_equal, before, (waited, factors))):
            break  # converged: the next round would give the same
    assert best is not None
    named = {row.stack: float(f) for row, f in zip(rows, best[2], strict=True)}
    stacks = tuple(StackFactor(k, v) for k, v in sorted(named.items()) if k != structure.stack)
    return Physical(structure, charges.padding, tuple(best[1].tolist()), stacks)


def _fit_prices(structure: CostStructure, relative: Floats) -> Floats:
    """Returns (terms,): prices for which the rows of ``relative``, (rows, terms), sum best to 1."""
    import numpy as np
    from scipy.optimize import nnls

    prices = np.array([term.known_ms or 0.0 for term in structure.terms])
    free = np.array([term.known_ms is None for term in structure.terms])
    if free.any():
        # Scale columns to a maximum of 1 against rounding errors, since their units differ.
        size = np.maximum(relative[:, free].max(axis=0), 1e-12)
        prices[free] = nnls(relative[:, free] / size, 1 - relative @ prices)[0] / size
    return prices


def _fit_stack_factors(
    structure: CostStructure, rows: Sequence[Measurement], predicted: Floats, ms: Floats
) -> Floats:
    """Returns (rows,): the least-squares factor of each row's stack; 1 for the device's stack."""
    import numpy as np

    factors = np.ones(len(rows))
    stacks = np.array([row.stack for row in rows])
    for stack in set(stacks.tolist()) - {structure.stack}:
        of_it = stacks == stack
        ratio = predicted[of_it] / ms[of_it]
        factors[of_it] = ratio.sum() / max((ratio**2).sum(), 1e-12)
    return factors
