"""A study on disk: what it keeps, and how it finds the trials that a dead worker left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from nas.choices import Objective, Quantization, Risk, SamplerKind
from nas.studies.budget import Budget
from nas.studies.database import open_file, open_url
from nas.studies.folder import StudyFolder
from nas.studies.place import is_proxy
from nas.studies.proxy_server import serving
from nas.studies.record import ATTEMPT_KEY, BASELINE_KEY, OUTCOME_KEY, WORKER_KEY, Outcome
from nas.studies.settings import References, Settings, StudyRequest
from nas.studies.study import (
    Study,
    create_study,
    find_study,
    load_study,
)
from nas.studies.worker_locks import worker_label, worker_lock
from nas.system.versions import installed_versions
from nas.training.recipe import Recipe
from search_spaces import InputError, NasError

from .heartbeats import backend, beat

SETTINGS = Settings(
    space="anchor", space_version=1, space_fingerprint="f",
    device="host", device_fingerprint="v", data="embedded", data_fingerprint="d",
    input="36x64", scale=3, objective=Objective.SCORE, risk=Risk.MEAN, sampler=SamplerKind.RANDOM,
    quantize=Quantization.QAT, max_latency_ms=None, seed=0, trial_seconds=1.0, baselines=False,
    recipe=Recipe(steps=100), references=References(1.0, 1.0),
    versions=installed_versions(),
)  # fmt: skip


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return create_study(StudyFolder.named("s"), None, SETTINGS)


def begin(study: Study, worker: str | None) -> optuna.Trial:
    """A trial as a worker leaves it that is cut off: running, a parameter drawn."""
    trial = study.optuna.ask()
    if worker is not None:
        trial.set_user_attr(WORKER_KEY, worker_label(study.folder, worker))
    trial.suggest_int("width", 8, 64)
    return trial


def states(study: Study) -> list[TrialState]:
    return [trial.state for trial in study.optuna.get_trials(deepcopy=False)]


def test_studies_of_earlier_versions_were_made_with_predictions_as_they_are() -> None:
    stored = SETTINGS.to_json()
    del stored["risk"]
    found = Settings.from_json(stored)
    assert found == replace(SETTINGS, risk=Risk.POINT)
    found.refuse_other("s", StudyRequest())
    with pytest.raises(InputError, match="was made with risk point, not mean"):
        found.refuse_other("s", StudyRequest(risk=Risk.MEAN))


def test_settings_come_back_as_they_were_stored(study: Study) -> None:
    found = find_study(study.folder, None)
    assert found is not None
    assert found.settings == SETTINGS


def test_a_study_that_was_killed_while_it_was_made_is_made_anew(study: Study) -> None:
    optuna.create_study(study_name="half", storage=study.optuna._storage)
    folder = StudyFolder.named("s")
    half = StudyFolder(folder.path.with_name("half"))
    half.create()
    half.database.write_bytes(folder.database.read_bytes())
    assert find_study(half, None) is None


REFERRING = replace(SETTINGS, baselines=True)
OTHER = replace(REFERRING, seed=1)


@pytest.fixture(params=["file", "SQLite URL", "PostgreSQL", "proxy"])
def storage_url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str | None]:
    """Where the trials of a study in the current folder are."""
    monkeypatch.chdir(tmp_path)
    file = f"sqlite:///{tmp_path}/shared.db"
    match request.param:
        case "file":
            yield None
        case "SQLite URL":
            yield file
        case "PostgreSQL":
            yield request.getfixturevalue("postgres")
        case "proxy":
            with serving(file, "127.0.0.1", 0) as (_, address):
                yield f"grpc://{address}"


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> StudyFolder:
    """One that no other test has a study in."""
    return StudyFolder.named(re.sub(r"[^a-z0-9]", "-", request.node.name.lower())[:99])


def test_a_study_that_somebody_made_meanwhile_is_joined(
    folder: StudyFolder, storage_url: str | None
) -> None:
    first = create_study(folder, storage_url, REFERRING)
    first.optuna.add_trial(optuna.create_trial(value=1.0))
    second = create_study(folder, storage_url, OTHER)
    assert second.settings == REFERRING
    assert [trial.state for trial in second.optuna.trials] == [
        TrialState.WAITING, TrialState.WAITING, TrialState.COMPLETE,
    ]  # fmt: skip


def test_of_several_that_make_a_study_at_once_one_does(
    folder: StudyFolder, storage_url: str | None
) -> None:
    folder.create()  # temporary files are named by the process, which threads share
    together = Barrier(3)

    def create(seed: int) -> Settings:
        together.wait(60)
        return create_study(folder, storage_url, replace(REFERRING, seed=seed)).settings

    with ThreadPoolExecutor(3) as threads:
        seen = list(threads.map(create, range(3)))
    assert seen[0] == seen[1] == seen[2]
    study = find_study(folder, storage_url)
    assert study is not None
    assert study.settings == seen[0]
    assert [record.baseline for record in study.records()] == ["ABPN", "XLSR"]


@pytest.mark.parametrize("queued", [0, 1, 2])
def test_what_was_cut_off_while_it_was_made_is_completed(
    folder: StudyFolder, storage_url: str | None, queued: int
) -> None:
    folder.create()
    storage = opened(folder, storage_url)
    half = optuna.create_study(study_name=folder.name, storage=storage, direction="maximize")
    for name in ("ABPN", "XLSR")[:queued]:
        half.enqueue_trial({}, user_attrs={BASELINE_KEY: name})
    study = create_study(folder, storage_url, REFERRING)
    assert [record.baseline for record in study.records()] == ["ABPN", "XLSR"]


def test_an_empty_study_with_another_objective_is_left_alone(
    folder: StudyFolder, storage_url: str | None
) -> None:
    folder.create()
    storage = opened(folder, storage_url)
    optuna.create_study(study_name=folder.name, storage=storage, direction="minimize")
    with pytest.raises(InputError, match="choose another name by --study"):
        create_study(folder, storage_url, REFERRING)
    assert folder.name in optuna.get_all_study_names(storage)


def test_whether_machines_share_a_study_is_what_was_asked_for(study: Study, tmp_path: Path) -> None:
    """Not whether a database lies in its folder: one of the same name may."""
    shared = create_study(study.folder, f"sqlite:///{tmp_path}/shared.db", SETTINGS)
    assert not study.is_shared
    assert shared.is_shared
    begin(shared, None)
    shared.recover()
    assert states(shared) == [TrialState.RUNNING]  # another machine may be beginning it


def test_only_what_was_asked_for_is_held_against_a_study() -> None:
    SETTINGS.refuse_other("s", StudyRequest())
    SETTINGS.refuse_other("s", StudyRequest(device="host", scale=3))
    with pytest.raises(InputError, match="made with scale 3, not 2"):
        SETTINGS.refuse_other("s", StudyRequest(device="host", scale=2))


def test_a_record_follows_its_trial_to_the_end_and_is_then_kept(study: Study) -> None:
    trial = study.optuna.ask()
    assert study.records()[-1].running
    trial.set_user_attr("candidate", "0123456789abcdef")
    assert study.records()[-1].candidate == "0123456789abcdef"
    trial.set_user_attr(OUTCOME_KEY, Outcome.DUPLICATE)
    study.optuna.tell(trial, state=TrialState.PRUNED)
    record = study.records()[-1]
    assert (record.running, record.outcome) == (False, Outcome.DUPLICATE)
    assert study.records()[-1] is record


def test_a_dead_worker_s_trial_is_failed_and_queued_once(study: Study) -> None:
    with worker_lock(study.folder) as worker:
        trial = begin(study, worker)
        study.recover()
        assert states(study) == [TrialState.RUNNING]  # its worker is alive
    study.recover()
    study.recover()
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]
    again = study.optuna.ask()
    assert again.number == 1
    assert again.suggest_int("width", 8, 64) == trial.params["width"]
    assert WORKER_KEY not in again.user_attrs


def test_a_trial_that_was_cut_off_before_it_had_a_worker_s_name(study: Study) -> None:
    begin(study, None)
    study.recover()
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]


def test_being_killed_between_queueing_and_failing_queues_nothing_twice(study: Study) -> None:
    trial = begin(study, "dead")
    dead = study.optuna.get_trials()[0]
    study._retry(dead)  # and here it was killed
    study.recover()
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]
    assert trial.number == 0


@pytest.mark.parametrize("outcome", [None, Outcome.TRAINED])
def test_an_interrupted_trial_is_run_again(study: Study, outcome: Outcome | None) -> None:
    trial = begin(study, "dead")
    if outcome is not None:
        trial.set_user_attr(OUTCOME_KEY, outcome)
    study.optuna.tell(trial, state=TrialState.FAIL)
    study.recover()
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DUPLICATE, Outcome.OVER_BUDGET])
def test_a_trial_that_ended_for_a_reason_is_not_run_again(study: Study, outcome: Outcome) -> None:
    trial = begin(study, "dead")
    trial.set_user_attr(OUTCOME_KEY, outcome)
    study.optuna.tell(trial, state=TrialState.FAIL)
    study.recover()
    assert states(study) == [TrialState.FAIL]


def test_a_trial_that_kills_its_worker_every_time_is_given_up(study: Study) -> None:
    begin(study, "dead")
    for _ in range(20):
        study.recover()
        queued = [t for t in study.optuna.get_trials() if t.state is TrialState.WAITING]
        if not queued:
            break
        begin(study, "dead")
    last = study.optuna.get_trials()[-1]
    assert last.state is TrialState.FAIL
    assert last.user_attrs[OUTCOME_KEY] == Outcome.FAILED
    assert "its worker died" in study.records()[-1].reason
    assert max(t.user_attrs.get(ATTEMPT_KEY, 1) for t in study.optuna.get_trials()) == 6


def test_a_reference_trial_stays_one_when_it_is_run_again(study: Study) -> None:
    study.optuna.enqueue_trial({}, user_attrs={BASELINE_KEY: "ABPN"})
    begin(study, "dead")
    study.recover()
    assert [record.baseline for record in study.records()] == ["ABPN", "ABPN"]


@pytest.mark.parametrize(
    ("seconds_ago", "then"),
    [(30, [TrialState.RUNNING]), (90, [TrialState.FAIL, TrialState.WAITING])],
)
def test_a_trial_of_another_machine_is_dead_when_its_heartbeat_is_old(
    folder: StudyFolder, storage_url: str | None, seconds_ago: int, then: list[TrialState]
) -> None:
    """Whoever looks finds out: all others may be waiting for it, and begin no trial."""
    study = create_study(folder, storage_url, SETTINGS)
    trial = study.optuna.ask()
    trial.set_user_attr(WORKER_KEY, "elsewhere/0123")
    beat(opened(folder, storage_url), trial._trial_id, seconds_ago)
    study.recover()
    study.recover()
    assert states(study) == then


def test_a_nameless_trial_of_a_shared_study_is_dead_when_it_was_seen_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its time says, which may be that of another zone."""
    monkeypatch.chdir(tmp_path)
    study = create_study(StudyFolder.named("s"), f"sqlite:///{tmp_path}/shared.db", SETTINGS)
    begin(study, None)
    clock = 1000.0
    monkeypatch.setattr("nas.studies.study.time.monotonic", lambda: clock)
    study.recover()
    clock += 44
    study.recover()
    assert states(study) == [TrialState.RUNNING]
    clock += 2
    study.recover()
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]


