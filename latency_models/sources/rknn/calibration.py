"""From a compiler's cycles to a board's microseconds.

    us = launch + max(ddr * DDR kcycles + lookup * MB looked up, npu * NPU kcycles)

Memory and multipliers work at the same time, and the slower decides; an activation from a table
delays what is written. The compiler takes 23.65 bytes a DDR cycle on RK3588: (what is read + what
is written) / DDR cycles is that for every layer it prices, so that it prices the others too.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from search_spaces import InputError

from .layers import Layer


@dataclass(frozen=True)
class Calibration:
    """Microseconds of a board for what its compiler counts."""

    us_per_layer: float
    us_per_ddr_kcycle: float
    us_per_npu_kcycle: float
    us_per_looked_up_mb: float
    bytes_per_ddr_cycle: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0 for value in astuple(self)):
            raise InputError(f"{self}: a price is finite and not negative")
        if not self.bytes_per_ddr_cycle:
            raise InputError("bytes_per_ddr_cycle is 0; for RK3588 it is 23.65")

    def us(self, layer: Layer) -> float:
        """Of a layer on the NPU, priced by the compiler or not."""
        memory = self.us_per_ddr_kcycle * self.ddr_cycles(layer) / 1e3
        memory += self.us_per_looked_up_mb * layer.looked_up_kb * 1024 / 1e6
        return self.us_per_layer + max(memory, self.us_per_npu_kcycle * layer.npu_cycles / 1e3)

    def ddr_cycles(self, layer: Layer) -> float:
        """As printed, or of its bytes where 0 is printed: Concat, Transpose, Split, Resize ..."""
        if layer.ddr_cycles or layer.npu_cycles:
            return layer.ddr_cycles
        return (layer.read_kb + layer.written_kb) * 1024 / self.bytes_per_ddr_cycle
