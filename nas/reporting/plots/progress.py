"""The plot of score and hypervolume over trials or over time."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..content import ReportContent
from ..history import Moment
from .style import ACCENT, MUTED, REFERENCE, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


class ProgressAxis(StrEnum):
    """The horizontal axis of the plot."""

    TRIALS = "trials"
    TIME = "time"


def progress_plot(content: ReportContent, axis: ProgressAxis) -> go.Figure:
    """Plots the score of each trained trial and the best so far; below, the front's hypervolume."""
    figure = new_figure("", f"{content.gauge}", height=520)
    x, title = _positions(content.history, axis)
    step = {"mode": "lines", "line": {"color": ACCENT, "width": 2, "shape": "hv"}}
    figure.add_scatter(
        x=x, y=[m.ratio for m in content.history], mode="markers", name="trial",
        marker={"color": MUTED, "size": 6, "opacity": 0.55},
        hovertext=[f"trial {m.trial}: {m.ratio:.2f}" for m in content.history], hoverinfo="text",
    )  # fmt: skip
    figure.add_scatter(x=x, y=[m.best_ratio for m in content.history], name="best so far", **step)
    figure.add_scatter(
        x=x, y=[m.hypervolume for m in content.history], name="hypervolume", yaxis="y2",
        showlegend=False, **step,
    )  # fmt: skip
    figure.add_hline(
        1.0, line={"color": REFERENCE, "width": 1, "dash": "dot"},
        annotation={"text": content.yardstick, "font": {"size": 12}},
        annotation_position="bottom right",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": title}, "anchor": "y2", "rangemode": "tozero"},
        yaxis={"domain": [0.46, 1.0], "rangemode": "tozero"},
        yaxis2={
            "domain": [0.0, 0.36], "rangemode": "tozero",
            "title": {"text": "hypervolume"},
        },
    )  # fmt: skip
    return figure


def _positions(history: tuple[Moment, ...], axis: ProgressAxis) -> tuple[list[Any], str]:
    if axis is ProgressAxis.TRIALS:
        return list(range(1, len(history) + 1)), "trained trials"
    longest = max((moment.seconds for moment in history), default=0.0)
    if longest < 2 * 3600:
        return [moment.seconds / 60 for moment in history], "minutes of search"
    return [moment.seconds / 3600 for moment in history], "hours of search"
