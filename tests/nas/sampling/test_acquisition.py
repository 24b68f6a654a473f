"""Expected improvement, held against random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.sampling.acquisition import FrontPoint, expected_area, expected_improvement

levels = st.floats(-2, 2)
deviations = st.floats(0.05, 2)
SAMPLES = np.random.default_rng(0).standard_normal(40_000)


@given(levels, deviations, levels)
@settings(max_examples=30, deadline=None)
def test_improvement_is_the_mean_of_what_is_gained(
    mean: float, deviation: float, best: float
) -> None:
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    gained = np.maximum(0.0, mean + deviation * SAMPLES - best)
    assert found == pytest.approx(gained.mean(), abs=0.03 * deviation)


def test_what_is_sure_improves_by_what_it_is_better() -> None:
    found = expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0)
    assert found == pytest.approx([0.0, 1.0], abs=1e-6)


def area(points: list[FrontPoint], reference: FrontPoint) -> float:
    """Dominated by ``points``, by a grid."""
    times = np.linspace(-3, reference.log2_ms, 1201)[:-1]
    reached = [
        max([p.psnr_db for p in points if p.log2_ms <= t] + [reference.psnr_db]) for t in times
    ]
    step = (reference.log2_ms + 3) / 1200
    return float(np.sum(np.array(reached) - reference.psnr_db) * step)


points = st.builds(FrontPoint, st.floats(-2, 3), st.floats(-1, 2))


@given(st.lists(points, max_size=4), points)
@settings(max_examples=40, deadline=None)
def test_the_area_grows_by_what_a_sure_point_adds(front: list[FrontPoint], new: FrontPoint) -> None:
    reference = FrontPoint(2.5, 0.0)
    found = expected_area(
        np.array([new.psnr_db]), np.zeros(1), np.array([new.log2_ms]), front, reference
    )[0]
    grown = area([*front, new], reference) - area(front, reference)
    assert found == pytest.approx(grown, abs=0.04)
