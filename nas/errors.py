"""The errors that functions raise; a message says what is wrong, the value, and what to do."""

from latency_models import LatencyError, UnsupportedOperators, WorkerError
from search_spaces import CandidateError, GraphError, InputError, NasError

__all__ = [
    "CandidateError", "GraphError", "InputError", "LatencyError", "NasError",
    "UnsupportedOperators", "WorkerError",
]  # fmt: skip
