"""Predicts a network's PSNR before it is trained, from the trainings of other networks.

A Gaussian process (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006) over
the features of networks is fitted to the trainings that come with the package. A study's own
trainings correct it by an offset and a slope, since its images are others, and by a second process
over the features for the remainder (Kennedy and O'Hagan, "Predicting the Output from a Complex
Computer Code when Fast Approximations Are Available", Biometrika 2000). Trainings of other studies
are used as well, each study with an offset, a slope and a remainder of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular

from .features import NAMES, features_of, matrix_of
from .networks import LOST_DB, KernelValues, NetworkTable, shipped_networks

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

Floats = npt.NDArray[np.float64]

#: Prior standard deviations of a study's offset, in dB, and of its slope, in dB per dB of gain.
_OFFSET_DB, _SLOPE = 0.3, 0.3
#: Prior standard deviation of the remainder.
_OWN_DB = 0.1


@dataclass(frozen=True)
class Gains:
    """Normal distributions of PSNR above bicubic enlargement, in dB: both are (networks,)."""

    mean_db: Floats
    deviation_db: Floats


@dataclass(frozen=True)
class OtherTrainings:
    """Gains of networks that other studies have trained."""

    #: (networks, features)
    features: Floats
    gain_db: Floats
    #: (networks,): equal numbers where images and training are the same; 0 where as in this study
    conditions: npt.NDArray[np.int64]

    @classmethod
    def none(cls) -> OtherTrainings:
        """Of no study."""
        return cls(np.zeros((0, len(NAMES))), np.zeros(0), np.zeros(0, np.int64))


@dataclass(frozen=True)
class GainPrior:
    """PSNR above bicubic enlargement after a search's short training, predicted by features.

    The process is over gains at the size that they have at x3: at smaller scales they are larger.
    """

    process: GaussianProcessRegressor
    #: (features,): mean and standard deviation over the table's networks
    center: Floats
    spread: Floats
    mean_db: float
    noise_db: float
    #: factor of standard deviations, found by leaving networks out
    widening: float
    #: gains at a scale relative to those at x3
    relative_gains: Mapping[int, float]
    #: used by studies, in addition to the table
    others: OtherTrainings = field(default_factory=OtherTrainings.none)

    def beside(self, others: OtherTrainings) -> GainPrior:
        """The prior of a study that also knows these trainings."""
        return replace(self, others=others)

    @classmethod
    def fitted(cls, features: Floats, gain_db: Floats, kernel: KernelValues) -> GainPrior:
        """Fits to features, (networks, features), and gains in dB, (networks,)."""
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
        gain_db = gain_db / relative_gains(features, kernel.relative_gains)
        mean = float(gain_db.mean())
        process.fit((features - center) / spread, gain_db - mean)
        return cls(
            process, center, spread, mean, kernel.noise_db, kernel.widening, kernel.relative_gains
        )

    @classmethod
    def of_table(cls, table: NetworkTable) -> GainPrior:
        """Fitted to all networks of ``table``."""
        features = matrix_of([features_of(network.candidate) for network in table.networks])
        return cls.fitted(features, gains_of(table), table.kernel)

    def scaled(self, features: Floats) -> Floats:
        """Standardized by the mean and the standard deviation of the table's networks."""
        return (features - self.center) / self.spread

    def gains(self, features: Floats) -> Gains:
        """Predictions by the table alone; the deviations include the noise of a training."""
        mean, deviation = self.process.predict(self.scaled(features), return_std=True)
        return self.at_scale(mean + self.mean_db, np.hypot(deviation, self.noise_db), features)

    def at_scale(self, mean_db: Floats, deviation_db: Floats, features: Floats) -> Gains:
        """What the process says, brought to the scale of each network; deviations are widened."""
        relative = relative_gains(features, self.relative_gains)
        return Gains(relative * mean_db, self.widening * relative * deviation_db)

    def familiarity(self, features: Floats) -> Floats:
        """Share of each gain's prior variance that the table explains: 1 is all, 0 is none."""
        deviation = self.process.predict(self.scaled(features), return_std=True)[1]
        return np.asarray(1 - deviation**2 / self.process.kernel_.k1.constant_value)

    def distances(self, features: Floats) -> Floats:
        """(networks, features): distance outside of the table's range, in standard deviations."""
        fitted, scaled = self.process.X_train_, self.scaled(features)
        outside = np.maximum(scaled - fitted.max(axis=0), fitted.min(axis=0) - scaled)
        return np.asarray(np.maximum(outside, 0.0))

    def placed(self, features: Floats, conditions: npt.NDArray[np.int64]) -> PlacedNetworks:
        """Networks with their covariances to the table's, before any of them is trained."""
        scaled = self.scaled(features)
        across = self.process.kernel_(self.process.X_train_, scaled)
        mean = across.T @ self.process.alpha_ + self.mean_db
        solved = solve_triangular(self.process.L_, across, lower=True)
        return PlacedNetworks(scaled, conditions, mean, solved)

    def covariance(self, rows: PlacedNetworks, columns: PlacedNetworks) -> Floats:
        """(rows, columns): covariance of their gains, given the table.

        Equal conditions add a covariance of their own.
        """
        kernel = self.process.kernel_
        correlation = kernel.k2(rows.scaled, columns.scaled)
        posterior = kernel.k1.constant_value * correlation - rows.solved.T @ columns.solved
        shared = _shared(np.outer(rows.mean_db, columns.mean_db), correlation)
        return np.asarray(posterior + shared * np.equal.outer(rows.conditions, columns.conditions))

    def variance(self, networks: PlacedNetworks) -> Floats:
        """The diagonal of the covariance with themselves."""
        posterior = self.process.kernel_.k1.constant_value - np.square(networks.solved).sum(axis=0)
        return np.asarray(posterior + _shared(np.square(networks.mean_db), 1.0))


