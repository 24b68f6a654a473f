"""Transfer learning: models a new device by a few measurements and another device's model.

Devices of one kind differ more in speed than in which operators are slow. The predicted times of
the other device, the donor, are therefore used as quantities of work, beside MACs and traffic. The
five prices are fitted by ridge regression, with the ridge around equal shares, so that ten
measurements are enough. If times of operators were measured, each kind of operator then gets prices
of its own: an operator that is fused on one device may be the slowest on another.
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
from .physical import require_several_networks
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
#: Padding of most devices; the donor's padding is included in its predicted times.
_PADDING = ChannelPadding(16, 16)
_PRICES = 5
#: Largest ratio of the times of a kind of operator on two devices that a price may tell.
_MOST_RATIO = 100.0
#: Prices of one kind of operator: of its ms by the five prices, of its MACs and of its traffic.
_PRICES_OF_KIND = 3
#: Maximum number of iterations; critical path and prices depend on each other if engines overlap.
_MAX_ROUNDS = 5


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
        """The donor's structure without its software, which this device does not have."""
        return replace(self.donor.structure, stack="")

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """Returns (operators,): ms of each operator on the new device; ``stack`` is not used."""
        import numpy as np

        columns = _work(self.donor, table)
        ms: Floats = columns @ np.array(self.prices)
        work_of_kind = _work_of_kind(columns, ms)
        for priced in self.kinds:
            of_kind = work_of_kind @ np.array(priced.prices)
            ms = np.where(table.kind == priced.kind, of_kind, ms)
        return ms


def require_transferable(rows: Sequence[Measurement]) -> None:
    """Raises InputError if ``rows`` are too few for a transfer, or all of one network."""
    if len(rows) < 2 * _PRICES:
        raise InputError(f"{len(rows)} measurements for {_PRICES} prices; take {2 * _PRICES}")
    require_several_networks(rows)


def transfer(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """Transfers ``donor`` to the device of ``rows``; InputError if too few or all alike."""
    require_transferable(rows)
    return _fit_transfer(donor, rows)


def transfer_model(donor: Fit, rows: Sequence[Measurement]) -> LatencyModel:
    """Makes a model by ``transfer``; its interval is found by leaving out one network at a time."""
    return _model(transfer(donor, rows), rows)


def cross_validate_transfer(donor: Fit, rows: Sequence[Measurement]) -> list[Prediction]:
    """Predicts each network of ``rows`` by a transfer to all other networks."""
    predictions: list[Prediction] = []
    for kept, left_out in _leave_one_out(rows):
        predictions += predict_rows(_model(_fit_transfer(donor, kept), kept), left_out)
    return predictions


def _model(transferred: Transferred, rows: Sequence[Measurement]) -> LatencyModel:
    distances: list[float] = []
    for kept, left_out in _leave_one_out(rows):
        part = _fit_transfer(transferred.donor, kept)
        predicted = network_ms(part, [row.operators for row in left_out]).tolist()
        distances += [
            abs(math.log(ms / row.ms))
            for ms, row in zip(predicted, left_out, strict=True)
            if ms > 0
        ]
    return model_of(transferred, conformal(distances), rows)


def _leave_one_out(
    rows: Sequence[Measurement],
) -> list[tuple[list[Measurement], list[Measurement]]]:
    """Returns rows (kept, left out); each network is left out once, at all of its scales."""
    return [
        ([rows[index] for index in kept], [rows[index] for index in left_out])
        for kept, left_out in folds(networks_of(rows), most_singly=len(rows))
    ]


def _fit_transfer(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """Fits times of networks, then those of operators if measured and engines do not overlap."""
    transferred = _fit_network_prices(donor, rows)
    with_times = [row for row in rows if row.operators_ms]
    if donor.structure.side_by_side or not with_times:
        return transferred
    return replace(transferred, kinds=_fit_kind_prices(transferred, with_times))


def _fit_network_prices(donor: Fit, rows: Sequence[Measurement]) -> Transferred:
    """Fits the five prices by non-negative least squares of relative errors, with the ridge."""
    import numpy as np
    from scipy.optimize import nnls

    networks = [row.operators for row in rows]
    table = OperatorTable.of(networks)
    columns, ms = _work(donor, table), np.array([row.ms for row in rows])
    structure = donor.structure
    waited = on_critical_path(structure, networks, donor.operator_ms(table))
    ridge = _RIDGE * np.eye(_PRICES)
    target = np.append(np.ones(len(rows)), np.full(_PRICES, _RIDGE / _PRICES))
    for _ in range(_MAX_ROUNDS):
        relative = table.per_network(columns * waited[:, None]) / ms[:, None]
        size = np.maximum(relative.mean(axis=0), 1e-12)
        prices = nnls(np.vstack([relative / size, ridge]), target)[0] / size
        before, waited = waited, on_critical_path(structure, networks, columns @ prices)
        if (before == waited).all():
            break
    return Transferred(donor, tuple(prices.tolist()))


def _fit_kind_prices(
    transferred: Transferred, rows: Sequence[Measurement]
) -> tuple[KindPrices, ...]:
    """Fits prices of kinds by non-negative least squares of operators' shares of network times.

    The ridge is around the time by the five prices. If a kind has fewer than twice as many
    operators as prices, only the first price is fitted; of a single operator, none. Nor is the
    first price fitted if the operators cost the donor next to nothing, as those that it fuses:
    times that are nearly 0 tell nothing of another device.
    """
    import numpy as np
    from scipy.optimize import nnls

    table = OperatorTable.of([row.operators for row in rows])
    network_ms = np.array([row.ms for row in rows])[table.network]
    shares = np.concatenate([row.operators_ms for row in rows]) / network_ms
    priced = _work(transferred.donor, table)
    columns = _work_of_kind(priced, priced @ np.array(transferred.prices)) / network_ms[:, None]
    fitted = []
    for kind in sorted(set(table.kind.tolist())):
        alike = table.kind == kind
        if alike.sum() < 2:
            continue
        free = _PRICES_OF_KIND if alike.sum() >= 2 * _PRICES_OF_KIND else 1
        own = columns[alike][:, :free]
        size = np.maximum(np.linalg.norm(own, axis=0), 1e-12)
        total = max(float(np.linalg.norm(shares[alike])), 1e-12)
        expected = np.eye(free)[0] * _RIDGE * size[0] / total
        if _MOST_RATIO * size[0] < total:
            own[:, 0] = 0.0
        design = np.vstack([own / size, _RIDGE * np.eye(free)])
        prices = nnls(design, np.append(shares[alike] / total, expected))[0] * total / size
        fitted.append(KindPrices(kind, (*prices.tolist(), *[0.0] * (_PRICES_OF_KIND - free))))
    return tuple(fitted)


def _work_of_kind(columns: Floats, ms: Floats) -> Floats:
    """Returns (operators, 3): expected ``ms``, MACs and traffic, from columns of ``_work``."""
    import numpy as np

    return np.stack([ms, columns[:, 2], columns[:, 3] + columns[:, 4]], axis=1)


def _work(donor: Fit, table: OperatorTable) -> Floats:
    """Returns (operators, 5): the work whose prices are fitted.

    The donor's ms of operators with MACs, and of those without; MACs; traffic of operators with
    MACs, and of those without.
    """
    import numpy as np

    donor_ms, computes = donor.operator_ms(table), table.macs > 0
    traffic = work(table, Quantity.TRAFFIC, _PADDING)
    macs = work(table, Quantity.MACS, _PADDING)
    columns = [donor_ms * computes, donor_ms * ~computes, macs]
    return np.stack([*columns, traffic * computes, traffic * ~computes], axis=1)
