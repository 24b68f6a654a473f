"""Transfer: a model of a new device from a few measurements and another device's model, the donor.

Devices of one kind differ more in speed than in which operators are slow. The donor's predicted
times are therefore quantities of work on the new device, beside MACs and traffic. Their five prices
are fitted by ridge regression, with the ridge around equal shares, so that ten measurements are
enough. If times of operators were measured, each kind of operator then gets prices of its own: an
operator that is fused on one device may be the slowest on another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from search_spaces import InputError

from .fitted import Fit, folds, network_ms
from .known import networks_of
from .measurements import Measurement
from .model import LatencyModel, conformal, model_of
from .operator_table import OperatorTable
from .physical import require_others
from .quantities import ChannelPadding, Quantity, work
from .structure import CostStructure
from .validation import Prediction, predict_rows
from .work import on_critical_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Weight of the ridge relative to the measurements; not tuned.
_RIDGE = 0.1
#: Padding of most devices; that of the donor is in its predicted times.
_PADDING = ChannelPadding(16, 16)
_PRICES = 5
#: Prices of one kind of operator: of its ms by the five prices, of its MACs and of its traffic.
_PRICES_OF_KIND = 3
#: Most iterations: the critical path depends on the prices, and they on it, if engines overlap.
_ROUNDS = 5


@dataclass(frozen=True)
class KindPrices:
    """Prices of one kind of operator: of its expected ms, of MACs and of traffic, (3,)."""

    kind: str
    prices: tuple[float, ...]


@dataclass(frozen=True)
class Transferred:
    """A transferred fit: prices of the columns of ``_work``, (5,), and those of single kinds."""

    #: rows of the new device are fitted alike, whatever their software
    tells_stacks_apart: ClassVar[bool] = False
    is_of_its_table: ClassVar[bool] = False

    donor: Fit
    prices: tuple[float, ...]
    kinds: tuple[KindPrices, ...] = ()

    @property
    def structure(self) -> CostStructure:
        """That of the donor, whose software is none of this device."""
        return replace(self.donor.structure, stack="")

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,): ms of each operator on the new device; ``stack`` is not used."""
        import numpy as np

        columns = _work(self.donor, table)
        ms: Floats = columns @ np.array(self.prices)
        work_of_kind = _work_of_kind(columns, ms)
        for priced in self.kinds:
            of_kind = work_of_kind @ np.array(priced.prices)
            ms = np.where(table.kind == priced.kind, of_kind, ms)
        return ms


def transfer(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """``donor`` on the device of ``rows``; InputError for fewer than ten, or of one network."""
    if len(rows) < 2 * _PRICES:
        raise InputError(f"{len(rows)} measurements for {_PRICES} prices; take {2 * _PRICES}")
    require_others(rows)
    return _brought(donor, rows)


def transfer_model(donor: Fit, rows: Sequence[Measurement]) -> LatencyModel:
    """``transfer`` with an interval, found by leaving out one network at a time."""
    return _model(transfer(donor, rows), rows)


def cross_validate_transfer(donor: Fit, rows: Sequence[Measurement]) -> list[Prediction]:
    """Predictions of each network of ``rows`` by a transfer to all other networks."""
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
    """Rows (kept, left out); a network is left out at all its scales."""
    return [
        ([rows[index] for index in kept], [rows[index] for index in left_out])
        for kept, left_out in folds(networks_of(rows), most_singly=len(rows))
    ]


def _brought(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """Fits times of networks; then of operators, if measured and engines do not overlap."""
    moved = _by_networks(donor, rows)
    with_times = [row for row in rows if row.operators_ms]
    if donor.structure.side_by_side or not with_times:
        return moved
    return replace(moved, kinds=_by_kinds(moved, with_times))


def _by_networks(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """The five prices, by non-negative least squares of relative errors with the ridge."""
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
    """Prices of kinds, by non-negative least squares of the operators' shares of network times.

    The ridge is around the time by the five prices. If a kind has fewer than twice as many
    operators as prices, only the first price is fitted; of a single operator, none.
    """
    import numpy as np
    from scipy.optimize import nnls

    table = OperatorTable.of([row.operators for row in rows])
    network_ms = np.array([row.ms for row in rows])[table.network]
    shares = np.concatenate([row.operators_ms for row in rows]) / network_ms
    priced = _work(moved.donor, table)
    columns = _work_of_kind(priced, priced @ np.array(moved.prices)) / network_ms[:, None]
    fitted = []
    for kind in sorted(set(table.kind.tolist())):
        alike = table.kind == kind
        if alike.sum() < 2:
            continue
        free = _PRICES_OF_KIND if alike.sum() >= 2 * _PRICES_OF_KIND else 1
        size = np.maximum(np.linalg.norm(columns[alike], axis=0), 1e-12)[:free]
        total = max(float(np.linalg.norm(shares[alike])), 1e-12)
        expected = np.eye(free)[0] * _RIDGE * size[0] / total
        design = np.vstack([columns[alike][:, :free] / size, _RIDGE * np.eye(free)])
        prices = nnls(design, np.append(shares[alike] / total, expected))[0] * total / size
        fitted.append(KindPrices(kind, (*prices.tolist(), *[0.0] * (_PRICES_OF_KIND - free))))
    return tuple(fitted)


def _work_of_kind(columns: Floats, ms: Floats) -> Floats:
    """(operators, 3): expected ``ms``, MACs and traffic, from the ``columns`` of ``_work``."""
    import numpy as np

    return np.stack([ms, columns[:, 2], columns[:, 3] + columns[:, 4]], axis=1)


def _work(donor: Fit, table: OperatorTable) -> Floats:
    """(operators, 5): work whose prices are fitted.

    The donor's ms of operators with MACs, and of those without; MACs; traffic of operators with
    MACs, and of those without.
    """
    import numpy as np

    donor_ms, computes = donor.operator_ms(table), table.macs > 0
    traffic = work(table, Quantity.TRAFFIC, _PADDING)
    macs = work(table, Quantity.MACS, _PADDING)
    columns = [donor_ms * computes, donor_ms * ~computes, macs]
    return np.stack([*columns, traffic * computes, traffic * ~computes], axis=1)
