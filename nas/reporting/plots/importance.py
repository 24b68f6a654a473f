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
    """Share of each parameter in what makes the best tenth of trials good, most important first.

    PED-ANOVA as Optuna has it: Watanabe et al., IJCAI 2023, arXiv:2304.10255. Empty with too few
    trials to tell, or where all score the same. A parameter that had one value throughout is left
    out: what Optuna gives it comes of the number of trials alone.
    """
    import optuna

    ratios = {network.ratio for network in content.candidates}
    varied = _varied(content.trials)
    if len(content.candidates) < FEWEST_TRIALS or len(ratios) < 2 or not varied:
        return {}
    # In memory, with scores as values, whatever was searched for.
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.create_trial(
                params=_only(varied, trial.params),
                distributions=_only(varied, trial.distributions),
                value=network.ratio,
            )
            for trial, network in zip(content.trials, content.candidates, strict=True)
        ]
    )
    return optuna.importance.get_param_importances(study)


def _only(names: set[str], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _varied(trials: Sequence[FrozenTrial]) -> set[str]:
    """The parameters that had more than one value."""
    seen = {(name, value) for trial in trials for name, value in trial.params.items()}
    return {name for name, count in Counter(name for name, _ in seen).items() if count > 1}


def importance_plot(shares: dict[str, float]) -> go.Figure | None:
    """A bar for each parameter, the most important at the top; None without importances."""
    if not any(shares.values()):
        return None
    names = list(shares)[:_MOST_BARS][::-1]
    figure = new_figure("share of importance, %", "", height=110 + 28 * len(names))
    figure.add_bar(
        x=[100 * shares[name] for name in names],
        y=[_short(name) for name in names],
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


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
