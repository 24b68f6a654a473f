"""Statistics of timed runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...source import LatencyError


@dataclass(frozen=True)
class RunStatistics:
    """Time of one inference, in ms, over ``runs`` timed runs; the interval holds most of them."""

    runs: int
    ms: float
    low_ms: float
    high_ms: float

    def __post_init__(self) -> None:
        values = (self.low_ms, self.ms, self.high_ms)
        if self.runs < 1:
            raise LatencyError("a count of 0: the model was never run")
        if not (all(map(math.isfinite, values)) and 0 < self.low_ms <= self.ms <= self.high_ms):
            raise LatencyError(f"times of {values} ms are no times in order")

    @classmethod
    def of_mean(
        cls, runs: int, mean_ms: float, deviation_ms: float, min_ms: float, max_ms: float
    ) -> RunStatistics:
        """Uses the mean and two standard deviations, limited to the range of the runs."""
        return cls(
            runs,
            mean_ms,
            min(mean_ms, max(min_ms, mean_ms - 2 * deviation_ms)),
            max(mean_ms, min(max_ms, mean_ms + 2 * deviation_ms)),
        )
