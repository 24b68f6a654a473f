"""Fits the calibration of a board with a Rockchip NPU to the times of single layers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import least_squares

from latency_models.sources.rknn.calibration import Calibration
from latency_models.sources.rknn.layers import Layer
from search_spaces import InputError

#: Initial prices for the optimizer, in us: of a layer, 1,000 DDR cycles, 1,000 NPU cycles (1 GHz),
#: and of a MB looked up in a table (about 3 GB/s).
_START = (100.0, 2.0, 1.0, 300.0)


@dataclass(frozen=True)
class LayerTime:
    """A layer on the NPU, and its time on the board in us."""

    layer: Layer
    us: float


def read_layer_times(text: str) -> tuple[LayerTime, ...]:
    """Reads a CSV table with columns ``op,output_shape,ddr_cycles,npu_cycles,read_kb,us``.

    A shape that ends with ``...`` is that of the first of several outputs.
    """
    return tuple(
        LayerTime(
            Layer(row["op"], "NPU", row["output_shape"], int(row["ddr_cycles"]),
                  int(row["npu_cycles"]), float(row["read_kb"])),
            float(row["us"]),
        )
        for row in csv.DictReader(io.StringIO(text))
    )  # fmt: skip


def fit_calibration(times: Sequence[LayerTime], bytes_per_ddr_cycle: float) -> Calibration:
    """Returns the four prices with the least mean squared relative error of ``times``."""
    if len(times) < 2 * len(_START):
        raise InputError(f"{len(times)} layers for {len(_START)} prices; give {2 * len(_START)}")

    def calibration(logarithms: Sequence[float]) -> Calibration:
        launch, ddr, npu, lookup = map(math.exp, logarithms)
        return Calibration(launch, ddr, npu, lookup, bytes_per_ddr_cycle)

    def errors(logarithms: Sequence[float]) -> list[float]:
        prices = calibration(logarithms)
        return [prices.us(time.layer) / time.us - 1 for time in times]

    return calibration(least_squares(errors, [math.log(price) for price in _START]).x.tolist())
