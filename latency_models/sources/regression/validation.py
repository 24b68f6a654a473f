"""Accuracy of predictions: errors, rank correlations, coverage; and a baseline by MACs alone.

Leaving out single networks estimates the errors on networks like those of the table. Leaving out
whole structures estimates the errors on new networks that a search finds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from search_spaces import InputError

from .fitted import by_stack, folds
from .measurements import Measurement
from .model import LatencyModel, fit_model
from .network_structures import network_structures
from .spread import COVERAGE
from .structure import CostStructure


@dataclass(frozen=True)
class Prediction:
    """The measured time of a network, and its prediction by a model that was not fitted to it."""

    name: str
    measured_ms: float
    ms: float
    low_ms: float
    high_ms: float

    @property
    def error(self) -> float:
        """Relative error with its sign: 0.1 is a prediction 10 % too long."""
        return self.ms / self.measured_ms - 1

    @property
    def covered(self) -> bool:
        """Whether the interval holds the measured time."""
        return self.low_ms <= self.measured_ms <= self.high_ms


@dataclass(frozen=True)
class Accuracy:
    """Accuracy figures over a set of networks."""

    networks: int
    mape_percent: float
    within_5_percent: float
    within_10_percent: float
    spearman: float
    kendall: float
    largest_error_percent: float
    coverage_percent: float
    #: geometric mean of ``high_ms / low_ms``
    width: float


@dataclass(frozen=True)
class Figure:
    """How a field of ``Accuracy`` is printed: its title, format, and which values are good."""

    key: str
    title: str
    good: str
    form: str

    def text(self, accuracy: Accuracy) -> str:
        """Returns the field's value, with its unit."""
        return format(getattr(accuracy, self.key), self.form) + (
            " %" if self.key.endswith("_percent") else ""
        )


FIGURES = (
    Figure("networks", "networks", "", "d"),
    Figure("mape_percent", "mean error", "0 is best, 10 or less is good", ".1f"),
    Figure("within_5_percent", "within 5 % of the measured time", "100 is best", ".0f"),
    Figure(
        "within_10_percent", "within 10 % of the measured time", "100 is best, 90 is good", ".0f"
    ),
    Figure("spearman", "Spearman correlation", "1 is best (equal order), 0.95 is good", ".3f"),
    Figure("kendall", "Kendall's tau", "1 is best (equal order), 0.8 is good", ".3f"),
    Figure("largest_error_percent", "largest error", "0 is best", ".0f"),
    Figure(
        "coverage_percent", "coverage of the interval",
        f"{COVERAGE:.0%} is intended; with less, the interval is too narrow", ".0f",
    ),
    Figure("width", "interval width (upper / lower bound)", "1 is best", ".2f"),
)  # fmt: skip


def accuracy(predictions: Sequence[Prediction]) -> Accuracy:
    """Returns the accuracy of ``predictions``; InputError if there are fewer than two."""
    import numpy as np
    from scipy.stats import kendalltau, spearmanr

    if len(predictions) < 2:
        raise InputError(f"{len(predictions)} predictions have no ranks; give at least two")
    errors = 100 * np.abs([prediction.error for prediction in predictions])
    predicted = [prediction.ms for prediction in predictions]
    measured = [prediction.measured_ms for prediction in predictions]
    return Accuracy(
        networks=len(predictions),
        mape_percent=float(errors.mean()),
        within_5_percent=float(100 * (errors <= 5).mean()),
        within_10_percent=float(100 * (errors <= 10).mean()),
        spearman=float(spearmanr(predicted, measured).statistic),
        kendall=float(kendalltau(predicted, measured).statistic),
        largest_error_percent=float(errors.max()),
        coverage_percent=100 * sum(p.covered for p in predictions) / len(predictions),
        width=float(np.exp(np.mean(np.log([p.high_ms / p.low_ms for p in predictions])))),
    )


def predict_rows(model: LatencyModel, rows: Sequence[Measurement]) -> list[Prediction]:
    """Predicts the networks of ``rows``, each with the software of its row."""
    predictions: dict[int, Prediction] = {}
    for stack, places in by_stack(rows).items():
        predicted = model.predict([rows[place].operators for place in places], stack)
        limits = (predicted.ms.tolist(), predicted.low_ms.tolist(), predicted.high_ms.tolist())
        for place, ms, low, high in zip(places, *limits, strict=True):
            row = rows[place]
            predictions[place] = Prediction(row.name, row.ms, ms, low, high)
    return [predictions[place] for place in range(len(rows))]


def cross_validate(
    structure: CostStructure,
    rows: Sequence[Measurement],
    keys: Sequence[Hashable],
    radius: float | None = None,
) -> list[Prediction]:
    """Predicts all rows; rows with equal keys are predicted by a model of all other rows.

    ``radius`` is half of the interval; None: each model finds it by its own cross-validation.
    """
    predictions: list[Prediction] = []
    for kept, left_out in folds(keys, most_singly=len(rows)):
        model = fit_model(structure, [rows[index] for index in kept], radius)
        predictions += predict_rows(model, [rows[index] for index in left_out])
    return predictions


def cross_validate_structures(
    structure: CostStructure, rows: Sequence[Measurement], radius: float | None = None
) -> dict[str, list[Prediction]]:
    """Predicts the networks of each structure by a model that was fitted to none of them.

    ``radius`` is used as in ``cross_validate``.
    """
    predictions = {}
    for name, places in network_structures(rows).items():
        kept = [row for place, row in enumerate(rows) if place not in places]
        model = fit_model(structure, kept, radius)
        predictions[name] = predict_rows(model, [rows[place] for place in places])
    return predictions


def macs_alone(kept: Sequence[Measurement], left_out: Sequence[Measurement]) -> list[Prediction]:
    """Predicts ``left_out`` by the baseline: MACs times the median time per MAC of ``kept``."""
    import numpy as np

    def macs(row: Measurement) -> int:
        return sum(operator.macs for operator in row.operators)

    price = float(np.median([row.ms / macs(row) for row in kept if macs(row)]))
    return [
        Prediction(row.name, row.ms, price * macs(row), price * macs(row), price * macs(row))
        for row in left_out
    ]
