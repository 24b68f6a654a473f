"""The problem that a sampler solves, and the results that a study has so far, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from optuna.trial import FrozenTrial

from search_spaces import Candidate, NasError
from search_spaces.spaces.space import Space

from ..choices import Objective
from ..quality_model.features import Features, features_of, matrix_of
from ..quality_model.networks import KnownNetworks
from ..quality_model.short_training_model import GainPrior, shipped_prior
from ..studies.expectations import Expectations
from ..studies.record import Outcome, Result, TrialRecord, pareto_front
from ..studies.settings import Settings
from .latency_estimate import LatencyEstimator, LineFeatures, TimedNetwork
from .replay import Choice, Choices, Draw
from .warm_draws import warm_draws

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SamplingProblem:
    """A study's space, settings, latency estimator and prior knowledge."""

    space: Space
    settings: Settings
    #: without the latencies that the study has measured
    estimator: LatencyEstimator
    expectations: Expectations
    #: returns the prior of the PSNR gains, before the study has trained any network
    read_prior: Callable[[], GainPrior] = shipped_prior
    #: returns the networks that were trained before the study
    read_known: Callable[[], Sequence[KnownNetworks]] = tuple

    @property
    def objective(self) -> Objective:
        """Objective of the study."""
        return self.settings.objective

    @property
    def bicubic_psnr_db(self) -> float:
        """PSNR of bicubic enlargement on the study's validation images."""
        return self.settings.references.bicubic_psnr_db

    @cached_property
    def warm_draws(self) -> tuple[Draw, ...]:
        """Networks trained before the study that its space can draw, the best first."""
        known = self.read_known()
        return warm_draws(self.space, self.settings, self.estimator, self.expectations, known)


@dataclass(frozen=True)
class StudyTrial:
    """The present record of a trial, and the choices that made its network."""

    record: TrialRecord
    choices: Choices


@dataclass(frozen=True)
class StudyNetwork:
    """A network of a study, trained or not, with its features."""

    candidate: Candidate
    features: Features
    #: for the latency estimate; None if the estimator has none for the network
    line_features: LineFeatures | None


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network of a study."""

    network: StudyNetwork
    result: Result
    #: with which the space draws it; empty for a reference
    choices: Choices
    within_limit: bool


@dataclass(frozen=True)
class StudyKnowledge:
    """What is known from the trials of a study."""

    #: of all trials that have a network
    records: tuple[TrialRecord, ...]
    trained: tuple[TrainedNetwork, ...]
    #: features of networks in training
    pending: tuple[Features, ...]
    #: hashes of all proposed networks, without references
    proposed: frozenset[str]
    #: choices of the trials that failed, even of those that failed before they had a network
    failed: tuple[Choices, ...] = ()

    def is_of_same_trials(self, other: StudyKnowledge) -> bool:
        """Returns whether both are known from trials with the same records."""
        return (self.records, self.failed) == (other.records, other.failed)

    @cached_property
    def features(self) -> Floats:
        """Features of the trained networks, of shape (networks, features)."""
        return matrix_of([row.network.features for row in self.trained])

    @cached_property
    def pending_features(self) -> Floats:
        """Features of the networks in training, of shape (networks, features)."""
        return matrix_of(list(self.pending))

    def gain_db(self, bicubic_psnr_db: float) -> Floats:
        """Returns the PSNR gains in dB of the trained networks over bicubic enlargement."""
        return np.array([row.result.psnr_db - bicubic_psnr_db for row in self.trained])

    @property
    def best(self) -> list[TrainedNetwork]:
        """Trained networks within the study's latency limit, the best score first."""
        allowed = [row for row in self.trained if row.within_limit]
        return sorted(allowed, key=lambda row: -row.result.log2_score)

    def parents(self, objective: Objective) -> list[Choices]:
        """Returns the choices that made the trained networks, the best score first.

        For a Pareto front, the networks of the front come before the others.
        """
        front = {record.candidate for record in self.front}
        rows = [row for row in self.best if row.choices]
        if objective is Objective.PARETO:
            rows.sort(key=lambda row: row.network.candidate.hash not in front)
        return [row.choices for row in rows]

    @property
    def front(self) -> list[TrialRecord]:
        """Records of the Pareto front of PSNR and latency, the fastest first."""
        return pareto_front(list(self.records))

    @property
    def timed(self) -> list[TimedNetwork]:
        """The trained networks with the latencies that the study has measured."""
        return [
            TimedNetwork(row.network.line_features, float(np.log2(row.result.latency.ms)))
            for row in self.trained
        ]


class NetworkMemory:
    """Caches the features and the choices of a study's networks, which never change."""

    def __init__(self, estimator: LatencyEstimator) -> None:
        self._estimator = estimator
        #: by the candidate's hash; None for networks without features
        self._networks: dict[str, StudyNetwork | None] = {}
        #: of finished trials, by number
        self._choices: dict[int, Choices] = {}

    def of(self, record: TrialRecord) -> StudyNetwork | None:
        """Returns the network of a trial that has one; None if the network has no features."""
        name = record.candidate or ""
        if name not in self._networks:
            try:
                candidate = record.network
                self.note(name, candidate, features_of(candidate))
            except NasError:
                self._networks[name] = None
        return self._networks[name]

    def note(self, name: str, candidate: Candidate, features: Features) -> None:
        """Stores ``candidate`` under its hash; NasError if it has no latency features."""
        (line_features,) = self._estimator.line_features([candidate])
        self._networks[name] = StudyNetwork(candidate, features, line_features)

    def choices_of(self, trial: FrozenTrial) -> Choices:
        """Returns the choices that make the network of ``trial``."""
        known = self._choices.get(trial.number)
        if known is not None:
            return known
        choices = {
            name: Choice(value, trial.distributions[name]) for name, value in trial.params.items()
        }
        if trial.state.is_finished():
            self._choices[trial.number] = choices
        return choices

    def knowledge(self, trials: Iterable[StudyTrial]) -> StudyKnowledge:
        """Returns what is known from ``trials``."""
        trials = tuple(trials)
        with_network = [trial for trial in trials if trial.record.candidate is not None]
        records = tuple(trial.record for trial in with_network)
        known = [
            (trial, network)
            for trial in with_network
            if (network := self.of(trial.record)) is not None
        ]
        trained = tuple(
            TrainedNetwork(network, trial.record.result, trial.choices, trial.record.within_limit)
            for trial, network in known
            if trial.record.result is not None
        )
        pending = tuple(network.features for trial, network in known if trial.record.running)
        proposed = frozenset(row.candidate or "" for row in records if not row.baseline)
        failed = tuple(trial.choices for trial in trials if trial.record.outcome is Outcome.FAILED)
        return StudyKnowledge(records, trained, pending, proposed, failed)
