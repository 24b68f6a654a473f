"""The plot of each network's milliseconds by kind of operator; those of the CPU are hatched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..content import ReportContent, ReportedNetwork
from .style import CATEGORIES, MOST_BARS, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class BarSegment:
    """A part of a bar: a kind of operator on an engine, which may be the CPU as fallback."""

    kind: str
    engine: str
    fell_back: bool

    @property
    def label(self) -> str:
        where = "" if self.engine == "npu" else f", {self.engine.upper()}"
        return f"{self.kind}{where}{' fallback' if self.fell_back else ''}"


def operators_plot(content: ReportContent) -> go.Figure:
    """A bar for each of the best networks of the front and the references, fastest at the top."""
    shown = drawn_networks(content)[::-1]
    figure = new_figure("ms", "", height=130 + 30 * len(shown))
    totals = _totals(shown)
    weight: dict[str, float] = {}
    for part, times in totals.items():
        weight[part.kind] = weight.get(part.kind, 0.0) + sum(times)
    kinds = sorted(weight, key=lambda kind: -weight[kind])
    colors = {kind: CATEGORIES[min(i, len(CATEGORIES) - 1)] for i, kind in enumerate(kinds)}
    for part in sorted(totals, key=lambda part: (kinds.index(part.kind), part.label)):
        figure.add_bar(
            x=totals[part],
            y=[network.name for network in shown],
            orientation="h",
            name=part.label,
            marker={
                "color": colors[part.kind], "pattern": {"shape": "/" if part.fell_back else ""}
            },
            hovertemplate=f"%{{y}}<br>{part.label}: %{{x:.2f}} ms<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.3, legend={"traceorder": "normal"})
    return figure


def drawn_networks(content: ReportContent) -> list[ReportedNetwork]:
    """The best of the front and the references, fastest first."""
    best = {network.trial for network in content.front[:MOST_BARS]}
    chosen = [network for network in content.shown if network.is_reference or network.trial in best]
    return sorted(chosen, key=lambda network: network.result.latency.ms)


def _totals(networks: list[ReportedNetwork]) -> dict[BarSegment, list[float]]:
    """Milliseconds of each part, one figure for each network."""
    totals: dict[BarSegment, list[float]] = {}
    for index, network in enumerate(networks):
        latency = network.result.latency
        for row in latency.operators:
            part = BarSegment(row.kind, row.engine, row.name in latency.on_cpu)
            totals.setdefault(part, [0.0] * len(networks))[index] += row.ms
    return totals