def _shared(products: Floats, correlation: Floats | float) -> Floats:
    """Covariance of gains under equal conditions: an offset, a slope, and a process of its own.

    ``products`` are those of the means of two networks.
    """
    return np.asarray(_OFFSET_DB**2 + _SLOPE**2 * products + _OWN_DB**2 * correlation)


@dataclass(frozen=True)
class PlacedNetworks:
    """Networks, and what covariances of their gains are computed from."""

    #: standardized features, (networks, features)
    scaled: Floats
    #: (networks,): equal numbers where images and training are the same
    conditions: npt.NDArray[np.int64]
    #: (networks,): mean of the gain, at the size of x3
    mean_db: Floats
    #: (networks of the table, networks): L^-1 k, with the table's Cholesky factor L
    solved: Floats

    def part(self, rows: slice) -> PlacedNetworks:
        """Some of them."""
        return PlacedNetworks(
            self.scaled[rows], self.conditions[rows], self.mean_db[rows], self.solved[:, rows]
        )

    def beside(self, others: PlacedNetworks) -> PlacedNetworks:
        """These networks, followed by ``others``."""
        return PlacedNetworks(
            np.vstack([self.scaled, others.scaled]),
            np.concatenate([self.conditions, others.conditions]),
            np.concatenate([self.mean_db, others.mean_db]),
            np.hstack([self.solved, others.solved]),
        )

    def shared(self, scaled: Floats, conditions: npt.NDArray[np.int64]) -> int:
        """Length of the common prefix with networks of these features and conditions."""
        count = min(len(self.scaled), len(scaled))
        same = (self.scaled[:count] == scaled[:count]).all(axis=1)
        same &= self.conditions[:count] == conditions[:count]
        return count if same.all() else int(same.argmin())


@dataclass(frozen=True)
class _Placed:
    """A study's networks, and the Cholesky factor of their covariance."""

    #: by which the networks were placed
    prior: GainPrior
    networks: PlacedNetworks
    #: lower triangular; the covariance includes noise
    factor: Floats

    def first(self, count: int) -> _Placed:
        """The first ``count`` networks; their factor is the leading block of the whole."""
        return _Placed(self.prior, self.networks.part(slice(count)), self.factor[:count, :count])

    def grown(self, new: PlacedNetworks) -> _Placed:
        """With networks appended; the factor is extended by blocks."""
        prior, count = self.prior, len(new.mean_db)
        across = solve_triangular(self.factor, prior.covariance(self.networks, new), lower=True)
        own = prior.covariance(new, new) + prior.noise_db**2 * np.eye(count)
        factor = np.block(
            [
                [self.factor, np.zeros((len(self.factor), count))],
                [across.T, np.linalg.cholesky(own - across.T @ across)],
            ]
        )
        return _Placed(prior, self.networks.beside(new), factor)


