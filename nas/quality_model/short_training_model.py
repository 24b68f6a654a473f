"""Predicts a network's PSNR before it is trained, from the trainings of other networks.

A Gaussian process (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006) over
the features of networks is fitted to the gains of the package's table: PSNRs minus that of bicubic
enlargement. Since a study has other images, its trainings correct the prediction by an offset, a
slope, and a second Gaussian process over the features for the remainder (Kennedy and O'Hagan,
"Predicting the Output from a Complex Computer Code when Fast Approximations Are Available",
Biometrika 2000). Trainings of other studies are used as well, with separate offsets, slopes and
remainders.
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
#: Prior standard deviation of the remainder, in dB.
_REMAINDER_DB = 0.1


@dataclass(frozen=True)
class Gains:
    """Normal distributions of PSNR minus that of bicubic enlargement, in dB: (networks,) each."""

    mean_db: Floats
    deviation_db: Floats


@dataclass(frozen=True)
class OtherTrainings:
    """Features and gains of networks that other studies have trained."""

    #: (networks, features)
    features: Floats
    gain_db: Floats
    #: (networks,): equal numbers mean equal images and trainings, 0 means those of this study
    conditions: npt.NDArray[np.int64]

    @classmethod
    def none(cls) -> OtherTrainings:
        """Returns an empty set of trainings."""
        return cls(np.zeros((0, len(NAMES))), np.zeros(0), np.zeros(0, np.int64))


@dataclass(frozen=True)
class GainPrior:
    """Predicts the gain of a network after a search's short training from its features.

    The process models normalized gains: gains divided by the ratio of those at the network's scale
    to those at x3, since gains are larger at smaller scales.
    """

    process: GaussianProcessRegressor
    #: mean and standard deviation of each feature over the table's networks, (features,)
    center: Floats
    spread: Floats
    #: mean of the normalized gains of the table
    mean_db: float
    #: standard deviation of the gain between trainings of one network
    noise_db: float
    #: factor of standard deviations, found by cross-validation
    widening: float
    #: ratio of gains at a scale to those at x3
    relative_gains: Mapping[int, float]
    #: trainings that ``StudyGains`` uses in addition to the table
    others: OtherTrainings = field(default_factory=OtherTrainings.none)

    def beside(self, others: OtherTrainings) -> GainPrior:
        """Returns the prior of a study that also uses the trainings ``others``."""
        return replace(self, others=others)

    @classmethod
    def fitted(cls, features: Floats, gain_db: Floats, kernel: KernelValues) -> GainPrior:
        """Fits the prior to features, (networks, features), and gains in dB, (networks,)."""
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
        """Fits the prior to all networks of ``table``."""
        features = matrix_of([features_of(network.candidate) for network in table.networks])
        return cls.fitted(features, gains_of(table), table.kernel)

    def standardized(self, features: Floats) -> Floats:
        """Standardizes features by the mean and standard deviation of the table's networks."""
        return (features - self.center) / self.spread

    def gains(self, features: Floats) -> Gains:
        """Predicts gains from the table alone; the deviations include the noise of a training."""
        mean, deviation = self.process.predict(self.standardized(features), return_std=True)
        return self.denormalized(mean + self.mean_db, np.hypot(deviation, self.noise_db), features)

    def denormalized(self, mean_db: Floats, deviation_db: Floats, features: Floats) -> Gains:
        """Converts normalized gains to gains at each network's scale, and widens deviations."""
        relative = relative_gains(features, self.relative_gains)
        return Gains(relative * mean_db, self.widening * relative * deviation_db)

    def familiarity(self, features: Floats) -> Floats:
        """Returns the share of each gain's prior variance that the table explains, 0 to 1."""
        deviation = self.process.predict(self.standardized(features), return_std=True)[1]
        return np.asarray(1 - deviation**2 / self.process.kernel_.k1.constant_value)

    def distances(self, features: Floats) -> Floats:
        """Returns distances outside of the table's range, (networks, features).

        They are in standard deviations, and 0 within the range.
        """
        fitted, standardized = self.process.X_train_, self.standardized(features)
        above, below = standardized - fitted.max(axis=0), fitted.min(axis=0) - standardized
        outside = np.maximum(above, below)
        return np.asarray(np.maximum(outside, 0.0))

    def conditioned(self, features: Floats, conditions: npt.NDArray[np.int64]) -> NetworkPosterior:
        """Returns the posterior of networks given the table, but no training of a study."""
        standardized = self.standardized(features)
        cross = self.process.kernel_(self.process.X_train_, standardized)
        mean = cross.T @ self.process.alpha_ + self.mean_db
        whitened = solve_triangular(self.process.L_, cross, lower=True)
        return NetworkPosterior(standardized, conditions, mean, whitened)

    def covariance(self, rows: NetworkPosterior, columns: NetworkPosterior) -> Floats:
        """Returns the covariance of normalized gains, (rows, columns), given the table.

        Networks with equal conditions share an offset, a slope and a remainder, which add to it.
        """
        kernel = self.process.kernel_
        correlation = kernel.k2(rows.standardized, columns.standardized)
        posterior = kernel.k1.constant_value * correlation - rows.whitened.T @ columns.whitened
        shared = _condition_covariance(np.outer(rows.mean_db, columns.mean_db), correlation)
        return np.asarray(posterior + shared * np.equal.outer(rows.conditions, columns.conditions))

    def variance(self, networks: NetworkPosterior) -> Floats:
        """Returns the variance of normalized gains, (networks,), given the table."""
        explained = np.square(networks.whitened).sum(axis=0)
        posterior = self.process.kernel_.k1.constant_value - explained
        return np.asarray(posterior + _condition_covariance(np.square(networks.mean_db), 1.0))


