from __future__ import annotations

import math

import pytest

from nas.quality.score import log2_score, score, score_ratio
from search_spaces import InputError


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
