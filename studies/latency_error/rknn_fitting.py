"""The calibration of a board with an NPU of Rockchip's, from the times of single layers."""

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

#: What the optimizer starts from: us a layer, us a kcycle at 1 GHz, a table of some 3 GB/s.
_START = (100.0, 2.0, 1.0, 300.0)


@dataclass(frozen=True)
class LayerTime:
    """A layer on the NPU and what it took on the board."""

    layer: Layer
    us: float


def read_layer_times(text: str) -> tuple[LayerTime, ...]:
    """Of a table ``op,output_shape,ddr_cycles,npu_cycles,read_kb,us``; the shape of one of several
    outputs ends with ``...``.
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
    """The four prices that make the mean squared relative error of ``times`` least."""
    if len(times) < 2 * len(_START):
        raise InputError(f"{len(times)} layers for {len(_START)} prices; give {2 * len(_START)}")

    def priced(logarithms: Sequence[float]) -> Calibration:
        launch, ddr, npu, lookup = map(math.exp, logarithms)
        return Calibration(launch, ddr, npu, lookup, bytes_per_ddr_cycle)

    def errors(logarithms: Sequence[float]) -> list[float]:
        prices = priced(logarithms)
        return [prices.us(time.layer) / time.us - 1 for time in times]

    return priced(least_squares(errors, [math.log(price) for price in _START]).x.tolist())
