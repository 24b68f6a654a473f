"""Plots predicted against measured latencies."""

from __future__ import annotations

from collections.abc import Sequence

from latency_models.sources.regression.validation import Prediction

from ..scatter import Point, Scatter, logarithmic

_SIDE = 400


def predicted_against_measured(predictions: Sequence[Prediction], title: str) -> str:
    """Returns an SVG with logarithmic axes in ms: a point and its interval for each prediction."""
    values = [value for p in predictions for value in (p.measured_ms, p.low_ms, p.high_ms)]
    return Scatter(
        tuple(Point(p.measured_ms, p.ms, p.low_ms, p.high_ms) for p in predictions),
        logarithmic("measured, ms", values),
        logarithmic("predicted by a fit without it, ms", values),
        _SIDE, _SIDE, title, diagonal=True,
    ).svg()  # fmt: skip
