"""The plot of each network's milliseconds by kind of operator; CPU fallbacks are hatched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..content import ReportContent, ReportedNetwork
from .style import CATEGORIES, MOST_BARS, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class BarSegment:
    """A segment of a bar: a kind of operator on an engine, perhaps the CPU as a fallback."""

    kind: str
    engine: str
    fell_back: bool

    @property
    def label(self) -> str:
        where = "" if self.engine == "npu" else f", {self.engine.upper()}"
        return f"{self.kind}{where}{' fallback' if self.fell_back else ''}"


def operators_plot(content: ReportContent) -> go.Figure:
    """Plots a bar for each of ``drawn_networks``, the fastest at the top."""
    shown = drawn_networks(content)[::-1]
    figure = new_figure("ms", "", height=130 + 30 * len(shown))
    totals = _totals(shown)
    total_ms: dict[str, float] = {}
    for segment, times in totals.items():
        total_ms[segment.kind] = total_ms.get(segment.kind, 0.0) + sum(times)
    kinds = sorted(total_ms, key=lambda kind: -total_ms[kind])
    colors = {kind: CATEGORIES[min(i, len(CATEGORIES) - 1)] for i, kind in enumerate(kinds)}
    for segment in sorted(totals, key=lambda segment: (kinds.index(segment.kind), segment.label)):
        figure.add_bar(
            x=totals[segment],
            y=[network.name for network in shown],
            orientation="h",
            name=segment.label,
            marker={
                "color": colors[segment.kind],
                "pattern": {"shape": "/" if segment.fell_back else ""},
            },
            hovertemplate=f"%{{y}}<br>{segment.label}: %{{x:.2f}} ms<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.3, legend={"traceorder": "normal"})
    return figure


def drawn_networks(content: ReportContent) -> list[ReportedNetwork]:
    """Returns the best networks of the front and the references, fastest first."""
    best = {network.trial for network in content.front[:MOST_BARS]}
    chosen = [network for network in content.shown if network.is_reference or network.trial in best]
    return sorted(chosen, key=lambda network: network.result.latency.ms)


def _totals(networks: list[ReportedNetwork]) -> dict[BarSegment, list[float]]:
    """Returns the milliseconds of each segment, one value for each network."""
    totals: dict[BarSegment, list[float]] = {}
    for index, network in enumerate(networks):
        latency = network.result.latency
        for row in latency.operators:
            segment = BarSegment(row.kind, row.engine, row.name in latency.on_cpu)
            totals.setdefault(segment, [0.0] * len(networks))[index] += row.ms
    return totals
