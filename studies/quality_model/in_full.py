"""What the package's two models together tell, before any training, of PSNR after a full one.

One predicts what a short training gives, the other what a full one adds to it; neither has seen the
network.
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
from nas.quality_model.training_table import FULL_STEPS, INPUT, TABLE_SCALE, Table, read_table
from search_spaces import Candidate, infer, zoo

from ..proxy_fidelity.run import kept_architectures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """PSNR after a full training, in dB, as predicted before any training and as it turned out."""

    predicted_db: Floats
    deviation_db: Floats
    true_db: Floats

    def __str__(self) -> str:
        error = self.predicted_db - self.true_db
        held = np.abs(error) < HALF_WIDTHS * self.deviation_db
        tau = float(kendalltau(self.predicted_db, self.true_db).statistic)
        return (
            f"tau {tau:.2f}, root mean square error {math.sqrt(np.mean(error**2)):.3f} dB, "
            f"{held.mean():.0%} within the interval of 90 %"
        )


def after_full(own: Predicted, of_macs: Predicted, trained: Predicted) -> list[str]:
    """Lines of the page: of networks left out, of the same by their size alone, and of others."""
    return [
        f"PSNR after a full training, {FULL_STEPS:,} steps, predicted before any training by the",
        "process and by what a full training adds ([proxy_fidelity](../proxy_fidelity)):",
        "",
        f"- {len(own.true_db)} random networks x3, left out as above; truth is what is expected of",
        f"  their own short training: {own}.",
        f"  Multiply-accumulates alone: {of_macs}",
        f"- {len(trained.true_db)} networks that were trained in full, by models that have seen no",
        f"  training of theirs: {trained}",
    ]


def missing_db(networks: Sequence[ShortlyTrainedNetwork], steps: int) -> Floats:
    """What a full training is expected to add to one of ``steps``, in dB, (networks,)."""
    return shipped_model(TABLE_SCALE).missing_db([_short(one, steps) for one in networks])


def trained_in_full(table: NetworkTable) -> Predicted:
    """Those networks that were trained in full and get above bicubic enlargement."""
    trainings, built = read_table(), kept_architectures()
    built |= {network.name: network.build(TABLE_SCALE) for network in zoo.ZOO}
    pairs = [
        pair for pair in trainings.pairs(table.steps) if pair.psnr_db >= trainings.bicubic_psnr_db
    ]
    candidates = [built[pair.name] for pair in pairs]
    gains = _prior_without(candidates, table).gains(
        matrix_of([features_of(candidate) for candidate in candidates])
    )
    told = [
        _after_full(
            trainings, pair.name, replace(pair.short, psnr_db=trainings.bicubic_psnr_db + gain)
        )
        for pair, gain in zip(pairs, gains.mean_db.tolist(), strict=True)
    ]
    means, deviations = np.array(told).T
    true_db = np.array([pair.psnr_db for pair in pairs])
    return Predicted(means, np.hypot(gains.deviation_db, deviations), true_db)


def _prior_without(candidates: Sequence[Candidate], table: NetworkTable) -> GainPrior:
    """Fitted to all but these networks."""
    hashes = {candidate.graph.hash for candidate in candidates}
    features = matrix_of([features_of(one.candidate) for one in table.networks])
    others = np.array([one.candidate.graph.hash not in hashes for one in table.networks])
    return GainPrior.fitted(features[others], gains_of(table)[others], table.kernel)


def _after_full(table: Table, name: str, short: ShortTraining) -> tuple[float, float]:
    """Mean and deviation by a model that does not know the network of that name."""
    expected = QualityModel.fitted(table.without(name)).expected(short)
    return expected.psnr_db, (expected.high_db - expected.low_db) / 2 / HALF_WIDTHS


def _short(network: ShortlyTrainedNetwork, steps: int) -> ShortTraining:
    """As of a network that is no better than bicubic enlargement yet."""
    candidate = network.candidate
    macs = infer(candidate.deployed, INPUT).macs / (INPUT.height * INPUT.width)
    return ShortTraining.of(candidate.graph, macs, steps, psnr_db=0.0, bicubic_psnr_db=0.0)
