"""One fit: prices, what was learned beyond them, and how both give networks' times."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search_spaces import LoweredOperator

from .measurements import Measurement
from .operator_table import OperatorTable
from .physical import Charges, Physical, fit_physical, on_critical_path
from .residual import ResidualTrees, fit_residual
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: A table of more networks than this is left out in a few parts, not one by one.
MOST_SINGLY = 24
_PARTS = 4


@dataclass(frozen=True)
class Fitted:
    """A physical part and perhaps a learned one."""

    physical: Physical
    residual: ResidualTrees | None

    def operator_ms(self, table: OperatorTable) -> Floats:
        """Each operator's own ms, (operators,), with the device's software."""
        expected = self.physical.operator_ms(table)
        return self.residual.correct(table, expected) if self.residual else expected

    def network_ms(self, networks: Sequence[Sequence[LoweredOperator]]) -> Floats:
        """(networks,) with the device's software."""
        table = OperatorTable.of(networks)
        times = self.operator_ms(table)
        return table.per_network(times * on_critical_path(self.physical.structure, networks, times))

    def measured_ms(self, rows: Sequence[Measurement]) -> Floats:
        """(rows,): what should have been measured, each with its own software."""
        import numpy as np

        factors = np.array([self.physical.factor(row.stack) for row in rows])
        ms: Floats = self.network_ms([row.operators for row in rows]) * factors
        return ms


def fit(structure: CostStructure, rows: Sequence[Measurement]) -> Fitted:
    """Of the structure's paddings the one that predicts best what it has not seen."""
    charged = [Charges.of(structure, rows, padding) for padding in structure.paddings]
    best = charged[0] if len(charged) == 1 else min(charged, key=_error_unseen)
    physical = fit_physical(best)
    return Fitted(physical, fit_residual(physical, best) if structure.residual else None)


def _error_unseen(charges: Charges) -> float:
    """Mean relative error over networks, each predicted from all the others."""
    import numpy as np

    errors = []
    for kept, left_out in folds([row.network for row in charges.rows]):
        physical = fit_physical(charges.only(kept))
        others = charges.only(left_out)
        factors = np.array([physical.factor(row.stack) for row in others.rows])
        ms = np.array([row.ms for row in others.rows])
        predicted = others.network_ms(np.array(physical.coefficients)) * factors
        errors.append(np.abs(predicted / ms - 1))
    return float(np.mean(np.concatenate(errors)))


def folds(
    keys: Sequence[Hashable], most_singly: int = MOST_SINGLY
) -> list[tuple[list[int], list[int]]]:
    """Indices (kept, left out) for each group of one key; of many, some go together."""
    distinct = dict.fromkeys(keys)
    parts = len(distinct) if len(distinct) <= most_singly else _PARTS
    groups = {key: index % parts for index, key in enumerate(distinct)}
    numbers = [groups[key] for key in keys]
    return [
        (
            [index for index, number in enumerate(numbers) if number != fold],
            [index for index, number in enumerate(numbers) if number == fold],
        )
        for fold in sorted(set(numbers))
    ]
