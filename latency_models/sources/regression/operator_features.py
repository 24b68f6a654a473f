"""What a network of operators is shown: each operator's own figures, scaled for small weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .operator_table import OperatorTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]

#: Channels are padded to one of these by most NPUs, and blocks are made of them.
_BLOCKS = (4, 8, 16, 32, 64)
#: Bytes from which on a tensor, or rows of it, no longer fit into a small SRAM: 384 KB.
_SRAM = 384 * 1024


def features(table: OperatorTable, kinds: tuple[str, ...]) -> Singles:
    """(operators, features) for operators of these kinds; of others the kind stays 0."""
    import numpy as np

    inner = table.channels_in / table.groups
    taps = table.weight_bytes / np.maximum(inner * table.channels_out, 1.0)
    row_in, row_out = table.width_in * table.channels_in, table.width_out * table.channels_out
    columns = [
        *(table.kind == kind for kind in kinds),
        *_of_channels(table.channels_in),
        *_of_channels(table.channels_out),
        *_of_channels(inner),
        *(np.abs(taps - size) < size / 8 for size in (1, 9, 25)),
        np.log2(np.maximum(taps, 0.5)) / 4,
        table.window / 8,
        table.stride - 1,
        table.groups > 1,
        table.inputs - 1,
        np.log2(np.maximum(table.macs, 1.0)) / 16 - 1,
        *_of_size(table.pixels_in),
        *_of_size(table.pixels_out),
        *_of_size(table.width_in),
        *_of_size(table.width_out),
        *_of_size(table.bytes_in / _SRAM),
        *_of_size(table.bytes_out / _SRAM),
        *_of_size(table.weight_bytes / _SRAM),
        *_of_size(table.bytes_live / _SRAM),
        *_of_size(table.image_live / _SRAM),
        *_of_size(16 * row_in / _SRAM),
        *_of_size(16 * row_out / _SRAM),
        *_of_remainder(table.pixels_out / table.width_out),
        *_of_remainder(table.width_out),
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
    ]
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _of_channels(channels: Floats) -> list[Floats]:
    """How many, and what is wasted where they are padded."""
    import numpy as np

    padded = [np.ceil(channels / block) * block for block in _BLOCKS]
    return [
        np.log2(channels) / 4,
        *(np.log2(up / channels) for up in padded),
        *(np.minimum(np.ceil(channels / block), 8.0) / 4 for block in (8, 16, 32)),
    ]


def _of_size(values: Floats) -> list[Floats]:
    import numpy as np

    return [np.log2(np.maximum(values, 2.0**-12)) / 8]


def _of_remainder(sides: Floats) -> list[Floats]:
    """What blocks of rows or columns waste at the end."""
    import numpy as np

    return [np.ceil(sides / block) * block / sides - 1 for block in (2, 4, 8, 16, 32)]
