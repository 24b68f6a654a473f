"""The plot of the importance of each sampled parameter for the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..content import ReportContent
from .style import ACCENT, new_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from optuna.trial import FrozenTrial

#: Least number of trials; with fewer, importances are random.
FEWEST_TRIALS = 8
_MOST_BARS = 12
_LONGEST_NAME = 24


def importances(content: ReportContent) -> dict[str, float]:
    """Returns each parameter's share of importance for being in the best tenth of trials.

    The most important come first. Computed by Optuna's PED-ANOVA: Watanabe et al., IJCAI 2023,
    arXiv:2304.10255. Empty with too few trials or if all scores are equal. Parameters with the same
    value in all trials are left out: their importance would depend on the number of trials only.
    """
    import optuna

    ratios = {network.ratio for network in content.candidates}
    varied = _varied(content.trials)
    if len(content.candidates) < FEWEST_TRIALS or len(ratios) < 2 or not varied:
        return {}
    # A study in memory whose values are scores, whatever the objective of the search was.
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.create_trial(
                params=_selected(varied, trial.params),
                distributions=_selected(varied, trial.distributions),
                value=network.ratio,
            )
            for trial, network in zip(content.trials, content.candidates, strict=True)
        ]
    )
    return optuna.importance.get_param_importances(study)


def _selected(names: set[str], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _varied(trials: Sequence[FrozenTrial]) -> set[str]:
    """Returns the parameters that had more than one value."""
    seen = {(name, value) for trial in trials for name, value in trial.params.items()}
    return {name for name, count in Counter(name for name, _ in seen).items() if count > 1}


def importance_plot(shares: dict[str, float]) -> go.Figure | None:
    """Plots a bar for each parameter, the most important at the top; None without importances."""
    if not any(shares.values()):
        return None
    names = list(shares)[:_MOST_BARS][::-1]
    figure = new_figure("share of importance, %", "", height=110 + 28 * len(names))
    figure.add_bar(
        x=[100 * shares[name] for name in names],
        y=[_shortened(name) for name in names],
        orientation="h",
        marker={"color": ACCENT},
        texttemplate="%{x:.0f}",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
    )
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(margin={"t": 16}, bargap=0.35)
    return figure


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
