"""Prediction intervals: by the covariance of the prices, or by errors in cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Protocol

from ..cpu_fallback import COST_FACTOR
from .fitted import Fit
from .operator_network import OperatorNetwork
from .operator_table import OperatorTable
from .posterior import WeightedPosterior
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Part of all networks whose time should lie within the interval.
COVERAGE = 0.9
#: Uncertain prices are reported as the reason for a wide interval if they contribute at least the
#: first share of its variance; kinds of operators are named that contribute at least the second.
_MIN_PRICE_SHARE, _MIN_NAMED_SHARE = 0.5, 0.25
#: Half of the interval of a normal distribution, in standard deviations: the smallest radius.
LEAST_RADIUS = NormalDist().inv_cdf((1 + COVERAGE) / 2)


@dataclass(frozen=True)
class Limits:
    """Ends of intervals, (networks,); ``reasons``: kinds that widen each interval, worst first."""

    low_ms: Floats
    high_ms: Floats
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Logarithms:
    """Distributions of the log times of networks.

    The median of each lies between ``least`` and ``most``, and its standard deviation is
    ``deviation``, all (networks,). ``shares``, (networks, charges), are the parts of the variance
    that each price contributes.
    """

    least: Floats
    most: Floats
    deviation: Floats
    shares: Floats

    @classmethod
    def of(
        cls,
        posteriors: Sequence[WeightedPosterior],
        charged: Sequence[tuple[Floats, Floats]],
        stack: str | None = None,
    ) -> Logarithms:
        """Returns the mixture of ``posteriors`` with the software ``stack``; None: the device's.

        ``charged`` is the result of ``charged_work`` for the networks.
        """
        import numpy as np

        sums = [_PriceSum.of(*pair, stack) for pair in zip(posteriors, charged, strict=True)]
        weights = np.array([[one.weight] for one in posteriors])
        mean, median = (
            (weights * [s.mean for s in sums]).sum(0),
            (weights * [s.median for s in sums]).sum(0),
        )
        # Variance of the mixture: within the posteriors, and between them.
        squares = (weights * [s.mean**2 * (1 + s.parts.sum(axis=1)) for s in sums]).sum(0)
        variance = np.log(np.maximum(squares / mean**2, 1.0))
        noise = (weights[:, 0] * [one.posterior.noise**2 for one in posteriors]).sum()
        shares = (weights[:, :, None] * [s.parts for s in sums]).sum(0)
        centers = np.log(median), np.log(mean) - variance / 2
        return cls(
            np.minimum(*centers), np.maximum(*centers), np.sqrt(variance + noise),
            shares / (variance + noise)[:, None],
        )  # fmt: skip


def charged_work(
    posteriors: Sequence[WeightedPosterior], table: OperatorTable, waited: Floats
) -> list[tuple[Floats, Floats]]:
    """Returns ``Prices.work`` for the padding of each posterior.

    ``waited``, (operators,), is 1 for operators on the critical path.
    """
    return [one.posterior.prices.work(table, one.posterior.padding, waited) for one in posteriors]


class Spread(Protocol):
    """The interval of a model's predictions."""

    @property
    def radius(self) -> float:
        """Half of the interval, found by cross-validation; its unit depends on the class."""

    @property
    def unseen_method(self) -> str:
        """How times of operators that were never measured are estimated, for messages."""

    def least_ms(self, table: OperatorTable) -> Floats:
        """Returns (operators,): lower bounds of the times of operators."""

    def limits(
        self, table: OperatorTable, waited: Floats, waited_ms: Floats, stack: str | None = None
    ) -> Limits:
        """Returns intervals of networks with the software ``stack``; None: that of the device.

        ``waited``, (operators,), is 1 for operators on the critical path; ``waited_ms`` are their
        predicted times, 0 for the others.
        """


