"""The score of the Mobile AI 2021 challenge, 2^(2 PSNR) / (C ms): fidelity against run time.

Ignatov et al., "Real-Time Quantized Image Super-Resolution on Mobile NPUs, Mobile AI 2021
Challenge: Report", CVPR Workshops 2021, arXiv:2105.07825. Its table 1 (PSNR of the INT8 model in
dB, runtime on the Synaptics VS680 in ms, score): 29.87, 36.89, 92.7; 29.58, 44.85, 51.02; 29.41,
38.32, 47.18; 29.52, 62.25, 33.82; 28.82, 76.61, 10.41; 28.92, 718, 1.28. The report does not give
C; 2.815e14 reproduces the table. A gain of 0.5 dB compensates twice the run time.

A predicted latency has an uncertainty interval. A search that maximizes the score at the predicted
latency prefers networks whose latency is underestimated. The default therefore uses the mean time
over the interval. Since the score is inversely proportional to the time, the score at the mean time
is the harmonic mean of the score over the interval. (Its arithmetic mean would exceed the score at
the prediction, the more the wider the interval, because 1/ms is convex.) The prediction is assumed
to be the median of the time, and the logarithm of the time to be uniform on either side of it:

    mean ms = (L(low, ms) + L(ms, high)) / 2,  L(a, b) = (b - a) / ln(b / a)

where L is the logarithmic mean. Compared with the score at the prediction, this lowers the score
by 3 % if the interval reaches from 2/3 to 3/2 of the prediction, by 8 % if from half to double, and
by 18 % if from a third to three times.
"""

from __future__ import annotations

import math

from latency_models import Latency
from search_spaces import InputError

from ..choices import Risk

#: Constant of the score, fitted to the report's table.
C = 2.815e14


def log2_score(psnr_db: float, runtime_ms: float) -> float:
    """Returns the binary logarithm of the score, which cannot overflow.

    Raises InputError unless both are finite and positive.
    """
    for value, name in ((psnr_db, "PSNR"), (runtime_ms, "runtime")):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"a {name} of {value} has no score; it must be finite and positive")
    return 2 * psnr_db - math.log2(C * runtime_ms)


def score(psnr_db: float, runtime_ms: float) -> float:
    """Returns the score; it is comparable only for equal images and devices.

    Raises InputError as ``log2_score`` does.
    """
    return 2 ** log2_score(psnr_db, runtime_ms)


def scored_ms(latency: Latency, risk: Risk) -> float:
    """Returns the run time in ms for the score; ``risk`` affects predicted latencies only."""
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
    """Returns the logarithmic mean, (high - low) / ln(high / low)."""
    excess = (high - low) / low
    return min(max(low, low * excess / math.log1p(excess)), high) if excess else low


def score_ratio(a_log2: float, b_log2: float) -> float:
    """Returns the ratio of two scores, a / b, from their binary logarithms."""
    return 2 ** (a_log2 - b_log2)
