"""Bayesian fit of prices: their posterior, given a prior and measured times of networks.

The logarithm of a measured time is normal around that of the sum of work times prices. The mean of
the posterior is its mode, found by the Levenberg-Marquardt method, and its covariance is that of
Laplace's approximation there. The variance of the noise maximizes the evidence, and paddings of
channels are weighted by theirs (MacKay, Neural Computation 4, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .measurements import Measurement
from .operator_table import OperatorTable
from .prices import Prices
from .prior import Prior, prior_of
from .quantities import ChannelPadding
from .structure import CostStructure
from .work import on_critical_path, work_matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Weight of the expected noise against the rows, in rows.
_ROWS_OF_NOISE = 6
#: Most iterations: the critical path depends on the prices, and they on it.
_ROUNDS = 30
#: Most updates of the noise, and most Levenberg-Marquardt steps for each.
_NOISES, _STEPS = 20, 100
#: Paddings with less than this part of the best one's evidence are left out.
_NEGLIGIBLE = 0.02
#: Relative change of the cost at which the steps have converged.
_SETTLED = 1e-9


@dataclass(frozen=True)
class Posterior:
    """Normal distribution of the constants of ``prices``.

    ``mean`` is (constants,), ``covariance`` (constants, constants); ``noise`` is the standard
    deviation of measured log times.
    """

    prices: Prices
    padding: ChannelPadding
    mean: Floats
    covariance: Floats
    noise: float
    #: logarithm of the probability density of the measurements, up to a constant
    evidence: float

    def of_operators(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """(operators,): ms of each operator by the mean; ``stack`` None: the device's software."""
        import numpy as np

        prices = self.prices
        matrix = work_matrix(prices.structure, table, self.padding)
        kinds, places = table.kinds
        ms: Floats = matrix @ prices.known
        paid = np.zeros((len(prices.terms), len(kinds)))
        logarithms = self.of_charges(stack) @ self.mean
        for (term, kind), price in zip(prices.charges, np.exp(logarithms).tolist(), strict=True):
            if not kind:
                paid[term] = price
            elif kind in kinds:
                paid[term, kinds.index(kind)] = price
        for term, place in enumerate(prices.terms):
            ms += matrix[:, place] * paid[term, places]
        return ms

    def of_charges(self, stack: str | None) -> Floats:
        """``Prices.of_charges``; for None, of the device's software."""
        return self.prices.of_charges(self.prices.structure.stack if stack is None else stack)


@dataclass(frozen=True)
class Weighted:
    """The posterior for one padding with the padding's probability, and ``expected``: the prior,
    shifted to the speed that the device was measured to have.
    """

    weight: float
    posterior: Posterior
    expected: Posterior


def fit_posterior(structure: CostStructure, rows: Sequence[Measurement]) -> tuple[Weighted, ...]:
    """Posteriors given ``rows`` for the device's paddings, the most probable first."""
    import numpy as np

    prices = Prices(structure, tuple(sorted({row.stack for row in rows} - {structure.stack})))
    table = OperatorTable.of([row.operators for row in rows])
    found = [_fitted(prices, rows, table, padding) for padding in structure.paddings]
    found.sort(key=lambda fitted: -fitted[0].evidence)
    odds = np.exp([posterior.evidence - found[0][0].evidence for posterior, _ in found])
    odds[odds < _NEGLIGIBLE] = 0.0
    weights = (odds / odds.sum()).tolist()
    return tuple(Weighted(odd, *pair) for odd, pair in zip(weights, found, strict=True) if odd)


def _fitted(
    prices: Prices, rows: Sequence[Measurement], table: OperatorTable, padding: ChannelPadding
) -> tuple[Posterior, Posterior]:
    """The posterior for one padding, and the prior at the measured speed."""
    import numpy as np

    networks, prior = [row.operators for row in rows], prior_of(prices)
    stacks = np.array([row.stack for row in rows])[table.network]
    waited = np.ones(len(table))
    best: Posterior | None = None
    for _ in range(_ROUNDS):
        times = _Times.of(prices, rows, table, padding, waited)
        posterior = _most_probable(times, prior, padding, best)
        before, operator_ms = waited, np.zeros(len(table))
        for stack in set(stacks.tolist()):
            of_stack = stacks == stack
            operator_ms[of_stack] = posterior.of_operators(table, stack)[of_stack]
        waited = on_critical_path(prices.structure, networks, operator_ms).astype(float)
        if best is None or posterior.evidence > best.evidence:
            best = posterior
        if np.array_equal(before, waited):
            break
    assert best is not None
    mean, covariance = _at_seen_speed(times, prior)
    return best, replace(best, mean=mean, covariance=covariance, noise=prices.structure.scatter)


