"""How much a network, whose figures are uncertain, can be expected to improve a search.

Expected improvement (Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive
Black-Box Functions", 1998) of the score's binary logarithm; for a front, of the area that it
dominates, where the latency of each network is known and its PSNR normally distributed.
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
    """Mean of max(0, x - ``best``) for normally distributed x; 0 where that is all but sure."""
    deviation = np.maximum(deviation, 1e-9)
    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))


@dataclass(frozen=True)
class FrontPoint:
    """A network of a front: log2 of its milliseconds, and its expected PSNR."""

    log2_ms: float
    psnr_db: float


def expected_area(
    mean_db: Floats, deviation_db: Floats, log2_ms: Floats, front: Sequence[FrontPoint],
    reference: FrontPoint,
) -> Floats:  # fmt: skip
    """Expected growth of the area (dB times doublings of time) that ``front`` dominates.

    The area is counted above ``reference.psnr_db`` and up to ``reference.log2_ms``.
    """
    points = sorted(front, key=lambda point: point.log2_ms)
    edges = np.array([-np.inf, *(point.log2_ms for point in points), np.inf])
    # What is already reached between two edges.
    levels = np.maximum.accumulate(
        [reference.psnr_db, *(max(point.psnr_db, reference.psnr_db) for point in points)]
    )
    total = np.zeros_like(mean_db)
    for low, high, level in zip(edges[:-1], edges[1:], levels, strict=True):
        width = np.minimum(high, reference.log2_ms) - np.maximum(low, log2_ms)
        gain = expected_improvement(mean_db, deviation_db, float(level))
        total += np.maximum(width, 0.0) * gain
    return total
