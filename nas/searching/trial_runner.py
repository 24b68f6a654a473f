"""Optuna's objective: takes a trial through its four steps, and writes down what comes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import time as seconds_of_the_epoch
from typing import TYPE_CHECKING, Protocol

import optuna

from latency_models import Latency
from search_spaces import NasError, zoo
from search_spaces.spaces.space import Space

from ..choices import Objective
from ..evaluation.evaluator import CandidateEvaluator
from ..studies.artifacts import ArtifactError
from ..studies.expected_front import ExpectedFront
from ..studies.models import share_model
from ..studies.record import (
    ARCHITECTURE_KEY,
    BASELINE_KEY,
    BEGUN_KEY,
    CANDIDATE_KEY,
    ENDED_KEY,
    OUTCOME_KEY,
    REASON_KEY,
    Outcome,
    Result,
    TrialRecord,
    is_baseline,
)
from ..studies.study import Study
from .refusals import Constraint, Ended
from .stopping import SearchState
from .trial import Proposal, propose, record, time, train

if TYPE_CHECKING:
    from ..training.job import Progress

#: The disk, the database, or another worker that has the trial now: not the candidate.
_NOT_ITS_FAULT = (
    OSError,
    ArtifactError,
    optuna.exceptions.StorageInternalError,
    optuna.exceptions.UpdateFinishedTrialError,
)
_LOG = logging.getLogger(__name__)


class TrialEnded(Exception):
    """The trial gives no value, and the sampler is not to learn from it; its outcome is written."""


class SearchObserver(Protocol):
    """Who is told how the trials get on."""

    def stage(self, number: int, stage: str) -> None:
        """Trial ``number`` has come to ``stage``."""

    def training(self, number: int, progress: Progress) -> None:
        """Trial ``number`` has come so far."""

    def foreseen(self, front: ExpectedFront) -> None:
        """So much is expected before anything is trained; called from any thread."""

    def ended(self, record: TrialRecord, records: Sequence[TrialRecord]) -> None:
        """A trial is over, one way or another; it is among ``records``, all of the study."""


@dataclass(frozen=True)
class TrialRunner:
    """Runs one trial at a time, for one worker; it alone writes to Optuna's trials."""

    study: Study
    space: Space
    evaluator: CandidateEvaluator
    worker: str
    observer: SearchObserver
    #: the search as it is now
    search: Callable[[], SearchState]
    #: called with the trial's number once the worker's name is on it
    begun: Callable[[int], None]

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        self.study.name_worker(trial, self.worker)
        self.begun(trial.number)
        try:
            found = self._steps(trial)
            if isinstance(found, Result):
                return self._finish(trial, found)
        except _NOT_ITS_FAULT:
            raise
        except NasError as error:
            found = Ended(Outcome.FAILED, str(error) or type(error).__name__)
        except MemoryError:
            found = Ended(Outcome.FAILED, "out of memory")
        except Exception as error:
            _LOG.exception("trial %d", trial.number)
            found = Ended(Outcome.FAILED, f"{type(error).__name__}: {error}")
        with self.study.writing_together(trial):
            raise _ended(trial, found)

    def _steps(self, trial: optuna.Trial) -> Result | Ended:
        study, evaluator, number = self.study, self.evaluator, trial.number
        self.observer.stage(number, "sampling")
        scale, is_reference = study.settings.scale, is_baseline(trial)
        draw = (
            partial(zoo.find(trial.user_attrs[BASELINE_KEY]).build, scale)
            if is_reference
            else partial(self.space.draw, trial, scale)
        )
        announce = partial(self._announce, trial)
        with study.writing_together(trial):
            trial.set_user_attr(BEGUN_KEY, seconds_of_the_epoch())
            proposal = propose(number, draw, evaluator, announce, is_reference=is_reference)
        if isinstance(proposal, Ended):
            return proposal
        self.observer.stage(number, "latency")
        timed = time(proposal, evaluator, study.settings, self.search)
        if isinstance(timed, Ended):
            return timed
        _note_runtime(trial, timed.latency)
        observe = partial(self.observer.training, number)
        trained = train(proposal, timed, evaluator, study.settings, study.folder, observe)
        if isinstance(trained, Ended):
            return trained
        share_model(study, trial, proposal.candidate.hash)
        _constrain(trial, trained.constraints)
        graph, macs = proposal.candidate.graph, proposal.figures.macs
        expected = study.expected(graph, macs, trained.evaluated.quality.psnr_db)
        return record(proposal, timed, trained, expected, study.settings.risk)

    def _announce(self, trial: optuna.Trial, proposal: Proposal) -> SearchState:
        trial.set_user_attr(ARCHITECTURE_KEY, proposal.candidate.to_json())
        trial.set_user_attr(CANDIDATE_KEY, proposal.candidate.hash)
        trial.set_user_attr("macs", proposal.figures.macs)
        trial.set_user_attr("parameters", proposal.figures.parameters)
        return self.search()

    def _finish(self, trial: optuna.Trial, result: Result) -> float | tuple[float, float]:
        with self.study.writing_together(trial):
            for name, value in result.to_attributes().items():
                trial.set_user_attr(name, value)
            _close(trial, Outcome.TRAINED)
        if self.study.settings.objective is Objective.PARETO:
            return result.expected.psnr_db, result.scored_ms
        return result.log2_score


def _note_runtime(trial: optuna.Trial, latency: Latency) -> None:
    """For the dashboard, of a network that may never be trained."""
    trial.set_user_attr("runtime_ms", latency.ms)


def _constrain(trial: optuna.Trial, constraints: Iterable[Constraint]) -> None:
    """Tells the sampler; Optuna takes each once a trial."""
    for constraint in constraints:
        trial.set_constraint(constraint.name, constraint.excess)


def _ended(trial: optuna.Trial, ended: Ended) -> Exception:
    """Writes it down; what tells Optuna of it."""
    _constrain(trial, ended.constraints)
    if ended.latency is not None:
        _note_runtime(trial, ended.latency)
    trial.set_user_attr(REASON_KEY, ended.reason)
    _close(trial, ended.outcome)
    return optuna.TrialPruned() if ended.is_pruned else TrialEnded(ended.reason)


def _close(trial: optuna.Trial, outcome: Outcome) -> None:
    """The outcome last: with one it is not run again."""
    trial.set_user_attr(ENDED_KEY, seconds_of_the_epoch())
    trial.set_user_attr(OUTCOME_KEY, outcome)
