"""The plot of parallel coordinates: a line for each trial through its score and parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..content import ReportContent
from .style import SCALE, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from optuna.trial import FrozenTrial

#: Largest number of axes; more are hard to read.
_MOST_AXES = 7
_MOST_TICKS = 6
_LONGEST_WORD = 14
_ABSENT_LABEL = "none"


def parallel_plot(content: ReportContent, shares: dict[str, float]) -> go.Figure | None:
    """Plots a line for each trial, colored by score; None if there is nothing to compare.

    ``shares`` are the importances of parameters, the most important of which are drawn. Optuna's
    own figure of this kind has a trace for every trial, and a browser takes many seconds to draw a
    thousand of them.
    """
    import plotly.graph_objects as go

    names = dict.fromkeys(name for trial in content.trials for name in trial.params)
    if len(content.candidates) < 2 or not names:
        return None
    shown = sorted(names, key=lambda name: -shares.get(name, 0.0))[:_MOST_AXES]
    ratios = [network.ratio for network in content.candidates]
    figure = new_figure("", "", height=440)
    figure.add_trace(
        go.Parcoords(
            dimensions=[
                {"label": content.gauge, "values": ratios},
                *(_axis(name, content.trials) for name in shown),
            ],
            line={"color": ratios, "colorscale": SCALE},
            labelside="top",
        )
    )
    figure.update_layout(margin={"l": 64, "r": 64, "t": 72, "b": 24})
    return figure


def _axis(name: str, trials: Sequence[FrozenTrial]) -> dict[str, Any]:
    """Returns the axis of a parameter; trials without it have a value below the smallest."""
    values = [trial.params.get(name) for trial in trials]
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return _number_axis(name, values, known)
    words = list(dict.fromkeys(map(str, known)))
    positions = [-1 if value is None else words.index(str(value)) for value in values]
    absent = [-1] if None in values else []
    return {
        "label": _shortened(name),
        "values": positions,
        "tickvals": [*absent, *range(len(words))],
        "ticktext": [*(_ABSENT_LABEL for _ in absent), *map(_shortened, words)],
    }


def _number_axis(
    name: str, values: Sequence[float | None], known: Sequence[float]
) -> dict[str, Any]:
    low, high = min(known), max(known)
    step = (high - low) / 6 or 1.0
    distinct = sorted(set(known))
    ticks = distinct if len(distinct) <= _MOST_TICKS else _even_ticks(low, high)
    absent = [low - step] if None in values else []
    return {
        "label": _shortened(name),
        "values": [low - step if value is None else value for value in values],
        "tickvals": [*absent, *ticks],
        "ticktext": [*(_ABSENT_LABEL for _ in absent), *(f"{tick:.4g}" for tick in ticks)],
    }


def _even_ticks(low: float, high: float) -> list[float]:
    """Returns evenly spaced round numbers from ``low`` to ``high``."""
    least_step = (high - low) / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(least_step))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least_step)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [count * step for count in range(first, last + 1)]


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_WORD else f"{name[: _LONGEST_WORD - 1]}…"
