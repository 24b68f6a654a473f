"""Starts and kills many stand-in workers of one study, and counts their trials."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from optuna.trial import TrialState

from nas.studies.record import RETRY_OF_KEY, WORKER_KEY, Outcome, TrialRecord
from nas.studies.study import Study

from .sleeper import make_study, work

#: Workers are forked from one process that has imported all modules that they need.
_FORK_SERVER = get_context("forkserver")
_FORK_SERVER.set_forkserver_preload(["studies.scaling.preload"])
_POLL_SECONDS = 0.5


@dataclass
class Crowd:
    """Workers of one study.

    With ``apart`` each works in its own folder, as if on its own machine, else all in one folder.
    ``seconds`` is the duration of a training.
    """

    folder: Path
    name: str
    url: str | None
    seconds: float
    apart: bool = True
    processes: list[BaseProcess] = field(default_factory=list)
    started_count: int = 0

    @contextlib.contextmanager
    def open_study(self, trials: int) -> Iterator[Study]:
        """Context with the study and a budget of ``trials``; creates the study if it is missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.chdir(self.folder):  # the study's folder is relative
            yield make_study(self.name, self.url, trials)

    def start_worker(self) -> None:
        """Starts one more worker."""
        place = self.folder / f"machine{self.started_count}" if self.apart else self.folder
        arguments = (place, self.name, self.url, self.seconds, self.started_count)
        process = _FORK_SERVER.Process(target=work, args=arguments, daemon=True)
        process.start()
        self.processes.append(process)
        self.started_count += 1

    def kill(self) -> None:
        """Kills a random worker, as if its machine had failed, and starts another in its place."""
        victim = random.choice([p for p in self.processes if p.is_alive()])
        assert victim.pid is not None  # the process was started
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        self.processes.remove(victim)
        self.start_worker()

    def replace_failed(self) -> None:
        """Starts a worker for each that failed because the server was down, as a scheduler does."""
        for process in [p for p in self.processes if p.exitcode]:
            self.processes.remove(process)
            self.start_worker()

    @property
    def is_over(self) -> bool:
        """Whether all workers have ended."""
        return not any(process.is_alive() for process in self.processes)

    def require_success(self) -> None:
        """Raises AssertionError if a worker that was not killed failed."""
        assert [process.exitcode for process in self.processes] == [0] * len(self.processes)


@dataclass(frozen=True)
class Speed:
    """Speed of ``workers`` workers, and the time that they spend on anything but sleeping."""

    storage: str
    workers: int
    trained: int
    trials_per_second: float
    #: Median time from the end of a worker's sleep to the start of its next one.
    overhead_seconds: float
    #: Number of candidates that were trained a second time.
    doubled: int


@dataclass(frozen=True)
class Survival:
    """Result of a study whose workers were killed."""

    storage: str
    workers: int
    kill_every_seconds: float
    #: Number of trials in the budget.
    wanted: int
    trained: int
    killed: int
    #: Interrupted trials of killed workers that were run again.
    run_again: int
    #: Interrupted trials that were not run again.
    lost: int
    #: Candidates that count more than once, and trials that were run again more than once.
    doubled: int
    #: Trials that are still running or waiting at the end.
    left_over: int
    elapsed_seconds: float


def measure_speed(
    folder: Path, storage: str, url: str, workers: int, seconds: float, trials_per_worker: int
) -> Speed:
    """Runs ``workers`` until each has trained ``trials_per_worker`` networks on average."""
    name = f"speed-{storage}-{workers}".lower().replace(" ", "-")
    crowd = Crowd(folder, name, url, seconds)
    with crowd.open_study(workers * trials_per_worker) as study:
        for _ in range(workers):
            crowd.start_worker()
        for process in crowd.processes:
            process.join()
        crowd.require_success()
        records = study.records()
    trained = [record for record in records if record.is_trained_candidate]
    begun, ended = zip(*((r.begun or 0.0, r.ended or 0.0) for r in trained), strict=True)
    return Speed(
        storage, workers, len(trained), len(trained) / (max(ended) - min(begun)),
        statistics.median(_overheads(study, records, seconds)), _count_doubled(trained),
    )  # fmt: skip


def _overheads(study: Study, records: list[TrialRecord], seconds: float) -> Iterator[float]:
    """Yields the seconds between trainings of a worker, including those of refused trials."""
    by_worker: dict[str, list[TrialRecord]] = {}
    for trial, record in zip(study.optuna.get_trials(deepcopy=False), records, strict=True):
        if record.is_trained_candidate:
            by_worker.setdefault(trial.user_attrs[WORKER_KEY], []).append(record)
    for own in by_worker.values():
        times = [record.begun or 0.0 for record in own]
        yield from (later - earlier - seconds for earlier, later in pairwise(times))


def measure_survival(
    crowd: Crowd,
    storage: str,
    workers: int,
    trials: int,
    kill_every: float,
    restart: Callable[[], None] | None = None,
) -> Survival:
    """Kills a worker every ``kill_every`` seconds, and calls ``restart`` after half of the trials.

    At least one trial is trained between two kills, however slow the machine is.
    """
    with crowd.open_study(trials) as study:
        began = time.monotonic()
        for _ in range(workers):
            crowd.start_worker()
        killed = _kill_workers(crowd, study, trials, kill_every, restart)
        elapsed = time.monotonic() - began
        return _survival_of(study, storage, workers, kill_every, trials, killed, elapsed)


def _kill_workers(
    crowd: Crowd,
    study: Study,
    trials: int,
    kill_every: float,
    restart: Callable[[], None] | None,
) -> int:
    """Kills workers until all have ended; returns the number of kills."""
    killed, next_kill, done_at_last_kill = 0, time.monotonic() + kill_every, 0
    while not crowd.is_over:
        time.sleep(_POLL_SECONDS)
        crowd.replace_failed()
        done = _count_trained(study)
        if restart is not None and done >= trials // 2:
            restart()
            restart = None
        is_due = time.monotonic() >= next_kill and done_at_last_kill < done < trials
        if is_due and not crowd.is_over:
            crowd.kill()
            killed, next_kill, done_at_last_kill = killed + 1, time.monotonic() + kill_every, done
    crowd.require_success()
    return killed


def _count_trained(study: Study) -> int:
    states = (TrialState.COMPLETE,)
    return len(study.optuna.get_trials(deepcopy=False, states=states))


def _survival_of(
    study: Study,
    storage: str,
    workers: int,
    kill_every: float,
    trials: int,
    killed: int,
    elapsed: float,
) -> Survival:
    records = study.records()
    attributes = [trial.user_attrs for trial in study.optuna.get_trials(deepcopy=False)]
    interrupted = {
        record.number
        for record in records
        if not (record.has_ended or record.running or record.waiting)
    }
    retries = Counter(values[RETRY_OF_KEY] for values in attributes if RETRY_OF_KEY in values)
    trained = [record for record in records if record.outcome is Outcome.TRAINED]
    trained = [record for record in trained if record.is_trained_candidate]
    return Survival(
        storage, workers, kill_every, trials, len(trained), killed, sum(retries.values()),
        len(interrupted - set(retries)),
        _count_doubled(trained) + sum(retries.values()) - len(retries),
        sum(record.running or record.waiting for record in records), elapsed,
    )  # fmt: skip


def _count_doubled(trained: list[TrialRecord]) -> int:
    return len(trained) - len({record.candidate for record in trained})


@contextlib.contextmanager
def command(folder: Path, *words: str) -> Iterator[str]:
    """Context in which a serving command of ``nas`` runs; yields the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", *words], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait()
