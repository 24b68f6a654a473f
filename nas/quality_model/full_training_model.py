"""Predicts the PSNR that a full training adds to that of a short one.

Short trainings favor small networks: the PSNR that a full training adds, called the missing PSNR,
grows with capacity. For each length of the short training, one linear model predicts the missing
PSNR. It is fitted to networks that were trained both ways, by Bayesian ridge regression (Tipping,
"Sparse Bayesian Learning and the Relevance Vector Machine", JMLR 2001; MacKay, "Bayesian
Interpolation", 1992). Its features are logarithms of the multiply-accumulates, of the number of
convolutions (deep networks train more slowly), and of the ratio of parameters before and after
branches are merged (branches speed up the beginning of a training more than its end). For a network
that is itself among the fitted ones, such as ABPN, the prediction is its measured missing PSNR.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from .expectation import ExpectedPsnr, FullTraining, ShortTraining
from .training_table import FULL_STEPS, TABLE_SCALE, Table, read_table

if TYPE_CHECKING:
    import numpy.typing as npt
    from sklearn.pipeline import Pipeline

    Floats = npt.NDArray[np.float64]

#: Probability that the PSNR is within the predicted interval.
COVERAGE = 0.9
#: Half the width of the interval of a normal distribution, in standard deviations.
HALF_WIDTHS = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
#: Standard deviation of a network's PSNR over seeds of its training (studies/proxy_fidelity).
_SEED_DEVIATION_DB = 0.01
#: Standard deviation of a measured missing PSNR, the difference of the PSNRs of two trainings.
_MEASURED_DEVIATION_DB = math.sqrt(2) * _SEED_DEVIATION_DB
#: PSNR minus that of bicubic enlargement; below this, the network loses the image.
_IMAGE_LOST_DB = -1.0
#: Prior standard deviation of the offset of the missing PSNR on other images.
_OTHER_IMAGES_DEVIATION_DB = 0.15


@dataclass(frozen=True)
class Normal:
    """A normal distribution in dB."""

    mean_db: float
    deviation_db: float


@dataclass(frozen=True)
class _LengthModel:
    """Predicts the missing PSNR after one length of short training.

    The regression is for networks that transmit the image; all others share one distribution.
    """

    regression: Pipeline
    #: degrees of freedom: number of rows minus number of coefficients
    freedom: int
    others: Normal
    #: missing PSNR in dB of the fitted networks, by the trained graph's hash
    measured_db: Mapping[str, float]

    @classmethod
    def fitted(cls, pairs: Sequence[FullTraining]) -> _LengthModel:
        """Fits the model to networks that were trained for this length and in full."""
        from sklearn.linear_model import BayesianRidge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        transmitting = [pair for pair in pairs if _transmits_image(pair.short)]
        others_db = [pair.missing_db for pair in pairs if not _transmits_image(pair.short)]
        regression = make_pipeline(StandardScaler(), BayesianRidge())
        regression.fit(
            np.array([_features(pair.short) for pair in transmitting]),
            np.array([pair.missing_db for pair in transmitting]),
        )
        coefficients = 1 + len(_features(transmitting[0].short)) if transmitting else 1
        freedom = max(1, len(transmitting) - coefficients)
        measured_db = {pair.short.graph: pair.missing_db for pair in pairs if pair.short.graph}
        return cls(regression, freedom, _distribution(others_db), measured_db)

    def missing(self, trainings: Sequence[ShortTraining]) -> tuple[Floats, Floats]:
        """Returns means and standard deviations of the missing PSNR of each network in dB, (n,)."""
        # The noise is estimated from few rows, so the interval is that of Student's t-distribution.
        from scipy.special import stdtrit

        features = np.array([_features(training) for training in trainings])
        mean, deviation = self.regression.predict(features, return_std=True)
        widening = stdtrit(self.freedom, 0.5 + COVERAGE / 2) / HALF_WIDTHS
        transmits = [_transmits_image(training) for training in trainings]
        measured = np.array(
            [self.measured_db.get(training.graph, np.nan) for training in trainings]
        )
        # A full training never lowers the PSNR, however small the network.
        mean = np.where(transmits, np.maximum(0.0, mean), self.others.mean_db)
        deviation = np.where(transmits, deviation * widening, self.others.deviation_db)
        unknown = np.isnan(measured)
        return (
            np.where(unknown, mean, measured),
            np.where(unknown, deviation, _MEASURED_DEVIATION_DB),
        )


def _transmits_image(training: ShortTraining) -> bool:
    """Returns whether the PSNR is near or above bicubic's, where the regression is valid."""
    return training.gain_db > _IMAGE_LOST_DB


