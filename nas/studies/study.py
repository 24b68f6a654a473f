"""A study: an Optuna database, and a folder with the models that its trials trained."""

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
    can_be_written,
    file_has_tables,
    open_file,
    open_to_read,
    open_url,
    study_lock,
    url_has_tables,
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
#: A system attribute of Optuna, so that this large text is not read with the user attributes.
_WARM_STARTS_KEY = "nas:warm_starts"
_MAX_ATTEMPTS = 6


class Study:
    """One study's settings and trials.

    The database is at ``storage_url``, for machines to share, or else a file in ``folder``.
    """

    def __init__(
        self, folder: StudyFolder, study: optuna.Study, storage_url: str | None = None
    ) -> None:
        self.folder = folder
        self.optuna = study
        self._storage_url = storage_url
        #: When this process first saw each running trial that has no worker's name (monotonic s).
        self._unnamed_since: dict[int, float] = {}
        self.settings = Settings.from_json(study.user_attrs.get(_SETTINGS_KEY))
        #: Records of finished trials, which no longer change, by trial number.
        self._finished_records: dict[int, TrialRecord] = {}
        self._stopped = False
        self._artifacts: Artifacts | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_shared(self) -> bool:
        """Whether workers of other machines may take part in the study."""
        return self._storage_url is not None

    def stop(self) -> None:
        """Ends the running search from one of its callbacks: no further trial is started.

        The study can be continued later.
        """
        self._stopped = True

    @property
    def is_stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopped

    def records(self) -> list[TrialRecord]:
        """Returns all trials in the order of their numbers.

        Each has its newest latency, compared with the study's limit, and its newest expected PSNR.
        """
        return self.records_of(self.optuna.get_trials(deepcopy=False))

    def records_of(self, trials: Iterable[FrozenTrial]) -> list[TrialRecord]:
        """Returns the records of ``trials`` of this study, as ``records`` does."""
        latencies = read_latencies(self.folder.latencies)
        limit_ms = self.settings.max_latency_ms
        records = self.expectations().applied_to([self._cached_record(trial) for trial in trials])
        return [latencies.applied_to(record).held_to(limit_ms) for record in records]

    def _cached_record(self, trial: FrozenTrial) -> TrialRecord:
        """Returns the record of ``trial`` as stored; caches those of finished trials."""
        record = self._finished_records.get(trial.number)
        if record is None:
            record = TrialRecord.of(trial)
            if trial.state.is_finished():
                self._finished_records[trial.number] = record
        return record

    def expected(self, graph: Graph, macs: int, psnr_db: float) -> ExpectedPsnr:
        """Predicts a network's PSNR after a full training from ``psnr_db`` after a short one.

        ``graph`` is the trained graph; ``macs`` are of the deployed one at the study's input size.
        """
        expectations = self.expectations()
        records = self.records() if expectations.known else []
        return expectations.of(graph, macs, psnr_db, records)

    def note_full_training(self, known: KnownPsnr) -> None:
        """Stores the result of a candidate's full training, to which predictions are adapted."""
        add_known(self.folder.full_trainings, known)

    def expectations(self) -> Expectations:
        """Returns the predictor of full-training PSNR, with all full trainings known now."""
        return Expectations(self.settings, read_known(self.folder.full_trainings))

    def trained(self) -> list[TrialRecord]:
        """Returns the trained candidates, which a budget of trials counts."""
        return [record for record in self.records() if record.is_trained_candidate]

    def elapsed_seconds(self) -> float:
        """Returns the wall-clock time with at least one worker alive, over all runs."""
        attributes = self.optuna.user_attrs
        return covered_seconds(
            tuple(value) for key, value in attributes.items() if key.startswith(_SESSION_PREFIX)
        )

    def budget(self) -> Budget:
        """Returns the budget that the last ``nas search`` set."""
        return Budget(**self.optuna.user_attrs.get(_BUDGET_KEY, {}))

    def set_budget(self, budget: Budget) -> None:
        """Stores the budget, which all workers of the study read."""
        self.optuna.set_user_attr(_BUDGET_KEY, vars(budget))

    def expected_front(self) -> ExpectedFront | None:
        """Returns the Pareto front predicted before any training; None if none was stored."""
        rows = self.optuna.user_attrs.get(_EXPECTED_FRONT_KEY)
        return None if rows is None else ExpectedFront.from_json(rows)

    def note_expected_front(self, front: ExpectedFront) -> None:
        """Stores the Pareto front predicted before any training."""
        self.optuna.set_user_attr(_EXPECTED_FRONT_KEY, front.to_json())

    def warm_starts(self) -> tuple[WarmStart, ...]:
        """Returns the trained networks of other studies that this one was created with."""
        storage = self.optuna._storage
        texts = storage.get_study_system_attrs(self.optuna._study_id).get(_WARM_STARTS_KEY, ())
        return tuple(map(WarmStart.from_text, texts))

    def artifacts(self) -> Artifacts | None:
        """Returns the store of the model files; None if they stay where they were trained.

        Raises NasError if the store cannot be reached.
        """
        word = self.optuna.user_attrs.get(_ARTIFACTS_KEY)
        if word is not None and (self._artifacts is None or str(self._artifacts.place) != word):
            self._artifacts = ArtifactPlace.parse(word).open()
        return self._artifacts

    def set_artifacts(self, place: ArtifactPlace) -> None:
        """Makes all workers upload the models they train from now on to the store at ``place``."""
        self.optuna.set_user_attr(_ARTIFACTS_KEY, str(place))

    def note_session(self, worker: str, started: float, seconds: float) -> None:
        """Stores that ``worker`` was alive for ``seconds`` from ``started`` (of the epoch) on."""
        self.optuna.set_user_attr(f"{_SESSION_PREFIX}{worker}", [started, started + seconds])

    def name_worker(self, trial: optuna.Trial, worker: str) -> None:
        """Stores the name of the ``worker`` that runs ``trial``, after a first heartbeat.

        Other machines recognize a dead worker of a named trial only by missing heartbeats.
        """
        if isinstance(trial.storage, HeartbeatStorage):
            trial.storage.record_first_heartbeat(trial._trial_id)
        trial.set_user_attr(WORKER_KEY, worker)

    def writing_together(self, trial: optuna.Trial) -> contextlib.AbstractContextManager[None]:
        """Defers this thread's writes to ``trial`` until its next other operation or the end."""
        return writing_together(self.optuna._storage, trial._trial_id)

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Lock that a local worker holds from before it starts a trial until the trial is named."""
        with (self.folder.path / "locks" / "begin").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def recover(self) -> list[FrozenTrial]:
        """Fails running trials of dead workers and queues each interrupted trial again, once.

        Returns all trials afterwards. Call it within ``beginning``. Safe to be killed at any time.
        """
        self._fail_stale()
        trials = self.optuna.get_trials(deepcopy=False)
        if not self._interrupted(trials):
            return trials
        with study_lock(self.folder.database, self._storage_url):
            trials = self.optuna.get_trials(deepcopy=False)
            for trial in self._interrupted(trials):  # without those that another machine recovered
                if not self.is_queued_again(trial.number):
                    self._retry(trial)
                if trial.state is TrialState.RUNNING:
                    with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                        self.optuna.tell(trial.number, state=TrialState.FAIL)
        return self.optuna.get_trials(deepcopy=False)

    def _fail_stale(self) -> None:
        """Fails trials without recent heartbeats; Optuna itself does so only when it starts one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.optuna)

    def _interrupted(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Returns running trials of dead workers, and interrupted ones not yet queued again."""
        retried = {trial.user_attrs.get(RETRY_OF_KEY) for trial in trials}

        def is_interrupted(trial: FrozenTrial) -> bool:
            if trial.state is TrialState.RUNNING:
                return self._is_dead(trial)
            unfinished = trial.user_attrs.get(OUTCOME_KEY) in (None, Outcome.TRAINED)
            return trial.state is TrialState.FAIL and unfinished and trial.number not in retried

        return list(filter(is_interrupted, trials))

    def is_queued_again(self, number: int) -> bool:
        """Returns whether trial ``number`` was given up and queued again under another number."""
        trials = self.optuna.get_trials(deepcopy=False)
        return any(trial.user_attrs.get(RETRY_OF_KEY) == number for trial in trials)

    def _retry(self, trial: FrozenTrial) -> None:
        """Queues ``trial`` again; after _MAX_ATTEMPTS attempts adds a failed trial instead."""
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
        """Returns whether a running trial's worker is dead, as far as this machine can tell.

        A worker of this machine is dead if its lock is free; Optuna's heartbeat detects those of
        other machines. A trial without a worker's name was interrupted at its start: ``beginning``
        excludes that a local worker is starting it. In a shared database another machine may be, so
        that it counts as dead only after GRACE_SECONDS, measured by this machine's clock.
        """
        place, _, worker = trial.user_attrs.get(WORKER_KEY, "").rpartition("/")
        if worker:
            return place == self.folder.place and is_free(self.folder.lock(worker))
        now = time.monotonic()
        seen = self._unnamed_since.setdefault(trial.number, now)
        return not self.is_shared or now - seen > GRACE_SECONDS


def create_study(
    folder: StudyFolder,
    storage_url: str | None,
    settings: Settings,
    warm_starts: Sequence[WarmStart] = (),
) -> Study:
    """Creates a study with ``warm_starts`` and queued reference trials, completely or not at all.

    If another process has created a study of this name meanwhile, returns that one, whose settings
    may differ. Raises InputError if the study cannot be created.
    """
    folder.create()
    storage = _open_storage(folder, storage_url)
    directions = [StudyDirection.MAXIMIZE]
    if settings.objective is Objective.PARETO:
        directions.append(StudyDirection.MINIMIZE)
    with study_lock(folder.database, storage_url):
        existing = _load_if_complete(folder, storage, storage_url)
        if existing is not None:
            return existing
        study = optuna.create_study(
            study_name=folder.name, storage=storage, directions=directions, load_if_exists=True
        )
        if study.directions != directions:  # its creation, for another objective, was interrupted
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
        study.set_user_attr(_SETTINGS_KEY, settings.to_json())  # last: marks it as complete
        return Study(folder, study, storage_url)


def find_study(folder: StudyFolder, storage_url: str | None) -> Study | None:
    """Opens an existing study to continue it; returns None if there is none. Creates no database.

    Raises NasError if its database is damaged or cannot be reached or written.
    """
    if folder.database.exists() and not can_be_written(folder.database):
        raise NasError(f"{folder.path}: cannot be written to; copy the study to another disk")
    found = file_has_tables(folder.database) if storage_url is None else url_has_tables(storage_url)
    if not found:
        return None
    return _load_if_complete(folder, _open_storage(folder, storage_url), storage_url)


def _load_if_complete(
    folder: StudyFolder, storage: BaseStorage, storage_url: str | None
) -> Study | None:
    """Returns the study, None if it is missing or incomplete; InputError if nas did not make it."""
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
    """Opens an existing study to read it; raises InputError with the known studies if missing.

    Creates nothing. If the disk is full or read-only, the study is read from a copy.
    """
    folder = StudyFolder.found(name)
    storage: BaseStorage | None
    if storage_url is None:
        storage = open_to_read(folder.database)
    else:
        storage = open_url(storage_url) if url_has_tables(storage_url) else None
    study = None if storage is None else _load_if_complete(folder, storage, storage_url)
    return _require_found(name, storage_url, study)


def join_study(name: str, storage_url: str | None = None) -> Study:
    """Opens an existing study to continue it; raises InputError with the known ones if missing."""
    return _require_found(name, storage_url, find_study(StudyFolder.found(name), storage_url))


def _require_found(name: str, storage_url: str | None, study: Study | None) -> Study:
    if study is not None:
        return study
    if storage_url is None:
        others = {path.parent.name for path in Path().glob("studies/*/study.db")} - {name}
        known = ", ".join(sorted(others)) or "none"
        raise InputError(f"no study {name!r} here; known: {known}")
    place = shown_url(storage_url)
    if url_has_tables(storage_url):
        raise InputError(f"no study {name!r} in the database {place}")
    raise InputError(f"no such database: {place}; `nas search` with this --storage makes it")


def _open_storage(folder: StudyFolder, url: str | None) -> BaseStorage:
    return GatheringStorage(open_file(folder.database)) if url is None else open_url(url)


def _is_queued_baseline(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.WAITING and is_baseline(trial)
