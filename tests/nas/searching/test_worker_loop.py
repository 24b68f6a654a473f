"""One worker's loop over a study, within this process: what it trains, and what it does not."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import latency_models
from latency_models import (
    Latency,
    LatencyError,
    LatencyRequest,
    LatencySource,
    OperatorLatency,
    Worker,
)
from nas.choices import Objective, Precision, SamplerKind
from nas.evaluation.evaluator import EvaluatedCandidate, StageSeconds
from nas.quality.image_quality import ImageQuality, Quality
from nas.searching.display import Lines, Reporter
from nas.searching.stopping import Run, TrialSeconds
from nas.searching.study_setup import prepare_study
from nas.searching.worker_loop import Resources, work
from nas.studies.budget import Budget
from nas.studies.database import open_file
from nas.studies.record import WORKER_KEY, Outcome, TrialRecord
from nas.studies.results import findings
from nas.studies.settings import StudyRequest
from nas.studies.study import Study
from nas.training.job import Progress, TrainingResult, TrainingSeconds
from tests.nas.qualities import figures

from ..commands import SMALL_PHOTOS, SMALL_SPACE
from ..studies.heartbeats import beat
from . import trainings

OWN = """
from search_spaces import GraphBuilder

def sample(trial, scale=3):
    net = GraphBuilder()
    width = trial.suggest_int("width", 4, {widest}, step=4)
    if {fails}:
        raise RuntimeError("an empty thought")
    return net.image(net.conv(net.conv(net.input, width, relu=True), 3 * scale**2), scale)
"""
DEEP = """
from search_spaces import GraphBuilder

def sample(trial, scale=3):
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 4, 40), relu=True)
    if trial.suggest_categorical("deep", (False, True)):
        for _ in range(20):
            features = net.conv(features, 64, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)
"""


@dataclass(frozen=True)
class Searched:
    """A study whose loop has ended, and why it did."""

    study: Study
    reason: str

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return tuple(self.study.records())

    @property
    def outcomes(self) -> Counter[Outcome | None]:
        return Counter(record.outcome for record in self.records)

    def reasons(self, outcome: Outcome) -> list[str]:
        return [record.reason for record in self.records if record.outcome is outcome]


@dataclass(frozen=True)
class Searcher:
    """Somebody who searches spaces of their own, alone and for moments."""

    worker: Worker
    folder: Path

    def prepare(self, space: str, **wishes: Any) -> tuple[Study, Resources]:
        """The study; ``space`` is the text of a file."""
        (self.folder / "mine.py").write_text(space)
        request = StudyRequest(
            space="mine.py", data=str(SMALL_PHOTOS), input="90x160", steps=50, seed=3,
            precision=Precision.FLOAT32, baselines=False, **wishes,
        )  # fmt: skip
        return prepare_study("s", request, None, self.worker)

    def search(self, space: str, trials: int, **wishes: Any) -> Searched:
        """Runs trials until there are so many."""
        study, resources = self.prepare(space, **wishes)
        observer, run = Reporter(study, Lines()), Run.beginning(study.records())
        return Searched(study, work(study, Budget(trials), run, resources, self.worker, observer))


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture
def searcher(worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searcher:
    monkeypatch.chdir(tmp_path)
    return Searcher(worker, tmp_path)


class Compiler(LatencySource):
    """One to which trained weights are dearer than those that stand in for them."""

    def __init__(self) -> None:
        self._compiled: set[str] = set()

    @property
    def reads_weights(self) -> bool:
        return True

    def measure(self, request: LatencyRequest) -> Latency:
        trained = request.name in self._compiled
        self._compiled.add(request.name)
        ms = 0.5 * request.operators[0].outputs[0].shape[2] + 0.1 * trained
        rows = tuple(OperatorLatency(k.name, k.kind, "npu", 0.0) for k in request.operators)
        return Latency(ms, ms, ms, rows, (), "compiler")


def test_what_is_too_slow_to_win_is_not_trained_where_the_score_is_all(searcher: Searcher) -> None:
    searched = searcher.search(DEEP, 4, sampler=SamplerKind.RANDOM)  # the default avoids them
    slow = searched.reasons(Outcome.PRUNED_BY_LATENCY)
    assert slow
    assert all("it would need" in reason for reason in slow)


def test_a_limit_holds_for_the_trained_file_too(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Widths 4, 8 and 12 are 2.1, 4.1 and 6.1 ms once they are trained."""
    monkeypatch.setattr("nas.searching.worker_loop.open_source", lambda *_: Compiler())
    searched = searcher.search(OWN.format(widest=12, fails="False"), 3, max_latency_ms=4.05)
    assert searched.outcomes[Outcome.TRAINED] == 1
    assert {f"{ms} ms is over the limit of 4.05 ms" for ms in ("4.10", "6.00")} == set(
        searched.reasons(Outcome.INFEASIBLE)
    )
    assert [finding.result.latency.ms for finding in findings(searched.study)] == [2.1]


