"""Latency prediction by regression on a device's measurements, with known facts of its engines."""

from .measurements import Measurement, MeasurementOrigin, read_measurements, write_measurements
from .quantities import ChannelPadding, Quantity
from .structure import CostStructure, Engine, Term

__all__ = [
    "ChannelPadding",
    "CostStructure",
    "Engine",
    "Measurement",
    "MeasurementOrigin",
    "Quantity",
    "Term",
    "read_measurements",
    "write_measurements",
]  # fmt: skip