def _features(training: ShortTraining) -> Floats:
    values = (training.macs_per_pixel, training.convolutions, training.branching)
    return np.log2(np.maximum(1.0, values))


def _distribution(missing_db: Sequence[float]) -> Normal:
    """Fits a distribution to the values and, since they are few, to pseudo-values 0 and 2 dB."""
    values = [*missing_db, 0.0, 2.0]
    return Normal(float(np.mean(values)), float(np.std(values, ddof=1)))


@dataclass(frozen=True)
class QualityModel:
    """Predicts the PSNR after a full training on the images of one study.

    ``fitted`` makes a model for the images of the table, ``adapted`` one for other images.
    """

    #: models by steps of the short training
    models: Mapping[int, _LengthModel]
    #: difference between the missing PSNR on these images and on the table's images
    offset: Normal = Normal(0.0, 0.0)

    @classmethod
    def fitted(cls, table: Table) -> QualityModel:
        """Fits the model to the trainings of ``table``."""
        models = {steps: _LengthModel.fitted(table.pairs(steps)) for steps in table.lengths}
        return cls(models)

    def adapted(self, known: Sequence[FullTraining]) -> QualityModel:
        """Returns the model for the images of the full trainings ``known``, offset by residuals.

        The offset is the posterior of a normal mean, whose prior has mean 0 and the standard
        deviation for other images. Each residual is weighted by the precision of its prediction.
        """
        unadapted = replace(self, offset=Normal(0.0, 0.0))
        predicted = [unadapted._predicted(training.short) for training in known]
        precisions = [normal.deviation_db**-2 for normal in predicted]
        total = _OTHER_IMAGES_DEVIATION_DB**-2 + sum(precisions)
        weighted = sum(
            precision * (training.psnr_db - normal.mean_db)
            for precision, training, normal in zip(precisions, known, predicted, strict=True)
        )
        return replace(self, offset=Normal(weighted / total, total**-0.5))

    def expected(self, training: ShortTraining) -> ExpectedPsnr:
        """Returns the PSNR after a full training; if ``training`` is one, its own PSNR."""
        normal = self._predicted(training)
        return ExpectedPsnr.around(normal.mean_db, HALF_WIDTHS * normal.deviation_db)

    def missing_db(self, trainings: Sequence[ShortTraining]) -> Floats:
        """Returns the expected missing PSNR of each in dB, (n,); all must have equal steps."""
        if not trainings or trainings[0].steps >= FULL_STEPS:
            return np.zeros(len(trainings))
        return self._missing(trainings)[0]

    def _predicted(self, training: ShortTraining) -> Normal:
        """Returns the distribution of the PSNR after a full training."""
        if training.steps >= FULL_STEPS:
            return Normal(training.psnr_db, _SEED_DEVIATION_DB)
        (mean_db,), (deviation_db,) = self._missing([training])
        return Normal(
            training.psnr_db + float(mean_db) + self.offset.mean_db,
            math.hypot(float(deviation_db), self.offset.deviation_db),
        )

    def _missing(self, trainings: Sequence[ShortTraining]) -> tuple[Floats, Floats]:
        """Returns means and standard deviations in dB, interpolated over the logarithm of steps."""
        lengths = sorted(self.models)
        steps = min(max(trainings[0].steps, lengths[0]), FULL_STEPS)
        below = max(length for length in lengths if length <= steps)
        means, deviations = self.models[below].missing(trainings)
        if steps == below:
            return means, deviations
        above = next((length for length in lengths if length > steps), FULL_STEPS)
        share = math.log(steps / below) / math.log(above / below)
        if above == FULL_STEPS:
            later = np.zeros(len(trainings)), np.full(len(trainings), _SEED_DEVIATION_DB)
        else:
            later = self.models[above].missing(trainings)
        return means + share * (later[0] - means), deviations + share * (later[1] - deviations)


@lru_cache
def shipped_model(scale: int) -> QualityModel:
    """Returns the model fitted to the package's table, whose trainings are all at x3.

    The model was not tested at other scales: there, intervals are widened as for other images.
    """
    model = QualityModel.fitted(read_table())
    return model if scale == TABLE_SCALE else model.adapted(())
