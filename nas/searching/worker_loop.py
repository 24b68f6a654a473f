"""The loop of one worker, which runs trials of a study until its budget is used up."""

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
from ..sampling.samplers import CandidateSampler, SamplerContext, make_sampler
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
from .trial_runner import SearchObserver, TrialRunner, TrialWithoutValue

#: Reason for the end of a search that a callback has stopped.
STOPPED_BY_CALLBACK = "a callback ends the search"
_POLL_SECONDS = 1.0
_SESSION_SECONDS = 3.0
#: Number of trainings after which the process that trains is replaced: TensorFlow keeps the kernels
#: compiled for every tensor shape, so that its memory grows.
_TRAININGS_PER_PROCESS = 5


@dataclass(frozen=True)
class Resources:
    """The space, device and images of a study, which every worker reads."""

    #: with the form of the pixel shuffle that suits the device
    space: Space
    device: Device
    data: Data
    #: sampler that a Python program has passed
    sampler: BaseSampler | None = None

    @classmethod
    def of(cls, settings: Settings, objects: SearchObjects = NO_OBJECTS) -> Resources:
        """Loads them; raises InputError if one has changed since the study was made."""
        space = objects.space or load_space(settings.space)
        device = objects.device or load_device(settings.device)
        space_fingerprint = fingerprint(space, settings.scale)
        _require_same(f"space {settings.space}", space_fingerprint, settings.space_fingerprint)
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
        """Returns the resources with ``space`` in the form that the device runs best."""
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

    If it is interrupted, the next run repeats the present trial.
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
    """The elapsed time of a study when this worker began its present trial.

    The expected duration of a trial is counted from its beginning, and so is the time that is left
    for it. A network that was proposed because it fits is therefore not refused because choosing
    and compiling it took long.
    """

    study: Study
    seconds: float = 0.0

    def note(self, budget: Budget) -> None:
        """Stores the present elapsed time; does nothing for a budget without a time limit."""
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
    """Does the same as ``work``, with a given evaluator and the sampler that the study has."""
    with worker_lock(study.folder) as name, _recording_session(study, name):
        label = worker_label(study.folder, name)
        evaluator.start()
        loop = _WorkerLoop(study, budget, run, space, evaluator, label, observer, time_spent)
        return loop.work()


@dataclass(frozen=True)
class _WorkerLoop:
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
                    if self.evaluator.worker.followed >= _TRAININGS_PER_PROCESS:
                        self.evaluator.renew()
                    self._run_trial(beginning)
                    continue
            if reason is not None:
                return reason
            time.sleep(_POLL_SECONDS)
        return STOPPED_BY_CALLBACK

    def _run_trial(self, beginning: contextlib.ExitStack) -> None:
        """Runs a trial; leaves ``beginning`` as soon as the worker's name is stored with it."""
        numbers: list[int] = []

        def on_begun(number: int) -> None:
            numbers.append(number)
            beginning.close()

        runner = TrialRunner(
            study=self.study,
            space=self.space,
            evaluator=self.evaluator,
            worker=self.worker,
            observer=self.observer,
            search=self._state,
            on_begun=on_begun,
        )

        try:
            self.study.optuna.optimize(runner, n_trials=1, catch=(TrialWithoutValue,))
        except ValueError:  # Optuna raises it for a trial that has ended already
            # While this machine slept, another one took its worker for dead and queued the trial.
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
    """Returns the sampler that proposes this worker's candidates."""
    if resources.sampler is not None:
        return CandidateSampler(resources.sampler)

    def fits_budget(number: int, records: Sequence[TrialRecord], macs: Sequence[int]) -> list[bool]:
        state = SearchState(budget, records, run, time_spent.seconds)
        return [state.refusal(number, count) is None for count in macs]

    def find_latency(candidate: Candidate) -> Latency | None:
        try:
            return evaluator.latency_ahead(candidate.deployed)
        except NasError:  # reported if a trial times the network
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
    context = SamplerContext(
        problem,
        study.records_of,
        fits_budget,
        seed,
        observer.front_expected,
        None if resources.device.measured else find_latency,
    )
    return make_sampler(SamplerKind(study.settings.sampler), context)


def _sampler_seed(study: Study, cores: Cores) -> int:
    """Returns a seed that differs for each run and worker: the same seed repeats proposals."""
    existing = len(study.optuna.get_trials(deepcopy=False))
    entropy = [study.settings.seed, existing, cores.numbers[0]]
    if study.is_shared:
        entropy.append(zlib.crc32(socket.gethostname().encode()))
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


@contextlib.contextmanager
def _recording_session(study: Study, worker: str) -> Iterator[None]:
    """Stores regularly how long this worker has been alive, which counts as the study's time.

    The monotonic clock measures it: the other one is set while a search runs, by hours or years on
    machines without a battery for it, and goes on while the machine is suspended.
    """
    started, clock, ended = time.time(), time.monotonic(), threading.Event()

    def note() -> None:
        study.note_session(worker, started, time.monotonic() - clock)

    def note_regularly() -> None:
        while not ended.wait(_SESSION_SECONDS):
            # A full disk ends the search with an error when a trial is stored.
            with contextlib.suppress(NasError, OSError, optuna.exceptions.StorageInternalError):
                note()

    note()
    thread = threading.Thread(target=note_regularly, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        note()
