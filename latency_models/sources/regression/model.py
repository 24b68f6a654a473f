"""A latency model: a fit with its prediction interval and the range of its measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search_spaces import InputError, LoweredOperator

from ...source import UnsupportedOperators
from .fitted import (
    Fit,
    FitByNetwork,
    FitOfPrices,
    FitWithTrees,
    by_stack,
    fit,
    folds,
    measured_ms,
    network_ms,
)
from .known import networks_of
from .measurements import Measurement
from .network_structures import network_structures
from .operator_network import OperatorNetwork
from .operator_table import OperatorTable
from .physical import Charges, Physical
from .posterior import fit_posterior
from .spread import (
    COVERAGE,
    LEAST_RADIUS,
    LeftOutErrorIntervals,
    Logarithms,
    PosteriorIntervals,
    Spread,
    UnseenBound,
    charged_work,
)
from .structure import CostStructure
from .work import on_critical_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Extrapolation: each end of the interval moves by this part of the distance from the table's range
#: of times or image sizes, all in logarithms.
_WIDENING_PER_DISTANCE = 0.5
#: Parts of a large table that are left out one after another.
_PARTS = 8


@dataclass(frozen=True)
class Predictions:
    """Times of networks, (networks,), and of their operators, (operators,), all in ms."""

    table: OperatorTable
    ms: Floats
    low_ms: Floats
    high_ms: Floats
    #: the time of each operator by itself; and the same with 0 for operators off the critical path
    operator_ms: Floats
    waited_ms: Floats
    #: kinds of operators that were never measured on the device
    unseen: frozenset[str]
    #: for each network, the kinds that widen its interval most, the worst first
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Extent:
    """Smallest and largest value in a table."""

    least: float
    most: float

    @classmethod
    def of(cls, values: Floats) -> Extent:
        """Returns the extent of positive ``values``."""
        return cls(float(values.min()), float(values.max()))

    def distance(self, values: Floats) -> Floats:
        """Returns the distance of each value from the extent, in logarithms; 0 inside."""
        import numpy as np

        logarithm = np.log(np.maximum(values, 1e-9))
        below, above = math.log(self.least) - logarithm, logarithm - math.log(self.most)
        return np.maximum(np.maximum(below, above), 0.0)


@dataclass(frozen=True)
class LatencyModel:
    """A fit to a table; predicts networks whose operators all have an engine in its structure."""

    fitted: Fit
    spread: Spread
    rows: tuple[Measurement, ...]
    ms: Extent
    pixels: Extent
    #: kinds of operators that it was fitted to, and the number of networks
    seen: frozenset[str]
    networks: int

    @property
    def structure(self) -> CostStructure:
        """The cost structure of the device."""
        return self.fitted.structure

    def predict(
        self, networks: Sequence[Sequence[LoweredOperator]], stack: str | None = None
    ) -> Predictions:
        """Predicts times of ``networks`` with the software ``stack``; None: that of the device.

        UnsupportedOperators names operators that no engine is known to run.
        """
        import numpy as np

        table = OperatorTable.of(networks)
        self._require_known(table)
        least_ms, free = self.spread.least_ms(table), table.is_one_of(self.structure.free)
        operator_ms = np.maximum(self.fitted.operator_ms(table, stack), least_ms)
        operator_ms[free] = 0.0
        waited = on_critical_path(self.structure, networks, operator_ms).astype(float)
        waited_ms = operator_ms * waited
        ms = table.per_network(waited_ms)
        limits = self.spread.limits(table, waited, waited_ms, stack)
        distance = np.maximum(self.ms.distance(ms), self.pixels.distance(table.image_pixels))
        widening = np.exp(_WIDENING_PER_DISTANCE * distance)
        return Predictions(
            table=table,
            ms=ms,
            low_ms=limits.low_ms / widening,
            high_ms=limits.high_ms * widening,
            operator_ms=operator_ms,
            waited_ms=waited_ms,
            unseen=frozenset(table.kinds[0]) - self.seen,
            reasons=limits.reasons,
        )

    def _require_known(self, table: OperatorTable) -> None:
        names = table.names[0]
        unknown = sorted(name for name in names if self.structure.engine_of(name) is None)
        if unknown:
            raise UnsupportedOperators(
                f"{', '.join(unknown)} {'was' if len(unknown) == 1 else 'were'} never measured on "
                "this device, and no engine is known to run it; measure a network with it and add "
                "it to an engine of device.toml",
                unknown,
            )


@dataclass(frozen=True)
class Fold:
    """A fit to a part of a table; a network is left out at all of its scales."""

    fitted: FitOfPrices | FitWithTrees
    kept: tuple[Measurement, ...]
    left_out: tuple[Measurement, ...]


def fit_folds(structure: CostStructure, rows: Sequence[Measurement]) -> tuple[Fold, ...]:
    """Cross-validation: a fit for each fold of ``rows``, to the rows outside it."""
    fits = []
    for kept, left_out in folds(networks_of(rows)):
        seen = tuple(rows[index] for index in kept)
        fits.append(Fold(fit(structure, seen), seen, tuple(rows[index] for index in left_out)))
    return tuple(fits)


def doubt(folds: Sequence[Fold], networks: Sequence[Sequence[LoweredOperator]]) -> Floats:
    """Returns (networks,): standard deviation of the folds' log predictions; 0.1 is about 10 %."""
    import numpy as np

    times = np.stack([network_ms(fold.fitted, networks) for fold in folds])
    deviation: Floats = np.log(np.maximum(times, 1e-6)).std(axis=0)
    return deviation


