"""Variants of operators: what must have been trained on for an operator to be known.

A variant is the kind of an operator with its kernel, dilation, stride, and whether it is grouped.
Operators of one variant differ in sizes alone, between which a trained network interpolates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .operator_table import OperatorTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

#: One more than the largest kernel side and window, and the largest dilation and stride.
_SIDES, _STEPS = 64, 16


def variants(table: OperatorTable, kinds: tuple[str, ...]) -> Integers:
    """Returns (operators,): a number for each variant, with the kind's position in ``kinds``."""
    import numpy as np

    names, places = table.kinds
    position = {kind: index for index, kind in enumerate(kinds)}
    kind = np.array([position.get(name, len(kinds)) for name in names], np.int64)[places]
    inner = table.channels_in / table.groups
    weighs = table.macs > 0
    taps = table.weight_bytes / np.maximum(inner * table.channels_out, 1.0)
    depthwise = table.is_one_of({"DEPTHWISE_CONV_2D"})
    taps = np.where(depthwise, table.weight_bytes / table.channels_out - 1, taps)
    kernel = np.where(weighs, np.floor(np.sqrt(np.maximum(taps, 0.0) + 1e-6)), 0)
    figures = (
        (kernel, _SIDES),
        (table.window, _SIDES),
        (table.stride, _STEPS),
        (table.groups > 1, 2),
    )
    code = kind
    for values, count in figures:
        code = code * count + np.clip(values, 0, count - 1).astype(np.int64)
    return code
