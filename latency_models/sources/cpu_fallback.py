"""Cost of operators that an NPU leaves to the CPU."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import LoweredOperator

#: A fallback may cost half or double: the CPU's speed is assumed, and its operators may be plain
#: reference code or written for the processor.
COST_FACTOR = 2.0


@dataclass(frozen=True)
class CpuFallback:
    """Throughput of the CPU beside an NPU: memory traffic and multiply-accumulates per second."""

    bandwidth_gb_per_s: float
    gmac_per_s: float

    def ms(self, operator: LoweredOperator) -> float:
        """Milliseconds of ``operator``: the maximum of memory traffic and arithmetic (roofline)."""
        traffic = operator.bytes_moved / (self.bandwidth_gb_per_s * 1e6)
        return max(traffic, operator.macs / (self.gmac_per_s * 1e6))
