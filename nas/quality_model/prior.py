"""What is known of a network's PSNR before it is trained: from others, by what it has in common.

A Gaussian process (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006) over
the features of networks, through the trainings that come with the package. A study's own trainings
then correct it: by an offset and a slope, since its images are others, and by what is left, which
holds of networks like those that it trained (Kennedy and O'Hagan, "Predicting the Output from a
Complex Computer Code when Fast Approximations Are Available", Biometrika 2000). Trainings of other
studies tell more of all networks, each study by an offset, a slope and a remainder of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from .features import NAMES, features_of, matrix_of
from .networks import LOST_DB, KernelValues, NetworkTable, shipped_networks

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

Floats = npt.NDArray[np.float64]

#: What a study's images may add to the gain over bicubic enlargement, and to each dB of it.
_OFFSET_DB, _SLOPE = 0.3, 0.3
#: What is peculiar to a study's networks, as far as they are alike.
_OWN_DB = 0.1


@dataclass(frozen=True)
class Gains:
    """Normal distributions of PSNR over bicubic enlargement, one a network, in dB."""

    mean_db: Floats
    deviation_db: Floats


@dataclass(frozen=True)
class OtherTrainings:
    """Gains of networks that other studies have trained."""

    #: (networks, features)
    features: Floats
    gain_db: Floats
    #: for each network a number: equal where images and training are; 0: as in the study itself
    conditions: npt.NDArray[np.int64]

    @classmethod
    def none(cls) -> OtherTrainings:
        """Of no study."""
        return cls(np.zeros((0, len(NAMES))), np.zeros(0), np.zeros(0, np.int64))


@dataclass(frozen=True)
class GainPrior:
    """PSNR over bicubic enlargement after a search's short training, of any network."""

    process: GaussianProcessRegressor
    #: of the table's features: mean, and deviation
    center: Floats
    spread: Floats
    mean_db: float
    noise_db: float
    #: of deviations, found by leaving networks out
    widening: float
    #: beside the table, for studies alone
    others: OtherTrainings = field(default_factory=OtherTrainings.none)

    def beside(self, others: OtherTrainings) -> GainPrior:
        """For a study that knows of these, too."""
        return replace(self, others=others)

    @classmethod
    def fitted(cls, features: Floats, gain_db: Floats, kernel: KernelValues) -> GainPrior:
        """To networks whose ``features`` (networks, features) and gains are known."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        center, spread = features.mean(axis=0), features.std(axis=0)
        spread[spread < 1e-6] = 1.0
        lengths = [kernel.length_scales[name] for name in NAMES]
        process = GaussianProcessRegressor(
            ConstantKernel(kernel.amplitude_db**2) * Matern(lengths, nu=2.5),
            alpha=kernel.noise_db**2,
            optimizer=None,
        )
        mean = float(gain_db.mean())
        process.fit((features - center) / spread, gain_db - mean)
        return cls(process, center, spread, mean, kernel.noise_db, kernel.widening)

    @classmethod
    def of_table(cls, table: NetworkTable) -> GainPrior:
        """Fitted to all networks of ``table``."""
        features = matrix_of([features_of(network.candidate) for network in table.networks])
        return cls.fitted(features, gains_of(table), table.kernel)

    def _scaled(self, features: Floats) -> Floats:
        """In deviations of the table's."""
        return (features - self.center) / self.spread

    def gains(self, features: Floats) -> Gains:
        """Of networks of which the table alone tells; the training's own noise included."""
        mean, deviation = self.process.predict(self._scaled(features), return_std=True)
        return Gains(mean + self.mean_db, self.widening * np.hypot(deviation, self.noise_db))

    def familiarity(self, features: Floats) -> Floats:
        """1 where the table settles a network's gain, 0 where it tells no more than the mean."""
        deviation = self.process.predict(self._scaled(features), return_std=True)[1]
        return np.asarray(1 - deviation**2 / self.process.kernel_.k1.constant_value)

    def distances(self, features: Floats) -> Floats:
        """(networks, features): how far each is outside of the table's range, in deviations."""
        known, scaled = self.process.X_train_, self._scaled(features)
        beyond = np.maximum(scaled - known.max(axis=0), known.min(axis=0) - scaled)
        return np.asarray(np.maximum(beyond, 0.0))

    def joint(self, features: Floats, conditions: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Means and covariances of gains, before anything is trained under these conditions.

        Where they are the same, gains have more in common than the table tells.
        """
        scaled = self._scaled(features)
        mean, covariance = self.process.predict(scaled, return_cov=True)
        alike = self.process.kernel_.k2(scaled)
        mean = mean + self.mean_db
        common = _OFFSET_DB**2 + _SLOPE**2 * np.outer(mean, mean) + _OWN_DB**2 * alike
        return mean, covariance + common * np.equal.outer(conditions, conditions)


@dataclass(frozen=True)
class StudyGains:
    """What a study's trainings say of its other networks.

    ``known`` and ``pending`` are features (networks, features): those of trained networks, with
    their gains, and of networks in training, whose results will be known soon.
    """

    prior: GainPrior
    known: Floats
    gain_db: Floats
    pending: Floats

    def of(self, features: Floats) -> Gains:
        """Distributions of the gains that the study's training would give these networks."""
        others = self.prior.others
        given = len(others.features) + len(self.known)
        soon = given + len(self.pending)
        rows = np.vstack([others.features, self.known, self.pending, features])
        own_rows = len(rows) - len(others.features)
        conditions = np.concatenate([others.conditions, np.zeros(own_rows, np.int64)])
        mean, covariance = self.prior.joint(rows, conditions)
        noise = self.prior.noise_db**2
        own = covariance[soon:, soon:].diagonal()
        if given:
            factor = cho_factor(covariance[:given, :given] + noise * np.eye(given))
            gain_db = np.concatenate([others.gain_db, self.gain_db])
            surprise = np.maximum(gain_db, LOST_DB) - mean[:given]
            shift = covariance[soon:, :given] @ cho_solve(factor, surprise)
        else:
            shift = np.zeros(len(features))
        if soon:
            factor = cho_factor(covariance[:soon, :soon] + noise * np.eye(soon))
            across = covariance[:soon, soon:]
            own = own - np.einsum("ij,ij->j", across, cho_solve(factor, across))
        deviation = self.prior.widening * np.sqrt(np.maximum(own, 0.0) + noise)
        return Gains(mean[soon:] + shift, deviation)


def gains_of(table: NetworkTable) -> Floats:
    """Of its networks, over bicubic enlargement, in dB: what is lost is no more than lost."""
    gains = [table.gain_db(network) for network in table.networks]
    return np.maximum(gains, LOST_DB)


@lru_cache
def shipped_prior() -> GainPrior:
    """Fitted to the package's own networks, once a process."""
    return GainPrior.of_table(shipped_networks())