@dataclass(frozen=True)
class PosteriorIntervals:
    """Intervals by the covariance of the prices and the noise; ``radius`` in standard deviations.

    Prices are log-normal, and their sum is approximated by a log-normal distribution of equal mean
    and variance (Fenton, IRE Transactions on Communications Systems 8, 1960). This overestimates
    the tail of prices that the table bounds only from above: the true median lies between that of
    the approximation and the sum of the prices' medians, and the interval extends from both. No
    interval is wider than that of the prior at the device's speed, even if the radius is large
    because the model fits its table badly.
    """

    posteriors: tuple[WeightedPosterior, ...]
    radius: float

    @property
    def unseen_method(self) -> str:
        """They are estimated by the prices of other kinds of operators in the same terms."""
        return "expected to cost what its like do"

    def least_ms(self, table: OperatorTable) -> Floats:
        """Returns zeros, since the prior already excludes impossible times."""
        import numpy as np

        return np.zeros(len(table))

    def limits(
        self, table: OperatorTable, waited: Floats, waited_ms: Floats, stack: str | None = None
    ) -> Limits:
        """Returns intervals by the distribution of log times."""
        import numpy as np

        charged = charged_work(self.posteriors, table, waited)
        known = Logarithms.of(self.posteriors, charged, stack)
        before = [replace(one, posterior=one.expected) for one in self.posteriors]
        expected = Logarithms.of(before, charged, stack).deviation
        most = LEAST_RADIUS * np.maximum(expected, known.deviation)
        distance = np.minimum(self.radius * known.deviation, most)
        ms = table.per_network(waited_ms)
        return Limits(
            np.minimum(np.exp(known.least - distance), ms),
            np.maximum(np.exp(known.most + distance), ms),
            self._reasons(known.shares),
        )

    def _reasons(self, shares: Floats) -> tuple[tuple[str, ...], ...]:
        """Returns for each network the kinds that contribute most to the variance, worst first.

        No kinds are named if prices contribute less than ``_MIN_PRICE_SHARE`` of the variance.
        """
        import numpy as np

        charges = self.posteriors[0].posterior.prices.charges
        kinds = sorted({kind for _, kind in charges if kind})
        column = [np.array([kind == own for _, kind in charges]) for own in kinds]
        by_kind = shares @ np.stack(column, axis=1)
        named = (by_kind >= _MIN_NAMED_SHARE) & (shares.sum(axis=1) >= _MIN_PRICE_SHARE)[:, None]
        reasons: list[tuple[str, ...]] = [()] * len(shares)
        for network in np.flatnonzero(named.any(axis=1)).tolist():
            worst = np.argsort(-by_kind[network], kind="stable").tolist()
            reasons[network] = tuple(kinds[place] for place in worst if named[network, place])
        return tuple(reasons)


@dataclass(frozen=True)
class _PriceSum:
    """Times of networks as sums of log-normal prices.

    ``median`` and ``mean``, (networks,): ms by the medians and the means of the prices. ``parts``,
    (networks, charges): contribution of each price to the variance, relative to the mean squared.
    """

    median: Floats
    mean: Floats
    parts: Floats

    @classmethod
    def of(
        cls, one: WeightedPosterior, charged: tuple[Floats, Floats], stack: str | None
    ) -> _PriceSum:
        """Returns the sums by the posterior of one padding; ``charged`` belongs to that padding."""
        import numpy as np

        posterior, (work, known) = one.posterior, charged
        which = posterior.of_charges(stack)
        covariance = which @ posterior.covariance @ which.T
        median = np.exp(which @ posterior.mean)
        mean = median * np.exp(np.diag(covariance) / 2)
        paid = work * mean
        total = np.maximum(paid.sum(axis=1) + known, 1e-12)
        parts = paid * (paid @ np.expm1(covariance)) / total[:, None] ** 2
        return cls(np.maximum(work @ median + known, 1e-12), total, parts)


@dataclass(frozen=True)
class Rates:
    """Range of an engine's times per MB that operators read and write, in ms."""

    engine: str
    fastest: float
    slowest: float


@dataclass(frozen=True)
class UnseenBound:
    """Bounds the times of operators never measured: their bytes at the rates of measured ones."""

    seen: frozenset[str]
    rates: tuple[Rates, ...]

    @classmethod
    def of_fit(cls, fitted: Fit, table: OperatorTable) -> UnseenBound:
        """Derives the rates of each engine from the fitted times of the operators in ``table``."""
        rates = fitted.operator_ms(table) / (table.bytes_in + table.bytes_out) * 1e6
        bounds = []
        for engine in fitted.structure.engines:
            paid = rates[table.is_one_of(engine.kinds) & (rates > 0)]
            if paid.size:
                bounds.append(Rates(engine.name, float(paid.min()), float(paid.max())))
        return cls(frozenset(table.kind.tolist()), tuple(bounds))

    def rates_for(self, engine: str | None) -> Rates:
        """Returns the fastest rate of all engines, and the slowest of ``engine`` or else of all."""
        alike = [rates for rates in self.rates if rates.engine == engine] or self.rates
        fastest = min(rates.fastest for rates in self.rates)
        return Rates(engine or "", fastest, max(rates.slowest for rates in alike))


