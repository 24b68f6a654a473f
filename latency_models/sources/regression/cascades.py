"""Which operators a compiler may run by turns, some rows each, so that SRAM holds what is between.

As the scheduler of Vela begins: from each operator on, neighbors of a chain are taken in as long as
the rolling buffers between them fit, and until one comes that fits whole. Vela then makes as many
rows at a turn as fit, with the weights of all beside them.
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
#: Operators that run by turns with a neighbor, and those that a convolution takes in behind it.
_BY_TURNS = CONVOLUTIONS | {"MINIMUM", "MUL", "QUANTIZE"}
_TAKEN_IN = frozenset({"LEAKY_RELU", "LOGISTIC", "RELU", "TANH"})


@dataclass(frozen=True)
class Cascades:
    """Of each operator, (operators,): what runs by turns with it."""

    #: operators, itself among them, without those that a convolution takes in
    length: Floats
    first: Mask
    last: Mask
    #: bytes of rolling buffers as small as can be, and with the next operator's if there is one
    held: Floats
    held_with_next: Floats
    #: rows that can be made at a turn
    rows: Floats

    @classmethod
    def of(cls, table: OperatorTable, *, takes_in_additions: bool) -> Cascades:
        """``takes_in_additions``: a convolution adds another tensor to its result at once, and then
        runs by turns with nothing before it.
        """
        import numpy as np

        # A rolling buffer has room for what both sides work on: each row twice.
        row = 2 * table.width_in * padded_channels(table.channels_in)
        held = row * table.window
        linked, taken_in = _links(table, takes_in_additions=takes_in_additions)
        row, held = (np.where(taken_in, 0.0, own) for own in (row, held))
        whole = table.padded_bytes_in + table.padded_bytes_out
        begins = _begins(linked, taken_in, held, whole <= SRAM)
        number = np.cumsum(begins) - 1
        own = ~begins & ~taken_in
        buffers, rows_bytes, weights, length = (
            np.bincount(number, values)[number] if len(number) else np.zeros(0)
            for values in (held * own, row * own, table.weight_bytes, 1.0 * ~taken_in)
        )
        ends = np.append(begins[1:], True)
        next_held = np.append((held * linked)[1:], 0.0)
        # of the whole cascade: what the operator behind its last would add
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


def _links(table: OperatorTable, *, takes_in_additions: bool) -> tuple[Mask, Mask]:
    """(operators,) each: reads what the one before makes for it alone, so that both may run by
    turns; and is taken in by it.
    """
    import numpy as np

    fused = table.is_one_of(_TAKEN_IN)
    able = table.is_one_of(_BY_TURNS | _TAKEN_IN) & (table.inputs == 1)
    alone = (table.readers == 1) & (table.reach == 1)
    begin = np.diff(table.network, prepend=-1) != 0
    before = np.append(False, (alone & able)[:-1]) & ~begin
    linked = able & before
    is_convolution = table.is_one_of(CONVOLUTIONS)
    taken_in = linked & fused & np.append(False, is_convolution[:-1])
    if takes_in_additions:
        added = np.append((table.is_one_of({"ADD", "SUB"}) & ~begin)[1:], False)
        linked &= ~(added & alone & is_convolution)
    return linked, taken_in


def _begins(linked: Mask, taken_in: Mask, held: Floats, fits: Mask) -> Mask:
    """(operators,): is the first of its cascade."""
    import numpy as np

    begins, total = [], 0.0
    for link, inside, own, whole in zip(
        linked.tolist(), taken_in.tolist(), held.tolist(), fits.tolist(), strict=True
    ):
        total += own
        begin = not inside and (not link or whole or total > SRAM)
        if begin:
            total = 0.0
        begins.append(begin)
    return np.array(begins, dtype=bool)
