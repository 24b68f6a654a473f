"""A new device from a few measurements, starting from another device's model.

Two devices of one kind disagree in how fast their engines are, much less in what is slow on them:
the other's times of convolutions and of everything else are work here, beside plain arithmetic and
traffic; five prices, held near equal shares by a ridge, so that ten measurements do. Where the new
device tells its operators' times, each kind of operator is then held against its own: what is
fused into a convolution on one device can be the dearest of all on another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search_spaces import InputError

from .fitted import Fit, folds, network_ms
from .measurements import Measurement
from .model import LatencyModel, conformal, model_of
from .operator_table import OperatorTable
from .quantities import ChannelPadding, Quantity, work
from .structure import CostStructure
from .validation import Prediction, predict_rows
from .work import on_critical_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Weight of the ridge against the measurements; not tuned.
_RIDGE = 0.1
#: Multipliers come in sixteens on most devices; the donor knows its own better.
_PADDING = ChannelPadding(16, 16)
_PRICES = 5
#: Of one kind of operator: the ms that the five prices give it, its MACs and its traffic.
_PRICES_OF_KIND = 3
#: What is waited for depends on the prices, and they on it; on a serial device nothing changes.
_ROUNDS = 5


@dataclass(frozen=True)
class KindPrices:
    """What operators of one kind cost: prices of the ms expected, MACs and traffic, (3,)."""

    kind: str
    prices: tuple[float, ...]


@dataclass(frozen=True)
class Transferred:
    """Prices of the donor's ms and of plain work, (5,), and what single kinds showed beyond."""

    donor: Fit
    prices: tuple[float, ...]
    kinds: tuple[KindPrices, ...] = ()

    @property
    def structure(self) -> CostStructure:
        """The donor's: its engines, and how they overlap."""
        return self.donor.structure

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """Each operator's own ms on the new device, (operators,), whatever the software."""
        import numpy as np

        columns = _work(self.donor, table)
        ms: Floats = columns @ np.array(self.prices)
        work_of_kind = _work_of_kind(columns, ms)
        for own in self.kinds:
            ms = np.where(table.kind == own.kind, work_of_kind @ np.array(own.prices), ms)
        return ms


def transfer(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """The donor brought to the device of ``rows``; InputError if they are fewer than ten."""
    if len(rows) < 2 * _PRICES:
        raise InputError(f"{len(rows)} measurements for {_PRICES} prices; take {2 * _PRICES}")
    return _brought(donor, rows)


def transfer_model(donor: Fit, rows: Sequence[Measurement]) -> LatencyModel:
    """The same with an interval, told by leaving out one network at a time."""
    return _model(transfer(donor, rows), rows)


def cross_validate_transfer(donor: Fit, rows: Sequence[Measurement]) -> list[Prediction]:
    """Each network of ``rows``, predicted from the donor and all the others alone."""
    predictions: list[Prediction] = []
    for kept, left_out in _one_by_one(rows):
        predictions += predict_rows(_model(_brought(donor, kept), kept), left_out)
    return predictions


def _model(moved: Transferred, rows: Sequence[Measurement]) -> LatencyModel:
    distances: list[float] = []
    for kept, left_out in _one_by_one(rows):
        part = _brought(moved.donor, kept)
        predicted = network_ms(part, [row.operators for row in left_out]).tolist()
        distances += [
            abs(math.log(ms / row.ms))
            for ms, row in zip(predicted, left_out, strict=True)
            if ms > 0
        ]
    return model_of(moved, conformal(distances), rows)


def _one_by_one(
    rows: Sequence[Measurement],
) -> list[tuple[list[Measurement], list[Measurement]]]:
    """Rows (kept, left out), a network with all its scales left out at a time."""
    return [
        ([rows[index] for index in kept], [rows[index] for index in left_out])
        for kept, left_out in folds([row.network for row in rows], most_singly=len(rows))
    ]


def _brought(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """By the networks' times, then by their operators' where each is told and none is hidden."""
    moved = _by_networks(donor, rows)
    with_times = [row for row in rows if row.operators_ms]
    if donor.structure.side_by_side or not with_times:
        return moved
    return replace(moved, kinds=_by_kinds(moved, with_times))


def _by_networks(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """Non-negative least squares of relative errors, with the ridge."""
    import numpy as np
    from scipy.optimize import nnls

    networks = [row.operators for row in rows]
    table = OperatorTable.of(networks)
    columns, ms = _work(donor, table), np.array([row.ms for row in rows])
    structure = donor.structure
    waited = on_critical_path(structure, networks, donor.operator_ms(table))
    ridge = _RIDGE * np.eye(_PRICES)
    target = np.append(np.ones(len(rows)), np.full(_PRICES, _RIDGE / _PRICES))
    for _ in range(_ROUNDS):
        relative = table.per_network(columns * waited[:, None]) / ms[:, None]
        size = np.maximum(relative.mean(axis=0), 1e-12)
        prices = nnls(np.vstack([relative / size, ridge]), target)[0] / size
        before, waited = waited, on_critical_path(structure, networks, columns @ prices)
        if (before == waited).all():
            break
    return Transferred(donor, tuple(prices.tolist()))


def _by_kinds(moved: Transferred, rows: Sequence[Measurement]) -> tuple[KindPrices, ...]:
    """Non-negative least squares of operators' times, each as a share of its network's.

    The ridge holds a kind near what is expected of it. Of a kind seen less often than twice its
    prices only the first is fitted; what was seen once says nothing of its kind.
    """
    import numpy as np
    from scipy.optimize import nnls

    table = OperatorTable.of([row.operators for row in rows])
    network_ms = np.array([row.ms for row in rows])[table.network]
    shares = np.concatenate([row.operators_ms for row in rows]) / network_ms
    priced = _work(moved.donor, table)
    columns = _work_of_kind(priced, priced @ np.array(moved.prices)) / network_ms[:, None]
    found = []
    for kind in sorted(set(table.kind.tolist())):
        own = table.kind == kind
        if own.sum() < 2:
            continue
        free = _PRICES_OF_KIND if own.sum() >= 2 * _PRICES_OF_KIND else 1
        size = np.maximum(np.linalg.norm(columns[own], axis=0), 1e-12)[:free]
        total = max(float(np.linalg.norm(shares[own])), 1e-12)
        expected = np.eye(free)[0] * _RIDGE * size[0] / total
        design = np.vstack([columns[own][:, :free] / size, _RIDGE * np.eye(free)])
        prices = nnls(design, np.append(shares[own] / total, expected))[0] * total / size
        found.append(KindPrices(kind, (*prices.tolist(), *[0.0] * (_PRICES_OF_KIND - free))))
    return tuple(found)


def _work_of_kind(columns: Floats, ms: Floats) -> Floats:
    """(operators, 3): the ms expected, MACs and traffic, of the ``columns`` of ``_work``."""
    import numpy as np

    return np.stack([ms, columns[:, 2], columns[:, 3] + columns[:, 4]], axis=1)


def _work(donor: Fit, table: OperatorTable) -> Floats:
    """(operators, 5): the donor's ms with and without MACs; MACs; traffic with and without them."""
    import numpy as np

    donor_ms, computes = donor.operator_ms(table), table.macs > 0
    traffic = work(table, Quantity.TRAFFIC, _PADDING)
    macs = work(table, Quantity.MACS, _PADDING)
    columns = [donor_ms * computes, donor_ms * ~computes, macs]
    return np.stack([*columns, traffic * computes, traffic * ~computes], axis=1)
