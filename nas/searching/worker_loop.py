"""The search: one worker's loop over a study, until its budget is used up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from latency_models import Latency, Worker
from latency_models.device import Device, load_device, open_source
from search_spaces import Candidate, InputError, InputSpec, NasError
from search_spaces.spaces.fingerprint import fingerprint
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space

from ..choices import SamplerKind
from ..data.arrays import load_arrays
from ..data.images import Data, load_data
from ..evaluation.evaluator import CandidateEvaluator
from ..quality_model.networks import shipped_networks
from ..sampling.latency_estimate import LatencyEstimator
from ..sampling.problem import SamplingProblem
from ..sampling.samplers import OfCandidates, SamplerPlace, make_sampler
from ..sampling.warm_prior import warm_prior
from ..studies.budget import Budget
from ..studies.record import TrialRecord
from ..studies.settings import Settings
from ..studies.study import Study
from ..studies.worker_locks import worker_label, worker_lock
from ..system.cores import Cores
from .objects import NO_OBJECTS, SearchObjects
from .remeasurement import known_device
from .smallest import smallest_macs
from .stopping import Run, SearchState
from .trial_runner import SearchObserver, TrialEnded, TrialRunner

#: Why a search ended that a callback ends.
STOPPED = "a callback ends the search"
_POLL_SECONDS = 1.0
_SESSION_SECONDS = 3.0
#: TensorFlow's kernels keep what they compiled for every shape that a process has met.
_TRAININGS_PER_WORKER = 5


@dataclass(frozen=True)
class Resources:
    """What every worker of a study reads: its space, its device and its images."""

    #: as it is deployed on the device
    space: Space
    device: Device
    data: Data
    #: a Python program's own
    sampler: BaseSampler | None = None

    @classmethod
    def of(cls, settings: Settings, objects: SearchObjects = NO_OBJECTS) -> Resources:
        """InputError if one of them is no longer what the study was made with."""
        space = objects.space or load_space(settings.space)
        device = objects.device or load_device(settings.device)
        mark = fingerprint(space, settings.scale)
        _require_same(f"space {settings.space}", mark, settings.space_fingerprint)
        _require_same(f"device {settings.device}", device.fingerprint, settings.device_fingerprint)
        if objects.images is None:
            data = load_data(settings.data, settings.scale)
        else:
            data = load_arrays(objects.images, settings.scale, settings.data)
        _require_same(f"data {settings.data}", data.fingerprint, settings.data_fingerprint)
        return cls.deployed(space, device, data, objects.sampler)

    @classmethod
    def deployed(
        cls, space: Space, device: Device, data: Data, sampler: BaseSampler | None
    ) -> Resources:
        """The space's networks are written as the device runs them best."""
        return cls(replace(space, pixel_shuffle=device.pixel_shuffle), device, data, sampler)


def _require_same(what: str, now: str, made_with: str) -> None:
    if now != made_with:
        raise InputError(
            f"{what} has changed since the study was made (fingerprint {made_with}, now {now}); "
            "restore it, or start another study by --study"
        )


def work(
    study: Study,
    budget: Budget,
    run: Run,
    resources: Resources,
    worker: Worker,
    observer: SearchObserver,
) -> str:
    """Runs trials on the cores of this process until ``run`` is over; returns why it ended.

    Interrupted, it leaves the trial in hand to be run again next time.
    """
    settings, cores = study.settings, Cores.available()
    device = resources.device
    evaluator = CandidateEvaluator(
        source=open_source(known_device(study.folder, device), worker),
        worker=worker,
        data=resources.data,
        recipe=settings.recipe,
        input=InputSpec.parse(settings.input),
        granularity=device.weights,
        threads=cores.count,
    )
    time_spent = TimeSpent(study)
    study.optuna.sampler = worker_sampler(
        study, budget, run, resources, evaluator, observer, time_spent
    )
    return run_trials(study, budget, run, resources.space, evaluator, observer, time_spent)


@dataclass
class TimeSpent:
    """How long a study had gone on when this worker began its trial.

    What a trial takes is expected from its beginning. So whether it fits is asked of the time that
    was left then, however long its network was chosen and compiled: what was proposed because it
    fits is not refused for that.
    """

    study: Study
    seconds: float = 0.0

    def note(self, budget: Budget) -> None:
        """It is now; not looked up for a budget that knows no time."""
        if budget.seconds is not None:
            self.seconds = self.study.elapsed_seconds()


def run_trials(
    study: Study,
    budget: Budget,
    run: Run,
    space: Space,
    evaluator: CandidateEvaluator,
    observer: SearchObserver,
    time_spent: TimeSpent,
) -> str:
    """The same with an evaluator, and the study's sampler, at hand."""
    with worker_lock(study.folder) as name, _noted_session(study, name):
        label = worker_label(study.folder, name)
        evaluator.start()
        return _Loop(study, budget, run, space, evaluator, label, observer, time_spent).work()


