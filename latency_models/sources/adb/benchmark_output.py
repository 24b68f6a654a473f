"""Parses the times that benchmark_model prints: TFLite's, of any version since 2018, or LiteRT's.

Source of the formats: tensorflow/lite/tools/benchmark (benchmark_model.cc, README.md), its Android
application, and litert/tools/benchmark_litert_model.h of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...source import LatencyError
from .errors import DeviceError
from .printed import complete_lines
from .statistics import RunStatistics

_N = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_ANNOUNCED = "Running benchmark for "
_EMPTY = re.compile(r"count=0")
_SAME = re.compile(rf"count=(\d{{1,9}}) curr={_N}(?:\(all same\))?")
_VARIED = re.compile(
    rf"count=(\d{{1,9}}) first={_N} curr={_N} min={_N} max={_N} avg={_N} std={_N}"
    rf"(?: p5={_N} median={_N} p95={_N})?"
)
#: Rounding of printed means: relative, of 6 digits; in ms, of the 2 decimals of LiteRT's summary.
_ROUNDED, _ROUNDED_MS = 1e-3, 0.0051


@dataclass(frozen=True)
class _Summary:
    """The line after all runs: its last group is the mean, in units of ``1 / per_ms`` ms."""

    pattern: re.Pattern[str]
    per_ms: float
    tolerance_ms: float


_SUMMARIES = (
    _Summary(
        re.compile(
            rf"Inference timings in us: Init: {_N}, First inference: {_N}, "
            rf"Warmup \(avg\): {_N}, Inference \(avg\): {_N}"
        ),
        1e3,
        0.0,
    ),
    _Summary(
        re.compile(
            rf"Average inference timings in us: Warmup: {_N}, Init: {_N}, "
            rf"(?:no stats|Inference): {_N}(?:\s*Overall.*)?"
        ),
        1e3,
        0.0,
    ),
    _Summary(re.compile(rf"Inference \(avg\):\s+{_N} ms \(\d+ runs\)"), 1.0, _ROUNDED_MS),
)


@dataclass(frozen=True)
class _Mean:
    """The mean of the timed runs by the summary line, and its rounding error."""

    ms: float
    tolerance_ms: float

    def require(self, mean_ms: float) -> None:
        """LatencyError unless ``mean_ms``, which is printed in another line, agrees with it."""
        if not math.isclose(mean_ms, self.ms, rel_tol=_ROUNDED, abs_tol=self.tolerance_ms):
            raise LatencyError(f"a mean of {mean_ms:g} ms is summed up as {self.ms:g} ms")


def read_timings(text: str) -> RunStatistics:
    """Statistics of the timed runs, without the warm-up, of one call of the tool.

    The median with the 5th and 95th percentile if the version prints them, else the mean and two
    standard deviations. DeviceError if anything is missing, cut off or contradictory.
    """
    lines = complete_lines(text)
    try:
        end, mean = _summary(lines)
        counts = [line for line in lines[:end] if line.startswith("count=")]
        announced = sum(line.startswith(_ANNOUNCED) for line in lines[:end])
        if not counts or announced != len(counts):
            raise LatencyError(f"{announced} series of runs announced and {len(counts)} reported")
        return _series(counts[-1], mean)
    except LatencyError as error:
        raise DeviceError(f"no usable times from benchmark_model: {error}", text) from None


def _summary(lines: Sequence[str]) -> tuple[int, _Mean]:
    """The index of the summary line, and the mean."""
    for index, line in reversed(tuple(enumerate(lines))):
        for summary in _SUMMARIES:
            if match := summary.pattern.fullmatch(line):
                ms = float(match.groups()[-1]) / summary.per_ms
                return index, _Mean(ms, summary.tolerance_ms)
    raise LatencyError("the line with its inference timings is not there")


def _series(line: str, summed_up: _Mean) -> RunStatistics:
    if _EMPTY.fullmatch(line):
        raise LatencyError("a count of 0: the model was never run")
    if match := _SAME.fullmatch(line):
        runs, ms = int(match[1]), float(match[2]) / 1e3
        summed_up.require(ms)
        return RunStatistics(runs, ms, ms, ms)
    if match := _VARIED.fullmatch(line):
        times = tuple(float(group) / 1e3 for group in match.groups()[1:] if group is not None)
        return _statistics(int(match[1]), times, summed_up)
    raise LatencyError(f"garbled: {line!r}")


def _statistics(runs: int, times: tuple[float, ...], summed_up: _Mean) -> RunStatistics:
    """``times`` in ms, in the order in which the tool prints them."""
    first, last, least, most, mean, deviation, *percentiles = times
    summed_up.require(mean)
    lower, upper = least * (1 - _ROUNDED), most * (1 + _ROUNDED)
    if not all(lower <= ms <= upper for ms in (first, last, mean)):
        raise LatencyError(f"{first:g}, {last:g} and {mean:g} ms are not {least:g} to {most:g}")
    if not percentiles:
        return RunStatistics.of_mean(runs, mean, deviation, least, most)
    if any(earlier > later for earlier, later in pairwise((least, *percentiles, most))):
        raise LatencyError(f"percentiles of {percentiles} ms are not in order")
    low, median, high = percentiles
    return RunStatistics(runs, median, low, high)
