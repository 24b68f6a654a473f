"""What a full training adds to a short one, learned from networks that had both.

Short trainings flatter small networks: what is still missing grows with capacity. One line a length
of training, fitted by Bayesian ridge regression (Tipping, "Sparse Bayesian Learning and the
Relevance Vector Machine", JMLR 2001; MacKay, "Bayesian Interpolation", 1992), tells the missing dB
from the multiply-accumulates and the number of convolutions, since deep networks take longer, too,
and from the branches that are merged later: they speed up a training's beginning, not its end.
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
from .table import FULL_STEPS, TABLE_SCALE, Table, read_table

if TYPE_CHECKING:
    import numpy.typing as npt
    from sklearn.pipeline import Pipeline

    Floats = npt.NDArray[np.float64]

#: Of the interval.
COVERAGE = 0.9
#: Half of it, in standard deviations of a normal distribution.
HALF_WIDTHS = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
#: How far two equal trainings are apart that differ by their seed alone (studies/proxy_fidelity).
_SEED_DEVIATION_DB = 0.01
#: Below bicubic by more than this after a short training, and the image does not get through.
_LOST_DB = -1.0
#: Of other images' expectations from the table's, before a study has trained anything in full.
_OTHER_IMAGES_DEVIATION_DB = 0.15


@dataclass(frozen=True)
class Normal:
    """A normal distribution in dB."""

    mean_db: float
    deviation_db: float


@dataclass(frozen=True)
class _Line:
    """What is missing after so many steps, of networks through which the image gets."""

    regression: Pipeline
    #: rows less coefficients
    freedom: int
    #: of all others together
    others: Normal

    @classmethod
    def fitted(cls, pairs: Sequence[FullTraining]) -> _Line:
        """To networks that were trained for so many steps, and in full."""
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
        return cls(regression, max(1, len(through) - coefficients), _spread(rest))

    def missing(self, trainings: Sequence[ShortTraining]) -> tuple[Floats, Floats]:
        """What a full training would add to each: mean and standard deviation, in dB."""
        # The noise is itself estimated from so few rows: the interval is that of Student's t.
        from scipy.special import stdtrit

        features = np.array([_features(training) for training in trainings])
        mean, deviation = self.regression.predict(features, return_std=True)
        wider = stdtrit(self.freedom, 0.5 + COVERAGE / 2) / HALF_WIDTHS
        through = [_gets_through(training) for training in trainings]
        # No full training is worth less than a short one, however small the network.
        return (
            np.where(through, np.maximum(0.0, mean), self.others.mean_db),
            np.where(through, deviation * wider, self.others.deviation_db),
        )


def _gets_through(training: ShortTraining) -> bool:
    """A network far below bicubic has lost the image on its way, and follows no rule."""
    return training.gain_db > _LOST_DB


def _features(training: ShortTraining) -> Floats:
    values = (training.macs_per_pixel, training.convolutions, training.branching)
    return np.log2(np.maximum(1.0, values))


def _spread(missing_db: Sequence[float]) -> Normal:
    """Of values that nothing is known to tell apart; with few of them, of more than those."""
    values = [*missing_db, 0.0, 2.0]
    return Normal(float(np.mean(values)), float(np.std(values, ddof=1)))


@dataclass(frozen=True)
class QualityModel:
    """Expectations for the images of one study; made by ``fitted`` and ``adapted``."""

    lines: Mapping[int, _Line]
    #: what these images add to what the table says
    offset: Normal = Normal(0.0, 0.0)

    @classmethod
    def fitted(cls, table: Table) -> QualityModel:
        """To the trainings of ``table``."""
        lines = {steps: _Line.fitted(table.pairs(steps)) for steps in table.lengths}
        return cls(lines)

    def adapted(self, known: Sequence[FullTraining]) -> QualityModel:
        """To images on which these were trained in full: by as much as all of them differ."""
        plain = replace(self, offset=Normal(0.0, 0.0))
        told = [(row.psnr_db, plain._normal(row.short)) for row in known]
        precision = _OTHER_IMAGES_DEVIATION_DB**-2
        weights = [normal.deviation_db**-2 for _, normal in told]
        total = precision + sum(weights)
        mean = sum(
            w * (psnr - normal.mean_db) for w, (psnr, normal) in zip(weights, told, strict=True)
        )
        return replace(self, offset=Normal(mean / total, total**-0.5))

    def expected(self, training: ShortTraining) -> ExpectedPsnr:
        """After a full training; one as long as that says it itself."""
        normal = self._normal(training)
        return ExpectedPsnr.around(normal.mean_db, HALF_WIDTHS * normal.deviation_db)

    def missing_db(self, trainings: Sequence[ShortTraining]) -> Floats:
        """What a full training is expected to add to each, all of the same number of steps."""
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
        """Between two lengths of the table, in proportion to the logarithm of the steps."""
        lengths = sorted(self.lines)
        told = [self.lines[steps].missing(trainings) for steps in lengths]
        told.append((np.zeros(len(trainings)), np.full(len(trainings), _SEED_DEVIATION_DB)))
        at, known = math.log(trainings[0].steps), np.log([*lengths, FULL_STEPS])
        means, deviations = (
            np.array([np.interp(at, known, values) for values in zip(*rows, strict=True)])
            for rows in zip(*told, strict=True)
        )
        return means, deviations


@lru_cache
def shipped_model(scale: int) -> QualityModel:
    """Fitted to the package's own table, which is of x3.

    For other scales its intervals are as much wider as other images make them: nothing was tested.
    """
    model = QualityModel.fitted(read_table())
    return model if scale == TABLE_SCALE else model.adapted(())
