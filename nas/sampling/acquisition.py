"""Acquisition functions: how much an untrained network is expected to improve a search.

A search for the best score uses the expected improvement (Jones, Schonlau and Welch, "Efficient
Global Optimization of Expensive Black-Box Functions", 1998) of the score's binary logarithm. A
search for a Pareto front uses the expected growth of the area that the front dominates, where the
latency of each network is known and its PSNR is normally distributed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]


def expected_improvement(mean: Floats, deviation: Floats, best: float | Floats) -> Floats:
    """Returns the mean of max(0, x - ``best``) for normally distributed x, element by element."""
    deviation = np.maximum(deviation, 1e-9)
    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))


@dataclass(frozen=True)
class FrontPoint:
    """A point of a front: binary logarithm of a latency in milliseconds, and expected PSNR."""

    log2_ms: float
    psnr_db: float


def expected_area(
    mean_db: Floats, deviation_db: Floats, log2_ms: Floats, front: Sequence[FrontPoint],
    reference: FrontPoint,
) -> Floats:  # fmt: skip
    """Returns by how much each network is expected to enlarge the area that ``front`` dominates.

    The area is measured in dB times doublings of latency. It is bounded from below by
    ``reference.psnr_db`` and to the right by ``reference.log2_ms``.
    """
    points = sorted(front, key=lambda point: point.log2_ms)
    edges = np.array([-np.inf, *(point.log2_ms for point in points), np.inf])
    # The best PSNR that the front reaches within each latency interval.
    levels = np.maximum.accumulate(
        [reference.psnr_db, *(max(point.psnr_db, reference.psnr_db) for point in points)]
    )
    total = np.zeros_like(mean_db)
    for low, high, level in zip(edges[:-1], edges[1:], levels, strict=True):
        width = np.minimum(high, reference.log2_ms) - np.maximum(low, log2_ms)
        gain = expected_improvement(mean_db, deviation_db, float(level))
        total += np.maximum(width, 0.0) * gain
    return total
