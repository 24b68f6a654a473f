"""Latency by regression: a device's measured table and what is known of its engines."""

from .measurements import Measurement, Origin, read_measurements, write_measurements
from .quantities import Padding, Quantity
from .recipe import Engine, Recipe, Term

__all__ = [
    "Engine", "Measurement", "Origin", "Padding", "Quantity", "Recipe", "Term", "read_measurements",
    "write_measurements",
]  # fmt: skip
