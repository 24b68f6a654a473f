"""Cascades: chains of operators that a compiler interleaves, a few rows of each at a time.

Only some rows of the tensors between them are then kept in SRAM, in rolling buffers. This
approximates the first step of Vela's scheduler: a cascade is extended by the next operator of a
chain as long as its rolling buffers fit into SRAM, and ends before an operator whose tensors fit
entirely. The rows at a time are as many as fit beside the weights of the whole cascade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .operator_table import CONVOLUTIONS, OperatorTable, padded_channels

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Bytes of the SRAM of an Ethos-U65 or U85 as Arm describes it.
SRAM = 384 * 1024
#: Operators that can be part of a cascade, and those fused into the convolution before them.
_CASCADABLE = CONVOLUTIONS | {"MINIMUM", "MUL", "QUANTIZE"}
_FUSED_ACTIVATIONS = frozenset({"LEAKY_RELU", "LOGISTIC", "RELU", "TANH"})


@dataclass(frozen=True)
class Cascades:
    """The cascade of each operator; arrays of shape (operators,)."""

    #: number of operators in the cascade, without those that are fused into a convolution
    length: Floats
    first: Mask
    last: Mask
    #: bytes of the smallest rolling buffers; and the same with the buffer of the operator after the
    #: cascade, 0 if there is none
    held: Floats
    held_with_next: Floats
    #: rows that fit into SRAM at a time; 0 for an operator by itself
    rows: Floats

    @classmethod
    def of(cls, table: OperatorTable, *, fuses_additions: bool) -> Cascades:
        """Finds the cascades of all networks in ``table``.

        With ``fuses_additions``, additions are fused into the convolution before them, which then
        cannot be in a cascade with the operator before it.
        """
        import numpy as np

        # A rolling buffer holds each row twice, for the operator that writes it and its reader.
        row = 2 * table.width_in * padded_channels(table.channels_in)
        held = row * table.window
        linked, is_fused = _links(table, fuses_additions=fuses_additions)
        row, held = (np.where(is_fused, 0.0, column) for column in (row, held))
        whole = table.padded_bytes_in + table.padded_bytes_out
        begins = _begins(linked, is_fused, held, whole <= SRAM)
        number = np.cumsum(begins) - 1
        buffered = ~begins & ~is_fused
        buffers, rows_bytes, weights, length = (
            np.bincount(number, values)[number] if len(number) else np.zeros(0)
            for values in (held * buffered, row * buffered, table.weight_bytes, 1.0 * ~is_fused)
        )
        ends = np.append(begins[1:], True)
        next_held = np.append((held * linked)[1:], 0.0)
        # For each cascade, the rolling buffer that the operator after its last would add.
        following = np.bincount(number, next_held * ends)[number] if len(number) else buffers
        rows = 1 + (SRAM - buffers - weights) / np.maximum(rows_bytes, 1.0)
        return cls(
            length,
            begins,
            ends,
            buffers,
            np.where(following > 0, buffers + following, 0.0),
            np.where(length > 1, rows, 0.0),
        )


def _links(table: OperatorTable, *, fuses_additions: bool) -> tuple[Mask, Mask]:
    """Returns two masks (operators,).

    The first says whether the operator is the only reader of the one before it, so that both can be
    in one cascade; the second, whether it is fused into the one before it.
    """
    import numpy as np

    fused = table.is_one_of(_FUSED_ACTIVATIONS)
    able = table.is_one_of(_CASCADABLE | _FUSED_ACTIVATIONS) & (table.inputs == 1)
    alone = (table.readers == 1) & (table.reach == 1)
    begin = np.diff(table.network, prepend=-1) != 0
    before = np.append(False, (alone & able)[:-1]) & ~begin
    linked = able & before
    is_convolution = table.is_one_of(CONVOLUTIONS)
    is_fused = linked & fused & np.append(False, is_convolution[:-1])
    if fuses_additions:
        added = np.append((table.is_one_of({"ADD", "SUB"}) & ~begin)[1:], False)
        linked &= ~(added & alone & is_convolution)
    return linked, is_fused


def _begins(linked: Mask, is_fused: Mask, held: Floats, fits: Mask) -> Mask:
    """Returns the mask (operators,) of operators that are the first of their cascade."""
    import numpy as np

    begins, total = [], 0.0
    for link, inside, own, whole in zip(
        linked.tolist(), is_fused.tolist(), held.tolist(), fits.tolist(), strict=True
    ):
        total += own
        begin = not inside and (not link or whole or total > SRAM)
        if begin:
            total = 0.0
        begins.append(begin)
    return np.array(begins, dtype=bool)