def fit_model(
    structure: CostStructure, rows: Sequence[Measurement], radius: float | None = None
) -> LatencyModel:
    """Fits a model to ``rows``; ``radius`` is half of its interval; None: by cross-validation."""
    fitted = fit(structure, rows)
    if isinstance(fitted, FitOfPrices):
        half_width = radius_in_deviations(structure, rows) if radius is None else radius
        return _model(fitted, PosteriorIntervals(fitted.posteriors, half_width), rows)
    return model_of(
        fitted, _cross_validated_radius(structure, rows, fitted) if radius is None else radius, rows
    )


def model_of(fitted: Fit, radius: float, rows: Sequence[Measurement]) -> LatencyModel:
    """Makes a model from a fit to ``rows``; ``radius`` is half of its interval, in logarithms."""
    bound = UnseenBound.of_fit(fitted, OperatorTable.of([row.operators for row in rows]))
    return _model(fitted, LeftOutErrorIntervals(fitted.structure, bound, radius), rows)


def _model(fitted: Fit, spread: Spread, rows: Sequence[Measurement]) -> LatencyModel:
    import numpy as np

    table = OperatorTable.of([row.operators for row in rows])
    return LatencyModel(
        fitted,
        spread,
        tuple(rows),
        Extent.of(np.array([row.ms for row in rows])),
        Extent.of(table.image_pixels),
        frozenset(table.kind.tolist()),
        len(rows),
    )


def network_model(
    structure: CostStructure, rows: Sequence[Measurement], network: OperatorNetwork
) -> LatencyModel:
    """Makes a model from a trained ``network`` and the measurements beside it."""
    fitted = FitByNetwork.of(structure, rows, network)
    bound = UnseenBound.of_fit(fitted, OperatorTable.of([row.operators for row in rows]))
    return LatencyModel(
        fitted,
        LeftOutErrorIntervals(
            structure,
            replace(bound, seen=bound.seen | network.seen),
            network.radius,
            network,
        ),
        tuple(rows),
        Extent(*network.ms),
        Extent(*network.pixels),
        bound.seen | network.seen,
        network.networks,
    )


