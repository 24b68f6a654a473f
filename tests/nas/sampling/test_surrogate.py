"""The surrogate sampler, on networks whose PSNR a formula tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import optuna
import pytest
from optuna.trial import TrialState

from latency_models import Latency, LatencyRequest
from latency_models.device import load_device
from nas.choices import Objective, SamplerKind
from nas.quality_model.features import Features
from nas.sampling.latency_estimate import LatencyEstimator
from nas.sampling.surrogate import SurrogateSampler
from nas.searching.refusals import bottleneck, gaps
from nas.searching.smallest import smallest_macs
from nas.studies.budget import Budget
from nas.studies.record import ARCHITECTURE_KEY, CANDIDATE_KEY, OUTCOME_KEY, Outcome, TrialRecord
from nas.studies.settings import Settings
from search_spaces import Candidate, Graph, GraphBuilder, Multiply, infer
from search_spaces.spaces.asking import Trial
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space
from studies.search_efficiency.simulation import (
    INPUT,
    SETTINGS,
    Simulation,
    all_fit,
    networks,
    records_of,
)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def gain_db(features: Features) -> float:
    """Wider, deeper and less shrunk networks are better, up to a point."""
    return (
        0.2 + 0.12 * features.log_depth + 0.08 * (features.log_mean_width - 4)
        + 0.15 * features.carries_image - 0.3 * features.log_stride
        - 0.2 * (features.log_overlap < 0)
    )  # fmt: skip


def simulated(settings: Settings = SETTINGS) -> Simulation:
    return Simulation.of(settings, gain_db)


def best(simulation: Simulation, trials: int) -> float:
    return max(result.log2_score for result in simulation.run(trials))


def test_it_finds_in_a_few_trainings_what_random_search_does_not_in_many() -> None:
    settings = replace(SETTINGS, space="mobile")
    random = replace(settings, sampler=SamplerKind.RANDOM)
    assert best(simulated(settings), 5) > best(simulated(random), 30)


def test_the_same_seed_gives_the_same_trials_and_another_others() -> None:
    first, again, other = (simulated(replace(SETTINGS, seed=seed)) for seed in (1, 1, 2))
    for simulation in (first, again, other):
        simulation.run(4)
    assert networks(first) == networks(again) != networks(other)
    assert len(set(networks(first))) == 4


def test_a_search_that_is_gone_on_with_proposes_what_it_would_have() -> None:
    """However often: what a sampler keeps of earlier trials changes no proposal."""
    whole, parts = simulated(), simulated()
    whole.run(5)
    parts.run(2)
    for _ in range(3):
        parts.study.sampler = simulated().study.sampler
        parts.run(1)
    assert networks(parts) == networks(whole)


def test_for_a_front_it_proposes_fast_and_good_networks() -> None:
    simulation = simulated(replace(SETTINGS, objective=Objective.PARETO))
    results = simulation.run(8)
    times = [result.latency.ms for result in results]
    assert max(times) > 1.5 * min(times)


def test_a_limit_is_kept() -> None:
    free = simulated(replace(SETTINGS, objective=Objective.PARETO)).run(4)
    limit_ms = sorted(result.latency.promised_ms for result in free)[1]
    for result in simulated(replace(SETTINGS, max_latency_ms=limit_ms)).run(4):
        assert result.latency.promised_ms <= limit_ms


def test_networks_that_lose_the_image_are_not_proposed() -> None:
    simulation = simulated(replace(SETTINGS, space="mobile"))
    simulation.run(3)
    for trial in simulation.study.get_trials():
        candidate = Candidate.from_json(trial.user_attrs["architecture"])
        assert bottleneck(candidate.graph) is None
        assert gaps(candidate.graph) is None


def macs_of(trial: optuna.trial.FrozenTrial) -> int:
    return infer(Candidate.from_json(trial.user_attrs["architecture"]).deployed, INPUT).macs


@dataclass
class Time:
    """Of the networks that fit: multiply-accumulates of the largest; nothing fits where it is 0."""

    most_macs: float

    def fits(self, number: int, records: Sequence[TrialRecord], macs: Sequence[int]) -> list[bool]:
        return [0 < self.most_macs >= count for count in macs]


def in_time(time: Time) -> Simulation:
    simulation = simulated(replace(SETTINGS, space="mobile"))
    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    simulation.study.sampler = SurrogateSampler(sampler._problem, records_of, time.fits)
    return simulation


def test_what_is_proposed_fits_however_little_time_is_left() -> None:
    """Down to a space's smallest networks, which no pool of good ones has."""
    smallest = smallest_macs(load_space("mobile"), SETTINGS, Budget(seconds=1))
    time = Time(float("inf"))
    simulation = in_time(time)
    simulation.run(2)
    for most in (8 * smallest, 2 * smallest, smallest):
        time.most_macs = most
        simulation.run(1)
        assert macs_of(simulation.study.trials[-1]) <= most


