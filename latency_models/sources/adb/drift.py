"""Detects drift, caused for instance by heat: a reference model is timed after each measurement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .errors import DeviceError
from .statistics import RunStatistics

T = TypeVar("T")


@dataclass(frozen=True)
class DriftPolicy:
    """Limits of drift: how far the time of the reference may change (0.03: 3 %).

    After a larger change the device rests, and the model is measured again, ``attempts`` times at
    most.
    """

    limit: float = 0.03
    cool_down_seconds: float = 30.0
    attempts: int = 3


class DriftWatch:
    """Watches for drift; the reference is the first model that was measured."""

    def __init__(self, policy: DriftPolicy, sleep: Callable[[float], None] = time.sleep) -> None:
        self._policy = policy
        self._sleep = sleep
        #: file of the reference model, and its first time in milliseconds
        self._reference: tuple[bytes, float] | None = None

    def measure_steadily(
        self,
        model: bytes,
        measure: Callable[[], tuple[RunStatistics, T]],
        probe: Callable[[bytes], RunStatistics],
    ) -> tuple[RunStatistics, T, float]:
        """Returns the result of ``measure()`` for ``model``, and the drift after it (0.01 is 1 %).

        ``probe`` times the reference. While the drift exceeds the limit, the device rests and the
        model is measured again; DeviceError after the last attempt.
        """
        established, drift = self._reference, 0.0
        for attempt in range(self._policy.attempts):
            if attempt:
                self._sleep(self._policy.cool_down_seconds)
            statistics, rest = measure()
            reference, reference_ms = established or (model, statistics.ms)
            drift = probe(reference).ms / reference_ms - 1
            if abs(drift) <= self._policy.limit:
                self._reference = reference, reference_ms
                return statistics, rest, drift
        raise DeviceError(
            f"the device drifts: the reference model takes {drift:+.1%} of its first time after "
            f"{self._policy.attempts} attempts with {self._policy.cool_down_seconds:g} s of rest; "
            "cool the device, fix its clocks, or raise drift_percent"
        )
