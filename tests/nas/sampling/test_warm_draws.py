"""What other studies have trained, as the first networks of a search in the same space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import optuna
import pytest

from nas.choices import Objective, SamplerKind
from nas.quality_model.features import Features
from nas.quality_model.networks import ShortlyTrainedNetwork
from nas.sampling.options import ImprovementModel
from nas.sampling.pool import make_pool
from nas.sampling.problem import SamplingProblem, StudyKnowledge
from nas.sampling.surrogate import SurrogateSampler
from nas.sampling.warm_prior import warm_prior
from nas.studies.record import Result
from nas.studies.settings import Settings
from nas.studies.warm_start import WarmStart
from search_spaces import Graph, GraphBuilder
from search_spaces.spaces.asking import Trial
from search_spaces.spaces.space import Space
from studies.search_efficiency.simulation import (
    SETTINGS,
    Simulation,
    all_fit,
    networks,
    records_of,
)

#: Another study: other images, and another seed.
SECOND = replace(SETTINGS, data_fingerprint="e", seed=7)
NOTHING = StudyKnowledge((), (), (), frozenset())


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def gain_db(features: Features) -> float:
    """Best where the package's networks are not: at a width of 24."""
    return 0.8 - 0.3 * abs(features.log_mean_width - 4.6)


def trained(space: str, count: int, seed: int = SETTINGS.seed) -> WarmStart:
    """A study of random networks of ``space``."""
    settings = replace(SETTINGS, space=space, seed=seed)
    simulation = Simulation.of(replace(settings, sampler=SamplerKind.RANDOM), gain_db)
    simulation.run(count)
    trials = simulation.study.get_trials()
    known = [
        ShortlyTrainedNetwork(
            record.network, record.result.psnr_db, record.result.psnr_db, trial.params
        )
        for record, trial in zip(records_of(trials), trials, strict=True)
        if record.result is not None
    ]
    return WarmStart("first", settings, tuple(known))


@pytest.fixture(scope="module")
def first() -> WarmStart:
    return trained("anchor", 30)


def without_choices(start: WarmStart) -> WarmStart:
    """As an earlier version has kept it."""
    return replace(start, networks=tuple(replace(row, choices={}) for row in start.networks))


def warmed(settings: Settings, start: WarmStart) -> Simulation:
    """A search that knows it."""
    simulation = Simulation.of(settings, gain_db)
    problem = replace(
        problem_of(simulation),
        read_prior=lambda: warm_prior(settings, [start]),
        read_known=lambda: [start.known],
    )
    simulation.study.sampler = SurrogateSampler(problem, records_of, all_fit)
    return simulation


def problem_of(simulation: Simulation) -> SamplingProblem:
    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    return sampler._problem


def hashes(start: WarmStart) -> set[str]:
    return {row.candidate.hash for row in start.networks}


def test_another_study_s_best_are_options_from_the_start(first: WarmStart) -> None:
    simulation = warmed(SECOND, first)
    scores = {
        row.candidate.hash: simulation.result_of(row.candidate).log2_score for row in first.networks
    }
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:5]
    model = ImprovementModel(problem_of(simulation), NOTHING)
    assert {option.hash for option in make_pool(model, 0)} >= set(best)
    tried = replace(NOTHING, proposed=frozenset(best))
    options = {option.hash for option in make_pool(replace(model, knowledge=tried), 1)}
    assert options & hashes(first)
    assert not options & set(best)


def test_the_first_proposal_is_a_relative_of_them() -> None:
    """Less so where their PSNR alone is known, which tells as much of networks."""

    def changes(start: WarmStart, known: WarmStart, seed: int) -> int:
        """By how many choices it differs from the nearest of them."""
        simulation = warmed(replace(SECOND, space="mobile", seed=seed), known)
        simulation.run(1)
        values = simulation.study.get_trials()[-1].params
        return min(len(dict(values.items() ^ row.choices.items())) for row in start.networks)

    with_choices = without = 0
    for start in (trained("mobile", 30, seed) for seed in range(8)):
        for seed in range(2):
            with_choices += changes(start, start, seed)
            without += changes(start, without_choices(start), seed)
    assert with_choices < 0.75 * without


