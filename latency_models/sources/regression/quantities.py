"""What an operator can be charged for: each a column of work, priced later by a coefficient."""

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

#: Vector units move bytes in fours; a tensor of other channels is moved value by value. An image's
#: three channels are what every device is built for and are not counted.
_VECTOR = 4
_IMAGE_CHANNELS = 3


class Quantity(StrEnum):
    """Work of one operator; bytes are those of INT8 tensors."""

    #: 1 a network, shared by its operators: what an inference costs before anything is computed
    INFERENCE = "inference"
    #: 1: the cost of starting an operator
    KERNEL = "kernel"
    #: G multiply-accumulates, channels padded
    MACS = "macs"
    #: G multiply-accumulates as they are, of a processor without an array of multipliers
    ARITHMETIC = "arithmetic"
    #: MB read and written, channels padded at low resolution
    TRAFFIC = "traffic"
    #: MB written
    OUTPUT = "output"
    #: M pixels written, however many channels they have
    PIXELS = "pixels"
    #: MB of padded output, once for each input: a part that is put between others is read, merged
    #: and written with all of its neighbors
    MERGES = "merges"
    #: MB read and written; of a concatenation only what cannot be produced in its place, since
    #: runtimes let the others write there: the image, and repetitions
    MOVED = "moved"
    #: M values of the input, its channels padded, spread to the output's size with zeros between:
    #: what a transposed convolution reads where it is run as a convolution
    SPREAD = "spread"
    #: MB written where no side's channels fit a vector
    MISALIGNED = "misaligned"
    #: MB that an operator fused into a convolution reads beside that convolution's result
    OPERANDS = "operands"
    #: MB that an operator fused into a convolution writes in that convolution's place
    FUSED = "fused"


@dataclass(frozen=True)
class ChannelPadding:
    """Multiples to which channels are padded: in the multiplier array, and in memory."""

    compute_channels: int = 1
    memory_channels: int = 1

    def __post_init__(self) -> None:
        for value in (self.compute_channels, self.memory_channels):
            if not 1 <= value <= 256:
                raise InputError(f"padding to {value} channels; it must be within 1..256")


def work(table: OperatorTable, quantity: Quantity, padding: ChannelPadding) -> Floats:
    """Column (operators,) of ``quantity``."""
    import numpy as np

    written = table.pixels_out * _up(table.channels_out, padding.memory_channels)
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
            read = table.pixels_in * _up(table.channels_in, padding.memory_channels)
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
            column = table.pixels_out * _up(table.channels_in, padding.compute_channels) / 1e6
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
    """Multiply-accumulates with each group's channels padded at both ends."""
    import numpy as np

    inner, outer = table.channels_in / table.groups, table.channels_out / table.groups
    depthwise = table.kind == "DEPTHWISE_CONV_2D"
    waste = _up(inner, multiple) / np.maximum(inner, 1) * _up(outer, multiple)
    waste = waste / np.maximum(outer, 1)
    whole = _up(table.channels_out, multiple) / table.channels_out
    return np.where(depthwise, table.macs * whole, table.macs * waste)


def _up(values: Floats, multiple: int) -> Floats:
    import numpy as np

    return np.ceil(values / multiple) * multiple
