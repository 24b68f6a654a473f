"""The learned part: what the physical one leaves of each operator's time, by its shape.

Extremely randomised trees (Geurts et al., Machine Learning 63, 2006; scikit-learn) on the logarithm
of measured to physical time: NPUs cut tensors into blocks, and their steps are no sums. An operator
is seen with the ones around it and with what is kept beside it, since compilers fuse neighbors and
run them by turns, as memory lasts. Each kind of operator has trees of its own: what is uncommon
and long, such as a transposed convolution, would else be judged by what is common. Kinds that a
table hardly holds share theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .operator_table import OperatorTable
from .physical import Charges, Physical

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: More of them predict unseen networks no better; a device is fitted each time it is loaded.
_TREES = 25
#: Channels are padded to one of these by most devices: the trees see how far.
_BLOCKS = (8, 16, 32)
#: A kind of operator that was measured fewer times than this has no trees of its own.
_FEWEST = 30
#: Below this part of the mean operator's time a ratio says nothing.
_NEGLIGIBLE = 0.01
#: Trees learn from so many decimals. The last digits of logarithms and of fitted prices differ from
#: one kind of processor to another, and among equally good splits they would decide.
_DECIMALS = 6


@dataclass(frozen=True)
class ResidualTrees:
    """Trees of the kinds that are learned, and the ms beside which ratios are taken."""

    trees: tuple[tuple[frozenset[str], Any], ...]
    offset_ms: float
    #: all that the table holds
    kinds: tuple[str, ...]

    def correct(self, table: OperatorTable, physical_ms: Floats) -> Floats:
        """(operators,): ms with what was learned."""
        import numpy as np

        features = _features(table, physical_ms, self.kinds)
        ms = physical_ms.copy()
        for kinds, trees in self.trees:
            own = np.flatnonzero(np.isin(table.kind, sorted(kinds)))
            # Kernels of one shape in one place are many; each is asked for once.
            rows = [row.tobytes() for row in features[own]]
            place = dict(zip(rows, own, strict=True))
            if not place:
                continue
            log_ratio = dict(zip(place, trees.predict(features[[*place.values()]]), strict=True))
            ratio = np.exp([log_ratio[row] for row in rows])
            ms[own] = np.maximum((ms[own] + self.offset_ms) * ratio - self.offset_ms, 0.0)
        return ms


def fit_residual(physical: Physical, charges: Charges) -> ResidualTrees | None:
    """Learned where operators' times are told; None if they are not, or hide each other."""
    import numpy as np
    from sklearn.ensemble import ExtraTreesRegressor

    with_times = [index for index, row in enumerate(charges.rows) if row.operators_ms]
    if physical.structure.side_by_side or not with_times:
        return None
    rows, table = [charges.rows[index] for index in with_times], charges.table.only(with_times)
    measured = np.concatenate(
        [np.array(row.operators_ms) / physical.factor(row.stack) for row in rows]
    )
    expected = physical.operator_ms(table)
    kinds = tuple(sorted(set(table.kind.tolist())))
    learned = np.isin(table.kind, sorted(physical.structure.open_kinds))
    offset_ms = _NEGLIGIBLE * float(measured[learned].mean())
    ratio = np.log((measured + offset_ms) / (expected + offset_ms))
    # An operator counts by its share of its network: an error of what is long is one of the whole.
    total_ms = table.per_network(np.where(learned, measured, 0.0))[table.network]
    weight = np.sqrt((np.maximum(measured, expected) + offset_ms) / (total_ms + offset_ms))
    ratio, weight = ratio.round(_DECIMALS), weight.round(_DECIMALS)
    features = _features(table, expected, kinds)
    trees = []
    for alike in _learned_together(table.kind[learned].tolist()):
        own = np.isin(table.kind, sorted(alike))
        forest = ExtraTreesRegressor(_TREES, random_state=0)
        forest.fit(features[own], ratio[own], sample_weight=weight[own])
        trees.append((alike, forest))
    return ResidualTrees(tuple(trees), offset_ms, kinds)


def _learned_together(kinds: Iterable[str]) -> list[frozenset[str]]:
    """Of the kinds of measured operators: each common one by itself, and all the others."""
    counts = Counter(kinds)
    common = sorted(kind for kind, count in counts.items() if count >= _FEWEST)
    others = frozenset(counts.keys() - set(common))
    return [frozenset({kind}) for kind in common] + [others] * bool(others)


def _features(table: OperatorTable, physical_ms: Floats, kinds: tuple[str, ...]) -> Floats:
    """(operators, features): an operator's own figures, then those of the one before and behind."""
    import numpy as np

    inner, outer = table.channels_in / table.groups, table.channels_out / table.groups
    kind = np.searchsorted(kinds, table.kind).astype(float)
    # More of a transposed convolution than the window that one value of the output is made of.
    taps = table.weight_bytes / np.maximum(inner * table.channels_out, 1.0)
    own = [
        inner, outer, table.channels_in, table.channels_out, table.groups, table.window,
        table.stride, taps, table.inputs, table.pixels_in, table.pixels_out, table.weight_bytes,
        np.log(np.maximum(table.macs, 1.0)), np.log(table.bytes_out),
        np.log(table.bytes_in + table.bytes_out), np.log(physical_ms + 1e-3),
        table.readers, table.reach, table.span, table.bytes_live, table.image_live, table.offsets,
        *(np.ceil(side / block) for side in (inner, outer) for block in _BLOCKS),
    ]  # fmt: skip
    near = [table.window, table.inputs, table.pixels_out, table.groups, table.reach, table.span]
    around = [kind + 1, table.offsets, table.channels_out]
    others = [
        _shifted(table, column, step)
        for columns, steps in ((near, (1, -1)), (around, (1, 2, 3, -1, -2, -3)))
        for column in columns
        for step in steps
    ]
    return np.stack([*own, *others], axis=1).round(_DECIMALS)


def _shifted(table: OperatorTable, column: Floats, step: int) -> Floats:
    """The column's value ``step`` operators earlier in the same network, 0 where there is none."""
    import numpy as np

    same = np.roll(table.network, step) == table.network
    # What comes round from the other end is of another network, or of the only one.
    same[: max(step, 0)] = False
    same[max(len(same) + min(step, 0), 0) :] = False
    return np.where(same, np.roll(column, step), 0.0)
