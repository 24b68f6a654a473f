"""Latencies of hundreds of networks at once, good enough to choose among them.

By a regression where the device is one, or comes with one; from work and memory elsewhere. The
study's own latencies correct both by a line in logarithms. What is chosen is timed by the device's
own source.
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
    """Standard deviations of log2 of milliseconds before the study has timed anything."""

    #: of one network from the line
    network: float
    #: of the line's coefficients: those of the features, and the level
    slope: float
    level: float


#: A regression of a compiler is within 10 % for nine networks of ten (studies/latency_error).
_OF_REGRESSION = Uncertainty(network=0.1, slope=0.1, level=0.3)
#: Without one only the order of magnitude of a device's speed is known.
_OF_FIGURES = Uncertainty(network=0.3, slope=0.3, level=5.0)


@dataclass(frozen=True)
class EstimatedLatency:
    """Binary logarithms of milliseconds: mean and standard deviation."""

    log2_ms: float
    deviation: float
    #: what a limit is held against
    promised_log2_ms: float

    @classmethod
    def of(cls, latency: Latency, risk: Risk) -> Self:
        """As the device's own source says it."""
        return cls(math.log2(scored_ms(latency, risk)), 0.0, math.log2(latency.promised_ms))

    def excess(self, limit_ms: float | None) -> float:
        """Doublings of time by which it is over a study's limit; less than 0: within it."""
        return self.promised_log2_ms - (math.inf if limit_ms is None else math.log2(limit_ms))

    @property
    def is_settled(self) -> bool:
        """Is it the source's own?"""
        return self.deviation == 0


#: What log2 of a network's milliseconds grows with, and 1.
LineFeatures = tuple[float, ...]


@dataclass(frozen=True)
class TimedNetwork:
    """A network, and its latency by the study's own source."""

    #: as the estimator tells them; None: it knows nothing of the network
    features: LineFeatures | None
    log2_ms: float


@dataclass(frozen=True)
class LatencyEstimator:
    """For one device and one size of input; ``with_timed`` is what a study has learned."""

    input: InputSpec
    #: TFLite's names of all that the device takes; None: any
    operators: frozenset[str] | None
    #: of the device, or of another that stands for it
    regression: RegressionSource | None
    #: of the line; None: the regression is the device itself
    uncertainty: Uncertainty | None
    coefficients: Floats
    covariance: Floats
    #: what of a prediction a score counts
    risk: Risk = Risk.POINT

    @classmethod
    def of(cls, device: Device, spec: InputSpec, risk: Risk) -> LatencyEstimator:
        """For ``device``, in the time that a score counts; no trainer is disturbed."""
        regression = open_regression(device)
        if regression is None:
            return cls._of_line(spec, device, None, _OF_FIGURES, (0.5, 0.5))
        if device.is_predicted:
            empty = np.zeros(0), np.zeros((0, 0))
            return cls(spec, device.operators, regression, None, *empty, risk=risk)
        return cls._of_line(spec, device, regression, _OF_REGRESSION, (1.0,))

    @classmethod
    def _of_line(
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
        """The line brought to these latencies (Bayesian linear regression)."""
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
        """Of networks as they are deployed; None for what the device does not take."""
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
        """Of networks as they are deployed; None for what the device does not take, or no line."""
        if self.uncertainty is None:
            return [None] * len(networks)
        graphs = [network.deployed for network in networks]
        if self.regression is not None:
            predictions = self._predictions(graphs)
            return [None if one is None else (math.log2(one.ms), 1.0) for one in predictions]
        figures = [infer(graph, self.input) for graph in graphs]
        rows = [(math.log2(1 + f.macs), math.log2(f.bytes_moved), 1.0) for f in figures]
        taken = map(self._takes, self._requests(graphs))
        return [row if takes else None for row, takes in zip(rows, taken, strict=True)]

    def _predictions(self, graphs: Sequence[Graph]) -> list[Latency | None]:
        """By the regression; None for what the device does not take."""
        requests = self._requests(graphs)
        taken = [self._takes(request) for request in requests]
        times = iter(_latencies(self.regression, list(itertools.compress(requests, taken))))
        return [next(times) if takes else None for takes in taken]

    def _requests(self, graphs: Sequence[Graph]) -> list[LatencyRequest]:
        return [
            LatencyRequest.of_graph(graph, self.input, _no_file, "an option") for graph in graphs
        ]

    def _takes(self, request: LatencyRequest) -> bool:
        return self.operators is None or self.operators.issuperset(
            operator.kind for operator in request.operators
        )


def _latencies(
    regression: RegressionSource | None, requests: Sequence[LatencyRequest]
) -> list[Latency | None]:
    """All at once; one by one if the regression refuses some. None: it knows nothing of it."""
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
