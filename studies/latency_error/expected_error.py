"""Fits the second output of the neural networks of the Ethos-U regressions: expected errors.

The logarithm of an operator's expected error is linear in the last hidden layer, and the expected
error of a network is the mean of those of its operators, weighted by their times. Errors of
networks that were not trained on are assumed to have a Laplace distribution around 0 with the
expected error as its scale; the coefficients have the largest likelihood with an L2 penalty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from latency_models.sources.regression.model import conformal
from latency_models.sources.regression.operator_network import ERROR_LIMITS

Floats = npt.NDArray[np.float64]

#: Candidates of the penalty of squared coefficients, per network.
_PENALTIES = (0.001, 0.01, 0.1, 1.0)
_FOLDS = 5
#: Smallest error, so that a chance hit does not count as certainty.
_LEAST_ERROR = 0.002


@dataclass(frozen=True)
class PredictedNetwork:
    """A network that was not trained on: its operators, and the error of its prediction.

    ``hidden``, (operators, width), is the last hidden layer; ``shares``, (operators,), are parts of
    the predicted time; ``error`` is the absolute logarithm of predicted to true time.
    """

    hidden: Floats
    shares: Floats
    error: float


@dataclass(frozen=True)
class ExpectedError:
    """Coefficients of the logarithm of an operator's expected error: (width,), and the constant."""

    coefficients: Floats
    constant: float

    def of(self, networks: Sequence[PredictedNetwork]) -> Floats:
        """Returns (networks,): the expected error of each network."""
        return np.array([one.shares @ self._of_operators(one.hidden) for one in networks])

    def _of_operators(self, hidden: Floats) -> Floats:
        errors: Floats = np.exp(np.clip(hidden @ self.coefficients + self.constant, *ERROR_LIMITS))
        return errors

    @classmethod
    def fitted(cls, networks: Sequence[PredictedNetwork], penalty: float) -> ExpectedError:
        """Returns the most probable coefficients given the errors of ``networks``."""
        hidden = np.concatenate([one.hidden for one in networks])
        shares = np.concatenate([one.shares for one in networks])
        first = np.cumsum([0, *(len(one.shares) for one in networks[:-1])])
        errors = np.maximum([one.error for one in networks], _LEAST_ERROR)
        spread = hidden.std(axis=0) + 1e-6
        scaled = hidden / spread

        def loss(values: Floats) -> tuple[float, Floats]:
            logarithms = scaled @ values[:-1] + values[-1]
            inside = (logarithms > ERROR_LIMITS[0]) & (logarithms < ERROR_LIMITS[1])
            parts = shares * np.exp(np.clip(logarithms, *ERROR_LIMITS))
            expected = np.add.reduceat(parts, first)
            slopes = (expected - errors) / expected**2 / len(errors)
            slope = np.repeat(slopes, np.diff([*first, len(parts)])) * parts * inside
            gradient = np.append(slope @ scaled + 2 * penalty * values[:-1], slope.sum())
            likelihood = np.mean(errors / expected + np.log(expected))
            return float(likelihood) + penalty * float(values[:-1] @ values[:-1]), gradient

        start = np.append(np.zeros(hidden.shape[1]), np.log(errors.mean()))
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
        return cls(found[:-1] / spread, float(found[-1]))


def fit_expected_error(
    parts: Mapping[str, Sequence[PredictedNetwork]],
) -> tuple[ExpectedError, float]:
    """Returns the expected error, and half of the interval relative to it.

    The interval is that of cross-validation in ``_FOLDS`` folds, the widest of all parts.
    The penalty is the one with the largest likelihood in the cross-validation.
    """
    every = [network for networks in parts.values() for network in networks]
    crossed = {penalty: _cross_validated(parts, penalty) for penalty in _PENALTIES}
    best = min(crossed, key=lambda penalty: _surprise(parts, crossed[penalty]))
    radii = []
    for part, networks in parts.items():
        errors = np.array([network.error for network in networks])
        radii.append(conformal((errors / crossed[best][part]).tolist()))
        print(
            f"{part}: mean error {errors.mean():.4f}, median {np.median(errors):.4f}, within 10 %: "
            f"{(errors < np.log(1.1)).mean():.3f}, nine of ten within {radii[-1]:.2f} times the "
            f"expected error, in the mean {crossed[best][part].mean():.4f}",
            flush=True,
        )
    return ExpectedError.fitted(every, best), max(radii)


def _cross_validated(
    parts: Mapping[str, Sequence[PredictedNetwork]], penalty: float
) -> dict[str, Floats]:
    """Returns the expected errors of each part's networks, by fits to the other folds."""
    expected = {part: np.zeros(len(networks)) for part, networks in parts.items()}
    for fold in range(_FOLDS):
        others = [
            network
            for networks in parts.values()
            for place, network in enumerate(networks)
            if place % _FOLDS != fold
        ]
        fitted = ExpectedError.fitted(others, penalty)
        for part, networks in parts.items():
            expected[part][fold::_FOLDS] = fitted.of(networks[fold::_FOLDS])
    return expected


def _surprise(
    parts: Mapping[str, Sequence[PredictedNetwork]], expected: Mapping[str, Floats]
) -> float:
    """Returns the negative log-likelihood of all errors."""
    errors = np.concatenate([[network.error for network in own] for own in parts.values()])
    scales = np.concatenate([expected[part] for part in parts])
    return float(np.mean(np.maximum(errors, _LEAST_ERROR) / scales + np.log(scales)))
