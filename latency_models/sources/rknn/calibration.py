"""Converts the cycles that rknn-toolkit2 counts for a layer to microseconds of a board.

    us = launch + max(ddr * DDR kcycles + lookup * MB looked up, npu * NPU kcycles)

Memory transfers and multiplications overlap: the slower of both determines the time. Activations
that are looked up in a table add to the transfers. On RK3588 the compiler counts a DDR cycle for
every 23.65 bytes read or written, in every layer for which it gives cycles; the same ratio prices
the layers for which it gives none.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from search_spaces import InputError

from .layers import Layer


@dataclass(frozen=True)
class Calibration:
    """Prices of a board in microseconds per unit that the compiler counts."""

    us_per_layer: float
    us_per_ddr_kcycle: float
    us_per_npu_kcycle: float
    us_per_looked_up_mb: float
    bytes_per_ddr_cycle: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0 for value in astuple(self)):
            raise InputError(f"{self}: each price must be finite and not negative")
        if not self.bytes_per_ddr_cycle:
            raise InputError("bytes_per_ddr_cycle is 0; for RK3588 it is 23.65")

    def us(self, layer: Layer) -> float:
        """Returns the us of a layer on the NPU, even if the compiler gave no cycles for it."""
        memory = self.us_per_ddr_kcycle * self.ddr_cycles(layer) / 1e3
        memory += self.us_per_looked_up_mb * layer.looked_up_kb * 1024 / 1e6
        return self.us_per_layer + max(memory, self.us_per_npu_kcycle * layer.npu_cycles / 1e3)

    def ddr_cycles(self, layer: Layer) -> float:
        """Returns the DDR cycles of a layer, as printed by the compiler.

        If it printed 0, as for Concat, Transpose, Split and Resize, they are derived from the bytes
        read and written.
        """
        if layer.ddr_cycles or layer.npu_cycles:
            return layer.ddr_cycles
        return (layer.read_kb + layer.written_kb) * 1024 / self.bytes_per_ddr_cycle