def _condition_covariance(products: Floats, correlation: Floats | float) -> Floats:
    """Returns the covariance by the offset, slope and remainder that equal conditions share.

    ``products`` are products of the mean gains of two networks, ``correlation`` is that of the
    remainder.
    """
    return np.asarray(_OFFSET_DB**2 + _SLOPE**2 * products + _REMAINDER_DB**2 * correlation)


@dataclass(frozen=True)
class NetworkPosterior:
    """Networks with the posterior of their normalized gains given the table."""

    #: standardized features, (networks, features)
    standardized: Floats
    #: (networks,): equal numbers mean equal images and trainings
    conditions: npt.NDArray[np.int64]
    #: mean of the normalized gain, (networks,)
    mean_db: Floats
    #: L^-1 k, (networks of the table, networks), with the Cholesky factor L of the table's
    #: covariance and the covariances k between the table and these networks
    whitened: Floats

    def part(self, rows: slice) -> NetworkPosterior:
        """Returns the networks ``rows``."""
        return NetworkPosterior(
            self.standardized[rows],
            self.conditions[rows],
            self.mean_db[rows],
            self.whitened[:, rows],
        )

    def followed_by(self, others: NetworkPosterior) -> NetworkPosterior:
        """Returns these networks followed by ``others``."""
        return NetworkPosterior(
            np.vstack([self.standardized, others.standardized]),
            np.concatenate([self.conditions, others.conditions]),
            np.concatenate([self.mean_db, others.mean_db]),
            np.hstack([self.whitened, others.whitened]),
        )

    def common_prefix(self, standardized: Floats, conditions: npt.NDArray[np.int64]) -> int:
        """Returns the length of the common prefix with networks of the given values."""
        count = min(len(self.standardized), len(standardized))
        same = (self.standardized[:count] == standardized[:count]).all(axis=1)
        same &= self.conditions[:count] == conditions[:count]
        return count if same.all() else int(same.argmin())


@dataclass(frozen=True)
class _FactoredCovariance:
    """A study's networks, and the Cholesky factor of their covariance."""

    #: prior that the covariance is computed by
    prior: GainPrior
    networks: NetworkPosterior
    #: lower triangular factor of the covariance with noise
    factor: Floats

    def first(self, count: int) -> _FactoredCovariance:
        """Returns the first ``count`` networks with their factor, a leading block of this one."""
        networks = self.networks.part(slice(count))
        return _FactoredCovariance(self.prior, networks, self.factor[:count, :count])

    def extended(self, new: NetworkPosterior) -> _FactoredCovariance:
        """Returns these networks followed by ``new``, with the factor extended by blocks."""
        prior, count = self.prior, len(new.mean_db)
        cross = solve_triangular(self.factor, prior.covariance(self.networks, new), lower=True)
        new_covariance = prior.covariance(new, new) + prior.noise_db**2 * np.eye(count)
        factor = np.block(
            [
                [self.factor, np.zeros((len(self.factor), count))],
                [cross.T, np.linalg.cholesky(new_covariance - cross.T @ cross)],
            ]
        )
        return _FactoredCovariance(prior, self.networks.followed_by(new), factor)


