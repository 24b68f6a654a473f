"""Evaluates the package's two models together: PSNR after a full training, before any training.

One predicts what a short training gives, the other what a full training adds to it; both are fitted
without the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau

from nas.quality_model.expectation import ShortTraining
from nas.quality_model.features import features_of, matrix_of
from nas.quality_model.full_training_model import HALF_WIDTHS, QualityModel, shipped_model
from nas.quality_model.networks import NetworkTable, ShortlyTrainedNetwork
from nas.quality_model.short_training_model import GainPrior, gains_of
from nas.quality_model.training_table import (
    FULL_STEPS,
    INPUT,
    TABLE_SCALE,
    macs_per_pixel,
    read_table,
)
from search_spaces import infer, zoo

from ..proxy_fidelity.run import kept_architectures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """Predicted PSNR, its deviation, and true PSNR of networks in dB; all are (networks,)."""

    predicted_db: Floats
    deviation_db: Floats
    true_db: Floats

    @property
    def error_db(self) -> Floats:
        return self.predicted_db - self.true_db

    @property
    def rms_error_db(self) -> float:
        """Root mean square error."""
        return math.sqrt(np.mean(self.error_db**2))

    @property
    def tau(self) -> float:
        """Kendall's tau of prediction and truth."""
        return float(kendalltau(self.predicted_db, self.true_db).statistic)

    @property
    def coverage(self) -> float:
        """Share of networks whose true PSNR is within the predicted 90 % interval."""
        return float(np.mean(np.abs(self.error_db) < HALF_WIDTHS * self.deviation_db))

    def __str__(self) -> str:
        return (
            f"Kendall's tau {self.tau:.2f}, root mean square error {self.rms_error_db:.3f} dB, "
            f"{self.coverage:.0%} within the 90 % interval"
        )


def after_full(own: Predicted, of_macs: Predicted, trained: Predicted) -> list[str]:
    """Returns lines of the page.

    ``own`` are left-out networks, ``of_macs`` the same predicted by their size alone, ``trained``
    networks that were trained in full.
    """
    return [
        f"PSNR after a full training of {FULL_STEPS:,} steps, predicted before any training: the",
        "Gaussian process predicts the gain after a short training, and the model of",
        "[proxy_fidelity](../proxy_fidelity) what a full training adds to it:",
        "",
        f"- {len(own.true_db)} random networks for x3, left out as above, compared with the PSNR",
        f"  expected from their own short training: {own}.",
        f"  With multiply-accumulates alone: {of_macs}",
        f"- {len(trained.true_db)} networks that were trained in full, predicted by models fitted",
        f"  without any of their trainings: {trained}",
    ]


def missing_db(networks: Sequence[ShortlyTrainedNetwork], steps: int) -> Floats:
    """Returns the gain in dB of a full training over one of ``steps``, as expected; (networks,)."""
    return shipped_model(TABLE_SCALE).missing_db([_short(one, steps) for one in networks])


def trained_in_full(table: NetworkTable, features: Floats) -> Predicted:
    """Predicts the networks that were trained in full and are better than bicubic enlargement.

    ``features`` are those of the networks in ``table``.
    """
    trainings, built = read_table(), kept_architectures()
    built |= {network.name: network.build(TABLE_SCALE) for network in zoo.ZOO}
    pairs = [
        pair for pair in trainings.pairs(table.steps) if pair.psnr_db >= trainings.bicubic_psnr_db
    ]
    candidates = [built[pair.name] for pair in pairs]
    hashes = {candidate.graph.hash for candidate in candidates}
    others = np.array([one.candidate.graph.hash not in hashes for one in table.networks])
    prior = GainPrior.fitted(features[others], gains_of(table)[others], table.kernel)
    gains = prior.gains(matrix_of([features_of(candidate) for candidate in candidates]))
    expected = [
        QualityModel.fitted(trainings.without(pair.name))
        .expected(replace(pair.short, psnr_db=trainings.bicubic_psnr_db + gain_db))
        .doubted(HALF_WIDTHS * deviation_db)
        for pair, gain_db, deviation_db in zip(
            pairs, gains.mean_db.tolist(), gains.deviation_db.tolist(), strict=True
        )
    ]
    return Predicted(
        np.array([one.psnr_db for one in expected]),
        np.array([one.high_db - one.low_db for one in expected]) / (2 * HALF_WIDTHS),
        np.array([pair.psnr_db for pair in pairs]),
    )


def _short(network: ShortlyTrainedNetwork, steps: int) -> ShortTraining:
    """Returns the short training of a network that is as good as bicubic enlargement."""
    candidate = network.candidate
    macs = macs_per_pixel(infer(candidate.deployed, INPUT).macs)
    return ShortTraining.of(candidate.graph, macs, steps, psnr_db=0.0, bicubic_psnr_db=0.0)
