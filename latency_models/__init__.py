"""Latency of models on devices: the interface of latency sources, and its implementations."""

from .source import (
    Latency,
    LatencyError,
    LatencyRequest,
    LatencySource,
    NeverTaken,
    OperatorLatency,
    SourceGone,
    UnsupportedOperators,
    WeightGranularity,
)
from .worker import Worker, WorkerError

__all__ = [
    "Latency", "LatencyError", "LatencyRequest", "LatencySource", "NeverTaken",
    "OperatorLatency", "SourceGone", "UnsupportedOperators", "WeightGranularity", "Worker",
    "WorkerError",
]  # fmt: skip
