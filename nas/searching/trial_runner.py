"""The objective for Optuna: runs the four steps of a trial and stores their outcome."""

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

#: Errors of the disk or the database, or because another worker has taken over the trial. They are
#: raised again, since they say nothing about the candidate.
_INFRASTRUCTURE_ERRORS = (
    OSError,
    ArtifactError,
    optuna.exceptions.StorageInternalError,
    optuna.exceptions.UpdateFinishedTrialError,
)
_LOG = logging.getLogger(__name__)


class TrialWithoutValue(Exception):
    """A trial ended without a value for the sampler; its outcome is already stored."""


class SearchObserver(Protocol):
    """Is notified of the progress of trials."""

    def stage(self, number: int, stage: str) -> None:
        """Called when trial ``number`` reaches ``stage``."""

    def training(self, number: int, progress: Progress) -> None:
        """Called with the progress of the training of trial ``number``."""

    def front_expected(self, front: ExpectedFront) -> None:
        """Called, from any thread, with the front expected before anything is trained."""

    def ended(self, record: TrialRecord, records: Sequence[TrialRecord]) -> None:
        """Called when a trial has ended; ``records`` are all of the study, its own included."""


@dataclass(frozen=True)
class TrialRunner:
    """Runs one trial at a time for one worker; nothing else writes to Optuna's trials."""

    study: Study
    space: Space
    evaluator: CandidateEvaluator
    worker: str
    observer: SearchObserver
    #: returns the present state of the search
    search: Callable[[], SearchState]
    #: called with the trial's number once the worker's name is stored with it
    on_begun: Callable[[int], None]

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        self.study.name_worker(trial, self.worker)
        self.on_begun(trial.number)
        try:
            end = self._run_steps(trial)
            if isinstance(end, Result):
                return self._store_result(trial, end)
        except _INFRASTRUCTURE_ERRORS:
            raise
        except NasError as error:
            end = Ended(Outcome.FAILED, str(error) or type(error).__name__)
        except MemoryError:
            end = Ended(Outcome.FAILED, "out of memory")
        except Exception as error:
            _LOG.exception("trial %d", trial.number)
            end = Ended(Outcome.FAILED, f"{type(error).__name__}: {error}")
        with self.study.writing_together(trial):
            raise _store_end(trial, end)

    def _run_steps(self, trial: optuna.Trial) -> Result | Ended:
        """Runs the four steps; returns the result, or why the trial ended without one."""
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
        _store_runtime(trial, timed.latency)
        observe = partial(self.observer.training, number)
        trained = train(proposal, timed, evaluator, study.settings, study.folder, observe)
        if isinstance(trained, Ended):
            return trained
        share_model(study, trial, proposal.candidate.hash)
        _set_constraints(trial, trained.constraints)
        graph, macs = proposal.candidate.graph, proposal.figures.macs
        expected = study.expected(graph, macs, trained.evaluated.quality.psnr_db)
        return record(proposal, timed, trained, expected, study.settings.risk)

    def _announce(self, trial: optuna.Trial, proposal: Proposal) -> SearchState:
        """Stores the proposal, so that other workers see it, and returns the search state."""
        trial.set_user_attr(ARCHITECTURE_KEY, proposal.candidate.to_json())
        trial.set_user_attr(CANDIDATE_KEY, proposal.candidate.hash)
        trial.set_user_attr("macs", proposal.figures.macs)
        trial.set_user_attr("parameters", proposal.figures.parameters)
        return self.search()

    def _store_result(self, trial: optuna.Trial, result: Result) -> float | tuple[float, float]:
        """Stores the result, and returns the value of the objective."""
        with self.study.writing_together(trial):
            for name, value in result.to_attributes().items():
                trial.set_user_attr(name, value)
            _store_outcome(trial, Outcome.TRAINED)
        if self.study.settings.objective is Objective.PARETO:
            return result.expected.psnr_db, result.scored_ms
        return result.log2_score


def _store_runtime(trial: optuna.Trial, latency: Latency) -> None:
    """Stores the latency for the dashboard, even of a network that is never trained."""
    trial.set_user_attr("runtime_ms", latency.ms)


def _set_constraints(trial: optuna.Trial, constraints: Iterable[Constraint]) -> None:
    """Passes the constraints to the sampler; Optuna accepts each only once in a trial."""
    for constraint in constraints:
        trial.set_constraint(constraint.name, constraint.excess)


def _store_end(trial: optuna.Trial, ended: Ended) -> Exception:
    """Stores how the trial ended, and returns the exception that reports it to Optuna."""
    _set_constraints(trial, ended.constraints)
    if ended.latency is not None:
        _store_runtime(trial, ended.latency)
    trial.set_user_attr(REASON_KEY, ended.reason)
    _store_outcome(trial, ended.outcome)
    return optuna.TrialPruned() if ended.is_pruned else TrialWithoutValue(ended.reason)


def _store_outcome(trial: optuna.Trial, outcome: Outcome) -> None:
    """Stores the outcome last, since a trial with an outcome is not run again."""
    trial.set_user_attr(ENDED_KEY, seconds_of_the_epoch())
    trial.set_user_attr(OUTCOME_KEY, outcome)
