"""Apportions the time of a whole model among its operators."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import LoweredOperator

from ..source import OperatorLatency

#: Describes how times are apportioned, in ``Latency.conditions``.
SHARING_RULE = "the total, shared out by bytes and MACs"


def shared_out(
    ms: float, operators: Sequence[LoweredOperator], engine: str
) -> tuple[OperatorLatency, ...]:
    """Divides ``ms`` among operators in proportion to bytes plus MACs; a rough estimate."""
    amounts = [operator.bytes_moved + operator.macs for operator in operators]
    return tuple(
        OperatorLatency(operator.name, operator.kind, engine, ms * amount / sum(amounts))
        for operator, amount in zip(operators, amounts, strict=True)
    )
