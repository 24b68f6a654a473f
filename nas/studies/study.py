"""A study on disk: an Optuna database and, beside it, the models that its trials left."""

from __future__ import annotations

import contextlib
import fcntl
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Graph, InputError, NasError
from search_spaces.zoo import REFERENCES

from ..choices import Objective
from ..quality_model.expectation import ExpectedPsnr
from ..system.passwords import shown_url
from .artifacts import ArtifactPlace, Artifacts
from .budget import Budget, covered_seconds
from .database import (
    alone,
    can_be_written,
    is_begun,
    is_begun_at,
    open_file,
    open_to_read,
    open_url,
)
from .expectations import Expectations, KnownPsnr, add_known, read_known
from .expected_front import ExpectedFront
from .folder import StudyFolder
from .gathering import GatheringStorage, writing_together
from .heartbeat import GRACE_SECONDS, HeartbeatStorage
from .latencies import read_latencies
from .record import (
    ATTEMPT_KEY,
    BASELINE_KEY,
    OUTCOME_KEY,
    REASON_KEY,
    RETRY_OF_KEY,
    WORKER_KEY,
    Outcome,
    TrialRecord,
    is_baseline,
)
from .settings import Settings
from .warm_start import WarmStart
from .worker_locks import is_free

_SETTINGS_KEY = "settings"
_BUDGET_KEY = "budget"
_ARTIFACTS_KEY = "artifacts"
_EXPECTED_FRONT_KEY = "expected_front"
_SESSION_PREFIX = "session:"
#: Among Optuna's own attributes: large, never changed, and seldom read.
_WARM_STARTS_KEY = "nas:warm_starts"
_MAX_ATTEMPTS = 6


