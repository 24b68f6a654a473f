"""Parses the output of Synaptics' synap_cli, and the profile of the NPU's driver.

Source of the formats: synaptics-synap/doc, manual/getting_started.rst and
tutorials/model_import/workflow.rst.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ...source import LatencyError
from .errors import DeviceError
from .printed import complete_lines
from .statistics import RunStatistics

_NUM = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_RUN = re.compile(rf"Predict #(\d{{1,9}}): {_NUM} ms")
_SUMMARY = re.compile(
    rf"Inference timings \(ms\):\s+load: {_NUM}\s+init: {_NUM}\s+min: {_NUM}\s+median: {_NUM}"
    rf"\s+max: {_NUM}\s+stddev: {_NUM}\s+mean: {_NUM}"
)
_HEADER = re.compile(r"pid: \d+, .*\blayers: (\d{1,9})")
#: layer, cycles, microseconds, bytes read, bytes written [, engine], kind
_LAYER = re.compile(
    r"\|\s*\d+\s*\|\s*(\d{1,15})\s*\|\s*(\d{1,15})\s*\|\s*\d+\s*\|\s*\d+\s*\|\s*(\S.*)"
)
#: Rounding of the summary, 2 decimals.
_ROUNDING_MS = 0.0051


@dataclass(frozen=True)
class NpuLayer:
    """A layer of the compiled model, often several fused operators."""

    kind: str
    cycles: int
    ms: float


def read_synap_timings(text: str) -> RunStatistics:
    """Parses statistics of one call: the median, which the slow first run hardly changes.

    The interval is the mean plus and minus two standard deviations. DeviceError if anything
    is missing, cut off or contradictory.
    """
    lines = complete_lines(text)
    try:
        summary = next(filter(None, map(_SUMMARY.fullmatch, reversed(lines))), None)
        if not summary:
            raise LatencyError("the line with its inference timings is not there")
        runs = {int(m[1]): float(m[2]) for m in map(_RUN.fullmatch, lines) if m}
        if not runs:
            raise LatencyError("a count of 0: the model was never run")
        _, _, *values = map(float, summary.groups())
        return _statistics(runs, *values)
    except LatencyError as error:
        raise DeviceError(f"no usable times from synap_cli: {error}", text) from None


def _statistics(
    runs: Mapping[int, float],
    least: float,
    median: float,
    most: float,
    deviation: float,
    mean: float,
) -> RunStatistics:
    """All values in ms, in the order in which the tool prints them."""
    fastest, slowest = min(runs.values()), max(runs.values())
    if fastest < least - _ROUNDING_MS or slowest > most + _ROUNDING_MS:
        raise LatencyError(f"runs of {fastest} to {slowest} ms are summed up as {least} to {most}")
    if not least <= median <= most:
        raise LatencyError(f"a median of {median} ms is not within {least} to {most}")
    around = RunStatistics.of_mean(max(runs) + 1, mean, deviation, least, most)
    low, high = min(around.low_ms, median), max(around.high_ms, median)
    return RunStatistics(around.runs, median, low, high)


def read_npu_layers(text: str) -> tuple[NpuLayer, ...]:
    """Parses the layers of a model that was converted with ``--profiling``; empty for others.

    DeviceError if their number is not that in the table's header.
    """
    lines = complete_lines(text)
    counts = [int(match[1]) for match in map(_HEADER.fullmatch, lines) if match]
    rows = [match.groups() for match in map(_LAYER.fullmatch, lines) if match]
    if (counts or rows) and counts[-1:] != [len(rows)]:
        raise DeviceError(
            f"the NPU's profile is cut off or garbled: {len(rows)} layers of {counts or 'none'}",
            text,
        )
    return tuple(
        NpuLayer(kind.strip(" |"), int(cycles), int(us) / 1e3) for cycles, us, kind in rows
    )


def summed_by_kind(layers: tuple[NpuLayer, ...]) -> str:
    """Returns kinds with their total ms on one line, the longest first."""
    times: dict[str, float] = defaultdict(float)
    for layer in layers:
        times[layer.kind] += layer.ms
    longest_first = sorted(times.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {ms:.3f} ms" for kind, ms in longest_first)