def test_a_warm_search_that_is_gone_on_with_proposes_what_it_would_have(first: WarmStart) -> None:
    whole, parts = warmed(SECOND, first), warmed(SECOND, first)
    whole.run(2)
    parts.run(1)
    parts.study.sampler = warmed(SECOND, first).study.sampler
    parts.run(1)
    assert networks(parts) == networks(whole)


def test_the_best_for_this_study_come_first(first: WarmStart) -> None:
    simulation = warmed(SECOND, first)
    problem = problem_of(simulation)
    results = [simulation.result_of(draw.candidate) for draw in problem.warm_draws]
    scores = [result.log2_score for result in results]
    assert len(scores) == len(hashes(first))
    assert scores == sorted(scores, reverse=True)

    front = replace(problem, settings=replace(SECOND, objective=Objective.PARETO)).warm_draws
    of_front = [simulation.result_of(draw.candidate) for draw in front]
    unbeaten = [not any(beats(other, one) for other in of_front) for one in of_front]
    assert unbeaten == sorted(unbeaten, reverse=True)
    assert 1 < sum(unbeaten) < len(unbeaten)

    limit_ms = sorted(result.latency.promised_ms for result in results)[10]
    limited = replace(problem, settings=replace(SECOND, max_latency_ms=limit_ms)).warm_draws
    times = [simulation.result_of(draw.candidate).latency.promised_ms for draw in limited]
    assert max(times[:11]) <= limit_ms
    assert times[11:] == sorted(times[11:])


def beats(one: Result, other: Result) -> bool:
    return one.expected.psnr_db > other.expected.psnr_db and one.scored_ms < other.scored_ms


def narrow(trial: Trial, scale: int = 3) -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 8, 40, step=4), relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


def deeper(trial: Trial, scale: int = 3) -> Graph:
    """The same space after a change of its code: it asks the same, and draws other networks."""
    net = GraphBuilder()
    width = trial.suggest_int("width", 8, 40, step=4)
    features = net.conv(net.conv(net.input, width, relu=True), width, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


def asking_more(trial: Trial, scale: int = 3) -> Graph:
    """After another: the choices that are known are not all, and others than before."""
    if trial.suggest_float("share", 0, 1) > 2:
        raise ZeroDivisionError
    return deeper(trial, scale)


def failing(trial: Trial, scale: int = 3) -> Graph:
    raise ZeroDivisionError(trial.suggest_categorical("width", ("few", "many")))


@pytest.mark.parametrize("sample", [deeper, asking_more, failing])
def test_choices_that_no_longer_make_the_network_are_not_used(
    first: WarmStart, sample: Callable[..., Graph]
) -> None:
    space = Space.of_function(narrow)
    known = []
    for width in (8, 16, 24):
        trial = optuna.trial.FixedTrial({"width": width})
        candidate = space.draw(trial, 3)
        known.append(ShortlyTrainedNetwork(candidate, 27.0, 27.0, trial.params))
    start = replace(first, networks=tuple(known))
    problem = replace(problem_of(warmed(SECOND, start)), space=space)
    assert {draw.candidate.hash for draw in problem.warm_draws} == hashes(start)
    assert replace(problem, space=Space.of_function(sample)).warm_draws == ()


def test_another_space_is_not_drawn_for_every_network(first: WarmStart) -> None:
    drawn = []

    def slow(trial: Trial, scale: int = 3) -> Graph:
        drawn.append(trial.suggest_int("my_width", 8, 40))
        return narrow(trial, scale)

    problem = replace(problem_of(warmed(SECOND, first)), space=Space.of_function(slow))
    assert problem.warm_draws == ()
    assert len(drawn) == 1


def test_another_space_s_trials_tell_their_psnr_alone(first: WarmStart) -> None:
    plain = replace(SECOND, space="plain")
    knowing, other = warmed(plain, first), warmed(plain, without_choices(first))
    for simulation in (knowing, other):
        simulation.run(2)
    assert networks(knowing) == networks(other)
