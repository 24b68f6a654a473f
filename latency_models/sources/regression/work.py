"""The work that a structure charges operators for, and the operators on the critical path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces import LoweredOperator

from .operator_table import OperatorTable
from .quantities import ChannelPadding, Quantity, work
from .schedule import critical
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Quantities that only fused operators are charged for.
_WITHIN = frozenset({Quantity.OPERANDS, Quantity.FUSED})
#: Quantities that a convolution whose result is added before it is written is not charged for.
_OF_WRITING = frozenset({Quantity.TRAFFIC, Quantity.OUTPUT, Quantity.PIXELS, Quantity.KERNEL})


def work_matrix(structure: CostStructure, table: OperatorTable, padding: ChannelPadding) -> Floats:
    """(operators, terms): work of each operator that each term charges for."""
    import numpy as np

    within = table.is_one_of(structure.fused) & (table.behind_convolution > 0)
    joined = (table.joined > 0) & ("ADD" in structure.fused)
    free = table.is_one_of(structure.free_at_ends) & (table.at_end > 0)
    matrix = np.zeros((len(table), len(structure.terms)))
    for column, term in enumerate(structure.terms):
        charged = table.is_one_of(term.kinds)
        if term.quantity is not Quantity.INFERENCE:
            charged &= ~free
        if term.quantity in _WITHIN:
            charged &= within
        elif term.quantity is Quantity.MISALIGNED:
            charged &= ~within | (table.bytes_beside > 0)
        elif term.quantity is not Quantity.INFERENCE:
            charged &= ~within
        if term.quantity in _OF_WRITING:
            charged &= ~joined
        matrix[:, column] = np.where(charged, work(table, term.quantity, padding), 0.0)
    return matrix


def on_critical_path(
    structure: CostStructure, networks: Sequence[Sequence[LoweredOperator]], operator_ms: Floats
) -> Mask:
    """Mask (operators,): on the critical path; all are, unless engines work side by side."""
    import numpy as np

    if not structure.side_by_side:
        return np.ones(len(operator_ms), dtype=bool)
    waited: list[bool] = []
    for operators in networks:
        engines = [structure.engine_of(operator.kind) or operator.kind for operator in operators]
        times = operator_ms[len(waited) : len(waited) + len(operators)]
        waited += critical(operators, engines, times.tolist())
    return np.array(waited, dtype=bool)
