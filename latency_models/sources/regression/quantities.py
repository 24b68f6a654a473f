"""Quantities of work that operators can be charged for; a price is in ms per unit of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from search_spaces import InputError

from .operator_table import OperatorTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Vector units move four bytes at a time; a tensor with another multiple of channels is moved value
#: by value. Up to three channels, as of images, do not count as misaligned.
_VECTOR = 4
_IMAGE_CHANNELS = 3


class Quantity(StrEnum):
    """Work of one operator; bytes are those of INT8 tensors."""

    #: 1 for a network, divided among its operators: the fixed cost of an inference
    INFERENCE = "inference"
    #: 1: the cost of starting an operator
    KERNEL = "kernel"
    #: 1e9 multiply-accumulates, with padded channels
    MACS = "macs"
    #: 1e9 multiply-accumulates without padding, for processors without an array of multipliers
    ARITHMETIC = "arithmetic"
    #: MB read and written, with padded channels
    TRAFFIC = "traffic"
    #: MB written
    OUTPUT = "output"
    #: 1e6 pixels written, of any number of channels
    PIXELS = "pixels"
    #: MB of the padded output times the number of inputs, of concatenations that read and write the
    #: whole output for each part
    MERGES = "merges"
    #: MB read and written; of a concatenation only inputs that cannot be written in place by the
    #: operator that makes them: the image, and repeated inputs
    MOVED = "moved"
    #: 1e6 values of the input enlarged to the output's size with zeros between, with padded
    #: channels: the reads of a transposed convolution that is run as a convolution
    SPREAD = "spread"
    #: MB written, if the larger of input and output channels is no multiple of a vector
    MISALIGNED = "misaligned"
    #: MB that an operator fused into a convolution reads in addition to its result
    OPERANDS = "operands"
    #: MB that an operator fused into a convolution writes instead of its result
    FUSED = "fused"


@dataclass(frozen=True)
class ChannelPadding:
    """Multiples to which channels are padded, in the array of multipliers and in memory."""

    compute_channels: int = 1
    memory_channels: int = 1

    def __post_init__(self) -> None:
        for value in (self.compute_channels, self.memory_channels):
            if not 1 <= value <= 256:
                raise InputError(f"padding to {value} channels; it must be within 1..256")


def work(table: OperatorTable, quantity: Quantity, padding: ChannelPadding) -> Floats:
    """Returns (operators,): ``quantity`` of each operator, in its unit."""
    import numpy as np

    written = table.pixels_out * _rounded_up(table.channels_out, padding.memory_channels)
    match quantity:
        case Quantity.INFERENCE:
            column = 1.0 / np.bincount(table.network, minlength=table.networks)[table.network]
        case Quantity.KERNEL:
            column = np.ones(len(table))
        case Quantity.MACS:
            column = _padded_macs(table, padding.compute_channels) / 1e9
        case Quantity.ARITHMETIC:
            column = table.macs / 1e9
        case Quantity.TRAFFIC:
            read = table.pixels_in * _rounded_up(table.channels_in, padding.memory_channels)
            column = (read + written) / 1e6
        case Quantity.OUTPUT | Quantity.FUSED:
            column = table.bytes_out / 1e6
        case Quantity.PIXELS:
            column = table.pixels_out / 1e6
        case Quantity.MERGES:
            column = table.inputs * written / 1e6
        case Quantity.MOVED:
            joined = table.kind == "CONCATENATION"
            every = table.bytes_in + table.bytes_out
            column = np.where(joined, 2 * table.bytes_repeated, every) / 1e6
        case Quantity.SPREAD:
            column = (
                table.pixels_out * _rounded_up(table.channels_in, padding.compute_channels) / 1e6
            )
        case Quantity.MISALIGNED:
            column = _misaligned(table)
        case Quantity.OPERANDS:
            column = table.bytes_beside / 1e6
    return column


def _misaligned(table: OperatorTable) -> Floats:
    import numpy as np

    widest = np.maximum(table.channels_in, table.channels_out)
    odd = (widest % _VECTOR != 0) & (widest > _IMAGE_CHANNELS)
    return np.where(odd, table.bytes_out, 0.0) / 1e6


def _padded_macs(table: OperatorTable, multiple: int) -> Floats:
    """Returns MACs with the input and output channels of each group padded to ``multiple``."""
    import numpy as np

    inner, outer = table.channels_in / table.groups, table.channels_out / table.groups
    depthwise = table.kind == "DEPTHWISE_CONV_2D"
    waste = _rounded_up(inner, multiple) / np.maximum(inner, 1) * _rounded_up(outer, multiple)
    waste = waste / np.maximum(outer, 1)
    whole = _rounded_up(table.channels_out, multiple) / table.channels_out
    return np.where(depthwise, table.macs * whole, table.macs * waste)


def _rounded_up(values: Floats, multiple: int) -> Floats:
    import numpy as np

    return np.ceil(values / multiple) * multiple
