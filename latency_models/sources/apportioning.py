"""What is known only of a whole model, shared out among its operators."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import LoweredOperator

from ..source import OperatorLatency

#: How it is done, for ``Latency.conditions``.
SHARING_RULE = "the total, shared out by bytes and MACs"


def shared_out(
    ms: float, kernels: Sequence[LoweredOperator], engine: str
) -> tuple[OperatorLatency, ...]:
    """``ms`` milliseconds by the bytes and multiply-accumulates of each kernel: a hint, no more."""
    work = [kernel.bytes_moved + kernel.macs for kernel in kernels]
    return tuple(
        OperatorLatency(kernel.name, kernel.kind, engine, ms * part / sum(work))
        for kernel, part in zip(kernels, work, strict=True)
    )
