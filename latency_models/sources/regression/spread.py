"""How far a prediction may be off: by what prices are not settled, or by what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Protocol

from ..cpu_fallback import COST_FACTOR
from .fitted import Fit
from .operator_table import OperatorTable
from .posterior import Weighted
from .structure import CostStructure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Part of networks whose time should lie within the interval.
COVERAGE = 0.9
#: Prices are the reason for an interval from this part of its variance on, and a kind of operator
#: is named from this.
_MOSTLY, _WORTH_NAMING = 0.5, 0.25
#: The half interval of a normal distribution, in its standard deviations: none is narrower.
LEAST_RADIUS = NormalDist().inv_cdf((1 + COVERAGE) / 2)


@dataclass(frozen=True)
class Limits:
    """Of networks, (networks,), in ms; ``reasons``: operators that most of the doubt comes from."""

    low_ms: Floats
    high_ms: Floats
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Logarithms:
    """Of networks' times: the median lies within ``least`` to ``most``, (networks,); of the
    variance, ``deviation`` squared, ``shares`` come of each price, (networks, charges).
    """

    least: Floats
    most: Floats
    deviation: Floats
    shares: Floats

    @classmethod
    def of(
        cls,
        posteriors: Sequence[Weighted],
        table: OperatorTable,
        waited: Floats,
        stack: str | None = None,
    ) -> Logarithms:
        """With this software; None: the device's."""
        import numpy as np

        sums = [_Sum.of(one, table, waited, stack) for one in posteriors]
        weights = np.array([[one.weight] for one in posteriors])
        mean, median = (
            (weights * [s.mean for s in sums]).sum(0),
            (weights * [s.median for s in sums]).sum(0),
        )
        # Of the mixture: what each padding leaves open, and what they say differently.
        squares = (weights * [s.mean**2 * (1 + s.parts.sum(axis=1)) for s in sums]).sum(0)
        variance = np.log(np.maximum(squares / mean**2, 1.0))
        noise = (weights[:, 0] * [one.posterior.noise**2 for one in posteriors]).sum()
        shares = (weights[:, :, None] * [s.parts for s in sums]).sum(0)
        centers = np.log(median), np.log(mean) - variance / 2
        return cls(
            np.minimum(*centers), np.maximum(*centers), np.sqrt(variance + noise),
            shares / (variance + noise)[:, None],
        )  # fmt: skip


class Spread(Protocol):
    """The interval of a model's predictions."""

    @property
    def radius(self) -> float:
        """How wide it is, in what the spread counts in; found by leaving networks out."""

    @property
    def of_unseen(self) -> str:
        """How an operator that was never measured is costed, in words."""

    def least_ms(self, table: OperatorTable) -> Floats:
        """(operators,): no operator is taken for faster."""

    def limits(
        self, table: OperatorTable, waited: Floats, waited_ms: Floats, stack: str | None = None
    ) -> Limits:
        """Of networks whose end waits for the operators that are 1 in ``waited``, (operators,),
        with this software; None: the device's.
        """


@dataclass(frozen=True)
class OfPrices:
    """By the covariance of the prices, and what they leave; ``radius`` in standard deviations.

    Prices are log-normal, and their sum is taken to be, by its mean and variance (Fenton, IRE
    Transactions on Communications Systems 8, 1960). Its median lies between that and the sum of
    the prices' medians, since what a table bounds from above alone has no long tail: the deviations
    begin at either. A model that fits its table badly has a large radius, which says nothing of
    prices that the table does not settle: no interval is wider than on a device of which nothing
    but its speed is known.
    """

    posteriors: tuple[Weighted, ...]
    radius: float

    @property
    def of_unseen(self) -> str:
        """By the engine map."""
        return "expected to cost what its like do"

    def least_ms(self, table: OperatorTable) -> Floats:
        """Nothing: the prior knows what is likely."""
        import numpy as np

        return np.zeros(len(table))

    def limits(
        self, table: OperatorTable, waited: Floats, waited_ms: Floats, stack: str | None = None
    ) -> Limits:
        """As the class says."""
        import numpy as np

        known = Logarithms.of(self.posteriors, table, waited, stack)
        before = [replace(one, posterior=one.expected) for one in self.posteriors]
        expected = Logarithms.of(before, table, waited, stack).deviation
        most = LEAST_RADIUS * np.maximum(expected, known.deviation)
        distance = np.minimum(self.radius * known.deviation, most)
        ms = table.per_network(waited_ms)
        return Limits(
            np.minimum(np.exp(known.least - distance), ms),
            np.maximum(np.exp(known.most + distance), ms),
            self._reasons(known.shares),
        )

    def _reasons(self, shares: Floats) -> tuple[tuple[str, ...], ...]:
        """Of each network the kinds whose prices bring in most of the variance, the worst first;
        none if most of it is what no price explains.
        """
        import numpy as np

        charges = self.posteriors[0].posterior.prices.charges
        kinds = sorted({kind for _, kind in charges if kind})
        column = [np.array([kind == own for _, kind in charges]) for own in kinds]
        by_kind = shares @ np.stack(column, axis=1)
        named = (by_kind >= _WORTH_NAMING) & (shares.sum(axis=1) >= _MOSTLY)[:, None]
        found: list[tuple[str, ...]] = [()] * len(shares)
        for network in np.flatnonzero(named.any(axis=1)).tolist():
            worst = np.argsort(-by_kind[network], kind="stable").tolist()
            found[network] = tuple(kinds[place] for place in worst if named[network, place])
        return tuple(found)


