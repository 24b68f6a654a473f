"""Predicts a network's trained PSNR by a forest, fitted to half of the package's networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor

from nas.quality_model.features import Features, features_of, matrix_of
from nas.quality_model.networks import shipped_networks
from nas.quality_model.short_training_model import GainPrior, gains_of

Floats = npt.NDArray[np.float64]


@lru_cache
def table() -> tuple[Floats, Floats]:
    """Returns features and gains of the package's random networks for x3, in order of training.

    Related networks are left out, since near copies of a network would be in both halves.
    """
    networks = shipped_networks()
    keep = [
        index
        for index, network in enumerate(networks.networks)
        if network.scale == 3 and not network.related
    ]
    features = matrix_of([features_of(networks.networks[index].candidate) for index in keep])
    return features, gains_of(networks)[keep]


@lru_cache
def simulator() -> tuple[ExtraTreesRegressor, float, float]:
    """Returns the forest of one half; its RMS error in dB and Kendall's tau on the other half."""
    features, gains = table()
    model = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=0)
    model.fit(features[::2], gains[::2])
    predicted, true = model.predict(features[1::2]), gains[1::2]
    error = float(np.sqrt(np.mean((predicted - true) ** 2)))
    return model, error, float(kendalltau(predicted, true).statistic)


def gain_of(features: Features) -> float:
    """Returns the simulator's gain over bicubic enlargement, in dB."""
    return float(simulator()[0].predict(matrix_of([features]))[0])


def prior_of(networks: int | None) -> Callable[[], GainPrior]:
    """Returns a prior fitted to networks of the other half than the simulator's; None for all."""
    features, gains = (column[1::2][:networks] for column in table())
    prior = GainPrior.fitted(features, gains, shipped_networks().kernel)
    return lambda: prior
