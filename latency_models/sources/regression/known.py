"""Finds the measurements of a network itself; they bound the interval of its prediction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from .measurements import Measurement

_Signature = tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Known:
    """Rows of a table, indexed by their operators; the names of tensors do not matter."""

    rows: Mapping[_Signature, tuple[Measurement, ...]]

    @classmethod
    def of(cls, rows: Sequence[Measurement]) -> Known:
        """Indexes rows that were measured with the same software."""
        by_signature: dict[_Signature, list[Measurement]] = defaultdict(list)
        for row in rows:
            by_signature[_signature(row.operators)].append(row)
        return cls({signature: tuple(same) for signature, same in by_signature.items()})

    def measured(self, operators: Sequence[LoweredOperator]) -> tuple[Measurement, ...]:
        """Returns the measurements of exactly this network: none, one or several."""
        return self.rows.get(_signature(operators), ())


def networks_of(rows: Sequence[Measurement]) -> list[str]:
    """Returns the network of each row; rows with equal operators belong to the same network.

    This holds even if the table gives them different names, as a table made by hand may do.
    """
    names = {row.network: row.network for row in rows}
    for same in Known.of(rows).rows.values():
        joined = {names[row.network] for row in same}
        if len(joined) > 1:
            first = names[same[0].network]
            names = {key: first if name in joined else name for key, name in names.items()}
    return [names[row.network] for row in rows]


def _signature(operators: Sequence[LoweredOperator]) -> _Signature:
    """Returns a key that is equal for networks with equal operators, sizes and connections."""
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