@dataclass(frozen=True)
class _Loop:
    study: Study
    budget: Budget
    run: Run
    space: Space
    evaluator: CandidateEvaluator
    worker: str
    observer: SearchObserver
    time_spent: TimeSpent

    def work(self) -> str:
        while not self.study.is_stopped:
            with contextlib.ExitStack() as beginning:
                beginning.enter_context(self.study.beginning())
                records = self.study.records_of(self.study.recover())
                self.time_spent.note(self.budget)
                state = self._state_of(records)
                reason = state.reason_to_stop()
                if state.awaits_baseline() or (reason is None and not state.must_wait()):
                    if self.evaluator.worker.followed >= _TRAININGS_PER_WORKER:
                        self.evaluator.renew()
                    self._run_trial(beginning)
                    continue
            if reason is not None:
                return reason
            time.sleep(_POLL_SECONDS)
        return STOPPED

    def _run_trial(self, beginning: contextlib.ExitStack) -> None:
        numbers: list[int] = []

        def begun(number: int) -> None:
            numbers.append(number)
            beginning.close()

        runner = TrialRunner(
            study=self.study,
            space=self.space,
            evaluator=self.evaluator,
            worker=self.worker,
            observer=self.observer,
            search=self._state,
            begun=begun,
        )

        try:
            self.study.optuna.optimize(runner, n_trials=1, catch=(TrialEnded,))
        except ValueError:  # Optuna's word for a trial that is over already
            # While this machine slept, another took the trial for a dead worker's, and queued it.
            if not numbers or not self.study.is_queued_again(numbers[-1]):
                raise
            return
        records = self.study.records()
        self.observer.ended(records[numbers[-1]], records)

    def _state(self) -> SearchState:
        return self._state_of(self.study.records())

    def _state_of(self, records: Sequence[TrialRecord]) -> SearchState:
        return SearchState(
            self.budget, records, self.run, self.time_spent.seconds, self._smallest_macs
        )

    @cached_property
    def _smallest_macs(self) -> int:
        return smallest_macs(self.space, self.study.settings, self.budget)


def worker_sampler(
    study: Study,
    budget: Budget,
    run: Run,
    resources: Resources,
    evaluator: CandidateEvaluator,
    observer: SearchObserver,
    time_spent: TimeSpent,
) -> BaseSampler:
    """What proposes this worker's candidates."""
    if resources.sampler is not None:
        return OfCandidates(resources.sampler)

    def fits(number: int, records: Sequence[TrialRecord], macs: Sequence[int]) -> list[bool]:
        state = SearchState(budget, records, run, time_spent.seconds)
        return [state.refusal(number, count) is None for count in macs]

    def times(candidate: Candidate) -> Latency | None:
        try:
            return evaluator.latency_ahead(candidate.deployed)
        except NasError:  # a trial that meets it says why
            return None

    read_warm_starts = cache(study.warm_starts)
    problem = SamplingProblem(
        resources.space,
        study.settings,
        LatencyEstimator.of(
            resources.device, InputSpec.parse(study.settings.input), study.settings.risk
        ),
        study.expectations(),
        cache(lambda: warm_prior(study.settings, read_warm_starts())),
        lambda: [
            *(start.known for start in read_warm_starts()),
            shipped_networks().at_scale(study.settings.scale),
        ],
    )
    seed = _sampler_seed(study, Cores.available())
    by_device = resources.device.measured
    place = SamplerPlace(
        problem, study.records_of, fits, seed, observer.foreseen, None if by_device else times
    )
    return make_sampler(SamplerKind(study.settings.sampler), place)


def _sampler_seed(study: Study, cores: Cores) -> int:
    """Another for every run and every worker: with an old seed come the old proposals."""
    existing = len(study.optuna.get_trials(deepcopy=False))
    entropy = [study.settings.seed, existing, cores.numbers[0]]
    if study.is_shared:
        entropy.append(zlib.crc32(socket.gethostname().encode()))
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


@contextlib.contextmanager
def _noted_session(study: Study, worker: str) -> Iterator[None]:
    """Keeps writing down that this worker is alive: the budget's time."""
    started, ended = time.time(), threading.Event()

    def note() -> None:
        while not ended.wait(_SESSION_SECONDS):
            # A full disk ends the search where a trial is written, with its reason.
            with contextlib.suppress(NasError, OSError, optuna.exceptions.StorageInternalError):
                study.note_session(worker, started)

    study.note_session(worker, started)
    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        study.note_session(worker, started)
