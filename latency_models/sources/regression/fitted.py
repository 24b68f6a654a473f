"""Fits to a device's measurements: prices, prices with residual trees, or a neural network."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from search_spaces import LoweredOperator

from .known import networks_of
from .measurements import Measurement
from .operator_network import OperatorNetwork
from .operator_table import OperatorTable
from .physical import Charges, Physical, StackFactor, fit_physical
from .posterior import WeightedPosterior, fit_posterior
from .residual import ResidualTrees, fit_residual
from .structure import CostStructure
from .work import on_critical_path, work_matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Up to this many networks are left out one by one in cross-validation; more in ``_PARTS`` parts.
MOST_SINGLY = 24
_PARTS = 4


class Fit(Protocol):
    """Predicts times of operators: a fit to a device's table, or a transferred one."""

    #: whether it predicts different times for different software stacks
    tells_stacks_apart: ClassVar[bool]
    #: whether it is fitted only to the rows of its device's table
    is_of_its_table: ClassVar[bool]

    @property
    def structure(self) -> CostStructure:
        """The cost structure of the device."""

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """Returns (operators,): ms of each operator with ``stack``; None: the device's software."""


@dataclass(frozen=True)
class FitOfPrices:
    """Posteriors of the prices, one for each padding; times are their weighted mean."""

    tells_stacks_apart: ClassVar[bool] = True
    is_of_its_table: ClassVar[bool] = True

    posteriors: tuple[WeightedPosterior, ...]

    @property
    def structure(self) -> CostStructure:
        """The cost structure of the device."""
        return self.posteriors[0].posterior.prices.structure

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,): as the protocol ``Fit`` says."""
        first, *others = (
            one.weight * one.posterior.operator_ms(table, stack) for one in self.posteriors
        )
        return sum(others, first)


@dataclass(frozen=True)
class FitWithTrees:
    """Prices by least squares, and residual trees if times of operators were measured."""

    tells_stacks_apart: ClassVar[bool] = True
    is_of_its_table: ClassVar[bool] = True

    physical: Physical
    residual: ResidualTrees | None

    @property
    def structure(self) -> CostStructure:
        """The cost structure of the device."""
        return self.physical.structure

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,): as the protocol ``Fit`` says."""
        ms = self.physical.operator_ms(table)
        ms = self.residual.correct(table, ms) if self.residual else ms
        return ms if stack is None else ms * self.physical.factor(stack)


@dataclass(frozen=True)
class FitByNetwork:
    """A neural network trained on more networks than the table holds.

    Operators whose prices are all known are computed from these. Times with another software stack
    differ by one factor for all networks.
    """

    tells_stacks_apart: ClassVar[bool] = True
    is_of_its_table: ClassVar[bool] = False

    structure: CostStructure
    network: OperatorNetwork
    stacks: tuple[StackFactor, ...] = ()

    @classmethod
    def of(
        cls, structure: CostStructure, rows: Sequence[Measurement], network: OperatorNetwork
    ) -> FitByNetwork:
        """Sets the factor of each stack to the median ratio of its measured to predicted times."""
        import numpy as np

        base = cls(structure, network)
        factors = []
        for stack, places in by_stack(rows).items():
            if stack:
                predicted = network_ms(base, [rows[place].operators for place in places], "")
                ratio = np.median([rows[place].ms for place in places] / predicted)
                factors.append(StackFactor(stack, float(ratio)))
        return cls(structure, network, tuple(factors))

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,): as the protocol ``Fit`` says."""
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
    """Returns (networks,): predicted ms with the software ``stack``; None: that of the device."""
    table = OperatorTable.of(networks)
    times = fitted.operator_ms(table, stack)
    return table.per_network(times * on_critical_path(fitted.structure, networks, times))


def measured_ms(fitted: Fit, rows: Sequence[Measurement]) -> Floats:
    """Returns (rows,): predicted ms of the networks of ``rows``, each with the row's software."""
    import numpy as np

    ms = np.zeros(len(rows))
    for stack, places in by_stack(rows).items():
        ms[places] = network_ms(fitted, [rows[place].operators for place in places], stack)
    return ms


def by_stack(rows: Sequence[Measurement]) -> dict[str, list[int]]:
    """Returns the indices of the rows that were measured with each software."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.stack, []).append(place)
    return places


def fit(structure: CostStructure, rows: Sequence[Measurement]) -> FitOfPrices | FitWithTrees:
    """Fits prices by Bayes, or by least squares with residual trees if the structure has these."""
    if not structure.residual:
        return FitOfPrices(fit_posterior(structure, rows))
    charged = [Charges.of(structure, rows, padding) for padding in structure.paddings]
    best = charged[0] if len(charged) == 1 else min(charged, key=_cross_validation_error)
    physical = fit_physical(best)
    return FitWithTrees(physical, fit_residual(physical, best))


def _cross_validation_error(charges: Charges) -> float:
    """Returns the mean relative error of networks in cross-validation."""
    import numpy as np

    errors = []
    for kept, left_out in folds(networks_of(charges.rows)):
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
    """Returns cross-validation folds, as indices (kept, left out); equal keys stay together.

    There is a fold for each key, or ``_PARTS`` folds if there are more than ``most_singly`` keys.
    """
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