def radius_in_deviations(structure: CostStructure, rows: Sequence[Measurement]) -> float:
    """Returns half of the interval, in standard deviations of a prediction, by cross-validation.

    Once whole structures of networks are left out, and once parts of the networks. The result is
    the larger of both, and at least ``LEAST_RADIUS``.
    """
    every = range(len(rows))
    by_structure = [
        ([place for place in every if place not in left_out], list(left_out))
        for left_out in network_structures(rows).values()
    ]
    by_network = folds(networks_of(rows), most_singly=_PARTS)
    radii = [LEAST_RADIUS]
    for parts in (by_structure, by_network):
        distances: list[float] = []
        for kept, left_out in parts:
            if not kept:
                continue  # all rows belong to one network
            part = FitOfPrices(fit_posterior(structure, [rows[place] for place in kept]))
            distances += _errors_in_deviations(part, [rows[place] for place in left_out])
        radii += [conformal(distances)] if distances else []
    return max(radii)


def _errors_in_deviations(fitted: FitOfPrices, rows: Sequence[Measurement]) -> list[float]:
    """Returns prediction errors of ``rows``, each in standard deviations of its prediction."""
    import numpy as np

    deviations: list[float] = []
    for stack, places in by_stack(rows).items():
        networks = [rows[place].operators for place in places]
        table = OperatorTable.of(networks)
        operator_ms = fitted.operator_ms(table, stack)
        waited = on_critical_path(fitted.structure, networks, operator_ms).astype(float)
        charged = charged_work(fitted.posteriors, table, waited)
        predicted = Logarithms.of(fitted.posteriors, charged, stack)
        measured = np.log([rows[place].ms for place in places])
        outside = np.maximum(predicted.least - measured, measured - predicted.most)
        outside = np.maximum(outside, 0.0)
        deviations += (outside / predicted.deviation).tolist()
    return deviations


def _cross_validated_radius(
    structure: CostStructure, rows: Sequence[Measurement], fitted: FitWithTrees
) -> float:
    distances: list[float] = []
    for fold in fit_folds(structure, rows):
        known = _predictable_rows(fold, fitted.physical)
        predicted = measured_ms(fold.fitted, fold.left_out).tolist()
        distances += [
            abs(math.log(ms / row.ms))
            for ms, row, is_known in zip(predicted, fold.left_out, known, strict=True)
            if is_known
        ]
    return conformal(distances)


def _predictable_rows(fold: Fold, whole: Physical) -> list[bool]:
    """Returns for each row that ``fold`` leaves out whether the fold can predict it.

    It can if the rows kept have all kinds of operators of that row, and if terms to which the fold
    gives a price of 0 make up less than half of the row's time. ``UnseenBound`` covers other rows.
    """
    import numpy as np

    seen = {operator.kind for row in fold.kept for operator in row.operators}
    charges = Charges.of(whole.structure, fold.left_out, whole.padding)
    prices = np.array(whole.coefficients)
    assert isinstance(fold.fitted, FitWithTrees)
    unpriced = np.array(fold.fitted.physical.coefficients) == 0
    unpriced_ms = charges.table.per_network(charges.matrix @ (prices * unpriced))
    total = charges.table.per_network(charges.matrix @ prices)
    return [
        seen.issuperset(operator.kind for operator in row.operators) and share < 0.5
        for row, share in zip(fold.left_out, (unpriced_ms / total).tolist(), strict=True)
    ]


def conformal(distances: Sequence[float]) -> float:
    """Returns the error that COVERAGE of new networks do not exceed, by split conformal prediction.

    ``distances`` are absolute errors of networks left out. The result is the one of rank
    ceil((n + 1) COVERAGE) in rising order (Vovk et al., Algorithmic Learning in a Random World,
    2005), or the largest. InputError if there are none.
    """
    if not distances:
        raise InputError("every network holds an operator of its own; measure more of each")
    rank = math.ceil((len(distances) + 1) * COVERAGE)
    return sorted(distances)[min(rank, len(distances)) - 1]
