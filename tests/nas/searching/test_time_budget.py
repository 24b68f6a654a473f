"""The end of a budget of time, where the network that is trained next is compiled before."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from latency_models import Latency
from latency_models.device import load_device
from nas.evaluation.evaluator import EvaluatedCandidate
from nas.searching.display import Lines, Reporter
from nas.searching.stopping import Run
from nas.searching.worker_loop import Resources, TimeSpent, run_trials, worker_sampler
from nas.studies.budget import Budget
from nas.studies.record import Outcome
from nas.studies.study import Study
from search_spaces import Candidate, Graph
from search_spaces.spaces.loading import load_space
from studies.search_overhead.stand_ins import InstantEvaluator, empty_study, source_of

DEVICE = "ethos-u85-1024"


#: Budgets of searches. In one of them at least, a network is chosen so late that this matters; in
#: which one hangs on the models that come with the package, and on rounding in linear algebra.
BUDGETS = (78, 90, 102, 114)


@dataclass(frozen=True)
class SlowCompiler(InstantEvaluator):
    """Each network is compiled for four seconds and trained for ten, by ``clock``.

    Each turns out slower than any before, so that a search always wants to know of the next best.
    """

    clock: list[float] = field(default_factory=lambda: [0.0])
    #: of each network that was compiled
    compiled: list[str] = field(default_factory=list)

    def fresh_latency(self, graph: Graph) -> Latency:
        self.clock.append(self.clock[-1] + 4)
        self.compiled.append(graph.hash)
        latency = super().fresh_latency(graph)
        ms = latency.ms * 1.5 ** len(self.compiled)
        return replace(latency, ms=ms, low_ms=ms, high_ms=ms)

    def evaluate(self, candidate: Candidate, *args: object) -> EvaluatedCandidate:
        self.clock.append(self.clock[-1] + 10)
        return super().evaluate(candidate, 0, lambda _: None)


@dataclass(frozen=True)
class Search:
    """A search of ``seconds`` by that clock, and why it ended."""

    study: Study
    evaluator: SlowCompiler
    seconds: float
    reason: str

    @property
    def ends(self) -> list[float]:
        """When each training ended."""
        return [end for begin, end in pairwise(self.evaluator.clock) if end - begin == 10]

    @property
    def is_late(self) -> bool:
        """Whether less was left when the last network was chosen than the first trial took."""
        ends = self.ends
        return len(ends) > 1 and self.seconds - (ends[-1] - 10) < ends[0]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """The first search in which a network is chosen late, or the last one."""
    for seconds in BUDGETS:
        search = search_of(seconds, tmp_path_factory.mktemp("budget"))
        if search.is_late:
            break
    return search


def search_of(seconds: float, folder: Path) -> Search:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = empty_study(DEVICE)
        evaluator = replace(SlowCompiler.sleeping(0.0), source=source_of(DEVICE))
        patch.setattr("nas.searching.trial.monotonic", lambda: evaluator.clock[-1])
        patch.setattr(Study, "elapsed_seconds", lambda _: evaluator.clock[-1])
        space, device = load_space(study.settings.space), load_device(DEVICE)
        resources = Resources.deployed(space, device, evaluator.data, None)
        run, budget, observer = Run(0), Budget(seconds=seconds), Reporter(study, Lines())
        spent = TimeSpent(study)
        study.optuna.sampler = worker_sampler(
            study, budget, run, resources, evaluator, observer, spent
        )
        reason = run_trials(study, budget, run, resources.space, evaluator, observer, spent)
        return Search(study, evaluator, seconds, reason)


def test_what_was_proposed_because_it_fits_is_trained(searched: Search) -> None:
    """However long it took to choose it; so no trial is written that is not trained."""
    first, *_, last = ends = searched.ends
    assert [one.outcome for one in searched.study.records()] == [Outcome.TRAINED] * len(ends)
    # Once the last one was chosen, less was left than a trial had taken, its choice included.
    assert 10 < searched.seconds - (last - 10) < first
    assert f"{searched.seconds - last:.0f} s left of 1 min" in searched.reason


@pytest.mark.parametrize("jump", [-3600.0, 2e9])
def test_a_clock_that_is_set_while_a_search_runs_changes_no_elapsed_time(
    jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = empty_study(DEVICE)
    evaluator = InstantEvaluator.sleeping(0.0)
    resources = Resources.deployed(
        load_space(study.settings.space), load_device(DEVICE), evaluator.data, None
    )
    real, began = time.time, time.monotonic()

    def train(*_: object) -> EvaluatedCandidate:
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        time.sleep(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(InstantEvaluator, "evaluate", train)
    spent, observer = TimeSpent(study), Reporter(study, Lines())
    with pytest.raises(KeyboardInterrupt):
        run_trials(study, Budget(trials=1), Run(0), resources.space, evaluator, observer, spent)
    assert 0.5 <= study.elapsed_seconds() <= time.monotonic() - began


def test_a_network_is_compiled_once_for_its_choice_and_its_trial(searched: Search) -> None:
    compiled = searched.evaluator.compiled
    trained = [record.network.deployed.hash for record in searched.study.records()]
    assert len(compiled) > len(trained)
    assert [compiled.count(name) for name in trained] == [1] * len(trained)
