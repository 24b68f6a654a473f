from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency
from nas.searching.score_bound import CREDIT_DB, excess_ms, psnr_needed_db

from ..records import make_result

MS = st.floats(0.01, 1e4)


@given(st.tuples(MS, MS, MS).map(sorted), MS)
def test_only_a_prediction_counts_at_its_upper_end(times: list[float], limit: float) -> None:
    low, ms, high = times
    for source in ("regression", "host", "vela 5.2.0", "csv", "adb: benchmark_model"):
        latency = Latency(ms, low, high, (), (), source)
        counted = high if source == "regression" else ms
        assert latency.is_predicted == (source == "regression")
        assert (excess_ms(latency, limit) > 0) == (counted > limit)


def test_what_would_need_more_than_the_credit_has_no_prospects() -> None:
    known = [make_result(30.0, 10.0)]
    assert psnr_needed_db([], 100.0) is None
    assert psnr_needed_db(known, 10.0 * 4 ** (CREDIT_DB * 0.99)) is None
    assert psnr_needed_db(known, 10.0 * 4 ** (CREDIT_DB * 1.01)) == pytest.approx(
        30.0 + CREDIT_DB * 1.01
    )
