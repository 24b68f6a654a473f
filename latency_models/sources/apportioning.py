"""Apportions the time of a whole model among its operators."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import LoweredOperator

from ..source import OperatorLatency

#: How it is done, for ``Latency.conditions``.
SHARING_RULE = "the total, shared out by bytes and MACs"


def shared_out(
    ms: float, operators: Sequence[LoweredOperator], engine: str
) -> tuple[OperatorLatency, ...]:
    """``ms`` in proportion to the bytes and MACs of each operator: a rough estimate."""
    work = [operator.bytes_moved + operator.macs for operator in operators]
    return tuple(
        OperatorLatency(operator.name, operator.kind, engine, ms * part / sum(work))
        for operator, part in zip(operators, work, strict=True)
    )
