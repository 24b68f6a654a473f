"""Computes the work that a cost structure charges for, and the operators on the critical path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces import LoweredOperator

from .enlargement import name_of
from .operator_table import OperatorTable
from .quantities import ChannelPadding, Quantity, work
from .schedule import critical_path
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Quantities that only fused operators are charged for.
_FUSED_QUANTITIES = frozenset({Quantity.OPERANDS, Quantity.FUSED})
#: Quantities that a convolution whose result is added before it is written is not charged for.
_WRITING_QUANTITIES = frozenset(
    {Quantity.TRAFFIC, Quantity.OUTPUT, Quantity.PIXELS, Quantity.KERNEL}
)


def work_matrix(structure: CostStructure, table: OperatorTable, padding: ChannelPadding) -> Floats:
    """Returns (operators, terms): the work of each operator that each term charges for."""
    import numpy as np

    is_fused = table.is_one_of(structure.fused) & (table.behind_convolution > 0)
    unwritten = (table.joined > 0) & ("ADD" in structure.fused)
    free = table.is_one_of(structure.free_at_ends) & (table.at_end > 0)
    matrix = np.zeros((len(table), len(structure.terms)))
    for column, term in enumerate(structure.terms):
        charged = table.is_one_of(term.kinds)
        if term.quantity is not Quantity.INFERENCE:
            charged &= ~free
        if term.quantity in _FUSED_QUANTITIES:
            charged &= is_fused
        elif term.quantity is Quantity.MISALIGNED:
            charged &= ~is_fused | (table.bytes_beside > 0)
        elif term.quantity is not Quantity.INFERENCE:
            charged &= ~is_fused
        if term.quantity in _WRITING_QUANTITIES:
            charged &= ~unwritten
        matrix[:, column] = np.where(charged, work(table, term.quantity, padding), 0.0)
    return matrix


def on_critical_path(
    structure: CostStructure, networks: Sequence[Sequence[LoweredOperator]], operator_ms: Floats
) -> Mask:
    """Returns the mask (operators,) of the critical path; all True if engines do not overlap."""
    import numpy as np

    if not structure.side_by_side:
        return np.ones(len(operator_ms), dtype=bool)
    waited: list[bool] = []
    for operators in networks:
        engines = [
            structure.engine_of(name_of(operator)) or operator.kind for operator in operators
        ]
        times = operator_ms[len(waited) : len(waited) + len(operators)]
        waited += critical_path(operators, engines, times.tolist())
    return np.array(waited, dtype=bool)
