"""Networks that a model's table holds: what was measured of them bounds what is said of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from .measurements import Measurement

_Signature = tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Known:
    """Rows by what ran in them, whatever its tensors are called."""

    rows: Mapping[_Signature, tuple[Measurement, ...]]

    @classmethod
    def of(cls, rows: Sequence[Measurement]) -> Known:
        """All of ``rows``; they are of one software."""
        alike: dict[_Signature, list[Measurement]] = defaultdict(list)
        for row in rows:
            alike[_signature(row.operators)].append(row)
        return cls({signature: tuple(same) for signature, same in alike.items()})

    def measured(self, operators: Sequence[LoweredOperator]) -> tuple[Measurement, ...]:
        """What was measured of this very network, perhaps more than once, or nothing."""
        return self.rows.get(_signature(operators), ())


def _signature(operators: Sequence[LoweredOperator]) -> _Signature:
    """Equal for the same operators, of the same sizes, wired alike."""
    numbers: dict[str, int] = {}
    return tuple(
        (
            operator.kind, operator.macs, operator.window, operator.stride, operator.groups,
            operator.weight_bytes, len(operator.inputs),
            *(
                (numbers.setdefault(tensor.name, len(numbers)), tensor.shape)
                for tensor in operator.inputs + operator.outputs
            ),
        )
        for operator in operators
    )  # fmt: skip
