"""What the free constants of a structure are, and how a network's time is made of them.

The logarithm of a price is that of its term plus what its kind of operator deviates by, so that
no price is negative, kinds that share a term share what is known of it, and each may still differ.
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
    """The constants, in this order: of terms, kinds of operators, other software than the device's.

    Each is a logarithm.
    """

    structure: CostStructure
    stacks: tuple[str, ...]

    @cached_property
    def terms(self) -> tuple[int, ...]:
        """Places in the structure of the terms whose price is not known."""
        return tuple(i for i, term in enumerate(self.structure.terms) if term.known_ms is None)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Operators that share the price of a term, in the order of their names."""
        shared = [self.structure.terms[place].kinds for place in self.terms if self._differs(place)]
        return tuple(sorted({kind for kinds in shared if len(kinds) > 1 for kind in kinds}))

    @property
    def count(self) -> int:
        """Of all constants."""
        return len(self.terms) + len(self.kinds) + len(self.stacks)

    @cached_property
    def charges(self) -> tuple[tuple[int, str], ...]:
        """Each price that is paid: which of ``terms``, and by which kind; "" where all pay one."""
        return tuple(
            (index, kind)
            for index, place in enumerate(self.terms)
            for kind in (
                sorted(self.structure.terms[place].kinds) if self._differs(place) else ("",)
            )
        )

    def of_charges(self, stack: str) -> Floats:
        """(charges, constants): which constants add up to the logarithm of each price."""
        return self._of_charges.get(stack, self._of_charges[self.structure.stack])

    @cached_property
    def _of_charges(self) -> dict[str, Floats]:
        """By the software that it is paid with."""
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
        """(networks, charges): work that is paid at each price, of operators that are waited for;
        (networks,): ms of what is paid at prices that are known.
        """
        import numpy as np

        matrix = work_matrix(self.structure, table, padding) * waited[:, None]
        names, places = table.kinds
        place = table.network * len(names) + places
        columns: list[Floats] = []
        for term, paid in itertools.groupby(self.charges, key=lambda charge: charge[0]):
            own = matrix[:, self.terms[term]]
            sums: Floats = np.bincount(place, own, table.networks * len(names)).astype(np.float64)
            of_kind = dict(zip(names, sums.reshape(table.networks, len(names)).T, strict=True))
            for _, kind in paid:
                columns.append(
                    of_kind.get(kind, np.zeros(table.networks)) if kind else table.per_network(own)
                )
        work = np.stack(columns, axis=1) if columns else np.zeros((table.networks, 0))
        return np.asarray(work, dtype=np.float64), table.per_network(matrix @ self.known)

    @cached_property
    def known(self) -> Floats:
        """(terms of the structure,): prices that are known, and 0."""
        import numpy as np

        return np.array([term.known_ms or 0.0 for term in self.structure.terms])

    def _differs(self, place: int) -> bool:
        """May kinds of operators pay this term's price each in its own way?"""
        return self.structure.terms[place].quantity is not Quantity.INFERENCE
