"""What gives networks' times: prices alone, or prices and what was learned beyond them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from search_spaces import LoweredOperator

from .measurements import Measurement
from .operator_network import OperatorNetwork
from .operator_table import OperatorTable
from .physical import Charges, Physical, StackFactor, fit_physical
from .posterior import Weighted, fit_posterior
from .residual import ResidualTrees, fit_residual
from .structure import CostStructure
from .work import on_critical_path, work_matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: A table of more networks than this is left out in a few parts, not one by one.
MOST_SINGLY = 24
_PARTS = 4


class Fit(Protocol):
    """What gives times: a fit to a device's table, or one brought over from another device."""

    @property
    def structure(self) -> CostStructure:
        """What the fit was told of the device."""

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """Each operator's own ms, (operators,), with this software; None: the device's."""


@dataclass(frozen=True)
class FitOfPrices:
    """Prices alone, with what is known of them: of several paddings, the mean."""

    posteriors: tuple[Weighted, ...]

    @property
    def structure(self) -> CostStructure:
        """What was known before."""
        return self.posteriors[0].posterior.prices.structure

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,)"""
        first, *others = (
            one.weight * one.posterior.of_operators(table, stack) for one in self.posteriors
        )
        return sum(others, first)


@dataclass(frozen=True)
class FitWithTrees:
    """Prices, and what was learned beyond them where every operator tells its time."""

    physical: Physical
    residual: ResidualTrees | None

    @property
    def structure(self) -> CostStructure:
        """What was known before."""
        return self.physical.structure

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,)"""
        ms = self.physical.operator_ms(table)
        ms = self.residual.correct(table, ms) if self.residual else ms
        return ms if stack is None else ms * self.physical.factor(stack)


@dataclass(frozen=True)
class FitByNetwork:
    """Learned from many more networks than the table holds; settled prices are kept to.

    What was measured with another software, which a row names, is as much slower or faster in all.
    """

    structure: CostStructure
    network: OperatorNetwork
    stacks: tuple[StackFactor, ...] = ()

    @classmethod
    def of(
        cls, structure: CostStructure, rows: Sequence[Measurement], network: OperatorNetwork
    ) -> FitByNetwork:
        """With the factors that ``rows`` tell, by their medians."""
        import numpy as np

        own = cls(structure, network)
        factors = []
        for stack, places in by_stack(rows).items():
            if stack:
                said = network_ms(own, [rows[place].operators for place in places], "")
                ratio = np.median([rows[place].ms for place in places] / said)
                factors.append(StackFactor(stack, float(ratio)))
        return cls(structure, network, tuple(factors))

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,)"""
        import numpy as np

        prices = np.array([term.known_ms or 0.0 for term in self.structure.terms])
        settled_ms = work_matrix(self.structure, table, self.structure.paddings[0]) @ prices
        learned = table.is_one_of(self.structure.open_kinds)
        ms = np.where(learned, self.network.operator_ms(table), settled_ms)
        wanted = self.structure.stack if stack is None else stack
        return ms * next((item.factor for item in self.stacks if item.stack == wanted), 1.0)


def network_ms(
    fitted: Fit, networks: Sequence[Sequence[LoweredOperator]], stack: str | None = None
) -> Floats:
    """(networks,) with this software; None: the device's."""
    table = OperatorTable.of(networks)
    times = fitted.operator_ms(table, stack)
    return table.per_network(times * on_critical_path(fitted.structure, networks, times))


def measured_ms(fitted: Fit, rows: Sequence[Measurement]) -> Floats:
    """(rows,): what should have been measured, each with its own software."""
    import numpy as np

    ms = np.zeros(len(rows))
    for stack, places in by_stack(rows).items():
        ms[places] = network_ms(fitted, [rows[place].operators for place in places], stack)
    return ms


def by_stack(rows: Sequence[Measurement]) -> dict[str, list[int]]:
    """Places of the rows that were measured with each software."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.stack, []).append(place)
    return places


def fit(structure: CostStructure, rows: Sequence[Measurement]) -> FitOfPrices | FitWithTrees:
    """Prices alone by Bayes; where a residual is learned, the least squares that it is left by."""
    if not structure.residual:
        return FitOfPrices(fit_posterior(structure, rows))
    charged = [Charges.of(structure, rows, padding) for padding in structure.paddings]
    best = charged[0] if len(charged) == 1 else min(charged, key=_error_unseen)
    physical = fit_physical(best)
    return FitWithTrees(physical, fit_residual(physical, best))


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
