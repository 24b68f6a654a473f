"""Prior of the PSNR gains in a new study, from the trainings of the package and other studies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import NasError

from ..quality_model.features import features_of, matrix_of
from ..quality_model.short_training_model import GainPrior, OtherTrainings, shipped_prior
from ..studies.settings import Settings
from ..studies.warm_start import WarmStart


def warm_prior(settings: Settings, warm_starts: Sequence[WarmStart]) -> GainPrior:
    """Returns the prior for a study of ``settings``.

    Networks of other studies that were trained in the same way on the same images count like those
    of the study itself.
    """
    prior = shipped_prior()
    return prior.beside(other_trainings(settings, warm_starts)) if warm_starts else prior


def other_trainings(settings: Settings, warm_starts: Sequence[WarmStart]) -> OtherTrainings:
    """Returns the gains of all networks of ``warm_starts`` that have features.

    Networks with comparable trainings have the same condition number; that of ``settings`` is 0.
    """
    features, gains, conditions = [], [], []
    distinct = [settings]
    for start in warm_starts:
        same = (n for n, others in enumerate(distinct) if start.is_comparable(others))
        number = next(same, len(distinct))
        if number == len(distinct):
            distinct.append(start.settings)
        for network in start.networks:
            try:
                features.append(features_of(network.candidate))
            except NasError:
                continue
            gains.append(network.psnr_db - start.bicubic_psnr_db)
            conditions.append(number)
    return OtherTrainings(matrix_of(features), np.array(gains), np.array(conditions, np.int64))