@dataclass(frozen=True)
class _Times:
    """Measured log times, (rows,), with ``work``, (rows, charges), and ``known_ms``, (rows,)."""

    prices: Prices
    measured: Floats
    work: Floats
    known_ms: Floats
    #: for each software: mask of its rows, and ``Prices.of_charges``
    software: tuple[tuple[Mask, Floats], ...]

    @classmethod
    def of(
        cls, prices: Prices, rows: Sequence[Measurement], table: OperatorTable,
        padding: ChannelPadding, waited: Floats,
    ) -> _Times:  # fmt: skip
        import numpy as np

        stacks = np.array([row.stack for row in rows])
        return cls(
            prices,
            np.log([row.ms for row in rows]),
            *prices.work(table, padding, waited),
            tuple((stacks == stack, prices.of_charges(stack)) for stack in set(stacks.tolist())),
        )

    def at(self, constants: Floats) -> tuple[Floats, Floats]:
        """Residuals, (rows,), and derivatives of the predicted log times, (rows, constants)."""
        import numpy as np

        left = np.empty_like(self.measured)
        slopes = np.empty((len(left), len(constants)))
        for rows, which in self.software:
            paid = self.work[rows] * np.exp(which @ constants)
            ms = np.maximum(self.known_ms[rows] + paid.sum(axis=1), 1e-12)
            left[rows] = self.measured[rows] - np.log(ms)
            slopes[rows] = paid @ which / ms[:, None]
        return left, slopes


def _most_probable(
    times: _Times, prior: Prior, padding: ChannelPadding, start: Posterior | None
) -> Posterior:
    """Mode and noise, alternately until the noise converges."""
    import numpy as np

    precision = np.asarray(np.linalg.inv(prior.covariance), dtype=np.float64)
    constants = _at_seen_speed(times, prior)[0] if start is None else start.mean
    expected, rows = times.prices.structure.scatter**2, len(times.measured)
    variance = expected if start is None else start.noise**2
    covariance: Floats = prior.covariance
    for _ in range(_NOISES):
        constants = _climbed(times, prior.mean, precision, constants, variance)
        left, slopes = times.at(constants)
        covariance = np.asarray(np.linalg.inv(slopes.T @ slopes / variance + precision))
        taken = float(np.einsum("rc,cd,rd->", slopes, covariance, slopes)) / variance
        before = variance
        variance = float(left @ left) + _ROWS_OF_NOISE * expected
        variance /= max(rows - taken, 0.0) + _ROWS_OF_NOISE
        if abs(variance / before - 1) < 1e-3:
            break
    away = constants - prior.mean
    evidence = (
        -(rows + _ROWS_OF_NOISE) * np.log(variance)
        - (float(left @ left) + _ROWS_OF_NOISE * expected) / variance
        - float(away @ precision @ away)
        + np.linalg.slogdet(covariance)[1]
        - np.linalg.slogdet(prior.covariance)[1]
    ) / 2
    return Posterior(
        times.prices, padding, constants, covariance, float(np.sqrt(variance)), float(evidence)
    )


def _at_seen_speed(times: _Times, prior: Prior) -> tuple[Floats, Floats]:
    """Mean and covariance of the prior at the speed given by the median residual of the rows."""
    import numpy as np

    left = times.at(prior.mean)[0]
    return prior.at_speed(float(np.median(left)), len(left))


def _climbed(
    times: _Times, mean: Floats, precision: Floats, constants: Floats, variance: float
) -> Floats:
    """The constants of the highest posterior density, by Levenberg-Marquardt steps."""
    import numpy as np

    def cost(left: Floats, constants: Floats) -> float:
        away = constants - mean
        return float(left @ left / variance + away @ precision @ away)

    damping = 1e-3
    left, slopes = times.at(constants)
    before = cost(left, constants)
    for _ in range(_STEPS):
        curvature = slopes.T @ slopes / variance + precision
        uphill = slopes.T @ left / variance - precision @ (constants - mean)
        step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), uphill)
        tried = constants + np.clip(step, -2.0, 2.0)
        new_left, new_slopes = times.at(tried)
        after = cost(new_left, tried)
        if after > before:
            damping *= 4
            if damping > 1e8:
                break
            continue
        settled = before - after < _SETTLED * max(before, 1.0)
        constants, left, slopes, before = tried, new_left, new_slopes, after
        damping = max(damping / 4, 1e-9)
        if settled:
            break
    return constants
