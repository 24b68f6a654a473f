"""Which candidates are not worth training: their latency alone tells."""

from __future__ import annotations

from collections.abc import Iterable

from latency_models import Latency

from ..quality.score import log2_score
from ..studies.record import Result

#: How far above every network trained so far a candidate is given credit for. No network of the
#: challenges of 2021 and 2022 was more than 0.25 dB above ABPN (arXiv:2105.07825, 2211.05910).
CREDIT_DB = 0.5


def psnr_needed_db(results: Iterable[Result], runtime_ms: float) -> float | None:
    """Expected PSNR with which a network of ``runtime_ms`` would reach the best score so far.

    None if it has good prospects: the best PSNR so far and CREDIT_DB more would do.
    """
    known = [(r.log2_score, r.expected.psnr_db) for r in results]
    if not known:
        return None
    best_score, best_psnr_db = (max(column) for column in zip(*known, strict=True))
    # The score's logarithm grows by 2 for each dB.
    needed_db = best_psnr_db + (best_score - log2_score(best_psnr_db, runtime_ms)) / 2
    return needed_db if needed_db > best_psnr_db + CREDIT_DB else None


def excess_ms(latency: Latency, limit_ms: float) -> float:
    """How far ``latency`` is over ``limit_ms``; 0 or less: within it."""
    return latency.promised_ms - limit_ms
