"""What a sampler is to find networks for, and what a study knows by now: plain values."""

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
from ..studies.record import Result, TrialRecord, pareto_front
from ..studies.settings import Settings
from .latency_estimate import LatencyEstimator, LineFeatures, TimedNetwork
from .replay import Choice, Choices, Draw
from .warm_draws import warm_draws

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SamplingProblem:
    """A study's space, device and settings."""

    space: Space
    settings: Settings
    #: before the study has timed anything
    estimator: LatencyEstimator
    expectations: Expectations
    #: what is believed of networks before the study has trained any
    read_prior: Callable[[], GainPrior] = shipped_prior
    #: what was trained before the study
    read_known: Callable[[], Sequence[KnownNetworks]] = tuple

    @property
    def objective(self) -> Objective:
        """What is to be improved."""
        return self.settings.objective

    @property
    def bicubic_psnr_db(self) -> float:
        """Of bicubic enlargement of the study's validation images."""
        return self.settings.references.bicubic_psnr_db

    @cached_property
    def warm_draws(self) -> tuple[Draw, ...]:
        """Of what was trained before, that which the study's space draws; the best first."""
        known = self.read_known()
        return warm_draws(self.space, self.settings, self.estimator, self.expectations, known)


@dataclass(frozen=True)
class StudyTrial:
    """A trial as the study knows it by now, and the choices that made its network."""

    record: TrialRecord
    choices: Choices


@dataclass(frozen=True)
class MetNetwork:
    """A network of a study, trained or not."""

    candidate: Candidate
    features: Features
    #: that its latency is estimated by
    line_features: LineFeatures | None


@dataclass(frozen=True)
class KnownNetwork:
    """A trained network of a study."""

    network: MetNetwork
    result: Result
    #: that make the space draw it; a reference has none
    choices: Choices
    within_limit: bool


@dataclass(frozen=True)
class StudyKnowledge:
    """What the trials of a study say."""

    records: tuple[TrialRecord, ...]
    trained: tuple[KnownNetwork, ...]
    #: features of networks in training
    pending: tuple[Features, ...]
    #: hashes of all networks that were proposed
    proposed: frozenset[str]

    @cached_property
    def features(self) -> Floats:
        """Of trained networks: (networks, features)."""
        return matrix_of([row.network.features for row in self.trained])

    @cached_property
    def pending_features(self) -> Floats:
        """Of networks in training: (networks, features)."""
        return matrix_of(list(self.pending))

    def gain_db(self, bicubic_psnr_db: float) -> Floats:
        """PSNR of trained networks over bicubic enlargement, after the study's training."""
        return np.array([row.result.psnr_db - bicubic_psnr_db for row in self.trained])

    @property
    def best(self) -> list[KnownNetwork]:
        """Trained networks that the study allows, the best score first."""
        allowed = [row for row in self.trained if row.within_limit]
        return sorted(allowed, key=lambda row: -row.result.log2_score)

    def parents(self, objective: Objective) -> list[Choices]:
        """Choices that made the best networks, or those of the front and the best behind them."""
        front = {record.candidate for record in self.front}
        rows = [row for row in self.best if row.choices]
        if objective is Objective.PARETO:
            rows.sort(key=lambda row: row.network.candidate.hash not in front)
        return [row.choices for row in rows]

    @property
    def front(self) -> list[TrialRecord]:
        """Those that no other beats in PSNR and time, the fastest first."""
        return pareto_front(list(self.records))

    @property
    def timed(self) -> list[TimedNetwork]:
        """Networks with the latencies that the study's own source gave."""
        return [
            TimedNetwork(row.network.line_features, float(np.log2(row.result.latency.ms)))
            for row in self.trained
        ]


class NetworkMemory:
    """What of a study's networks stays as it is, made once for each."""

    def __init__(self, estimator: LatencyEstimator) -> None:
        self._estimator = estimator
        self._met: dict[str, MetNetwork | None] = {}
        #: of finished trials, by number
        self._choices: dict[int, Choices] = {}

    def of(self, record: TrialRecord) -> MetNetwork | None:
        """Of a trial that got as far as a network; None if that has no features."""
        name = record.candidate or ""
        if name not in self._met:
            try:
                candidate = record.network
                self.note(name, candidate, features_of(candidate))
            except NasError:
                self._met[name] = None
        return self._met[name]

    def note(self, name: str, candidate: Candidate, features: Features) -> None:
        """What trials will call ``name``, with its features; NasError if it has no latency."""
        (line_features,) = self._estimator.line_features([candidate])
        self._met[name] = MetNetwork(candidate, features, line_features)

    def choices_of(self, trial: FrozenTrial) -> Choices:
        """That made its network, or will."""
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
        """What ``trials`` say."""
        kept = [trial for trial in trials if trial.record.candidate is not None]
        records = tuple(trial.record for trial in kept)
        known = [(trial, found) for trial in kept if (found := self.of(trial.record)) is not None]
        trained = tuple(
            KnownNetwork(found, trial.record.result, trial.choices, trial.record.within_limit)
            for trial, found in known
            if trial.record.result is not None
        )
        pending = tuple(found.features for trial, found in known if trial.record.running)
        proposed = frozenset(row.candidate or "" for row in records if not row.baseline)
        return StudyKnowledge(records, trained, pending, proposed)
