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

    def scaled(self, features: Floats) -> Floats:
        """In deviations of the table's."""
        return (features - self.center) / self.spread

    def gains(self, features: Floats) -> Gains:
        """Of networks of which the table alone tells; the training's own noise included."""
        mean, deviation = self.process.predict(self.scaled(features), return_std=True)
        return Gains(mean + self.mean_db, self.widening * np.hypot(deviation, self.noise_db))

    def familiarity(self, features: Floats) -> Floats:
        """1 where the table settles a network's gain, 0 where it tells no more than the mean."""
        deviation = self.process.predict(self.scaled(features), return_std=True)[1]
        return np.asarray(1 - deviation**2 / self.process.kernel_.k1.constant_value)

    def distances(self, features: Floats) -> Floats:
        """(networks, features): how far each is outside of the table's range, in deviations."""
        known, scaled = self.process.X_train_, self.scaled(features)
        beyond = np.maximum(scaled - known.max(axis=0), known.min(axis=0) - scaled)
        return np.asarray(np.maximum(beyond, 0.0))

    def placed(self, features: Floats, conditions: npt.NDArray[np.int64]) -> PlacedNetworks:
        """Networks as they stand to the table's, before any is trained under these conditions."""
        scaled = self.scaled(features)
        across = self.process.kernel_(self.process.X_train_, scaled)
        mean = across.T @ self.process.alpha_ + self.mean_db
        solved = solve_triangular(self.process.L_, across, lower=True)
        return PlacedNetworks(scaled, conditions, mean, solved)

    def covariance(self, rows: PlacedNetworks, columns: PlacedNetworks) -> Floats:
        """(rows, columns): of their gains.

        Where conditions are the same, gains have more in common than the table tells.
        """
        kernel = self.process.kernel_
        alike = kernel.k2(rows.scaled, columns.scaled)
        told = kernel.k1.constant_value * alike - rows.solved.T @ columns.solved
        common = _common(np.outer(rows.mean_db, columns.mean_db), alike)
        return np.asarray(told + common * np.equal.outer(rows.conditions, columns.conditions))

    def variance(self, networks: PlacedNetworks) -> Floats:
        """The covariance of each with itself."""
        told = self.process.kernel_.k1.constant_value - np.square(networks.solved).sum(axis=0)
        return np.asarray(told + _common(np.square(networks.mean_db), 1.0))


def _common(means: Floats, alike: Floats | float) -> Floats:
    """Covariance that a study's conditions bring, by products of means and by likeness."""
    return np.asarray(_OFFSET_DB**2 + _SLOPE**2 * means + _OWN_DB**2 * alike)


@dataclass(frozen=True)
class PlacedNetworks:
    """Some networks, and what covariances of their gains are computed from."""

    #: features in deviations of the table's: (networks, features)
    scaled: Floats
    #: equal where images and training are
    conditions: npt.NDArray[np.int64]
    #: of the gain
    mean_db: Floats
    #: what the table tells of each: (networks of the table, networks)
    solved: Floats

    def part(self, rows: slice) -> PlacedNetworks:
        """Some of them."""
        return PlacedNetworks(
            self.scaled[rows], self.conditions[rows], self.mean_db[rows], self.solved[:, rows]
        )

    def beside(self, others: PlacedNetworks) -> PlacedNetworks:
        """These, then the others."""
        return PlacedNetworks(
            np.vstack([self.scaled, others.scaled]),
            np.concatenate([self.conditions, others.conditions]),
            np.concatenate([self.mean_db, others.mean_db]),
            np.hstack([self.solved, others.solved]),
        )

    def shared(self, scaled: Floats, conditions: npt.NDArray[np.int64]) -> int:
        """So many of the first are those of ``scaled`` features and ``conditions``, too."""
        count = min(len(self.scaled), len(scaled))
        same = (self.scaled[:count] == scaled[:count]).all(axis=1)
        same &= self.conditions[:count] == conditions[:count]
        return count if same.all() else int(same.argmin())


@dataclass(frozen=True)
class _Placed:
    """A study's networks as they stand to the table's and to each other."""

    #: by which they are placed
    prior: GainPrior
    networks: PlacedNetworks
    #: lower triangular, of their covariances with noise
    factor: Floats

    def first(self, count: int) -> _Placed:
        """The first ones: their factor is the first rows of that of all."""
        return _Placed(self.prior, self.networks.part(slice(count)), self.factor[:count, :count])

    def grown(self, new: PlacedNetworks) -> _Placed:
        """With others behind them."""
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
    """What was computed of a study's networks: with more of them, only the new ones are."""

    def __init__(self) -> None:
        self._latest: _Placed | None = None

    def placed(
        self, prior: GainPrior, features: Floats, conditions: npt.NDArray[np.int64]
    ) -> _Placed:
        """Networks of these features; those that it knows, in the order in which it knows them."""
        known, scaled = self._latest, prior.scaled(features)
        if known is None or known.prior is not prior:
            known = _Placed(prior, prior.placed(features[:0], conditions[:0]), np.zeros((0, 0)))
        same = known.networks.shared(scaled, conditions)
        self._latest = known.first(same).grown(prior.placed(features[same:], conditions[same:]))
        return self._latest


@dataclass(frozen=True)
class _Evidence:
    """What is computed of a study's networks once, whatever is asked about."""

    #: trained ones, then those in training
    networks: PlacedNetworks
    #: lower triangular, of their covariances with noise
    factor: Floats
    #: of each trained one's covariance with another network in that one's mean
    weights: Floats


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
    #: of the same study when it knew less
    memory: StudyMemory = field(default_factory=StudyMemory, repr=False, compare=False)

    def of(self, features: Floats) -> Gains:
        """Distributions of the gains that the study's training would give these networks."""
        prior, evidence = self.prior, self._evidence
        asked = prior.placed(features, np.zeros(len(features), np.int64))
        variance, shift = prior.variance(asked), np.zeros(len(features))
        if len(evidence.factor):
            across = prior.covariance(evidence.networks, asked)
            solved = solve_triangular(evidence.factor, across, lower=True)
            variance = variance - np.square(solved).sum(axis=0)
            shift = across[: len(evidence.weights)].T @ evidence.weights
        deviation = prior.widening * np.sqrt(np.maximum(variance, 0.0) + prior.noise_db**2)
        return Gains(asked.mean_db + shift, deviation)

    @cached_property
    def _evidence(self) -> _Evidence:
        others, own = self.prior.others, len(self.known) + len(self.pending)
        placed = self.memory.placed(
            self.prior,
            np.vstack([others.features, self.known, self.pending]),
            np.concatenate([others.conditions, np.zeros(own, np.int64)]),
        )
        networks, factor = placed.networks, placed.factor
        gain_db = np.concatenate([others.gain_db, self.gain_db])
        trained = len(gain_db)
        surprise = np.maximum(gain_db, LOST_DB) - networks.mean_db[:trained]
        # The first rows of a factor are the factor of the first rows.
        weights = cho_solve((factor[:trained, :trained], True), surprise)
        return _Evidence(networks, factor, np.asarray(weights))


def gains_of(table: NetworkTable) -> Floats:
    """Of its networks, over bicubic enlargement, in dB: what is lost is no more than lost."""
    gains = [table.gain_db(network) for network in table.networks]
    return np.maximum(gains, LOST_DB)


@lru_cache
def shipped_prior() -> GainPrior:
    """Fitted to the package's own networks, once a process."""
    return GainPrior.of_table(shipped_networks())
