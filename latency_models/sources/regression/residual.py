"""Residual trees: a learned correction of each operator's physical time.

Extremely randomized trees (Geurts et al., Machine Learning 63, 2006; scikit-learn) predict the
logarithm of the ratio of measured to physical time. They can follow the steps that blocks of
channels and pixels cause, which a sum of prices cannot. Their features are those of the operator,
of its neighbors, with which compilers fuse or interleave it, and of the tensors that are kept in
memory meanwhile. Each kind of operator has its own trees, so that a rare and slow one, such as a
transposed convolution, is not predicted from frequent ones; rare kinds share one set.
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

#: Number of trees; more do not improve predictions, and they are fitted when a device is loaded.
_TREES = 25
#: Multiples to which most devices pad channels.
_BLOCKS = (8, 16, 32)
#: Kinds of operators with fewer measurements than this share their trees.
_MIN_MEASUREMENTS = 30
#: Part of the mean operator time that is added to both times of a ratio, against tiny ones.
_NEGLIGIBLE = 0.01
#: Decimals of features and targets. The last digits differ between processors, and would decide
#: among equally good splits.
_DECIMALS = 6


@dataclass(frozen=True)
class ResidualTrees:
    """Fitted trees for each group of kinds; ``offset_ms`` is added to both times of a ratio."""

    trees: tuple[tuple[frozenset[str], Any], ...]
    offset_ms: float
    #: all kinds of operators of the table
    kinds: tuple[str, ...]

    def correct(self, table: OperatorTable, physical_ms: Floats) -> Floats:
        """Returns (operators,): corrected ms."""
        import numpy as np

        features = _features(table, physical_ms, self.kinds)
        ms = physical_ms.copy()
        for kinds, trees in self.trees:
            own = np.flatnonzero(np.isin(table.kind, sorted(kinds)))
            # Many operators have equal features: each distinct row is predicted once.
            rows = [row.tobytes() for row in features[own]]
            place = dict(zip(rows, own, strict=True))
            if not place:
                continue
            log_ratio = dict(zip(place, trees.predict(features[[*place.values()]]), strict=True))
            ratio = np.exp([log_ratio[row] for row in rows])
            ms[own] = np.maximum((ms[own] + self.offset_ms) * ratio - self.offset_ms, 0.0)
        return ms


def fit_residual(physical: Physical, charges: Charges) -> ResidualTrees | None:
    """Fits trees to measured times of operators; None if there are none, or engines overlap."""
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
    learned = table.is_one_of(physical.structure.open_kinds)
    offset_ms = _NEGLIGIBLE * float(measured[learned].mean())
    ratio = np.log((measured + offset_ms) / (expected + offset_ms))
    # Weighted by the operator's share of its network, whose error is what matters.
    total_ms = table.per_network(np.where(learned, measured, 0.0))[table.network]
    weight = np.sqrt((np.maximum(measured, expected) + offset_ms) / (total_ms + offset_ms))
    ratio, weight = ratio.round(_DECIMALS), weight.round(_DECIMALS)
    features = _features(table, expected, kinds)
    trees = []
    for alike in _kind_groups(table.kind[learned].tolist()):
        own = np.isin(table.kind, sorted(alike))
        forest = ExtraTreesRegressor(_TREES, random_state=0)
        forest.fit(features[own], ratio[own], sample_weight=weight[own])
        trees.append((alike, forest))
    return ResidualTrees(tuple(trees), offset_ms, kinds)


def _kind_groups(kinds: Iterable[str]) -> list[frozenset[str]]:
    """Returns groups of kinds with common trees: each frequent kind alone, and all others."""
    counts = Counter(kinds)
    common = sorted(kind for kind, count in counts.items() if count >= _MIN_MEASUREMENTS)
    others = frozenset(counts.keys() - set(common))
    return [frozenset({kind}) for kind in common] + [others] * bool(others)


def _features(table: OperatorTable, physical_ms: Floats, kinds: tuple[str, ...]) -> Floats:
    """Returns (operators, features): properties of each operator and of its neighbors."""
    import numpy as np

    inner, outer = table.channels_in / table.groups, table.channels_out / table.groups
    kind = np.searchsorted(kinds, table.kind).astype(float)
    # Taps of the kernel; of a transposed convolution more than the window of an output value.
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
    """Returns the column's value ``step`` operators earlier in the same network; 0 if none."""
    import numpy as np

    same = np.roll(table.network, step) == table.network
    # np.roll wraps around: those operators have no neighbor.
    same[: max(step, 0)] = False
    same[max(len(same) + min(step, 0), 0) :] = False
    return np.where(same, np.roll(column, step), 0.0)
