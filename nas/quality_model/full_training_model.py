"""PSNR that a full training adds to a short one, fitted to networks that were trained both ways.

Short trainings flatter small networks: the PSNR still missing grows with capacity. For each length
of training one linear model, fitted by Bayesian ridge regression (Tipping, "Sparse Bayesian
Learning and the Relevance Vector Machine", JMLR 2001; MacKay, "Bayesian Interpolation", 1992),
predicts the missing dB. Its features are logarithms of the multiply-accumulates, of the number of
convolutions (deep networks train more slowly), and of the ratio of parameters before and after
branches are merged (branches speed up the beginning of a training more than its end). A network
that is itself among them, as ABPN is, misses what it missed there.
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

#: Share of networks whose PSNR is within its interval.
COVERAGE = 0.9
#: Half the width of such an interval, in standard deviations of a normal distribution.
HALF_WIDTHS = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
#: Standard deviation of a network's PSNR over seeds of its training (studies/proxy_fidelity).
_SEED_DEVIATION_DB = 0.01
#: Of what a network misses by two trainings of it: a difference of two such PSNRs.
_OWN_DEVIATION_DB = math.sqrt(2) * _SEED_DEVIATION_DB
#: PSNR above bicubic; below this the image does not get through the network.
_LOST_DB = -1.0
#: Standard deviation of the offset of other images, before a study has trained anything in full.
_OTHER_IMAGES_DEVIATION_DB = 0.15


@dataclass(frozen=True)
class Normal:
    """A normal distribution in dB."""

    mean_db: float
    deviation_db: float


@dataclass(frozen=True)
class _Line:
    """The PSNR missing after one length of training.

    The regression is for networks that the image gets through; all others have one distribution.
    """

    regression: Pipeline
    #: degrees of freedom: rows less coefficients
    freedom: int
    others: Normal
    #: in dB, of those networks that it is fitted to, by the trained graph's hash
    own: Mapping[str, float]

    @classmethod
    def fitted(cls, pairs: Sequence[FullTraining]) -> _Line:
        """Fits to networks that were trained for this length and in full."""
        from sklearn.linear_model import BayesianRidge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        through = [pair for pair in pairs if _gets_through(pair.short)]
        rest = [pair.missing_db for pair in pairs if not _gets_through(pair.short)]
        regression = make_pipeline(StandardScaler(), BayesianRidge())
        regression.fit(
            np.array([_features(pair.short) for pair in through]),
            np.array([pair.missing_db for pair in through]),
        )
        coefficients = 1 + len(_features(through[0].short)) if through else 1
        own = {pair.short.graph: pair.missing_db for pair in pairs if pair.short.graph}
        return cls(regression, max(1, len(through) - coefficients), _spread(rest), own)

    def missing(self, trainings: Sequence[ShortTraining]) -> tuple[Floats, Floats]:
        """What a full training would add to each: means and standard deviations in dB, (n,)."""
        # The noise is estimated from few rows, so the interval is that of Student's t.
        from scipy.special import stdtrit

        features = np.array([_features(training) for training in trainings])
        mean, deviation = self.regression.predict(features, return_std=True)
        widening = stdtrit(self.freedom, 0.5 + COVERAGE / 2) / HALF_WIDTHS
        through = [_gets_through(training) for training in trainings]
        own = np.array([self.own.get(training.graph, np.nan) for training in trainings])
        # A full training never lowers the PSNR, however small the network.
        mean = np.where(through, np.maximum(0.0, mean), self.others.mean_db)
        deviation = np.where(through, deviation * widening, self.others.deviation_db)
        unknown = np.isnan(own)
        return np.where(unknown, mean, own), np.where(unknown, deviation, _OWN_DEVIATION_DB)


def _gets_through(training: ShortTraining) -> bool:
    """Whether the network's PSNR is near or above bicubic's; the regression does not hold below."""
    return training.gain_db > _LOST_DB


def _features(training: ShortTraining) -> Floats:
    values = (training.macs_per_pixel, training.convolutions, training.branching)
    return np.log2(np.maximum(1.0, values))


def _spread(missing_db: Sequence[float]) -> Normal:
    """Distribution of the values, with two pseudo-observations, 0 and 2 dB, for want of data."""
    values = [*missing_db, 0.0, 2.0]
    return Normal(float(np.mean(values)), float(np.std(values, ddof=1)))


@dataclass(frozen=True)
class QualityModel:
    """PSNR expected after a full training, for the images of one study.

    Made by ``fitted``, and for other images than the table's by ``adapted``.
    """

    #: by steps of the short training
    lines: Mapping[int, _Line]
    #: difference of these images from the table's
    offset: Normal = Normal(0.0, 0.0)

    @classmethod
    def fitted(cls, table: Table) -> QualityModel:
        """Fits to the trainings of ``table``."""
        lines = {steps: _Line.fitted(table.pairs(steps)) for steps in table.lengths}
        return cls(lines)

    def adapted(self, known: Sequence[FullTraining]) -> QualityModel:
        """The model for the images of the full trainings ``known``, offset by their residuals.

        The offset is the posterior of a normal mean whose prior has mean 0 and the standard
        deviation of other images; each residual counts by the precision of its prediction.
        """
        unadapted = replace(self, offset=Normal(0.0, 0.0))
        predicted = [unadapted._normal(training.short) for training in known]
        precisions = [normal.deviation_db**-2 for normal in predicted]
        total = _OTHER_IMAGES_DEVIATION_DB**-2 + sum(precisions)
        weighted = sum(
            precision * (training.psnr_db - normal.mean_db)
            for precision, training, normal in zip(precisions, known, predicted, strict=True)
        )
        return replace(self, offset=Normal(weighted / total, total**-0.5))

    def expected(self, training: ShortTraining) -> ExpectedPsnr:
        """After a full training; if ``training`` is one itself, its own PSNR."""
        normal = self._normal(training)
        return ExpectedPsnr.around(normal.mean_db, HALF_WIDTHS * normal.deviation_db)

    def missing_db(self, trainings: Sequence[ShortTraining]) -> Floats:
        """What a full training is expected to add to each, in dB, (n,); all have equal steps."""
        if not trainings or trainings[0].steps >= FULL_STEPS:
            return np.zeros(len(trainings))
        return self._missing(trainings)[0]

    def _normal(self, training: ShortTraining) -> Normal:
        if training.steps >= FULL_STEPS:
            return Normal(training.psnr_db, _SEED_DEVIATION_DB)
        (mean_db,), (deviation_db,) = self._missing([training])
        return Normal(
            training.psnr_db + float(mean_db) + self.offset.mean_db,
            math.hypot(float(deviation_db), self.offset.deviation_db),
        )

    def _missing(self, trainings: Sequence[ShortTraining]) -> tuple[Floats, Floats]:
        """Means and standard deviations, interpolated over the logarithm of the steps."""
        lengths = sorted(self.lines)
        steps = min(max(trainings[0].steps, lengths[0]), FULL_STEPS)
        below = max(length for length in lengths if length <= steps)
        means, deviations = self.lines[below].missing(trainings)
        if steps == below:
            return means, deviations
        above = next((length for length in lengths if length > steps), FULL_STEPS)
        share = math.log(steps / below) / math.log(above / below)
        if above == FULL_STEPS:
            later = np.zeros(len(trainings)), np.full(len(trainings), _SEED_DEVIATION_DB)
        else:
            later = self.lines[above].missing(trainings)
        return means + share * (later[0] - means), deviations + share * (later[1] - deviations)


@lru_cache
def shipped_model(scale: int) -> QualityModel:
    """Fitted to the package's own table, whose trainings are all at x3.

    At other scales nothing was tested; intervals are widened as for other images.
    """
    model = QualityModel.fitted(read_table())
    return model if scale == TABLE_SCALE else model.adapted(())
