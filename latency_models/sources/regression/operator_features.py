"""Input features of ``OperatorNetwork``: figures of each operator, scaled to similar ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cascades import SRAM, Cascades
from .operator_table import OperatorTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

#: Multiples to which NPUs pad channels.
_BLOCKS = (4, 8, 16, 32, 64)


def features(table: OperatorTable, kinds: tuple[str, ...]) -> Singles:
    """Returns float32 (operators, features); the kind of an operator is one-hot among ``kinds``."""
    import numpy as np

    inner = table.channels_in / table.groups
    taps = table.weight_bytes / np.maximum(inner * table.channels_out, 1.0)
    row_in, row_out = table.width_in * table.channels_in, table.width_out * table.channels_out
    columns = [
        *(table.is_one_of({kind}) for kind in kinds),
        *_channel_features(table.channels_in),
        *_channel_features(table.channels_out),
        *_channel_features(inner),
        *(np.abs(taps - size) < size / 8 for size in (1, 9, 25)),
        np.log2(np.maximum(taps, 0.5)) / 4,
        table.window / 8,
        table.stride - 1,
        table.groups > 1,
        table.inputs - 1,
        np.log2(np.maximum(table.macs, 1.0)) / 16 - 1,
        *_size_features(table.pixels_in),
        *_size_features(table.pixels_out),
        *_size_features(table.width_in),
        *_size_features(table.width_out),
        *_size_features(table.bytes_in / SRAM),
        *_size_features(table.bytes_out / SRAM),
        *_size_features(table.weight_bytes / SRAM),
        *_size_features(table.bytes_live / SRAM),
        *_size_features(table.image_live / SRAM),
        *_size_features(16 * row_in / SRAM),
        *_size_features(16 * row_out / SRAM),
        *_remainder_features(table.pixels_out / table.width_out),
        *_remainder_features(table.width_out),
        table.readers == 0,
        np.minimum(table.readers - 1, 4.0) / 4,
        np.minimum(table.reach - 1, 16.0) / 8,
        table.reach > 1,
        np.minimum(table.span - 1, 16.0) / 8,
        table.span > 1,
        table.offsets,
        table.behind_convolution,
        table.bytes_beside > 0,
        table.joined,
        table.at_end,
        table.linear_in,
        table.linear_beside,
        table.linear_out,
        *_multiple_features(table.pixels_out / table.width_out),
        *_multiple_features(table.width_out),
        *_memory_features(table),
        *_cascade_features(Cascades.of(table, fuses_additions=False)),
        *_cascade_features(Cascades.of(table, fuses_additions=True)),
    ]
    return np.stack([np.asarray(column, np.float32) for column in columns]).T


def _channel_features(channels: Floats) -> list[Floats]:
    """Returns the number of channels, share of padding and number of blocks, for some paddings."""
    import numpy as np

    padded = [np.ceil(channels / block) * block for block in _BLOCKS]
    return [
        np.log2(channels) / 4,
        *(np.log2(up / channels) for up in padded),
        *(np.minimum(np.ceil(channels / block), 8.0) / 4 for block in (8, 16, 32)),
    ]


def _size_features(values: Floats) -> list[Floats]:
    import numpy as np

    return [np.log2(np.maximum(values, 2.0**-12)) / 8]


def _remainder_features(sides: Floats) -> list[Floats]:
    """Returns the relative excess of blocks of rows or columns over the tensor's side."""
    import numpy as np

    return [np.ceil(sides / block) * block / sides - 1 for block in (2, 4, 8, 16, 32)]


def _multiple_features(sides: Floats) -> list[Mask]:
    """Returns whether the tensor's side is a multiple of each block size."""
    return [sides % block == 0 for block in (2, 4, 8, 16, 32, 64)]


def _memory_features(table: OperatorTable) -> list[Floats]:
    """Returns sizes relative to the SRAM, and MACs per byte (arithmetic intensity)."""
    import numpy as np

    inner, outer = table.padded_bytes_in, table.padded_bytes_out
    whole = inner + outer
    return [
        *(_relative_to_sram(size) for size in (inner, outer, whole, whole + table.bytes_live)),
        np.clip(np.log2(np.maximum(table.macs, 1.0) / whole) / 4 - 1, -1.0, 1.0),
    ]


def _cascade_features(found: Cascades) -> list[Floats | Mask]:
    import numpy as np

    several = found.length > 1
    return [
        np.log2(np.minimum(found.length, 16.0)) / 2,
        several & found.first,
        several & found.last,
        _relative_to_sram(found.held),
        _relative_to_sram(found.held_with_next) * (found.held_with_next > 0),
        np.log2(np.clip(found.rows, 0.25, 64.0)) / 4 * several,
    ]


def _relative_to_sram(values: Floats) -> Floats:
    """Returns log2 of bytes relative to the SRAM, clipped to -2 to 2 (a quarter to four times)."""
    import numpy as np

    return np.clip(np.log2(np.maximum(values, 1.0) / SRAM), -2.0, 2.0)
