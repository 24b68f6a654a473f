"""A latency model: a fit, how far it may be off, and what it has never seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from search_spaces import InputError, LoweredOperator

from ...source import UnsupportedOperators
from ..cpu_fallback import COST_FACTOR
from .fitted import Fitted, fit, folds
from .measurements import Measurement
from .operator_table import OperatorTable
from .physical import Charges, Physical, on_critical_path
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Part of networks whose time should lie within the interval.
COVERAGE = 0.9
#: Beyond the times and the image sizes of the table the interval grows by this part of the
#: distance, in logarithms.
_PER_DISTANCE = 0.5


class Fit(Protocol):
    """What gives times: a fit to a device's table, or one brought over from another device."""

    @property
    def physical(self) -> Physical:
        """The prices, with the structure and the factors of other software."""

    def operator_ms(self, table: OperatorTable) -> Floats:
        """Each operator's own ms, (operators,), with the device's software."""

    def network_ms(self, networks: Sequence[Sequence[LoweredOperator]]) -> Floats:
        """(networks,) with the device's software."""


@dataclass(frozen=True)
class Predictions:
    """Times of networks, (networks,), and of their operators, (operators,), all in ms."""

    table: OperatorTable
    ms: Floats
    low_ms: Floats
    high_ms: Floats
    #: an operator's own time, and the part of it that the network's end waits for
    operator_ms: Floats
    waited_ms: Floats
    #: kinds that the device was never measured with
    unseen: frozenset[str]


@dataclass(frozen=True)
class Rates:
    """How fast an engine was seen to get through bytes, in ms a MB."""

    engine: str
    fastest: float
    slowest: float


@dataclass(frozen=True)
class UnseenBound:
    """What an operator can cost that was never measured: its bytes at rates that were."""

    seen: frozenset[str]
    rates: tuple[Rates, ...]

    def of(self, engine: str | None) -> Rates:
        """As fast as anything was, as slow as the engine was; if it never ran, as anything was."""
        alike = [rates for rates in self.rates if rates.engine == engine] or self.rates
        fastest = min(rates.fastest for rates in self.rates)
        return Rates(engine or "", fastest, max(rates.slowest for rates in alike))


@dataclass(frozen=True)
class Extent:
    """From the least to the most of something that a table holds."""

    least: float
    most: float

    @classmethod
    def of(cls, values: Floats) -> Extent:
        """Of positive values."""
        return cls(float(values.min()), float(values.max()))

    def distance(self, values: Floats) -> Floats:
        """How far outside, as a logarithm; 0 within."""
        import numpy as np

        logarithm = np.log(np.maximum(values, 1e-9))
        below, above = math.log(self.least) - logarithm, logarithm - math.log(self.most)
        return np.maximum(np.maximum(below, above), 0.0)


@dataclass(frozen=True)
class LatencyModel:
    """Fitted to a table; predicts any networks of operators that its structure knows."""

    fitted: Fit
    #: half the interval, in logarithms: COVERAGE of left-out networks were no farther off
    radius: float
    rows: tuple[Measurement, ...]
    ms: Extent
    pixels: Extent
    bound: UnseenBound

    @property
    def structure(self) -> CostStructure:
        """What the fit was told of the device."""
        return self.fitted.physical.structure

    def predict(self, networks: Sequence[Sequence[LoweredOperator]]) -> Predictions:
        """Times of ``networks``; UnsupportedOperators names those of which nothing is known."""
        import numpy as np

        table = OperatorTable.of(networks)
        self._require_known(table)
        operator_ms = self.fitted.operator_ms(table)
        unseen = ~np.isin(table.kind, sorted(self.bound.seen))
        least_ms, most_ms = self._unseen_ms(table, unseen)
        operator_ms = np.maximum(operator_ms, least_ms)
        waited_ms = operator_ms * on_critical_path(self.structure, networks, operator_ms)
        ms = table.per_network(waited_ms)
        distance = np.maximum(self.ms.distance(ms), self.pixels.distance(table.image_pixels))
        spread = np.exp(self.radius + _PER_DISTANCE * distance)
        guessed_ms = table.per_network(np.where(unseen, waited_ms, 0.0))
        return Predictions(
            table=table,
            ms=ms,
            low_ms=np.maximum(ms - guessed_ms, 0.1 * ms) / spread,
            high_ms=(ms + table.per_network(most_ms)) * spread,
            operator_ms=operator_ms,
            waited_ms=waited_ms,
            unseen=frozenset(table.kind[unseen].tolist()),
        )

    def _unseen_ms(self, table: OperatorTable, unseen: Mask) -> tuple[Floats, Floats]:
        """(operators,) each: the least and the most that an unseen one takes; 0 for the others."""
        import numpy as np

        moved_mb = np.where(unseen, table.bytes_in + table.bytes_out, 0.0) / 1e6
        least_ms, most_ms = np.zeros(len(table)), np.zeros(len(table))
        for kind in set(table.kind[unseen].tolist()):
            rates = self.bound.of(self.structure.engine_of(kind))
            of_kind = table.kind == kind
            least_ms[of_kind] = moved_mb[of_kind] * rates.fastest
            most_ms[of_kind] = moved_mb[of_kind] * rates.slowest * COST_FACTOR
        return least_ms, most_ms

    def _require_known(self, table: OperatorTable) -> None:
        kinds = set(table.kind.tolist())
        unknown = sorted(kind for kind in kinds if self.structure.engine_of(kind) is None)
        if unknown:
            raise UnsupportedOperators(
                f"{', '.join(unknown)} {'was' if len(unknown) == 1 else 'were'} never measured on "
                "this device, and no engine is known to run it; measure a network with it and add "
                "it to an engine of device.toml",
                unknown,
            )


