"""Common style of the plots: few colors, readable on white and on near-black.

A figure has no theme of its own: the page applies ``theme``, light or dark, and changes it when the
reader switches between them.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ..content import ReportedNetwork

# Every color has a contrast of at least 3 to both backgrounds (WCAG 2.2, 1.4.11).
ACCENT = "#0d9488"
REFERENCE = "#64748b"
MUTED = "#8a94a3"
#: colors of kinds of operators, the kind with the most time first
CATEGORIES = ("#0d9488", "#c2761b", "#7c6fd6", "#3b82c4", "#c4577f", "#6b8e23", "#8a94a3")
#: color scale from poor to good, for parallel coordinates
SCALE = ((0.0, "#a3a9b3"), (0.55, "#5aa79f"), (1.0, ACCENT))

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
#: largest number of networks of the front that have a bar each: the best ones
MOST_BARS = 24


def theme(*, dark: bool) -> dict[str, Any]:
    """Returns a plotly template for light or dark pages, as plain values."""
    ink, line, surface = (
        ("#d7dce3", "#30363f", "#1c2128") if dark else ("#2b323b", "#e3e6ea", "#ffffff")
    )
    axis = {
        "gridcolor": line, "linecolor": line, "zerolinecolor": line, "tickcolor": line,
        "ticks": "outside", "ticklen": 4, "automargin": True, "title": {"standoff": 10},
    }  # fmt: skip
    return {
        "layout": {
            "font": {"family": _FONT, "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": surface, "bordercolor": line, "font": {"color": ink}},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "margin": {"l": 56, "r": 16, "t": 48, "b": 48},
        }
    }


def new_figure(x_title: str, y_title: str, height: int = 420) -> go.Figure:
    """Returns an empty figure of ``height`` pixels that is as wide as its container."""
    import plotly.graph_objects as go

    figure = go.Figure()
    # No template: plotly would write its default theme, 7 KB with other colors, into every figure.
    figure.update_layout(
        template=None, height=height, xaxis={"title": {"text": x_title}},
        yaxis={"title": {"text": y_title}},
    )  # fmt: skip
    return figure


def hover(network: ReportedNetwork, gauge: str) -> str:
    """Returns the text that is shown when the pointer is on a point."""
    result, latency = network.result, network.result.latency
    scored_note = "" if result.scored_ms == latency.ms else f", {result.scored_ms:.2f} count"
    return (
        f"<b>{network.name}</b><br>{result.expected.text} expected"
        f"<br>{result.psnr_db:.2f} dB INT8 so far (float {result.quality.float32.psnr_db:.2f})"
        f"<br>{latency.ms:.2f} ms ({latency.low_ms:.2f} to {latency.high_ms:.2f}){scored_note}"
        f" on {escape(network.device)}"
        f"<br>{network.ratio:.2f} {gauge}"
    )
