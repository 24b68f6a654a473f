"""The plot of the Pareto front: expected INT8 PSNR over runtime, with the references."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..content import ReportContent, ReportedNetwork
from .style import ACCENT, MUTED, REFERENCE, hover, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: Margin above and below, relative to the range of PSNR, and the least such range in dB.
_MARGIN, _MIN_SPAN_DB = 0.15, 0.2
_SYMBOLS = ("diamond", "square", "triangle-up", "cross")


def front_plot(content: ReportContent) -> go.Figure:
    """Plots all trained networks, the front with its intervals, the references and interpolation.

    The runtime axis is logarithmic: networks of equal score lie on straight lines.
    """
    figure = new_figure("runtime, ms", "expected PSNR of the INT8 file, dB", height=480)
    times = [n.result.scored_ms for n in (*content.candidates, *content.references)]
    ticks = _tick_values(min(times, default=1.0), max(times, default=1.0))
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    on_front = {network.trial for network in content.front}
    others = [network for network in content.candidates if network.trial not in on_front]
    _add_others(figure, others, content.gauge)
    _add_equal_scores(figure, content)
    _add_front(figure, content)
    for network, symbol in zip(content.references, _SYMBOLS, strict=False):
        _add_reference(figure, network, symbol, content.gauge)
    references = content.settings.references
    _add_horizontal_line(figure, references.bicubic_psnr_db, "bicubic")
    _add_horizontal_line(figure, references.nearest_psnr_db, "nearest")
    _fit_vertical_range(figure, content)
    return figure


def _add_others(figure: go.Figure, others: Sequence[ReportedNetwork], gauge: str) -> None:
    figure.add_scatter(
        **_points(others, gauge), mode="markers", name="trained",
        marker={"color": MUTED, "size": 7, "opacity": 0.55},
    )  # fmt: skip


def _add_front(figure: go.Figure, content: ReportContent) -> None:
    front = sorted(content.front, key=lambda network: network.result.scored_ms)
    figure.add_scatter(
        **_points(front, content.gauge), **_intervals(front, ACCENT), mode="lines+markers",
        name="Pareto front", line={"color": ACCENT, "width": 2, "shape": "hv"},
        marker={"color": ACCENT, "size": 10},
    )  # fmt: skip


def _add_reference(figure: go.Figure, network: ReportedNetwork, symbol: str, gauge: str) -> None:
    figure.add_scatter(
        **_points([network], gauge), **_intervals([network], REFERENCE), mode="markers+text",
        name=f"{network.name}, trained here", text=[f" {network.name}"],
        textposition="top right",
        marker={"color": REFERENCE, "size": 12, "symbol": symbol},
    )  # fmt: skip


def _add_equal_scores(figure: go.Figure, content: ReportContent) -> None:
    """Adds the line of networks with the score of ABPN; networks above it score better."""
    abpn = next((n for n in content.references if n.name == content.yardstick), None)
    if abpn is None:
        return
    times = [n.result.scored_ms for n in (*content.candidates, *content.references)]
    ends = [min(times) / 1.1, max(times) * 1.1]
    # Doubling the time costs as much as half a dB: 2 PSNR - log2(ms) is constant on the line.
    abpn_result = abpn.result
    levels = [
        abpn_result.expected.psnr_db + math.log2(ms / abpn_result.scored_ms) / 2 for ms in ends
    ]
    figure.add_scatter(
        x=ends, y=levels, mode="lines", name="ABPN's score", hoverinfo="skip",
        line={"color": REFERENCE, "width": 1, "dash": "dot"},
    )  # fmt: skip


def _add_horizontal_line(figure: go.Figure, psnr_db: float, name: str) -> None:
    figure.add_hline(
        psnr_db, line={"color": MUTED, "width": 1, "dash": "dash"},
        annotation={"text": f"{name} {psnr_db:.2f} dB", "font": {"size": 12}},
        annotation_position="bottom right",
    )  # fmt: skip


def _fit_vertical_range(figure: go.Figure, content: ReportContent) -> None:
    """Fits the vertical range to the front, the references and bicubic interpolation.

    Worse networks may lie below the range: otherwise a few failed trainings, or nearest-neighbor
    interpolation, would squeeze all good networks into one line.
    """
    shown = [network.result.expected.psnr_db for network in content.shown]
    levels = [*shown, content.settings.references.bicubic_psnr_db]
    margin_db = _MARGIN * max(max(levels) - min(levels), _MIN_SPAN_DB)
    figure.update_yaxes(range=[min(levels) - margin_db, max(levels) + margin_db])


def _tick_values(low: float, high: float) -> list[float]:
    """Returns 1, 2 and 5 times powers of ten, from below ``low`` to above ``high``."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in (1, 2, 5)]


def _points(networks: Sequence[ReportedNetwork], gauge: str) -> dict[str, Any]:
    return {
        "x": [network.result.scored_ms for network in networks],
        "y": [network.result.expected.psnr_db for network in networks],
        "hovertext": [hover(network, gauge) for network in networks],
        "hoverinfo": "text",
    }


def _intervals(networks: Sequence[ReportedNetwork], color: str) -> dict[str, Any]:
    times = [(network.result.scored_ms, network.result.latency) for network in networks]
    expected = [network.result.expected for network in networks]
    style = {"type": "data", "symmetric": False, "color": color, "thickness": 1.2, "width": 4}
    return {
        "error_x": {
            **style,
            "array": [latency.high_ms - ms for ms, latency in times],
            "arrayminus": [ms - latency.low_ms for ms, latency in times],
        },
        "error_y": {
            **style,
            "array": [psnr.high_db - psnr.psnr_db for psnr in expected],
            "arrayminus": [psnr.psnr_db - psnr.low_db for psnr in expected],
        },
    }