@dataclass(frozen=True)
class Fold:
    """A fit to a table less some of its networks, each gone with all its scales."""

    fitted: Fitted
    kept: tuple[Measurement, ...]
    left_out: tuple[Measurement, ...]


def fit_folds(structure: CostStructure, rows: Sequence[Measurement]) -> tuple[Fold, ...]:
    """Fits of which each has not seen another fold of ``rows``."""
    fits = []
    for kept, left_out in folds([row.network for row in rows]):
        seen = tuple(rows[index] for index in kept)
        fits.append(Fold(fit(structure, seen), seen, tuple(rows[index] for index in left_out)))
    return tuple(fits)


def doubt(folds: Sequence[Fold], networks: Sequence[Sequence[LoweredOperator]]) -> Floats:
    """(networks,): how much folds of a table disagree on a network; 0.1 is 10 %."""
    import numpy as np

    times = np.stack([fold.fitted.network_ms(networks) for fold in folds])
    deviation: Floats = np.log(np.maximum(times, 1e-6)).std(axis=0)
    return deviation


def fit_model(
    structure: CostStructure, rows: Sequence[Measurement], radius: float | None = None
) -> LatencyModel:
    """A model of ``rows``; networks are left out to see how far off it is, if ``radius`` is not
    known from before.
    """
    fitted = fit(structure, rows)
    return model_of(fitted, _radius(structure, rows, fitted) if radius is None else radius, rows)


def _radius(structure: CostStructure, rows: Sequence[Measurement], fitted: Fitted) -> float:
    distances: list[float] = []
    for fold in fit_folds(structure, rows):
        known = _known_to(fold, fitted)
        predicted = fold.fitted.measured_ms(fold.left_out).tolist()
        distances += [
            abs(math.log(ms / row.ms))
            for ms, row, is_known in zip(predicted, fold.left_out, known, strict=True)
            if is_known
        ]
    return conformal(distances)


def model_of(fitted: Fit, radius: float, rows: Sequence[Measurement]) -> LatencyModel:
    """A fit to ``rows`` with half its interval, in logarithms."""
    import numpy as np

    table = OperatorTable.of([row.operators for row in rows])
    return LatencyModel(
        fitted,
        radius,
        tuple(rows),
        Extent.of(np.array([row.ms for row in rows])),
        Extent.of(table.image_pixels),
        _bound(fitted, table),
    )


def _known_to(fold: Fold, whole: Fitted) -> list[bool]:
    """Whether ``fold`` has seen what most of each row that it leaves out is made of.

    Where it has not, the bound of the unseen holds and not the interval.
    """
    import numpy as np

    seen = {operator.kind for row in fold.kept for operator in row.operators}
    charges = Charges.of(whole.physical.structure, fold.left_out, whole.physical.padding)
    prices = np.array(whole.physical.coefficients)
    lost = np.array(fold.fitted.physical.coefficients) == 0
    missed = charges.table.per_network(charges.matrix @ (prices * lost))
    total = charges.table.per_network(charges.matrix @ prices)
    return [
        seen.issuperset(operator.kind for operator in row.operators) and share < 0.5
        for row, share in zip(fold.left_out, (missed / total).tolist(), strict=True)
    ]


def conformal(distances: Sequence[float]) -> float:
    """The distance that COVERAGE of further networks keep: split conformal prediction.

    ``distances`` are errors of networks left out, as logarithms without their sign.

    Vovk et al., Algorithmic Learning in a Random World, 2005: rank ceil((n + 1) coverage).
    """
    if not distances:
        raise InputError("every network holds an operator of its own; measure more of each")
    rank = math.ceil((len(distances) + 1) * COVERAGE)
    return sorted(distances)[min(rank, len(distances)) - 1]


def _bound(fitted: Fit, table: OperatorTable) -> UnseenBound:
    """The fastest and the slowest that each engine was seen to get through bytes."""
    import numpy as np

    structure = fitted.physical.structure
    rates = fitted.operator_ms(table) / (table.bytes_in + table.bytes_out) * 1e6
    bounds = []
    for engine in structure.engines:
        paid = rates[np.isin(table.kind, sorted(engine.kinds)) & (rates > 0)]
        if paid.size:
            bounds.append(Rates(engine.name, float(paid.min()), float(paid.max())))
    return UnseenBound(frozenset(table.kind.tolist()), tuple(bounds))