def opened(folder: StudyFolder, storage_url: str | None) -> RDBStorage:
    """The database as another machine would open it; that behind a proxy, as the proxy does."""
    if storage_url is None:
        return open_file(folder.database)
    behind = f"sqlite:///{Path.cwd()}/shared.db"
    return backend(open_url(behind if is_proxy(storage_url) else storage_url))


def test_time_is_summed_over_runs_and_not_over_workers(study: Study) -> None:
    def alive(worker: str, started: float, now: float) -> None:
        study.note_session(worker, started, now - started)

    alive("a", 100, 160)
    alive("b", 130, 170)
    alive("c", 500, 510)
    alive("a", 100, 165)
    assert study.elapsed_seconds() == 80


def test_a_budget_is_kept_for_other_workers(study: Study) -> None:
    study.set_budget(Budget(trials=3, seconds=60))
    assert load_study("s").budget() == Budget(trials=3, seconds=60)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no database at all" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
    ],
    ids=["garbage", "truncated"],
)
def test_a_damaged_database_is_told_in_one_line_and_left_alone(
    study: Study, spoil: Callable[[Path], object]
) -> None:
    for journal in study.folder.path.glob("study.db-*"):
        journal.unlink()
    spoil(study.folder.database)
    before = study.folder.database.read_bytes()
    with pytest.raises(NasError, match=r"study.db: the study's database cannot be used") as error:
        load_study("s")
    assert "\n" not in str(error.value)
    assert study.folder.database.read_bytes() == before


def test_a_folder_of_somebody_else_is_not_taken_for_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies/mine").mkdir(parents=True)
    with pytest.raises(InputError, match="is not a study"):
        StudyFolder.named("mine")
    for name in ("../up", "", ".hidden", "a/b", "x" * 200):
        with pytest.raises(InputError, match="study name"):
            StudyFolder.named(name)


def test_a_worker_in_another_folder_is_another_machine_s(study: Study, tmp_path: Path) -> None:
    trial = study.optuna.ask()
    elsewhere = StudyFolder(tmp_path / "elsewhere/studies/s")
    trial.set_user_attr(WORKER_KEY, worker_label(elsewhere, "0123"))
    study.recover()
    assert states(study) == [TrialState.RUNNING]
