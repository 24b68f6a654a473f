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

_NUM = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_SERIES_START = "Running benchmark for "
_NO_RUNS = re.compile(r"count=0")
_EQUAL_RUNS = re.compile(rf"count=(\d{{1,9}}) curr={_NUM}(?:\(all same\))?")
_VARYING_RUNS = re.compile(
    rf"count=(\d{{1,9}}) first={_NUM} curr={_NUM} min={_NUM} max={_NUM} avg={_NUM} std={_NUM}"
    rf"(?: p5={_NUM} median={_NUM} p95={_NUM})?"
)
#: Rounding of printed means: relative, of 6 digits; in ms, of the 2 decimals of LiteRT's summary.
_ROUNDING, _ROUNDING_MS = 1e-3, 0.0051


@dataclass(frozen=True)
class _Summary:
    """A format of the line after all runs; its last group is the mean, ``per_ms`` units to a ms."""

    pattern: re.Pattern[str]
    per_ms: float
    tolerance_ms: float


_SUMMARIES = (
    _Summary(
        re.compile(
            rf"Inference timings in us: Init: {_NUM}, First inference: {_NUM}, "
            rf"Warmup \(avg\): {_NUM}, Inference \(avg\): {_NUM}"
        ),
        1e3,
        0.0,
    ),
    _Summary(
        re.compile(
            rf"Average inference timings in us: Warmup: {_NUM}, Init: {_NUM}, "
            rf"(?:no stats|Inference): {_NUM}(?:\s*Overall.*)?"
        ),
        1e3,
        0.0,
    ),
    _Summary(re.compile(rf"Inference \(avg\):\s+{_NUM} ms \(\d+ runs\)"), 1.0, _ROUNDING_MS),
)


@dataclass(frozen=True)
class _Mean:
    """The mean of the timed runs according to the summary line, and its rounding error."""

    ms: float
    tolerance_ms: float

    def require_equal(self, mean_ms: float) -> None:
        """Raises LatencyError unless ``mean_ms``, printed on another line, equals this mean."""
        if not math.isclose(mean_ms, self.ms, rel_tol=_ROUNDING, abs_tol=self.tolerance_ms):
            raise LatencyError(f"a mean of {mean_ms:g} ms is summed up as {self.ms:g} ms")


def read_timings(text: str) -> RunStatistics:
    """Parses statistics of the timed runs, without the warm-up, of one call of the tool.

    These are the median with the 5th and 95th percentile if the tool prints them, else the mean and
    two standard deviations. DeviceError if anything is missing, cut off or contradictory.
    """
    lines = complete_lines(text)
    try:
        end, mean = _find_summary(lines)
        counts = [line for line in lines[:end] if line.startswith("count=")]
        announced = sum(line.startswith(_SERIES_START) for line in lines[:end])
        if not counts or announced != len(counts):
            raise LatencyError(f"{announced} series of runs announced and {len(counts)} reported")
        return _series_statistics(counts[-1], mean)
    except LatencyError as error:
        raise DeviceError(f"no usable times from benchmark_model: {error}", text) from None


def _find_summary(lines: Sequence[str]) -> tuple[int, _Mean]:
    """Returns the index of the summary line, and the mean."""
    for index, line in reversed(tuple(enumerate(lines))):
        for summary in _SUMMARIES:
            if match := summary.pattern.fullmatch(line):
                ms = float(match.groups()[-1]) / summary.per_ms
                return index, _Mean(ms, summary.tolerance_ms)
    raise LatencyError("the line with its inference timings is not there")


def _series_statistics(line: str, summary_mean: _Mean) -> RunStatistics:
    if _NO_RUNS.fullmatch(line):
        raise LatencyError("a count of 0: the model was never run")
    if match := _EQUAL_RUNS.fullmatch(line):
        runs, ms = int(match[1]), float(match[2]) / 1e3
        summary_mean.require_equal(ms)
        return RunStatistics(runs, ms, ms, ms)
    if match := _VARYING_RUNS.fullmatch(line):
        times = tuple(float(group) / 1e3 for group in match.groups()[1:] if group is not None)
        return _statistics(int(match[1]), times, summary_mean)
    raise LatencyError(f"garbled: {line!r}")


def _statistics(runs: int, times: tuple[float, ...], summary_mean: _Mean) -> RunStatistics:
    """``times`` in ms, in the order in which the tool prints them."""
    first, last, least, most, mean, deviation, *percentiles = times
    summary_mean.require_equal(mean)
    lower, upper = least * (1 - _ROUNDING), most * (1 + _ROUNDING)
    if not all(lower <= ms <= upper for ms in (first, last, mean)):
        raise LatencyError(f"{first:g}, {last:g} and {mean:g} ms are not {least:g} to {most:g}")
    if not percentiles:
        return RunStatistics.of_mean(runs, mean, deviation, least, most)
    if any(earlier > later for earlier, later in pairwise((least, *percentiles, most))):
        raise LatencyError(f"percentiles of {percentiles} ms are not in order")
    low, median, high = percentiles
    return RunStatistics(runs, median, low, high)
