"""One trial: sample, ask the latency, train, judge, and write down all of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

import optuna

from latency_models import Latency, UnsupportedOperators
from search_spaces import Candidate, CandidateError, Figures, GraphError, NasError, infer, zoo
from search_spaces.graph.capacity import IMAGE_VALUES, values_per_pixel
from search_spaces.spaces.space import Space

from ..choices import Objective
from ..evaluation.evaluator import CandidateEvaluator, EvaluatedCandidate, candidate_seed
from ..quality.tiles import require_tiles
from ..studies.record import (
    ARCHITECTURE_KEY,
    BASELINE_KEY,
    BEGUN_KEY,
    CANDIDATE_KEY,
    ENDED_KEY,
    OUTCOME_KEY,
    REASON_KEY,
    WORKER_KEY,
    Outcome,
    Result,
    TrialRecord,
    is_baseline,
)
from ..studies.study import Study
from ..system.files import write_arrays, write_whole
from .score_bound import excess_ms, psnr_needed_db
from .stopping import Run

if TYPE_CHECKING:
    from ..training.job import Progress

#: What the same network would meet with again.
_SETTLED = (Outcome.TRAINED, Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY)
#: The disk, the database, or another worker that has the trial now: not the candidate.
_NOT_ITS_FAULT = (
    OSError,
    optuna.exceptions.StorageInternalError,
    optuna.exceptions.UpdateFinishedTrialError,
)
_LOG = logging.getLogger(__name__)


class TrialEnded(Exception):
    """The trial gives no value; its outcome and reason are written."""


class SearchObserver(Protocol):
    """Who is told how the trials get on."""

    def stage(self, number: int, stage: str) -> None:
        """Trial ``number`` has come to ``stage``."""

    def training(self, number: int, progress: Progress) -> None:
        """Trial ``number`` has come so far."""

    def ended(self, record: TrialRecord) -> None:
        """A trial is over, one way or another."""


@dataclass(frozen=True)
class TrialRunner:
    """Runs one trial at a time as Optuna's objective; used by one worker."""

    study: Study
    space: Space
    evaluator: CandidateEvaluator
    worker: str
    run: Run
    observer: SearchObserver
    #: why a trial of that number and so many MACs should not be trained, if it should not
    refusal: Callable[[int, int], str | None]
    #: called with the trial's number once the worker's name is on it
    begun: Callable[[int], None]

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        trial.set_user_attr(WORKER_KEY, self.worker)
        self.begun(trial.number)
        trial.set_user_attr(BEGUN_KEY, time.time())
        try:
            return self._run(trial)
        except (TrialEnded, optuna.TrialPruned, *_NOT_ITS_FAULT):
            raise
        except NasError as error:
            self._end(trial, Outcome.FAILED, str(error))
        except MemoryError:
            self._end(trial, Outcome.FAILED, "out of memory")
        except Exception as error:
            _LOG.exception("trial %d", trial.number)
            self._end(trial, Outcome.FAILED, f"{type(error).__name__}: {error}")

    def _run(self, trial: optuna.Trial) -> float | tuple[float, float]:
        started = time.monotonic()
        settings = self.study.settings
        candidate, figures = self._propose(trial)
        latency = self._time(trial, candidate)
        latency_seconds = time.monotonic() - started
        seed = candidate_seed(settings.seed, candidate.hash)
        evaluated = self.evaluator.evaluate(
            candidate, seed, lambda progress: self.observer.training(trial.number, progress)
        )
        self._keep(candidate, evaluated)
        if self.evaluator.source.reads_weights:
            latency = self.evaluator.latency_of_file(candidate.deployed, evaluated.tflite)
        if not is_baseline(trial):
            self._refuse_slow(trial, latency)  # before, it was that of other weights
            self._constrain(trial, latency)
        stages = {
            "latency": latency_seconds, **vars(evaluated.stages),
            "total": time.monotonic() - started,
        }  # fmt: skip
        result = Result(
            psnr_db=evaluated.quality.psnr_db,
            expected=self.study.expected(figures, evaluated.quality.psnr_db),
            ssim=evaluated.quality.ssim,
            psnr_float_db=evaluated.float_quality.psnr_db,
            ssim_float=evaluated.float_quality.ssim,
            latency=latency,
            macs=figures.macs,
            parameters=figures.parameters,
            tflite_kb=len(evaluated.tflite) / 1000,
            seed=seed,
            seconds={name: round(value, 3) for name, value in stages.items()},
        )
        return self._finish(trial, result)

    def _propose(self, trial: optuna.Trial) -> tuple[Candidate, Figures]:
        """A network of the space, or the reference that the trial is for."""
        self.observer.stage(trial.number, "sampling")
        scale = self.study.settings.scale
        if is_baseline(trial):
            candidate = zoo.find(trial.user_attrs[BASELINE_KEY]).build(scale)
            return candidate, self._describe(trial, candidate)
        candidate = self.space.draw(trial, scale)
        figures = self._describe(trial, candidate)
        self._refuse_duplicate(trial, candidate)
        self._refuse_bottleneck(trial, candidate)
        refusal = self.refusal(trial.number, figures.macs)
        if refusal is not None:
            self._end(trial, Outcome.OVER_BUDGET, refusal)
        return candidate, figures

    def _time(self, trial: optuna.Trial, candidate: Candidate) -> Latency:
        """Its latency before it is trained, unless that alone rules it out."""
        self.observer.stage(trial.number, "latency")
        try:
            latency = self.evaluator.latency(candidate.deployed)
        except UnsupportedOperators as error:
            trial.set_constraint("unsupported_operators", len(error.kinds))
            self._prune(trial, Outcome.INFEASIBLE, str(error))
        trial.set_user_attr("runtime_ms", latency.ms)
        if not is_baseline(trial):
            self._refuse_slow(trial, latency)
            self._prune_by_latency(trial, latency)
        return latency

    def _describe(self, trial: optuna.Trial, candidate: Candidate) -> Figures:
        graph = candidate.deployed
        try:
            figures = infer(graph, self.evaluator.input)
        except GraphError as error:
            raise CandidateError(str(error)) from None
        require_tiles(graph, self.evaluator.input, self.evaluator.data.validation)
        trial.set_user_attr(ARCHITECTURE_KEY, candidate.to_json())
        trial.set_user_attr(CANDIDATE_KEY, candidate.hash)
        trial.set_user_attr("macs", figures.macs)
        trial.set_user_attr("parameters", figures.parameters)
        return figures

    def _refuse_duplicate(self, trial: optuna.Trial, candidate: Candidate) -> None:
        """Ends the trial if another has, or is about to have, an answer for the same network.

        What failed in an earlier run may do now: the board is back, the disk has room.
        """
        for other in self.study.records():
            if other.candidate != candidate.hash or other.baseline:
                continue
            ahead = other.running and other.number < trial.number
            failed = other.outcome is Outcome.FAILED and self.run.holds(other.number)
            settled = other.has_ended and other.outcome in _SETTLED
            if other.number != trial.number and (ahead or failed or settled):
                self._end(trial, Outcome.DUPLICATE, f"the same network as trial {other.number}")

    def _refuse_bottleneck(self, trial: optuna.Trial, candidate: Candidate) -> None:
        """A network that cannot even pass on the image ends below plain enlargement."""
        values = values_per_pixel(candidate.graph)
        if values < IMAGE_VALUES:
            trial.set_constraint("image_values", IMAGE_VALUES - values)
            reason = f"only {values:g} of the image's {IMAGE_VALUES} values a pixel get through it"
            self._prune(trial, Outcome.INFEASIBLE, reason)

    def _refuse_slow(self, trial: optuna.Trial, latency: Latency) -> None:
        limit = self.study.settings.max_latency_ms
        if limit is None or excess_ms(latency, limit) <= 0:
            return
        said = (
            f"up to {latency.high_ms:.2f} ms ({latency.ms:.2f} predicted)"
            if latency.is_predicted
            else f"{latency.ms:.2f} ms"
        )
        self._constrain(trial, latency)
        self._prune(trial, Outcome.INFEASIBLE, f"{said} is over the limit of {limit:g} ms")

    def _prune_by_latency(self, trial: optuna.Trial, latency: Latency) -> None:
        """Where the score is all that counts, a network that cannot win is not trained."""
        if self.study.settings.objective is not Objective.SCORE:
            return
        records = self.study.records()
        results = [r.result for r in records if r.result and r.within_limit]
        needed_db = psnr_needed_db(results, latency.ms)
        if needed_db is not None:
            reason = f"at {latency.ms:.2f} ms it would need {needed_db:.2f} dB in the end to win"
            self._constrain(trial, latency)
            self._prune(trial, Outcome.PRUNED_BY_LATENCY, reason)

    def _prune(self, trial: optuna.Trial, outcome: Outcome, reason: str) -> NoReturn:
        """Ends a trial; to the sampler it is worse than all that were trained."""
        trial.set_user_attr(REASON_KEY, reason)
        _close(trial, outcome)
        raise optuna.TrialPruned

    def _constrain(self, trial: optuna.Trial, latency: Latency) -> None:
        """Tells the sampler how far over the limit the trial is; Optuna takes it once a trial."""
        limit = self.study.settings.max_latency_ms
        if limit is not None:
            trial.set_constraint("max_latency_ms", excess_ms(latency, limit))

    def _finish(self, trial: optuna.Trial, result: Result) -> float | tuple[float, float]:
        for name, value in result.to_attributes().items():
            trial.set_user_attr(name, value)
        _close(trial, Outcome.TRAINED)
        if self.study.settings.objective is Objective.PARETO:
            return result.expected.psnr_db, result.latency.ms
        return result.log2_score

    def _end(self, trial: optuna.Trial, outcome: Outcome, reason: str) -> NoReturn:
        trial.set_user_attr(REASON_KEY, reason)
        _close(trial, outcome)
        raise TrialEnded(reason)

    def _keep(self, candidate: Candidate, evaluated: EvaluatedCandidate) -> None:
        folder = self.study.folder
        write_arrays(folder.model(candidate.hash) / "weights.npz", evaluated.training.int8)
        write_whole(folder.tflite(candidate.hash), evaluated.tflite)


def _close(trial: optuna.Trial, outcome: Outcome) -> None:
    """The outcome last: with one it is not run again."""
    trial.set_user_attr(ENDED_KEY, time.time())
    trial.set_user_attr(OUTCOME_KEY, outcome)
