"""Estimates the latencies of hundreds of networks at once, to choose among them.

If the device's latency source is a regression, or a regression approximates the device, that
regression predicts the latencies. Otherwise they are estimated from the multiply-accumulates and
the bytes moved. A device whose own source is not a regression also gets a linear model of the
latency's logarithm, which is fitted to the latencies that the study has measured. The network that
is chosen in the end is timed by the device's own source.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from latency_models import Latency, LatencyError, LatencyRequest
from latency_models.device import Device, open_regression
from latency_models.sources.regression.source import RegressionSource
from search_spaces import Candidate, Graph, InputSpec, infer

from ..choices import Risk
from ..quality.score import scored_ms

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Uncertainty:
    """Prior standard deviations of the linear model, in log2 of milliseconds."""

    #: deviation of a single network from the line
    network: float
    #: of the coefficient of each feature
    slope: float
    #: of the constant term
    level: float


#: With a regression for the device's compiler. Such a regression is within 10 % for nine networks
#: of ten (studies/latency_error).
_WITH_REGRESSION = Uncertainty(network=0.1, slope=0.1, level=0.3)
#: Without a regression, when only the order of magnitude of a device's speed is known.
_WITHOUT_REGRESSION = Uncertainty(network=0.3, slope=0.3, level=5.0)


@dataclass(frozen=True)
class EstimatedLatency:
    """An estimate of a latency as a normal distribution of the binary logarithm of ms."""

    #: mean
    log2_ms: float
    #: standard deviation; 0 if the device's own source gave the latency
    deviation: float
    #: value that is compared with a study's latency limit
    promised_log2_ms: float

    @classmethod
    def of(cls, latency: Latency, risk: Risk) -> Self:
        """Returns the exact estimate for a ``latency`` that the device's own source gave."""
        return cls(math.log2(scored_ms(latency, risk)), 0.0, math.log2(latency.promised_ms))

    def excess(self, limit_ms: float | None) -> float:
        """Returns by how many doublings it exceeds a study's limit; negative if it is within."""
        return self.promised_log2_ms - (math.inf if limit_ms is None else math.log2(limit_ms))

    @property
    def is_exact(self) -> bool:
        """Whether the latency is that of the device's own source."""
        return self.deviation == 0


#: Features of the linear model of log2 of a network's latency in ms; the last is the constant 1.
LineFeatures = tuple[float, ...]


@dataclass(frozen=True)
class TimedNetwork:
    """Features of a network, and the latency that the study's own source gave for it."""

    #: from ``LatencyEstimator.line_features``; None if it has none for the network
    features: LineFeatures | None
    log2_ms: float