def test_other_objectives_and_samplers_run(searcher: Searcher) -> None:
    searched = searcher.search(
        SMALL_SPACE.read_text(), 1, objective=Objective.PARETO, sampler=SamplerKind.NSGA2
    )
    assert searched.outcomes == {Outcome.TRAINED: 1}
    assert findings(searched.study)


def test_failures_are_recorded_and_the_search_goes_on(searcher: Searcher) -> None:
    searched = searcher.search(OWN.format(widest=64, fails="trial.number % 2 == 0"), 2)
    assert searched.outcomes[Outcome.TRAINED] == 2
    failed = searched.reasons(Outcome.FAILED)
    assert len(failed) == 2
    assert all("mine.py, line 8: RuntimeError: an empty thought" in reason for reason in failed)


def test_failures_only_end_the_search_and_it_says_so(searcher: Searcher) -> None:
    searched = searcher.search(OWN.format(widest=64, fails="trial.number > 0"), 2)
    assert "20 failures in a row" in searched.reason
    assert "an empty thought" in searched.reason


@dataclass
class Board(LatencySource):
    """One that may be unplugged."""

    plugged: bool = False

    def measure(self, request: LatencyRequest) -> Latency:
        if not self.plugged:
            raise LatencyError("board 0123 is away")
        rows = tuple(OperatorLatency(k.name, k.kind, "npu", 1.0) for k in request.operators)
        return Latency(1.0, 1.0, 1.0, rows, (), "board")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network is trained in no time, and as good as any other."""

    def evaluate(*_: object) -> EvaluatedCandidate:
        quality = Quality((ImageQuality("0", figures(29.0)),))
        result = TrainingResult({}, {}, False, quality, (), TrainingSeconds())
        return EvaluatedCandidate(b"TFL3", result, quality, StageSeconds(0.0, 0.0, 0.0, 0.0))

    monkeypatch.setattr("nas.evaluation.evaluator.CandidateEvaluator.evaluate", evaluate)
    monkeypatch.setattr("nas.evaluation.evaluator.CandidateEvaluator.start", lambda evaluator: None)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("widest", "reason"),
    [(4000, "3 failures in a row, the last: board 0123 is away"), (4, "3 duplicate, 1 failed")],
)
def test_a_search_goes_on_when_its_board_is_back(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch, widest: int, reason: str
) -> None:
    """By the same command, and with the very networks that failed."""
    monkeypatch.setattr("nas.searching.stopping.MAX_FAILURES_IN_A_ROW", 3)
    monkeypatch.setattr("nas.searching.stopping.MAX_SAMPLES_WITHOUT_CANDIDATE", 4)
    board = Board()
    monkeypatch.setattr("nas.searching.worker_loop.open_source", lambda *_: board)
    space = OWN.format(widest=widest, fails="False")
    assert reason in searcher.search(space, 1).reason
    board.plugged = True
    assert searcher.search(space, 1).reason == "budget reached: 1 trained trials"


WITH_TANH = """
from search_spaces import GraphBuilder, Tanh

def sample(trial, scale=3):
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 4, 4000), relu=True)
    if trial.suggest_categorical("tanh", (False, True)):
        features = net.add_node(Tanh(), features)
    return net.image(net.conv(features, 3 * scale**2), scale)
