from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency
from nas.choices import Risk
from nas.quality.score import log2_score, score, score_ratio, scored_ms
from search_spaces import InputError

from ..records import predicted

MS = st.floats(1e-3, 1e6)
INTERVALS = st.tuples(MS, MS, MS).map(lambda times: predicted(*sorted(times)))


@pytest.mark.parametrize(
    ("psnr_db", "runtime_ms", "published"),
    [
        (29.87, 36.89, 92.7),
        (29.58, 44.85, 51.02),
        (29.41, 38.32, 47.18),
        (29.52, 62.25, 33.82),
        (28.82, 76.61, 10.41),
        (28.92, 718, 1.28),
    ],
)
def test_table_of_the_report(psnr_db: float, runtime_ms: float, published: float) -> None:
    # PSNR is printed to 0.01 dB, which is 1.4 % of a score.
    assert score(psnr_db, runtime_ms) == pytest.approx(published, rel=0.015)
    assert log2_score(psnr_db, runtime_ms) == pytest.approx(math.log2(published), abs=0.02)


def test_half_a_decibel_is_worth_twice_the_time() -> None:
    assert log2_score(30.0, 40.0) == pytest.approx(log2_score(30.5, 80.0))


def test_ratio() -> None:
    better, worse = log2_score(30.0, 20.0), log2_score(29.0, 20.0)
    assert score_ratio(better, worse) == pytest.approx(4.0)
    assert score_ratio(worse, better) == pytest.approx(0.25)
    assert score_ratio(worse, worse) == 1


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, -math.inf, math.nan])
def test_what_has_no_score(value: float) -> None:
    with pytest.raises(InputError, match="PSNR of"):
        log2_score(value, 10.0)
    with pytest.raises(InputError, match="runtime of"):
        score(30.0, value)


@given(st.tuples(MS, MS, MS).map(sorted), st.sampled_from(Risk))
def test_what_is_measured_or_compiled_counts_as_it_is(times: list[float], risk: Risk) -> None:
    low, ms, high = times
    for source in ("host", "vela 5.2.0", "csv", "adb: benchmark_model"):
        assert scored_ms(Latency(ms, low, high, (), (), source), risk) == ms


@given(INTERVALS)
def test_a_prediction_counts_within_its_interval(latency: Latency) -> None:
    assert scored_ms(latency, Risk.POINT) == latency.ms
    assert scored_ms(latency, Risk.UPPER) == latency.high_ms
    assert latency.low_ms <= scored_ms(latency, Risk.MEAN) <= latency.high_ms


@given(MS, st.floats(1.01, 50))
def test_the_mean_is_the_harmonic_one_of_the_scores_within(ms: float, factor: float) -> None:
    """By sums: half of the weight on either side, every ratio on a side as likely."""
    low_ms, high_ms = ms / factor, ms * factor**2
    steps = (np.arange(10_000) + 0.5) / 10_000
    below = low_ms * (ms / low_ms) ** steps
    above = ms * (high_ms / ms) ** steps
    scores = 2**60 / np.concatenate([below, above])
    counted = scored_ms(predicted(low_ms, ms, high_ms), Risk.MEAN)
    assert 2**60 / counted == pytest.approx(1 / np.mean(1 / scores), rel=1e-3)


@given(MS, st.floats(1, 50), st.floats(1.001, 2))
def test_the_less_is_known_the_less_a_prediction_scores(
    ms: float, factor: float, more: float
) -> None:
    """Where the plain mean of 1/ms would score more."""
    narrow, wide = (predicted(ms / f, ms, ms * f) for f in (factor, factor * more))
    assert scored_ms(wide, Risk.MEAN) > scored_ms(narrow, Risk.MEAN) * (1 - 1e-12)
    assert scored_ms(narrow, Risk.MEAN) >= ms * (1 - 1e-12)


@pytest.mark.parametrize(("factor", "percent"), [(1.0, 0), (1.5, 3), (2.0, 8), (3.0, 18)])
def test_what_an_interval_takes_of_a_score(factor: float, percent: int) -> None:
    counted = scored_ms(predicted(10.0 / factor, 10.0, 10.0 * factor), Risk.MEAN)
    assert round(100 * (1 - 10.0 / counted)) == percent


def test_a_tiny_interval_is_no_trouble() -> None:
    above = math.nextafter(10.0, 11.0)
    assert scored_ms(predicted(10.0, 10.0, above), Risk.MEAN) == pytest.approx(10.0)