class StudyMemory:
    """Keeps the covariance of a study's networks, so that it is computed for new ones only."""

    def __init__(self) -> None:
        self._latest: _FactoredCovariance | None = None

    def factored(
        self, prior: GainPrior, features: Floats, conditions: npt.NDArray[np.int64]
    ) -> _FactoredCovariance:
        """Returns the covariance of networks with ``features``, (networks, features).

        The part for networks at the beginning that are those of the previous call is reused.
        """
        latest, standardized = self._latest, prior.standardized(features)
        if latest is None or latest.prior is not prior:
            nothing = prior.conditioned(features[:0], conditions[:0])
            latest = _FactoredCovariance(prior, nothing, np.zeros((0, 0)))
        same = latest.networks.common_prefix(standardized, conditions)
        new = prior.conditioned(features[same:], conditions[same:])
        self._latest = latest.first(same).extended(new)
        return self._latest


@dataclass(frozen=True)
class _Evidence:
    """A study's networks and results, in the form that predictions are computed from."""

    #: trained networks, followed by those in training
    networks: NetworkPosterior
    #: lower triangular Cholesky factor of their covariance with noise
    factor: Floats
    #: K^-1 (y - mean), (trained networks,), with their covariance K and normalized gains y
    weights: Floats


@dataclass(frozen=True)
class StudyGains:
    """Predicts gains of networks from a study's trainings, in addition to the table.

    ``known`` are the features, (networks, features), of trained networks, and ``gain_db`` their
    gains, (networks,). ``pending`` are the features of networks in training, which only reduce the
    variances.
    """

    prior: GainPrior
    known: Floats
    gain_db: Floats
    pending: Floats
    #: shared by all instances of a study
    memory: StudyMemory = field(default_factory=StudyMemory, repr=False, compare=False)

    def of(self, features: Floats) -> Gains:
        """Predicts the gains of networks with ``features``, (networks, features), in the study."""
        prior, evidence = self.prior, self._evidence
        networks = prior.conditioned(features, np.zeros(len(features), np.int64))
        variance, shift = prior.variance(networks), np.zeros(len(features))
        if len(evidence.factor):
            cross = prior.covariance(evidence.networks, networks)
            whitened = solve_triangular(evidence.factor, cross, lower=True)
            variance = variance - np.square(whitened).sum(axis=0)
            shift = cross[: len(evidence.weights)].T @ evidence.weights
        deviation = np.sqrt(np.maximum(variance, 0.0) + prior.noise_db**2)
        return prior.denormalized(networks.mean_db + shift, deviation, features)

    @cached_property
    def _evidence(self) -> _Evidence:
        others, own = self.prior.others, len(self.known) + len(self.pending)
        features = np.vstack([others.features, self.known, self.pending])
        conditions = np.concatenate([others.conditions, np.zeros(own, np.int64)])
        covariance = self.memory.factored(self.prior, features, conditions)
        networks, factor = covariance.networks, covariance.factor
        gain_db = np.concatenate([others.gain_db, self.gain_db])
        trained = len(gain_db)
        relative = relative_gains(features[:trained], self.prior.relative_gains)
        residual = np.maximum(gain_db, LOST_DB) / relative - networks.mean_db[:trained]
        # The leading block of a factor is the factor of the leading block.
        weights = cho_solve((factor[:trained, :trained], True), residual)
        return _Evidence(networks, factor, np.asarray(weights))


def relative_gains(features: Floats, by_scale: Mapping[int, float]) -> Floats:
    """Returns the value of each network's scale in ``by_scale``, else 1: (networks,)."""
    scales = np.rint(2.0 ** features[:, NAMES.index("log_scale")])
    return np.array([by_scale.get(int(scale), 1.0) for scale in scales.tolist()])


def gains_of(table: NetworkTable) -> Floats:
    """Returns the gains of the table's networks in dB, at least ``LOST_DB``: (networks,)."""
    gains = [table.gain_db(network) for network in table.networks]
    return np.maximum(gains, LOST_DB)


@lru_cache
def shipped_prior() -> GainPrior:
    """Returns the prior fitted to the package's table; each process fits it once."""
    return GainPrior.of_table(shipped_networks())
