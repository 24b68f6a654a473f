"""The sections of a report: plots with their titles and explanations, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..choices import Risk
from ..quality.metrics import convention
from ..quality_model.training_table import FULL_STEPS
from .content import ReportContent
from .plots.drop import drop_plot
from .plots.front import front_plot
from .plots.importance import FEWEST_TRIALS, importance_plot, importances
from .plots.operators import operators_plot
from .plots.parallel import parallel_plot
from .plots.progress import ProgressAxis, progress_plot

if TYPE_CHECKING:
    import plotly.graph_objects as go


#: risk of the study -> explanation of where predicted times are drawn
_PREDICTED_TIME_NOTES = {
    Risk.MEAN: " A predicted time stands at the mean over its interval, as the score counts it.",
    Risk.POINT: "",
    Risk.UPPER: " A predicted time stands at its interval’s end, as the score counts it.",
}


@dataclass(frozen=True)
class Plot:
    """A figure of the report; ``label`` is its text for screen readers.

    ``name`` is its name within its group; ``height`` is in pixels.
    """

    id: str
    name: str
    label: str
    figure: go.Figure = field(repr=False, compare=False)

    @property
    def height(self) -> int:
        return int(self.figure.layout.height)


@dataclass(frozen=True)
class Group:
    """Plots of which one is shown at a time; ``legend`` is the label of the choice."""

    plots: tuple[Plot, ...]
    legend: str = ""
    #: whether narrow screens scroll it horizontally
    is_wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, an explanation, and plots; ``missing`` is shown if there are none."""

    anchor: str
    title: str
    explanation: str
    groups: tuple[Group, ...]
    missing: str = "No trial has been trained yet."


def sections_of(content: ReportContent) -> tuple[Section, ...]:
    """Returns all sections of the report; without a trained trial they have no plots."""
    makers = (_front, _progress, _parameters, _operators, _drop)
    return tuple(maker(content) for maker in makers)


def _front(content: ReportContent) -> Section:
    fastest = min((n.result.scored_ms for n in content.front), default=0.0)
    best_db = max((n.result.expected.psnr_db for n in content.front), default=0.0)
    label = (
        f"Expected PSNR over runtime: {len(content.candidates)} networks, {len(content.front)} of "
        f"them on the front, from {fastest:.2f} ms up to {best_db:.2f} dB expected"
    )
    abpn_note = (
        " On the dotted line a network scores just as ABPN does." if content.has_abpn else ""
    )
    return Section(
        "front", "Pareto front",
        "Up and to the left is better. PSNR is what the INT8 file is expected to have after "
        f"{FULL_STEPS:,} steps of training, predicted from that after {content.settings.steps:,}; "
        f"{convention(content.settings.scale)}. Whiskers are the "
        "90% intervals of that PSNR, and the intervals of latency that the device’s source states; "
        "time is on a logarithmic axis. A double click also shows the networks below the plotted "
        f"range.{abpn_note}{_PREDICTED_TIME_NOTES[content.settings.risk]}",
        _if_any(content, Group((Plot("plot-front", "front", label, front_plot(content)),))),
    )  # fmt: skip


def _progress(content: ReportContent) -> Section:
    plots = tuple(
        Plot(f"plot-progress-{axis}", axis, _progress_label(content, axis),
             progress_plot(content, axis))
        for axis in ProgressAxis
    )  # fmt: skip
    return Section(
        "progress", "How the search went",
        "Each dot is a trained network, the line the best so far. Hypervolume is the area that "
        "the front dominates: dB above bicubic times doublings of speed against the slowest "
        "network of the study; it stays 0 until a network beats bicubic.",
        _if_any(content, Group(plots, "Over")),
    )  # fmt: skip


def _progress_label(content: ReportContent, axis: ProgressAxis) -> str:
    if not content.history:
        return f"Score over {axis}"
    last = content.history[-1]
    return (
        f"Best {content.gauge} over {axis}, {last.best_ratio:.2f} at the end; "
        f"hypervolume {last.hypervolume:.2f}"
    )


def _parameters(content: ReportContent) -> Section:
    shares = importances(content)
    importance, parallel = importance_plot(shares), parallel_plot(content, shares)
    groups = []
    if importance is not None:
        label = "Importance of each sampled parameter for the score"
        groups.append(Group((Plot("plot-importance", "importance", label, importance),)))
    if parallel is not None:
        label = f"Parameters of each trial, one line a trial, colored by {content.gauge}"
        groups.append(Group((Plot("plot-parallel", "parallel", label, parallel),), is_wide=True))
    return Section(
        "parameters", "What mattered",
        "Which sampled parameters decide the score (PED-ANOVA), and what good networks have in "
        "common: drag along an axis to pick trials. Trials without a parameter meet at “none”.",
        tuple(groups),
        f"Too few trials to tell: {len(content.candidates)} trained, {FEWEST_TRIALS} are needed.",
    )  # fmt: skip


def _operators(content: ReportContent) -> Section:
    label = "Milliseconds by kind of operator, for each network of the front and the references"
    return Section(
        "operators", "Where the time goes",
        "Milliseconds of each network by kind of operator. Hatched: what the NPU leaves to the "
        "CPU.",
        _if_any(content, Group((Plot("plot-operators", "operators", label,
                                     operators_plot(content)),))),
    )  # fmt: skip


def _drop(content: ReportContent) -> Section:
    worst = max((network.result.drop_db for network in content.candidates), default=0.0)
    label = f"INT8 drop over PSNR in floating point, at most {worst:.3f} dB"
    return Section(
        "drop", "What INT8 cost",
        "The PSNR that each network loses by being integer-only: in floating point, before it was "
        "quantized, less that of its INT8 file.",
        _if_any(content, Group((Plot("plot-drop", "drop", label, drop_plot(content)),))),
    )  # fmt: skip


def _if_any(content: ReportContent, group: Group) -> tuple[Group, ...]:
    return (group,) if content.candidates or content.references else ()