@dataclass(frozen=True)
class _Sum:
    """Of the prices that networks pay, (networks,): ms by the prices' medians and by their means;
    ``parts``: what each price adds to the variance, (networks, charges), to the mean squared.
    """

    median: Floats
    mean: Floats
    parts: Floats

    @classmethod
    def of(cls, one: Weighted, table: OperatorTable, waited: Floats, stack: str | None) -> _Sum:
        """Under one padding."""
        import numpy as np

        posterior = one.posterior
        prices, which = posterior.prices, posterior.of_charges(stack)
        covariance = which @ posterior.covariance @ which.T
        median = np.exp(which @ posterior.mean)
        mean = median * np.exp(np.diag(covariance) / 2)
        work, known = prices.work(table, posterior.padding, waited)
        paid = work * mean
        total = np.maximum(paid.sum(axis=1) + known, 1e-12)
        parts = paid * (paid @ np.expm1(covariance)) / total[:, None] ** 2
        return cls(np.maximum(work @ median + known, 1e-12), total, parts)


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

    @classmethod
    def of_fit(cls, fitted: Fit, table: OperatorTable) -> UnseenBound:
        """The fastest and the slowest that each engine was seen to get through bytes."""
        rates = fitted.operator_ms(table) / (table.bytes_in + table.bytes_out) * 1e6
        bounds = []
        for engine in fitted.structure.engines:
            paid = rates[table.is_one_of(engine.kinds) & (rates > 0)]
            if paid.size:
                bounds.append(Rates(engine.name, float(paid.min()), float(paid.max())))
        return cls(frozenset(table.kind.tolist()), tuple(bounds))

    def of(self, engine: str | None) -> Rates:
        """As fast as anything was, as slow as the engine was; if it never ran, as anything was."""
        alike = [rates for rates in self.rates if rates.engine == engine] or self.rates
        fastest = min(rates.fastest for rates in self.rates)
        return Rates(engine or "", fastest, max(rates.slowest for rates in alike))


@dataclass(frozen=True)
class UsualSize:
    """The radius of images of so many pixels, where it is another."""

    pixels: int
    radius: float


@dataclass(frozen=True)
class OfLeftOut:
    """As far as networks left out were off; ``radius`` in logarithms.

    An operator that was never measured is bounded by the bytes that it moves.
    """

    structure: CostStructure
    bound: UnseenBound
    radius: float
    usual: UsualSize | None = None

    @property
    def of_unseen(self) -> str:
        """By rates that were seen."""
        return "bounded by bytes"

    def least_ms(self, table: OperatorTable) -> Floats:
        """(operators,): of what was never measured, its bytes at the fastest rate."""
        return self._unseen_ms(table)[0]

    def limits(
        self, table: OperatorTable, waited: Floats, waited_ms: Floats, stack: str | None = None
    ) -> Limits:
        """As the class says."""
        import numpy as np

        _, most_ms = self._unseen_ms(table)
        unseen = ~table.is_one_of(self.bound.seen)
        guessed_ms = table.per_network(np.where(unseen, waited_ms, 0.0))
        ms, spread = table.per_network(waited_ms), np.exp(self._radii(table))
        reasons = _kinds_by_network(table, unseen)
        return Limits(
            np.maximum(ms - guessed_ms, 0.1 * ms) / spread,
            (ms + table.per_network(most_ms)) * spread,
            reasons,
        )

    def _radii(self, table: OperatorTable) -> Floats:
        """(networks,)"""
        import numpy as np

        radii = np.full(table.networks, self.radius)
        if self.usual is not None:
            radii[table.image_pixels == self.usual.pixels] = self.usual.radius
        return radii

    def _unseen_ms(self, table: OperatorTable) -> tuple[Floats, Floats]:
        """(operators,) each: the least and the most that an unseen one takes; 0 for the others."""
        import numpy as np

        unseen = ~table.is_one_of(self.bound.seen)
        moved_mb = np.where(unseen, table.bytes_in + table.bytes_out, 0.0) / 1e6
        least_ms, most_ms = np.zeros(len(table)), np.zeros(len(table))
        for kind in set(table.kind[unseen].tolist()):
            rates = self.bound.of(self.structure.engine_of(kind))
            of_kind = table.kind == kind
            least_ms[of_kind] = moved_mb[of_kind] * rates.fastest
            most_ms[of_kind] = moved_mb[of_kind] * rates.slowest * COST_FACTOR
        return least_ms, most_ms


def _kinds_by_network(
    table: OperatorTable, which: npt.NDArray[np.bool_]
) -> tuple[tuple[str, ...], ...]:
    """The kinds of the operators that ``which`` marks, of each network."""
    kinds: Sequence[set[str]] = [set() for _ in range(table.networks)]
    for network, kind in zip(
        table.network[which].tolist(), table.kind[which].tolist(), strict=True
    ):
        kinds[network].add(kind)
    return tuple(tuple(sorted(found)) for found in kinds)
