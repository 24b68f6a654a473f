"""Latency of models on devices: the contract of sources, and the sources."""

from .source import (
    Latency,
    LatencyError,
    LatencyRequest,
    LatencySource,
    NeverTaken,
    OperatorLatency,
    UnsupportedOperators,
    WeightGranularity,
)
from .worker import Worker, WorkerError

__all__ = [
    "Latency", "LatencyError", "LatencyRequest", "LatencySource", "NeverTaken",
    "OperatorLatency", "UnsupportedOperators", "WeightGranularity", "Worker", "WorkerError",
]  # fmt: skip
