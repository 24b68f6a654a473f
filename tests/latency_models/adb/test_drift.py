from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.adb.drift import DriftPolicy, DriftWatch
from latency_models.sources.adb.errors import DeviceError
from latency_models.sources.adb.statistics import RunStatistics


class Bench:
    """A device whose runs take the given times, one after the other; it rests in no time."""

    def __init__(self, *times_ms: float, limit: float = 0.03, attempts: int = 3) -> None:
        self._times = list(times_ms)
        self.rests: list[float] = []
        self.probed: list[bytes] = []
        self._watch = DriftWatch(DriftPolicy(limit, 30.0, attempts), self.rests.append)

    def measure(self, model: bytes) -> tuple[float, float]:
        statistics, place, drift = self._watch.measure_steadily(
            model, lambda: (self._next(), "place"), self._probe
        )
        assert place == "place"
        return statistics.ms, drift

    def _probe(self, reference: bytes) -> RunStatistics:
        self.probed.append(reference)
        return self._next()

    def _next(self) -> RunStatistics:
        ms = self._times.pop(0)
        return RunStatistics(1, ms, ms, ms)


def about(ms: float, drift: float) -> object:
    return pytest.approx((ms, drift))


def test_the_first_model_is_the_reference() -> None:
    bench = Bench(10.0, 10.1, 50.0, 10.2, 70.0, 9.8)
    assert bench.measure(b"first") == about(10.0, 0.01)
    assert bench.measure(b"second") == about(50.0, 0.02)
    assert bench.measure(b"third") == about(70.0, -0.02)
    assert bench.probed == [b"first"] * 3
    assert bench.rests == []


def test_a_model_is_measured_again_after_a_rest() -> None:
    bench = Bench(10.0, 10.0, 60.0, 11.0, 50.0, 10.1)
    bench.measure(b"first")
    assert bench.measure(b"second") == about(50.0, 0.01)
    assert bench.rests == [30.0]


def test_a_reference_that_was_taken_too_early_is_taken_again() -> None:
    bench = Bench(12.0, 10.0, 10.1, 10.0, 40.0, 10.0)
    assert bench.measure(b"first")[0] == 10.1
    assert bench.measure(b"second")[0] == 40.0
    assert bench.rests == [30.0]


def test_drift_that_stays_is_an_error() -> None:
    bench = Bench(10.0, 10.0, *[50.0, 10.4] * 3)
    bench.measure(b"first")
    with pytest.raises(DeviceError, match=r"takes \+4.0% of .* after 3 attempts with 30 s"):
        bench.measure(b"second")
    assert bench.rests == [30.0, 30.0]


@given(change=st.floats(-0.5, 0.5), limit=st.floats(0.001, 0.2))
def test_no_answer_is_further_off_than_the_limit(change: float, limit: float) -> None:
    bench = Bench(10.0, 10.0, 50.0, 10.0 * (1 + change), limit=limit, attempts=1)
    bench.measure(b"first")
    try:
        assert abs(bench.measure(b"second")[1]) <= limit
    except DeviceError:
        assert abs(change) > limit * (1 - 1e-9)
