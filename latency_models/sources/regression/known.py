"""Networks that were measured themselves: their measured times bound the interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from .measurements import Measurement

_Signature = tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Known:
    """Rows of a table by their operators, whatever their tensors are called."""

    rows: Mapping[_Signature, tuple[Measurement, ...]]

    @classmethod
    def of(cls, rows: Sequence[Measurement]) -> Known:
        """Rows that were measured with one software."""
        alike: dict[_Signature, list[Measurement]] = defaultdict(list)
        for row in rows:
            alike[_signature(row.operators)].append(row)
        return cls({signature: tuple(same) for signature, same in alike.items()})

    def measured(self, operators: Sequence[LoweredOperator]) -> tuple[Measurement, ...]:
        """The measurements of exactly this network: none, one or several."""
        return self.rows.get(_signature(operators), ())


def _signature(operators: Sequence[LoweredOperator]) -> _Signature:
    """Equal for networks of equal operators, sizes and connections."""
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
