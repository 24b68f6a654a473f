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


#: Of the whole search: by the package's table of networks, one is chosen so late that this matters.
SECONDS = 78


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


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, SlowCompiler, str]:
    """A search of SECONDS by that clock, its trials, and why it ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("budget"))
        study = empty_study(DEVICE)
        evaluator = replace(SlowCompiler.sleeping(0.0), source=source_of(DEVICE))
        patch.setattr("nas.searching.trial.monotonic", lambda: evaluator.clock[-1])
        patch.setattr(Study, "elapsed_seconds", lambda _: evaluator.clock[-1])
        space, device = load_space(study.settings.space), load_device(DEVICE)
        resources = Resources.deployed(space, device, evaluator.data, None)
        run, budget, observer = Run(0), Budget(seconds=SECONDS), Reporter(study, Lines())
        spent = TimeSpent(study)
        study.optuna.sampler = worker_sampler(
            study, budget, run, resources, evaluator, observer, spent
        )
        reason = run_trials(study, budget, run, resources.space, evaluator, observer, spent)
        return study, evaluator, reason


def test_what_was_proposed_because_it_fits_is_trained(
    searched: tuple[Study, SlowCompiler, str],
) -> None:
    """However long it took to choose it; so no trial is written that is not trained."""
    study, evaluator, reason = searched
    clock = evaluator.clock
    first, *_, last = ends = [end for begin, end in pairwise(clock) if end - begin == 10]
    assert [record.outcome for record in study.records()] == [Outcome.TRAINED] * len(ends)
    # Once the last one was chosen, less was left than a trial had taken, its choice included.
    assert 10 < SECONDS - (last - 10) < first
    assert f"{SECONDS - last:.0f} s left of 1 min 18 s" in reason


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


def test_a_network_is_compiled_once_for_its_choice_and_its_trial(
    searched: tuple[Study, SlowCompiler, str],
) -> None:
    study, evaluator, _ = searched
    compiled = evaluator.compiled
    trained = [record.network.deployed.hash for record in study.records()]
    assert len(compiled) > len(trained)
    assert [compiled.count(name) for name in trained] == [1] * len(trained)
