"""The free constants of a cost structure, and how prices and times depend on them.

The logarithm of a price is a constant of its term, plus a deviation of its kind of operator, plus
one of the software. Prices are thus positive, and what is learned about a term applies to all of
its kinds, which may still differ.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .operator_table import OperatorTable
from .quantities import ChannelPadding, Quantity
from .structure import CostStructure
from .work import work_matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """The constants, all logarithms: of terms, of kinds of operators, of other software ``stacks``.

    They are kept in vectors (constants,) in this order.
    """

    structure: CostStructure
    stacks: tuple[str, ...]

    @cached_property
    def terms(self) -> tuple[int, ...]:
        """Indices of the structure's terms without a known price."""
        return tuple(i for i, term in enumerate(self.structure.terms) if term.known_ms is None)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of operators that share a term and may deviate from it, in alphabetical order."""
        shared = [self.structure.terms[place].kinds for place in self.terms if self._differs(place)]
        return tuple(sorted({kind for kinds in shared if len(kinds) > 1 for kind in kinds}))

    @property
    def count(self) -> int:
        """Number of constants."""
        return len(self.terms) + len(self.kinds) + len(self.stacks)

    @cached_property
    def charges(self) -> tuple[tuple[int, str], ...]:
        """Distinct prices: index into ``terms``, and the kind that pays it, "" for all kinds."""
        return tuple(
            (index, kind)
            for index, place in enumerate(self.terms)
            for kind in (
                sorted(self.structure.terms[place].kinds) if self._differs(place) else ("",)
            )
        )

    def of_charges(self, stack: str) -> Floats:
        """Returns (charges, constants): 1 for the constants that add up to a price's logarithm."""
        return self._of_charges.get(stack, self._of_charges[self.structure.stack])

    @cached_property
    def _of_charges(self) -> dict[str, Floats]:
        """Software -> the result of ``of_charges``."""
        import numpy as np

        which = np.zeros((len(self.charges), self.count))
        for row, (term, kind) in enumerate(self.charges):
            which[row, term] = 1.0
            if kind in self.kinds:
                which[row, len(self.terms) + self.kinds.index(kind)] = 1.0
        by_stack = {self.structure.stack: which}
        for place, stack in enumerate(self.stacks, self.count - len(self.stacks)):
            by_stack[stack] = which.copy()
            by_stack[stack][:, place] = 1.0
        return by_stack

    def work(
        self, table: OperatorTable, padding: ChannelPadding, waited: Floats
    ) -> tuple[Floats, Floats]:
        """Returns work for each price, (networks, charges), and ms by known prices, (networks,).

        ``waited``, (operators,), is 1 for operators on the critical path; others do not count.
        """
        import numpy as np

        matrix = work_matrix(self.structure, table, padding) * waited[:, None]
        names, places = table.kinds
        place = table.network * len(names) + places
        columns: list[Floats] = []
        for term, paid in itertools.groupby(self.charges, key=lambda charge: charge[0]):
            column = matrix[:, self.terms[term]]
            sums = np.bincount(place, column, table.networks * len(names)).astype(np.float64)
            of_kind = dict(zip(names, sums.reshape(table.networks, len(names)).T, strict=True))
            for _, kind in paid:
                columns.append(
                    of_kind.get(kind, np.zeros(table.networks))
                    if kind
                    else table.per_network(column)
                )
        work = np.stack(columns, axis=1) if columns else np.zeros((table.networks, 0))
        return np.asarray(work, dtype=np.float64), table.per_network(matrix @ self.known)

    @cached_property
    def known(self) -> Floats:
        """Known prices, (terms of the structure,); 0 for the others."""
        import numpy as np

        return np.array([term.known_ms or 0.0 for term in self.structure.terms])

    def _differs(self, place: int) -> bool:
        """Whether kinds of operators may deviate from the price of this term."""
        return self.structure.terms[place].quantity is not Quantity.INFERENCE
