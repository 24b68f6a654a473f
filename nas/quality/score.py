"""The score of the Mobile AI 2021 challenge: fidelity against time, 2^(2 PSNR) / (C ms).

Ignatov et al., "Real-Time Quantized Image Super-Resolution on Mobile NPUs, Mobile AI 2021
Challenge: Report", CVPR Workshops 2021, arXiv:2105.07825. Its table 1 (PSNR of the INT8 model in
dB, runtime on the Synaptics VS680 in ms, score): 29.87, 36.89, 92.7; 29.58, 44.85, 51.02; 29.41,
38.32, 47.18; 29.52, 62.25, 33.82; 28.82, 76.61, 10.41; 28.92, 718, 1.28. The report does not give
C; 2.815e14 reproduces the table. Half a dB more is worth twice the time.

A predicted latency has an interval, and a search that climbs the score of the prediction finds what
is called too fast. The score is a rate, something for each millisecond, so that its mean over the
interval is the harmonic one, which is the score at the mean time. (Its arithmetic mean would be
above the score of the prediction, and the farther the less is known: 1/ms is convex.) The
prediction is taken for the median, and on either side of it every ratio within the interval for as
likely as any other:

    mean ms = (L(low, ms) + L(ms, high)) / 2,  L(a, b) = (b - a) / ln(b / a)

with the logarithmic mean L. Of a score it takes 3 % where the interval reaches from 2/3 to 3/2 of
the prediction, 8 % from half to double, 18 % from a third to three times.
"""

from __future__ import annotations

import math

from latency_models import Latency
from search_spaces import InputError

from ..choices import Risk

#: Fitted to the report's table.
C = 2.815e14


def log2_score(psnr_db: float, runtime_ms: float) -> float:
    """The score's binary logarithm, which never overflows.

    Raises InputError unless both are finite and positive.
    """
    for value, name in ((psnr_db, "PSNR"), (runtime_ms, "runtime")):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"a {name} of {value} has no score; it must be finite and positive")
    return 2 * psnr_db - math.log2(C * runtime_ms)


def score(psnr_db: float, runtime_ms: float) -> float:
    """The challenge's score, comparable only on its images and its device; raises as above."""
    return 2 ** log2_score(psnr_db, runtime_ms)


def scored_ms(latency: Latency, risk: Risk) -> float:
    """The time in ms that a score counts; times measured or compiled count as they are."""
    if not latency.is_predicted:
        return latency.ms
    match risk:
        case Risk.MEAN:
            low, ms, high = latency.low_ms, latency.ms, latency.high_ms
            return (_logarithmic_mean(low, ms) + _logarithmic_mean(ms, high)) / 2
        case Risk.POINT:
            return latency.ms
        case Risk.UPPER:
            return latency.high_ms


def _logarithmic_mean(low: float, high: float) -> float:
    """Mean of values whose logarithm is uniform between those of ``low`` and ``high``."""
    part = (high - low) / low
    return min(max(low, low * part / math.log1p(part)), high) if part else low


def score_ratio(a_log2: float, b_log2: float) -> float:
    """Ratio of the scores ``a`` and ``b``, both given as ``log2_score``."""
    return 2 ** (a_log2 - b_log2)