@dataclass(frozen=True)
class LatencyEstimator:
    """Estimates latencies on one device at one input size; ``with_timed`` adds measurements."""

    input: InputSpec
    #: TFLite names of the operators that the device supports; None: all
    operators: frozenset[str] | None
    #: of the device itself, or of a similar device that approximates it; None without one
    regression: RegressionSource | None
    #: of the linear model; None without one, if the regression is the device's own source
    uncertainty: Uncertainty | None
    #: mean and covariance of the linear model's coefficients
    coefficients: Floats
    covariance: Floats
    #: which value of a predicted interval a score uses
    risk: Risk = Risk.POINT

    @classmethod
    def of(cls, device: Device, spec: InputSpec, risk: Risk) -> LatencyEstimator:
        """Returns the estimator for ``device``; needs no worker process."""
        regression = open_regression(device)
        if regression is None:
            return cls._with_line(spec, device, None, _WITHOUT_REGRESSION, (0.5, 0.5))
        if device.is_predicted:
            empty = np.zeros(0), np.zeros((0, 0))
            return cls(spec, device.operators, regression, None, *empty, risk=risk)
        return cls._with_line(spec, device, regression, _WITH_REGRESSION, (1.0,))

    @classmethod
    def _with_line(
        cls,
        spec: InputSpec,
        device: Device,
        regression: RegressionSource | None,
        uncertainty: Uncertainty,
        slopes: tuple[float, ...],
    ) -> LatencyEstimator:
        deviations = [uncertainty.slope] * len(slopes) + [uncertainty.level]
        return cls(
            spec,
            device.operators,
            regression,
            uncertainty,
            np.array([*slopes, 0.0]),
            np.diag(np.square(deviations)),
        )

    def with_timed(self, timed: Sequence[TimedNetwork]) -> LatencyEstimator:
        """Returns an estimator fitted to ``timed`` networks by Bayesian linear regression."""
        if self.uncertainty is None:
            return self
        known = [(row.features, row.log2_ms) for row in timed if row.features is not None]
        if not known:
            return self
        x, y = (np.array(column) for column in zip(*known, strict=True))
        noise = self.uncertainty.network**2
        prior = np.linalg.inv(self.covariance)
        covariance = np.linalg.inv(prior + x.T @ x / noise)
        coefficients = covariance @ (prior @ self.coefficients + x.T @ y / noise)
        return replace(self, coefficients=coefficients, covariance=covariance)

    def estimates(self, networks: Sequence[Candidate]) -> list[EstimatedLatency | None]:
        """Returns estimates for the deployed graphs.

        None for a network that the device does not support or the regression cannot predict.
        """
        if self.uncertainty is None:
            return [
                None if latency is None else EstimatedLatency.of(latency, self.risk)
                for latency in self._predictions([network.deployed for network in networks])
            ]
        noise = self.uncertainty.network**2
        found: list[EstimatedLatency | None] = []
        for features in self.line_features(networks):
            if features is None:
                found.append(None)
                continue
            x = np.array(features)
            log2_ms, variance = float(x @ self.coefficients), float(x @ self.covariance @ x)
            found.append(EstimatedLatency(log2_ms, math.sqrt(variance + noise), log2_ms))
        return found

    def line_features(self, networks: Sequence[Candidate]) -> list[LineFeatures | None]:
        """Returns features of the linear model for the deployed graphs.

        None for a network that the device does not support or the regression cannot predict, and
        for all networks if there is no linear model.
        """
        if self.uncertainty is None:
            return [None] * len(networks)
        graphs = [network.deployed for network in networks]
        if self.regression is not None:
            predictions = self._predictions(graphs)
            return [None if one is None else (math.log2(one.ms), 1.0) for one in predictions]
        figures = [infer(graph, self.input) for graph in graphs]
        rows = [(math.log2(1 + f.macs), math.log2(f.bytes_moved), 1.0) for f in figures]
        supported = map(self._supports, self._requests(graphs))
        return [row if known else None for row, known in zip(rows, supported, strict=True)]

    def _predictions(self, graphs: Sequence[Graph]) -> list[Latency | None]:
        """Returns the regression's latencies; None for a graph that it or the device refuses."""
        requests = self._requests(graphs)
        supported = [self._supports(request) for request in requests]
        times = iter(_latencies(self.regression, list(itertools.compress(requests, supported))))
        return [next(times) if known else None for known in supported]

    def _requests(self, graphs: Sequence[Graph]) -> list[LatencyRequest]:
        return [
            LatencyRequest.of_graph(graph, self.input, _no_file, "an option") for graph in graphs
        ]

    def _supports(self, request: LatencyRequest) -> bool:
        return self.operators is None or self.operators.issuperset(
            operator.kind for operator in request.operators
        )


def _latencies(
    regression: RegressionSource | None, requests: Sequence[LatencyRequest]
) -> list[Latency | None]:
    """Predicts all ``requests`` at once, or one by one if the regression refuses any of them.

    A refused request gives None.
    """
    if regression is None or not requests:
        return []
    try:
        return list(regression.measure_all(requests))
    except LatencyError:
        if len(requests) == 1:
            return [None]
    return [latency for request in requests for latency in _latencies(regression, [request])]


def _no_file() -> bytes:
    raise LatencyError("an estimate is made without a file")
