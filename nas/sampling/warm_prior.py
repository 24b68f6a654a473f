"""What a study believes of networks at its start: by the package's trainings and other studies'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import NasError

from ..quality_model.features import features_of, matrix_of
from ..quality_model.short_training_model import GainPrior, OtherTrainings, shipped_prior
from ..studies.settings import Settings
from ..studies.warm_start import WarmStart


def warm_prior(settings: Settings, warm_starts: Sequence[WarmStart]) -> GainPrior:
    """For a study of ``settings``: trainings on its own images, made alike, count as its own."""
    prior = shipped_prior()
    return prior.beside(other_trainings(settings, warm_starts)) if warm_starts else prior


def other_trainings(settings: Settings, warm_starts: Sequence[WarmStart]) -> OtherTrainings:
    """Of all networks that have features."""
    features, gains, conditions = [], [], []
    known = [settings]
    for start in warm_starts:
        same = (n for n, others in enumerate(known) if start.is_comparable(others))
        number = next(same, len(known))
        if number == len(known):
            known.append(start.settings)
        for network in start.networks:
            try:
                features.append(features_of(network.candidate))
            except NasError:
                continue
            gains.append(network.psnr_db - start.bicubic_psnr_db)
            conditions.append(number)
    return OtherTrainings(matrix_of(features), np.array(gains), np.array(conditions, np.int64))