"""


def device_that_takes(*kinds: str) -> str:
    """A copy of a device that takes these operators alone."""
    shipped = Path(latency_models.__file__).parent / "devices/vs680"
    folder = Path("device")
    shutil.copytree(shipped, folder)
    file = folder / "device.toml"
    file.write_text(file.read_text().replace('operators = "any"', f"operators = {list(kinds)}"))
    return str(folder)


@pytest.mark.usefixtures("at_once")
def test_a_network_that_the_device_does_not_take_is_infeasible_and_no_failure(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.searching.stopping.MAX_FAILURES_IN_A_ROW", 1)
    device = device_that_takes("CONV_2D", "DEPTH_TO_SPACE")
    # The default sampler does not propose them.
    wishes = {"device": device, "objective": Objective.PARETO, "sampler": SamplerKind.RANDOM}
    searched = searcher.search(WITH_TANH, 4, **wishes)
    assert searched.reason == "budget reached: 4 trained trials"
    assert searched.outcomes.keys() == {Outcome.TRAINED, Outcome.INFEASIBLE}
    assert all("vs680 does not take TANH" in r for r in searched.reasons(Outcome.INFEASIBLE))
    for trial, record in zip(searched.study.optuna.trials, searched.records, strict=True):
        told = {"unsupported_operators": 1.0} if record.outcome is Outcome.INFEASIBLE else {}
        assert trial.constraints == told


@pytest.mark.usefixtures("at_once")
def test_a_network_that_cannot_pass_on_the_image_is_not_trained(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.searching.stopping.MAX_SAMPLES_WITHOUT_CANDIDATE", 10)
    space = OWN.format(widest=4, fails="False").replace("4, 4, step=4", "1, 9, step=4")
    searched = searcher.search(space, 3, objective=Objective.PARETO)
    assert searched.outcomes[Outcome.TRAINED] == 2
    reason = "only 1 of the image's 3 values a pixel get through it"
    assert set(searched.reasons(Outcome.INFEASIBLE)) == {reason}
    for trial, record in zip(searched.study.optuna.trials, searched.records, strict=True):
        assert (trial.constraints == {"image_values": 2.0}) == (
            record.outcome is Outcome.INFEASIBLE
        )


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("sampler", SamplerKind)
def test_a_search_without_time_for_any_network_ends_at_once(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch, sampler: SamplerKind
) -> None:
    """After the first two, each of which takes 30 s, by what is told of the time."""
    space = OWN.format(widest=400, fails="False")
    study, resources = searcher.prepare(space, sampler=sampler, objective=Objective.PARETO)
    monkeypatch.setattr(TrialSeconds, "of", lambda records: TrialSeconds(mean=30.0 * bool(records)))
    monkeypatch.setattr(Study, "elapsed_seconds", lambda study: 30.0 * len(study.trained()))
    observer, run = Reporter(study, Lines()), Run.beginning(study.records())
    reason = work(study, Budget(seconds=80.0), run, resources, searcher.worker, observer)
    assert reason == "not even the smallest networks fit into the 20 s left of 1 min 20 s"
    assert [record.outcome for record in study.records()] == [Outcome.TRAINED] * 2


@pytest.mark.usefixtures("at_once")
def test_a_device_that_takes_no_network_ends_the_search_with_the_reason(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.searching.stopping.MAX_SAMPLES_WITHOUT_CANDIDATE", 3)
    space = OWN.format(widest=4000, fails="False")
    searched = searcher.search(space, 1, device=device_that_takes("CONV_2D"))
    assert "3 infeasible, the last: " in searched.reason
    assert "vs680 does not take DEPTH_TO_SPACE" in searched.reason


@pytest.mark.usefixtures("at_once")
def test_who_waits_for_a_machine_that_died_goes_on(searcher: Searcher) -> None:
    """It holds the last trial of the budget, and nobody begins another."""
    space = OWN.format(widest=64, fails="False")
    study, _ = searcher.prepare(space)
    trial = study.optuna.ask()
    trial.set_user_attr(WORKER_KEY, "elsewhere/0123")
    beat(open_file(study.folder.database), trial._trial_id, seconds_ago=90)
    searched = searcher.search(space, 1)
    assert searched.reason == "budget reached: 1 trained trials"
    assert [record.complete for record in searched.records] == [False, True]


def test_a_space_is_used_up_when_all_is_trained_once_or_over_the_latency_limit(
    searcher: Searcher,
) -> None:
    # Up to 2.569, 2.558 and 2.548 ms for 4, 8 and 12 channels.
    searched = searcher.search(OWN.format(widest=12, fails="False"), 5, max_latency_ms=2.563)
    assert "200 samples in a row gave no new candidate" in searched.reason
    assert searched.outcomes.keys() == {Outcome.TRAINED, Outcome.INFEASIBLE, Outcome.DUPLICATE}
    assert searched.outcomes[Outcome.TRAINED] == 2
    assert searched.outcomes[Outcome.INFEASIBLE] == 1
    (reason,) = searched.reasons(Outcome.INFEASIBLE)
    assert "over the limit" in reason
    assert "predicted" in reason


def test_a_crash_in_training_fails_that_network_alone(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_training: list[int] = []
    trains = searcher.worker.call(60, os.getpid)

    def kill(reporter: Reporter, number: int, progress: Progress) -> None:
        if not in_training:
            os.kill(trains, signal.SIGKILL)
        in_training.append(number)

    monkeypatch.setattr(Reporter, "training", kill)
    searched = searcher.search(OWN.format(widest=64, fails="False"), 2)
    assert searched.outcomes[Outcome.TRAINED] == 2
    failed = [record for record in searched.records if record.outcome is Outcome.FAILED]
    assert [record.number for record in failed] == in_training[:1]
    assert "the worker process died" in failed[0].reason


def test_a_training_that_hangs_fails_that_network_alone(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.evaluation.evaluator._run_training", trainings.hang)
    monkeypatch.setattr("nas.training.stalling.FLOOR_SECONDS", 0.2)
    monkeypatch.setattr("nas.searching.stopping.MAX_FAILURES_IN_A_ROW", 2)
    searched = searcher.search(OWN.format(widest=4000, fails="False"), 1)
    assert "2 failures in a row" in searched.reason
    assert all("no sign of life within" in reason for reason in searched.reasons(Outcome.FAILED))


def test_trainings_that_fail_wear_a_worker_out_too(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher.worker.close()
    followed: list[int] = []
    monkeypatch.setattr("nas.evaluation.evaluator._run_training", trainings.fail)
    monkeypatch.setattr("nas.evaluation.evaluator.CandidateEvaluator.start", lambda evaluator: None)
    monkeypatch.setattr("nas.searching.stopping.MAX_FAILURES_IN_A_ROW", 12)

    def note(*_: object) -> None:
        followed.append(searcher.worker.followed)

    monkeypatch.setattr(Reporter, "ended", note)
    searcher.search(OWN.format(widest=4000, fails="False"), 1)
    assert followed == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]