class Study:
    """One study's trials and settings, in whatever database they are.

    With a ``storage_url`` other machines may share it; without, it is the folder's own file.
    """

    def __init__(
        self, folder: StudyFolder, study: optuna.Study, storage_url: str | None = None
    ) -> None:
        self.folder = folder
        self.optuna = study
        self._storage_url = storage_url
        #: running trials without a worker's name, and when this process first saw them
        self._nameless: dict[int, float] = {}
        self.settings = Settings.from_json(study.user_attrs.get(_SETTINGS_KEY))
        #: of trials that are over, which stay as they are
        self._ended: dict[int, TrialRecord] = {}
        self._stopped = False
        self._artifacts: Artifacts | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_shared(self) -> bool:
        """May workers of other machines have part in it?"""
        return self._storage_url is not None

    def stop(self) -> None:
        """Ends the search that this was handed to a callback of: no other trial is begun.

        The study may be gone on with later.
        """
        self._stopped = True

    @property
    def is_stopped(self) -> bool:
        """Was ``stop`` called?"""
        return self._stopped

    def records(self) -> list[TrialRecord]:
        """All trials in the order in which they were begun.

        Each with its truest latency, held to the study's limit by that, and with what is expected
        of it by all that is known.
        """
        return self.records_of(self.optuna.get_trials(deepcopy=False))

    def records_of(self, trials: Iterable[FrozenTrial]) -> list[TrialRecord]:
        """The same of ``trials`` that were got from Optuna before."""
        latencies = read_latencies(self.folder.latencies)
        limit_ms = self.settings.max_latency_ms
        records = self.expectations().applied_to([self._record_of(trial) for trial in trials])
        return [latencies.applied_to(record).held_to(limit_ms) for record in records]

    def _record_of(self, trial: FrozenTrial) -> TrialRecord:
        """What it remembers; read once if it is over."""
        record = self._ended.get(trial.number)
        if record is None:
            record = TrialRecord.of(trial)
            if trial.state.is_finished():
                self._ended[trial.number] = record
        return record

    def expected(self, graph: Graph, macs: int, psnr_db: float) -> ExpectedPsnr:
        """What is expected after a full training of a network with ``psnr_db`` after a trial's.

        ``graph`` is the trained one, ``macs`` are the deployed one's at the study's input.
        """
        expectations = self.expectations()
        records = self.records() if expectations.known else []
        return expectations.of(graph, macs, psnr_db, records)

    def note_full_training(self, known: KnownPsnr) -> None:
        """Writes down what a full training of a candidate gave; expectations learn from it."""
        add_known(self.folder.full_trainings, known)

    def expectations(self) -> Expectations:
        """What is known of full trainings by now."""
        return Expectations(self.settings, read_known(self.folder.full_trainings))

    def trained(self) -> list[TrialRecord]:
        """Trained candidates: what a budget of trials counts."""
        return [record for record in self.records() if record.is_trained_candidate]

    def elapsed_seconds(self) -> float:
        """Wall-clock time with a worker alive, over all runs."""
        attributes = self.optuna.user_attrs
        return covered_seconds(
            tuple(value) for key, value in attributes.items() if key.startswith(_SESSION_PREFIX)
        )

    def budget(self) -> Budget:
        """What the last ``nas search`` asked for."""
        return Budget(**self.optuna.user_attrs.get(_BUDGET_KEY, {}))

    def set_budget(self, budget: Budget) -> None:
        """Tells workers how far to go."""
        self.optuna.set_user_attr(_BUDGET_KEY, vars(budget))

    def expected_front(self) -> ExpectedFront | None:
        """What was expected before anything was trained; None if nobody said so."""
        rows = self.optuna.user_attrs.get(_EXPECTED_FRONT_KEY)
        return None if rows is None else ExpectedFront.from_json(rows)

    def note_expected_front(self, front: ExpectedFront) -> None:
        """Writes it down."""
        self.optuna.set_user_attr(_EXPECTED_FRONT_KEY, front.to_json())

    def warm_starts(self) -> tuple[WarmStart, ...]:
        """What was known of other studies when this one was made."""
        storage = self.optuna._storage
        texts = storage.get_study_system_attrs(self.optuna._study_id).get(_WARM_STARTS_KEY, ())
        return tuple(map(WarmStart.from_text, texts))

    def artifacts(self) -> Artifacts | None:
        """Where models go that every machine may export; None if they stay where they were trained.

        NasError if that is out of reach.
        """
        word = self.optuna.user_attrs.get(_ARTIFACTS_KEY)
        if word is not None and (self._artifacts is None or str(self._artifacts.place) != word):
            self._artifacts = ArtifactPlace.parse(word).open()
        return self._artifacts

    def set_artifacts(self, place: ArtifactPlace) -> None:
        """Has every worker put there what it trains from now on."""
        self.optuna.set_user_attr(_ARTIFACTS_KEY, str(place))

    def note_session(self, worker: str, started: float) -> None:
        """Writes down that ``worker`` has been alive since ``started`` (seconds of the epoch)."""
        self.optuna.set_user_attr(f"{_SESSION_PREFIX}{worker}", [started, time.time()])

    def name_worker(self, trial: optuna.Trial, worker: str) -> None:
        """Writes on ``trial`` who runs it.

        A heartbeat first: from the name on, other machines judge by that alone.
        """
        if isinstance(trial.storage, HeartbeatStorage):
            trial.storage.record_first_heartbeat(trial._trial_id)
        trial.set_user_attr(WORKER_KEY, worker)

    def writing_together(self, trial: optuna.Trial) -> contextlib.AbstractContextManager[None]:
        """Within, what is written to ``trial`` waits until anything else is asked of the study."""
        return writing_together(self.optuna._storage, trial._trial_id)

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Held by a local worker from before it begins a trial until its name is on it."""
        with (self.folder.path / "locks" / "begin").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def recover(self) -> list[FrozenTrial]:
        """Fails the running trials of dead workers and queues each interrupted one again, once.

        Called within ``beginning``. Safe to be killed at any moment. Returns all trials by then.
        """
        self._fail_stale()
        trials = self.optuna.get_trials(deepcopy=False)
        if not self._lost(trials):
            return trials
        with alone(self.folder.database, self._storage_url):
            trials = self.optuna.get_trials(deepcopy=False)
            for trial in self._lost(trials):  # another machine may have been faster
                if not self.is_queued_again(trial.number):
                    self._retry(trial)
                if trial.state is TrialState.RUNNING:
                    with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                        self.optuna.tell(trial.number, state=TrialState.FAIL)
        return self.optuna.get_trials(deepcopy=False)

    def _fail_stale(self) -> None:
        """Fails what has had no heartbeat for long; Optuna does so only where a trial begins."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.optuna)

    def _lost(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Those of all ``trials`` that run no more, or were broken off, and not queued again."""
        retried = {trial.user_attrs.get(RETRY_OF_KEY) for trial in trials}

        def is_lost(trial: FrozenTrial) -> bool:
            if trial.state is TrialState.RUNNING:
                return self._is_dead(trial)
            unfinished = trial.user_attrs.get(OUTCOME_KEY) in (None, Outcome.TRAINED)
            return trial.state is TrialState.FAIL and unfinished and trial.number not in retried

        return list(filter(is_lost, trials))

    def is_queued_again(self, number: int) -> bool:
        """Has trial ``number`` been given up for dead and queued under another number?"""
        trials = self.optuna.get_trials(deepcopy=False)
        return any(trial.user_attrs.get(RETRY_OF_KEY) == number for trial in trials)

    def _retry(self, trial: FrozenTrial) -> None:
        attempt = trial.user_attrs.get(ATTEMPT_KEY, 1) + 1
        kept = {BASELINE_KEY: trial.user_attrs[BASELINE_KEY]} if is_baseline(trial) else {}
        if attempt > _MAX_ATTEMPTS:
            reason = f"its worker died {_MAX_ATTEMPTS} times while it ran"
            attributes = {**kept, OUTCOME_KEY: Outcome.FAILED, REASON_KEY: reason}
            state = TrialState.FAIL
        else:
            attributes, state = {**kept, ATTEMPT_KEY: attempt}, TrialState.WAITING
        self.optuna.add_trial(
            optuna.create_trial(
                state=state,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs={**attributes, RETRY_OF_KEY: trial.number},
            )
        )

    def _is_dead(self, trial: FrozenTrial) -> bool:
        """Was the trial begun on this machine by a worker that holds its lock no more?

        One without a worker's name was cut off while it began: nobody here is beginning one now. In
        a shared database it may be another machine's, and counts as dead when it has been seen so
        for long: its time is that of another clock. Named trials of other machines are left to
        Optuna's heartbeat.
        """
        place, _, worker = trial.user_attrs.get(WORKER_KEY, "").rpartition("/")
        if worker:
            return place == self.folder.place and is_free(self.folder.lock(worker))
        now = time.monotonic()
        seen = self._nameless.setdefault(trial.number, now)
        return not self.is_shared or now - seen > GRACE_SECONDS


def create_study(
    folder: StudyFolder,
    storage_url: str | None,
    settings: Settings,
    warm_starts: Sequence[WarmStart] = (),
) -> Study:
    """A new study with its reference trials queued; whole, or not there at all.

    It keeps ``warm_starts``. If somebody has made one of that name in the meantime, that one, with
    settings of its own. InputError if it cannot be made.
    """
    folder.create()
    storage = _open(folder, storage_url)
    directions = [StudyDirection.MAXIMIZE]
    if settings.objective is Objective.PARETO:
        directions.append(StudyDirection.MINIMIZE)
    with alone(folder.database, storage_url):
        made = _whole_study(folder, storage, storage_url)
        if made is not None:
            return made
        study = optuna.create_study(
            study_name=folder.name, storage=storage, directions=directions, load_if_exists=True
        )
        if study.directions != directions:  # killed while it was made, for another objective
            raise InputError(
                f"an empty study {folder.name!r} with another objective is in this database; "
                "choose another name by --study"
            )
        queued = {trial.user_attrs[BASELINE_KEY] for trial in study.get_trials(deepcopy=False)}
        for network in REFERENCES if settings.baselines else ():
            if network.name not in queued:
                study.enqueue_trial({}, user_attrs={BASELINE_KEY: network.name})
        texts = [warm_start.to_text() for warm_start in warm_starts]
        storage.set_study_system_attr(study._study_id, _WARM_STARTS_KEY, texts)
        study.set_user_attr(_SETTINGS_KEY, settings.to_json())  # last: now it is whole
        return Study(folder, study, storage_url)


def find_study(folder: StudyFolder, storage_url: str | None) -> Study | None:
    """The study of that name, to be gone on with, or None; no database is made.

    NasError if its database is damaged or out of reach, or nothing can be written to it.
    """
    if folder.database.exists() and not can_be_written(folder.database):
        raise NasError(f"{folder.path}: cannot be written to; copy the study to another disk")
    begun = is_begun(folder.database) if storage_url is None else is_begun_at(storage_url)
    if not begun:
        return None
    return _whole_study(folder, _open(folder, storage_url), storage_url)


def _whole_study(
    folder: StudyFolder, storage: BaseStorage, storage_url: str | None
) -> Study | None:
    """None if it is not there, or was killed while it was made; InputError if it is another's."""
    if folder.name not in optuna.get_all_study_names(storage):
        return None
    study = optuna.load_study(study_name=folder.name, storage=storage)
    if _SETTINGS_KEY in study.user_attrs:
        return Study(folder, study, storage_url)
    if not study.user_attrs and all(map(_is_queued_baseline, study.get_trials(deepcopy=False))):
        return None
    raise InputError(
        f"study {folder.name!r} in this database is not one of nas; choose another name by --study"
    )


def load_study(name: str, storage_url: str | None = None) -> Study:
    """The study of that name, to be read; InputError lists the known ones.

    Nothing is made, and where its disk takes no writing it is read from a copy.
    """
    folder = StudyFolder.found(name)
    storage: BaseStorage | None
    if storage_url is None:
        storage = open_to_read(folder.database)
    else:
        storage = open_url(storage_url) if is_begun_at(storage_url) else None
    study = None if storage is None else _whole_study(folder, storage, storage_url)
    return _required(name, storage_url, study)


def join_study(name: str, storage_url: str | None = None) -> Study:
    """The study of that name, to be gone on with; InputError lists the known ones."""
    return _required(name, storage_url, find_study(StudyFolder.found(name), storage_url))


def _required(name: str, storage_url: str | None, study: Study | None) -> Study:
    if study is not None:
        return study
    if storage_url is None:
        others = {path.parent.name for path in Path().glob("studies/*/study.db")} - {name}
        known = ", ".join(sorted(others)) or "none"
        raise InputError(f"no study {name!r} here; known: {known}")
    place = shown_url(storage_url)
    if is_begun_at(storage_url):
        raise InputError(f"no study {name!r} in the database {place}")
    raise InputError(f"no such database: {place}; `nas search` with this --storage makes it")


def _open(folder: StudyFolder, url: str | None) -> BaseStorage:
    return GatheringStorage(open_file(folder.database)) if url is None else open_url(url)


def _is_queued_baseline(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.WAITING and is_baseline(trial)
