"""The four steps of a trial, by values alone: nothing is trained, and there is no study."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from latency_models import Latency, UnsupportedOperators
from nas.choices import Objective, Risk
from nas.evaluation.evaluator import CandidateEvaluator, EvaluatedCandidate, StageSeconds
from nas.quality.image_quality import ImageQuality, Quality
from nas.quality_model.expectation import ExpectedPsnr
from nas.searching.refusals import Constraint, Ended
from nas.searching.stopping import Run, SearchState
from nas.searching.trial import Proposal, Timed, Trained, propose, record, time, train
from nas.studies.budget import Budget
from nas.studies.folder import StudyFolder
from nas.studies.record import Outcome, TrialRecord
from nas.studies.settings import Settings
from nas.training.job import TrainingResult, TrainingSeconds
from search_spaces import (
    Candidate,
    CandidateError,
    DepthToSpace,
    GraphBuilder,
    InputSpec,
    SpaceToDepth,
    zoo,
)

from ..qualities import figures
from ..records import make_record, make_result

ABPN = Candidate(zoo.abpn(3))
QUALITY = Quality((ImageQuality("0", figures(29.0)),))


def latency_of(ms: float) -> Latency:
    return Latency(ms, ms, ms, (), (), "compiler")


class Evaluator:
    """One to which every network takes ``ms`` before, and ``trained_ms`` after, it is trained."""

    input = InputSpec(90, 160)
    data = SimpleNamespace(validation=SimpleNamespace(pairs=(), in_turn=lambda: iter(())))

    def __init__(self, ms: float = 10.0, trained_ms: float | None = None) -> None:
        self.ms, self.trained_ms = ms, trained_ms
        self.source = SimpleNamespace(reads_weights=trained_ms is not None)

    def latency(self, graph: object) -> Latency:
        return latency_of(self.ms)

    def latency_of_file(self, graph: object, tflite: bytes) -> Latency:
        assert self.trained_ms is not None
        return latency_of(self.trained_ms)

    def evaluate(self, *_: object) -> EvaluatedCandidate:
        result = TrainingResult(
            {}, {"a": np.ones(1, np.float32)}, False, QUALITY, (), TrainingSeconds()
        )
        return EvaluatedCandidate(b"TFL3", result, QUALITY, StageSeconds(2.0, 1.0, 0.5, 0.25))


class Picky(Evaluator):
    """One whose device does not take the network."""

    def latency(self, graph: object) -> Latency:
        raise UnsupportedOperators("takes no TANH", ("TANH",))


def evaluator(made: Evaluator) -> CandidateEvaluator:
    return cast(CandidateEvaluator, made)


def settings(limit_ms: float | None = None, objective: Objective = Objective.SCORE) -> Settings:
    values = SimpleNamespace(max_latency_ms=limit_ms, objective=objective, seed=3, risk=Risk.MEAN)
    return cast(Settings, values)


def search(*records: TrialRecord) -> SearchState:
    return SearchState(Budget(trials=9), records, Run(0), 0.0)


def proposal(**changes: Any) -> Proposal:
    made = propose(5, lambda: ABPN, evaluator(Evaluator()), lambda _: search())
    assert isinstance(made, Proposal)
    return replace(made, **changes)


def timed(ms: float = 10.0) -> Timed:
    return Timed(latency_of(ms), 0.5)


def test_a_network_is_announced_before_it_is_compared_with_others() -> None:
    """Else two workers that draw the same at once would both train it."""
    announced: list[Proposal] = []

    def announce(made: Proposal) -> SearchState:
        announced.append(made)
        return search(replace(make_record(2), candidate=made.candidate.hash))

    ended = propose(5, lambda: ABPN, evaluator(Evaluator()), announce)
    assert [made.candidate for made in announced] == [ABPN]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason) == (Outcome.DUPLICATE, "the same network as trial 2")
    reference = propose(5, lambda: ABPN, evaluator(Evaluator()), announce, is_reference=True)
    assert reference == announced[-1]


def test_what_is_no_network_for_the_input_is_not_announced() -> None:
    net = GraphBuilder()
    blocks = net.add_node(SpaceToDepth(7), net.input)  # 90x160 is no multiple of 7
    features = net.add_node(DepthToSpace(7), blocks)

    def never(_: Proposal) -> SearchState:
        raise AssertionError

    draw = partial(Candidate, net.image(net.conv(features, 27), 3))
    with pytest.raises(CandidateError, match="multiple"):
        propose(5, draw, evaluator(Evaluator()), never)


def test_a_latency_is_compared_with_what_is_known_once_it_is_there() -> None:
    best = make_record(0, result=make_result(30.0, 10.0))
    ended = time(proposal(), evaluator(Evaluator(100.0)), settings(), lambda: search(best))
    assert isinstance(ended, Ended)
    assert ended.outcome is Outcome.PRUNED_BY_LATENCY
    assert ended.latency == latency_of(100.0)
    for made, conditions in (
        (proposal(), settings(objective=Objective.PARETO)),
        (proposal(is_reference=True), settings(limit_ms=1.0)),
    ):
        found = time(made, evaluator(Evaluator(100.0)), conditions, lambda: search(best))
        assert isinstance(found, Timed)
        assert found.latency == latency_of(100.0)


@pytest.mark.parametrize("objective", Objective)
def test_the_same_network_of_an_earlier_trial_is_noticed_before_training_too(
    objective: Objective,
) -> None:
    """It may have been announced after this one looked for it, and did not see it either."""
    same = replace(make_record(2), candidate=ABPN.hash)
    conditions = settings(objective=objective)
    ended = time(proposal(), evaluator(Evaluator()), conditions, lambda: search(same))
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason) == (Outcome.DUPLICATE, "the same network as trial 2")


def test_what_is_over_the_limit_or_not_taken_ends_before_it_is_trained() -> None:
    ended = time(proposal(), evaluator(Evaluator(7.0)), settings(5.0), search)
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.latency) == (Outcome.INFEASIBLE, latency_of(7.0))
    ended = time(proposal(), evaluator(Picky()), settings(5.0), search)
    assert ended == Ended(
        Outcome.INFEASIBLE, "takes no TANH", (Constraint("unsupported_operators", 1),)
    )


def test_a_trained_network_is_kept_and_timed_by_its_own_file(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    step = partial(train, folder=folder, observe=lambda progress: None)
    made = proposal()
    trained = step(made, timed(), evaluator(Evaluator(10.0, 12.0)), settings(20.0))
    assert isinstance(trained, Trained)
    assert trained.latency == latency_of(12.0)
    assert trained.constraints == (Constraint("max_latency_ms", -8.0),)
    assert folder.tflite(ABPN.hash).read_bytes() == b"TFL3"
    assert (folder.model(ABPN.hash) / "weights.npz").exists()
    slow = step(made, timed(), evaluator(Evaluator(10.0, 12.0)), settings(11.0))
    assert isinstance(slow, Ended)
    assert slow.reason == "12.00 ms is over the limit of 11 ms"
    again = step(made, timed(), evaluator(Evaluator()), settings())
    assert isinstance(again, Trained)
    assert (again.latency, again.constraints) == (latency_of(10.0), ())
    assert again.seed == trained.seed


def test_a_result_holds_every_figure_of_the_steps() -> None:
    evaluated = Evaluator().evaluate()
    trained = Trained(evaluated, latency_of(12.0), (), 7, 4.0)
    result = record(proposal(), timed(), trained, ExpectedPsnr(30.0, 29.0, 31.0), Risk.UPPER)
    assert result.latency == latency_of(12.0)
    assert result.expected.psnr_db == 30.0
    assert (result.seed, result.risk, result.tflite_kb) == (7, Risk.UPPER, 0.004)
    assert result.parameters == proposal().figures.parameters
    assert result.seconds == {
        "latency": 0.5, "training": 2.0, "gradient": 1.0, "conversion": 0.5, "quality": 0.25,
        "total": 4.0,
    }  # fmt: skip


def test_values_of_the_steps_are_checked() -> None:
    with pytest.raises(ValueError, match="-1 s since the trial began"):
        Timed(latency_of(1.0), -1)
    with pytest.raises(ValueError, match="has a file"):
        Trained(replace(Evaluator().evaluate(), tflite=b""), latency_of(1.0), (), 7, 4.0)
