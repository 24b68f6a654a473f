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


def networks_of(rows: Sequence[Measurement]) -> list[str]:
    """The network of each row; rows of equal operators are of one, whatever the table calls them.

    A table made by hand may hold one network several times under as many names.
    """
    names = {row.network: row.network for row in rows}
    for same in Known.of(rows).rows.values():
        joined = {names[row.network] for row in same}
        if len(joined) > 1:
            first = names[same[0].network]
            names = {key: first if name in joined else name for key, name in names.items()}
    return [names[row.network] for row in rows]


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
