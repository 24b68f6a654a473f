"""Many stand-in workers of one study at once: begun, killed, counted."""

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

#: Workers are forked from one process that has imported all that they need.
_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload(["studies.scaling.preload"])
_POLL_SECONDS = 0.5


@dataclass
class Crowd:
    """Workers of one study, each in a folder of its own, as on a machine of its own, or in one."""

    folder: Path
    name: str
    url: str | None
    seconds: float
    apart: bool = True
    processes: list[BaseProcess] = field(default_factory=list)
    begun: int = 0

    @contextlib.contextmanager
    def made(self, trials: int) -> Iterator[Study]:
        """Within, the study with a budget of so many trials, made if it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.chdir(self.folder):  # to find its folder by
            yield make_study(self.name, self.url, trials)

    def begin(self) -> None:
        """One worker more."""
        place = self.folder / f"machine{self.begun}" if self.apart else self.folder
        words = (place, self.name, self.url, self.seconds, self.begun)
        process = _SERVER.Process(target=work, args=words, daemon=True)
        process.start()
        self.processes.append(process)
        self.begun += 1

    def kill(self) -> None:
        """One of them, at random, as when its machine goes; another joins in its place."""
        victim = random.choice([p for p in self.processes if p.is_alive()])
        assert victim.pid is not None  # it was started
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        self.processes.remove(victim)
        self.begin()

    def replace_failed(self) -> None:
        """Another for each that came while the server was away, as a scheduler has it."""
        for process in [p for p in self.processes if p.exitcode]:
            self.processes.remove(process)
            self.begin()

    @property
    def is_over(self) -> bool:
        """Have all ended?"""
        return not any(process.is_alive() for process in self.processes)

    def require_success(self) -> None:
        """AssertionError if one of those that were left alone failed."""
        assert [process.exitcode for process in self.processes] == [0] * len(self.processes)


@dataclass(frozen=True)
class Speed:
    """How fast so many workers were, beside the sleeping."""

    storage: str
    workers: int
    trained: int
    trials_per_second: float
    #: from the end of one sleep to the begin of the worker's next, the median of all
    overhead_seconds: float
    doubled: int


@dataclass(frozen=True)
class Survival:
    """What came of a study whose workers were killed."""

    storage: str
    workers: int
    kill_every_seconds: float
    #: of the budget
    wanted: int
    trained: int
    killed: int
    #: trials that a killed worker had in hand and that were run again
    run_again: int
    #: of those, trials that were not
    lost: int
    #: candidates that count more than once, and trials that were run again more than once
    doubled: int
    #: trials still running or waiting in the end
    left_over: int
    elapsed_seconds: float


def measure_speed(
    folder: Path, storage: str, url: str, workers: int, seconds: float, each: int
) -> Speed:
    """``workers`` that train ``each`` networks on average."""
    name = f"speed-{storage}-{workers}".lower().replace(" ", "-")
    crowd = Crowd(folder, name, url, seconds)
    with crowd.made(workers * each) as study:
        for _ in range(workers):
            crowd.begin()
        for process in crowd.processes:
            process.join()
        crowd.require_success()
        records = study.records()
    trained = [record for record in records if record.is_trained_candidate]
    begun, ended = zip(*((r.begun or 0.0, r.ended or 0.0) for r in trained), strict=True)
    return Speed(
        storage, workers, len(trained), len(trained) / (max(ended) - min(begun)),
        statistics.median(_gaps(study, records, seconds)), _doubled(trained),
    )  # fmt: skip


def _gaps(study: Study, records: list[TrialRecord], seconds: float) -> Iterator[float]:
    """Seconds of each trial that its worker did not sleep; refused ones count with the next."""
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
    """Kills a worker every so many seconds to the last trial; in the middle, ``restart``.

    A trial is trained between two kills, however slow the machine is.
    """
    with crowd.made(trials) as study:
        began = time.monotonic()
        for _ in range(workers):
            crowd.begin()
        killed = _disturb(crowd, study, trials, kill_every, restart)
        elapsed = time.monotonic() - began
        return _counted(study, storage, workers, kill_every, trials, killed, elapsed)


def _disturb(
    crowd: Crowd,
    study: Study,
    trials: int,
    kill_every: float,
    restart: Callable[[], None] | None,
) -> int:
    """Until all workers have ended; how many were killed."""
    killed, next_kill, before = 0, time.monotonic() + kill_every, 0
    while not crowd.is_over:
        time.sleep(_POLL_SECONDS)
        crowd.replace_failed()
        done = _trained(study)
        if restart is not None and done >= trials // 2:
            restart()
            restart = None
        is_time = time.monotonic() >= next_kill and before < done < trials
        if is_time and not crowd.is_over:
            crowd.kill()
            killed, next_kill, before = killed + 1, time.monotonic() + kill_every, done
    crowd.require_success()
    return killed


def _trained(study: Study) -> int:
    states = (TrialState.COMPLETE,)
    return len(study.optuna.get_trials(deepcopy=False, states=states))


def _counted(
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
    again = Counter(values[RETRY_OF_KEY] for values in attributes if RETRY_OF_KEY in values)
    trained = [record for record in records if record.outcome is Outcome.TRAINED]
    trained = [record for record in trained if record.is_trained_candidate]
    return Survival(
        storage, workers, kill_every, trials, len(trained), killed, sum(again.values()),
        len(interrupted - set(again)), _doubled(trained) + sum(again.values()) - len(again),
        sum(record.running or record.waiting for record in records), elapsed,
    )  # fmt: skip


def _doubled(trained: list[TrialRecord]) -> int:
    return len(trained) - len({record.candidate for record in trained})


@contextlib.contextmanager
def command(folder: Path, *words: str) -> Iterator[str]:
    """Within, a command of ``nas`` that serves; the address that it tells."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", *words], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait()
