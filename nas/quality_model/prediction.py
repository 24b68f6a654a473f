"""Predicts the PSNR of an untrained network on the images of the package's table."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import Candidate, infer

from .expectation import ExpectedPsnr, ShortTraining
from .features import NAMES, features_of, matrix_of
from .full_training_model import HALF_WIDTHS, shipped_model
from .networks import shipped_networks
from .short_training_model import shipped_prior
from .training_table import INPUT, macs_per_pixel

#: Distance outside of the table's range, in standard deviations, at which a feature is unusual.
_UNUSUAL_DISTANCE = 0.5


@dataclass(frozen=True)
class QualityPrediction:
    """Predicted INT8 PSNR of a network after a short training of ``steps`` and after a full one.

    Both have 90 % intervals. ``networks`` is the number of networks in the package's table;
    ``familiarity`` is the share of the prior variance that they explain, 0 to 1; ``unusual`` names
    the features that lie outside of the table's range.
    """

    steps: int
    short: ExpectedPsnr
    full: ExpectedPsnr
    bicubic_psnr_db: float
    networks: int
    familiarity: float
    unusual: tuple[str, ...]


def predict_quality(candidate: Candidate) -> QualityPrediction:
    """Predicts the PSNR of any network of scale 2, 3 or 4, without training it."""
    table, prior = shipped_networks(), shipped_prior()
    scale = candidate.graph.scale
    bicubic_db = table.bicubic_psnr_db[scale]
    features = matrix_of([features_of(candidate)])
    gains = prior.gains(features)
    short_db, deviation_db = bicubic_db + float(gains.mean_db[0]), float(gains.deviation_db[0])
    macs = macs_per_pixel(infer(candidate.deployed, INPUT).macs)
    training = ShortTraining.of(candidate.graph, macs, table.steps, short_db, bicubic_db)
    half_width_db = HALF_WIDTHS * deviation_db
    return QualityPrediction(
        steps=table.steps,
        short=ExpectedPsnr.around(short_db, half_width_db),
        full=shipped_model(scale).expected(training).doubted(half_width_db),
        bicubic_psnr_db=bicubic_db,
        networks=len(table.networks),
        familiarity=float(prior.familiarity(features)[0]),
        unusual=tuple(
            name
            for name, far in zip(NAMES, prior.distances(features)[0], strict=True)
            if far > _UNUSUAL_DISTANCE
        ),
    )