@dataclass(frozen=True)
class LeftOutErrorIntervals:
    """Intervals by the errors of networks left out of the fit; ``radius`` in logarithms.

    If a trained ``network`` predicts, ``radius`` is relative to the error that it expects of its
    prediction. Operators that were never measured widen the interval to their ``bound``.
    """

    structure: CostStructure
    bound: UnseenBound
    radius: float
    network: OperatorNetwork | None = None

    @property
    def unseen_method(self) -> str:
        """They are bounded by the bytes that operators move, see ``UnseenBound``."""
        return "bounded by bytes"

    def least_ms(self, table: OperatorTable) -> Floats:
        """Returns (operators,): bytes at the fastest rate if never measured; 0 for others."""
        return self._unseen_ms(table)[0]

    def limits(
        self, table: OperatorTable, waited: Floats, waited_ms: Floats, stack: str | None = None
    ) -> Limits:
        """Returns intervals by ``radius``, widened by operators that were never measured."""
        import numpy as np

        _, most_ms = self._unseen_ms(table)
        unseen = ~table.is_one_of(self.bound.seen)
        guessed_ms = table.per_network(np.where(unseen, waited_ms, 0.0))
        ms, spread = table.per_network(waited_ms), np.exp(self._radii(table, waited_ms))
        reasons = _kinds_by_network(table, unseen | self._unknown_variants(table, waited_ms))
        return Limits(
            np.maximum(ms - guessed_ms, 0.1 * ms) / spread,
            (ms + table.per_network(most_ms)) * spread,
            reasons,
        )

    def _radii(self, table: OperatorTable, waited_ms: Floats) -> Floats:
        """Returns (networks,): the radius of each network."""
        import numpy as np

        if self.network is None:
            return np.full(table.networks, self.radius)
        learned = table.is_one_of(self.structure.open_kinds)
        errors_ms = np.where(learned, waited_ms * self.network.expected_errors(table), 0.0)
        total_ms = np.maximum(table.per_network(waited_ms), 1e-9)
        return self.radius * table.per_network(errors_ms) / total_ms

    def _unknown_variants(self, table: OperatorTable, waited_ms: Floats) -> Mask:
        """Returns the mask (operators,) of variants unknown to the trained network.

        Those of networks that spend little time in them are left out.
        """
        import numpy as np

        if self.network is None:
            return np.zeros(len(table), bool)
        unknown = ~self.network.knows(table) & table.is_one_of(self.structure.open_kinds)
        unknown_ms = table.per_network(np.where(unknown, waited_ms, 0.0))
        long = unknown_ms >= _MIN_NAMED_SHARE * table.per_network(waited_ms)
        return np.asarray(unknown & long[table.network])

    def _unseen_ms(self, table: OperatorTable) -> tuple[Floats, Floats]:
        """Returns lower and upper bounds (operators,) of operators never measured; 0 for others."""
        import numpy as np

        unseen = ~table.is_one_of(self.bound.seen)
        moved_mb = np.where(unseen, table.bytes_in + table.bytes_out, 0.0) / 1e6
        least_ms, most_ms = np.zeros(len(table)), np.zeros(len(table))
        for kind in set(table.kind[unseen].tolist()):
            rates = self.bound.rates_for(self.structure.engine_of(kind))
            of_kind = table.kind == kind
            least_ms[of_kind] = moved_mb[of_kind] * rates.fastest
            most_ms[of_kind] = moved_mb[of_kind] * rates.slowest * COST_FACTOR
        return least_ms, most_ms


def _kinds_by_network(table: OperatorTable, which: Mask) -> tuple[tuple[str, ...], ...]:
    """Returns for each network its kinds of the operators in the mask ``which``, (operators,)."""
    kinds: Sequence[set[str]] = [set() for _ in range(table.networks)]
    for network, kind in zip(
        table.network[which].tolist(), table.kind[which].tolist(), strict=True
    ):
        kinds[network].add(kind)
    return tuple(tuple(sorted(of_network)) for of_network in kinds)