class StudyMemory:
    """Keeps what was computed of a study's networks, so that only new ones are computed."""

    def __init__(self) -> None:
        self._latest: _Placed | None = None

    def placed(
        self, prior: GainPrior, features: Floats, conditions: npt.NDArray[np.int64]
    ) -> _Placed:
        """Networks of these features, (networks, features); a prefix seen before is reused."""
        latest, scaled = self._latest, prior.scaled(features)
        if latest is None or latest.prior is not prior:
            latest = _Placed(prior, prior.placed(features[:0], conditions[:0]), np.zeros((0, 0)))
        same = latest.networks.shared(scaled, conditions)
        self._latest = latest.first(same).grown(prior.placed(features[same:], conditions[same:]))
        return self._latest


@dataclass(frozen=True)
class _Evidence:
    """What the posterior of any other network needs of those in the study."""

    #: trained ones, then those in training
    networks: PlacedNetworks
    #: lower triangular Cholesky factor of their covariance with noise
    factor: Floats
    #: (trained networks,): K^-1 (y - mean)
    weights: Floats


@dataclass(frozen=True)
class StudyGains:
    """Posterior of the gains of a study's networks, given those that it has trained.

    ``known`` and ``pending`` are features, (networks, features): of trained networks, whose gains
    are ``gain_db``, (networks,), and of networks in training, which reduce variances only.
    """

    prior: GainPrior
    known: Floats
    gain_db: Floats
    pending: Floats
    #: shared by all posteriors of a study
    memory: StudyMemory = field(default_factory=StudyMemory, repr=False, compare=False)

    def of(self, features: Floats) -> Gains:
        """Gains of networks of these features, (networks, features), by the study's training."""
        prior, evidence = self.prior, self._evidence
        networks = prior.placed(features, np.zeros(len(features), np.int64))
        variance, shift = prior.variance(networks), np.zeros(len(features))
        if len(evidence.factor):
            across = prior.covariance(evidence.networks, networks)
            solved = solve_triangular(evidence.factor, across, lower=True)
            variance = variance - np.square(solved).sum(axis=0)
            shift = across[: len(evidence.weights)].T @ evidence.weights
        deviation = np.sqrt(np.maximum(variance, 0.0) + prior.noise_db**2)
        return prior.at_scale(networks.mean_db + shift, deviation, features)

    @cached_property
    def _evidence(self) -> _Evidence:
        others, own = self.prior.others, len(self.known) + len(self.pending)
        features = np.vstack([others.features, self.known, self.pending])
        conditions = np.concatenate([others.conditions, np.zeros(own, np.int64)])
        placed = self.memory.placed(self.prior, features, conditions)
        networks, factor = placed.networks, placed.factor
        gain_db = np.concatenate([others.gain_db, self.gain_db])
        trained = len(gain_db)
        relative = relative_gains(features[:trained], self.prior.relative_gains)
        residual = np.maximum(gain_db, LOST_DB) / relative - networks.mean_db[:trained]
        # The leading block of a factor is the factor of the leading block.
        weights = cho_solve((factor[:trained, :trained], True), residual)
        return _Evidence(networks, factor, np.asarray(weights))


def relative_gains(features: Floats, by_scale: Mapping[int, float]) -> Floats:
    """(networks,): the value of each network's scale in ``by_scale``, 1 if it has none."""
    scales = np.rint(2.0 ** features[:, NAMES.index("log_scale")])
    return np.array([by_scale.get(int(scale), 1.0) for scale in scales.tolist()])


def gains_of(table: NetworkTable) -> Floats:
    """(networks,): gains over bicubic enlargement in dB, at least ``LOST_DB``."""
    gains = [table.gain_db(network) for network in table.networks]
    return np.maximum(gains, LOST_DB)


@lru_cache
def shipped_prior() -> GainPrior:
    """Fitted to the package's own networks, once a process."""
    return GainPrior.of_table(shipped_networks())
