"""The plot of the PSNR that each network loses by INT8 quantization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..content import ReportContent, ReportedNetwork
from .style import ACCENT, MUTED, REFERENCE, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


def drop_plot(content: ReportContent) -> go.Figure:
    """Plots the PSNR drop in dB over the PSNR in floating point; gains are negative."""
    figure = new_figure("PSNR in floating point, dB", "INT8 drop, dB (a gain is negative)", 400)
    on_front = {network.trial for network in content.front}
    others = [network for network in content.candidates if network.trial not in on_front]
    figure.add_scatter(
        **_points(others), name="trained", mode="markers",
        marker={"color": MUTED, "size": 7, "opacity": 0.55},
    )  # fmt: skip
    figure.add_scatter(
        **_points(content.front), name="Pareto front", mode="markers",
        marker={"color": ACCENT, "size": 10},
    )  # fmt: skip
    figure.add_scatter(
        **_points(content.references), name="references, trained here", mode="markers+text",
        text=[f" {network.name}" for network in content.references], textposition="middle right",
        marker={"color": REFERENCE, "size": 12, "symbol": "diamond"},
    )  # fmt: skip
    figure.add_hline(0.0, line={"color": MUTED, "width": 1, "dash": "dash"})
    return figure


def _points(networks: Sequence[ReportedNetwork]) -> dict[str, Any]:
    return {
        "x": [network.result.quality.float32.psnr_db for network in networks],
        "y": [network.result.drop_db for network in networks],
        "hovertext": [
            f"<b>{network.name}</b><br>float {network.result.quality.float32.psnr_db:.2f} dB"
            f"<br>INT8 {network.result.psnr_db:.2f} dB<br>drop {network.result.drop_db:+.3f} dB"
            for network in networks
        ],
        "hoverinfo": "text",
    }
