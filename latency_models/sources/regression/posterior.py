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

#: Weight of the expected noise in its estimate, as a number of rows.
_NOISE_PRIOR_ROWS = 6
#: Maximum number of iterations; the critical path and the prices depend on each other.
_MAX_ROUNDS = 30
#: Maximum number of noise updates, and of Levenberg-Marquardt steps for each.
_MAX_NOISE_UPDATES, _MAX_STEPS = 20, 100
#: Paddings with less than this part of the best one's evidence are left out.
_NEGLIGIBLE = 0.02
#: Relative change of the cost at which the steps have converged.
_CONVERGED = 1e-9


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

    def operator_ms(self, table: OperatorTable, stack: str | None = None) -> Floats:
        """Returns (operators,): ms by the mean; ``stack`` None means the device's software."""
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
        """Returns ``Prices.of_charges`` for ``stack``; None: the device's software."""
        return self.prices.of_charges(self.prices.structure.stack if stack is None else stack)


@dataclass(frozen=True)
class WeightedPosterior:
    """The posterior for one padding, and the probability of that padding, ``weight``.

    ``expected`` is the prior, shifted to the measured speed of the device.
    """

    weight: float
    posterior: Posterior
    expected: Posterior


def fit_posterior(
    structure: CostStructure, rows: Sequence[Measurement]
) -> tuple[WeightedPosterior, ...]:
    """Returns the posteriors given ``rows`` for the device's paddings, the most probable first."""
    import numpy as np

    prices = Prices(structure, tuple(sorted({row.stack for row in rows} - {structure.stack})))
    table = OperatorTable.of([row.operators for row in rows])
    found = [_fit_padding(prices, rows, table, padding) for padding in structure.paddings]
    found.sort(key=lambda fitted: -fitted[0].evidence)
    odds = np.exp([posterior.evidence - found[0][0].evidence for posterior, _ in found])
    odds[odds < _NEGLIGIBLE] = 0.0
    weights = (odds / odds.sum()).tolist()
    return tuple(
        WeightedPosterior(odd, *pair) for odd, pair in zip(weights, found, strict=True) if odd
    )


def _fit_padding(
    prices: Prices, rows: Sequence[Measurement], table: OperatorTable, padding: ChannelPadding
) -> tuple[Posterior, Posterior]:
    """Returns the posterior for one padding, and the prior at the measured speed."""
    import numpy as np

    networks, prior = [row.operators for row in rows], prior_of(prices)
    stacks = np.array([row.stack for row in rows])[table.network]
    waited = np.ones(len(table))
    best: Posterior | None = None
    for _ in range(_MAX_ROUNDS):
        times = _Times.of(prices, rows, table, padding, waited)
        posterior = _mode_and_noise(times, prior, padding, best)
        before, operator_ms = waited, np.zeros(len(table))
        for stack in set(stacks.tolist()):
            of_stack = stacks == stack
            operator_ms[of_stack] = posterior.operator_ms(table, stack)[of_stack]
        waited = on_critical_path(prices.structure, networks, operator_ms).astype(float)
        if best is None or posterior.evidence > best.evidence:
            best = posterior
        if np.array_equal(before, waited):
            break
    assert best is not None
    mean, covariance = _prior_at_measured_speed(times, prior)
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
        """Returns residuals, (rows,), and derivatives of predicted log times, (rows, constants)."""
        import numpy as np

        residuals = np.empty_like(self.measured)
        slopes = np.empty((len(residuals), len(constants)))
        for rows, which in self.software:
            paid = self.work[rows] * np.exp(which @ constants)
            ms = np.maximum(self.known_ms[rows] + paid.sum(axis=1), 1e-12)
            residuals[rows] = self.measured[rows] - np.log(ms)
            slopes[rows] = paid @ which / ms[:, None]
        return residuals, slopes


def _mode_and_noise(
    times: _Times, prior: Prior, padding: ChannelPadding, start: Posterior | None
) -> Posterior:
    """Finds mode and noise alternately until the noise converges."""
    import numpy as np

    precision = np.asarray(np.linalg.inv(prior.covariance), dtype=np.float64)
    constants = _prior_at_measured_speed(times, prior)[0] if start is None else start.mean
    expected, rows = times.prices.structure.scatter**2, len(times.measured)
    variance = expected if start is None else start.noise**2
    covariance: Floats = prior.covariance
    for _ in range(_MAX_NOISE_UPDATES):
        constants = _maximize_density(times, prior.mean, precision, constants, variance)
        residuals, slopes = times.at(constants)
        covariance = np.asarray(np.linalg.inv(slopes.T @ slopes / variance + precision))
        fitted_constants = float(np.einsum("rc,cd,rd->", slopes, covariance, slopes)) / variance
        before = variance
        variance = float(residuals @ residuals) + _NOISE_PRIOR_ROWS * expected
        variance /= max(rows - fitted_constants, 0.0) + _NOISE_PRIOR_ROWS
        if abs(variance / before - 1) < 1e-3:
            break
    away = constants - prior.mean
    evidence = (
        -(rows + _NOISE_PRIOR_ROWS) * np.log(variance)
        - (float(residuals @ residuals) + _NOISE_PRIOR_ROWS * expected) / variance
        - float(away @ precision @ away)
        + np.linalg.slogdet(covariance)[1]
        - np.linalg.slogdet(prior.covariance)[1]
    ) / 2
    return Posterior(
        times.prices, padding, constants, covariance, float(np.sqrt(variance)), float(evidence)
    )


def _prior_at_measured_speed(times: _Times, prior: Prior) -> tuple[Floats, Floats]:
    """Returns mean and covariance of the prior at the speed of the median residual."""
    import numpy as np

    residuals = times.at(prior.mean)[0]
    return prior.at_speed(float(np.median(residuals)), len(residuals))


def _maximize_density(
    times: _Times, mean: Floats, precision: Floats, constants: Floats, variance: float
) -> Floats:
    """Finds the constants of the highest posterior density by Levenberg-Marquardt steps."""
    import numpy as np

    def cost(residuals: Floats, constants: Floats) -> float:
        away = constants - mean
        return float(residuals @ residuals / variance + away @ precision @ away)

    damping = 1e-3
    residuals, slopes = times.at(constants)
    before = cost(residuals, constants)
    for _ in range(_MAX_STEPS):
        curvature = slopes.T @ slopes / variance + precision
        gradient = slopes.T @ residuals / variance - precision @ (constants - mean)
        step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
        tried = constants + np.clip(step, -2.0, 2.0)
        new_residuals, new_slopes = times.at(tried)
        after = cost(new_residuals, tried)
        if after > before:
            damping *= 4
            if damping > 1e8:
                break
            continue
        converged = before - after < _CONVERGED * max(before, 1.0)
        constants, residuals, slopes, before = tried, new_residuals, new_slopes, after
        damping = max(damping / 4, 1e-9)
        if converged:
            break
    return constants