def test_without_time_it_looks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = in_time(Time(0))
    monkeypatch.setattr("nas.sampling.surrogate.make_small_options", None)
    assert simulation.study.ask().relative_params == {}


def test_what_is_proposed_was_timed_by_the_device_itself() -> None:
    """The estimates are of another device; some networks the device itself never takes."""
    simulation, asked = simulated(), dict[str, bool]()
    other = LatencyEstimator.of(load_device("ethos-u85-1024"), INPUT, SETTINGS.risk)

    def find_latency(candidate: Candidate) -> Latency | None:
        asked[candidate.hash] = len(asked) % 3 > 0
        request = LatencyRequest.of_graph(candidate.deployed, INPUT, bytes)
        return simulation.source.measure(request) if asked[candidate.hash] else None

    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    problem = replace(sampler._problem, estimator=other)
    simulation.study.sampler = SurrogateSampler(
        problem, records_of, all_fit, find_latency=find_latency
    )
    for trials in range(1, 6):
        simulation.run(1)
        assert asked[networks(simulation)[-1]]
        assert len(asked) <= 8 * trials


def test_a_seed_may_be_any_number() -> None:
    simulation = simulated(replace(SETTINGS, seed=10**30))
    simulation.run(1)
    assert len(networks(simulation)) == 1


def now_and_then(trial: Trial, scale: int = 3) -> Graph:
    """A user's space that fails for some choices, in a way of its own."""
    width = trial.suggest_int("width", 8, 40, step=4)
    if trial.suggest_categorical("broken", (True, False)):
        raise ZeroDivisionError(width)
    net = GraphBuilder()
    features = net.conv(net.input, width, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


def searched(space: Space) -> Simulation:
    simulation = replace(simulated(), space=space)
    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    problem = replace(sampler._problem, space=space)
    simulation.study.sampler = SurrogateSampler(problem, records_of, all_fit)
    return simulation


def test_a_space_that_fails_now_and_then_is_searched() -> None:
    simulation = searched(Space.of_function(now_and_then))
    simulation.run(3)
    assert len(set(networks(simulation))) == 3


def deep_or_not(trial: Trial, scale: int = 3) -> Graph:
    """Deep networks all look better to the sampler than the others, or all look worse."""
    width = trial.suggest_int("width", 8, 80, step=1)
    net = GraphBuilder()
    features = net.conv(net.input, width, relu=True)
    if trial.suggest_categorical("deep", (True, False)):
        for _ in range(6):
            features = net.conv(features, width, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


@pytest.mark.parametrize("has_network", [True, False])
def test_networks_like_those_that_failed_are_proposed_less(has_network: bool) -> None:
    """Otherwise a search would end after 20 failures of networks that look best."""
    simulation = searched(Space.of_function(deep_or_not))
    study, proposed = simulation.study, list[bool]()
    for _ in range(6):
        trial = study.ask()
        candidate = simulation.space.draw(trial, 3)
        proposed.append(trial.params["deep"])
        if has_network:
            trial.set_user_attr(ARCHITECTURE_KEY, candidate.to_json())
            trial.set_user_attr(CANDIDATE_KEY, candidate.hash)
        if proposed[-1] == proposed[0]:
            trial.set_user_attr(OUTCOME_KEY, Outcome.FAILED)
        study.tell(trial, state=TrialState.FAIL)
    assert (not proposed[0]) in proposed


def squared(trial: Trial, scale: int = 3) -> Graph:
    """Some networks multiply features by themselves, which has no INT8 form."""
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 24, 40, step=4), relu=True)
    if trial.suggest_categorical("square", (True, False)):
        features = net.add_node(Multiply(), features, features)
    return net.image(net.conv(features, 3 * scale**2), scale)


def test_networks_without_an_int8_form_are_not_proposed() -> None:
    simulation = searched(Space.of_function(squared))
    simulation.run(3)
    assert not any(trial.params["square"] for trial in simulation.study.get_trials())
