"""How long a model takes: one contract, and a source for each way of knowing."""

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
