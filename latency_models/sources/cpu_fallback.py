"""Estimates the cost of operators that an NPU leaves to the CPU."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import LoweredOperator

#: The true cost lies between half and twice the estimate: the speed of the CPU is only assumed, and
#: its kernels may be plain reference code or optimized for the processor.
COST_FACTOR = 2.0


@dataclass(frozen=True)
class CpuFallback:
    """Throughput of the CPU: memory traffic and multiply-accumulates per second."""

    bandwidth_gb_per_s: float
    gmac_per_s: float

    def ms(self, operator: LoweredOperator) -> float:
        """Returns ms of ``operator``: the longer of memory traffic and arithmetic (roofline)."""
        traffic = operator.bytes_moved / (self.bandwidth_gb_per_s * 1e6)
        return max(traffic, operator.macs / (self.gmac_per_s * 1e6))
