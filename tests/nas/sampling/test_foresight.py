"""What is expected of the front before anything is trained."""

from __future__ import annotations

import math
from dataclasses import replace
from queue import SimpleQueue

import optuna
import pytest

from latency_models.device import load_device
from nas.choices import Objective
from nas.sampling.latency_estimate import LatencyEstimator
from nas.sampling.surrogate import SurrogateSampler
from nas.studies.expected_front import ExpectedFront
from nas.studies.record import BASELINE_KEY
from nas.studies.settings import Settings
from studies.search_efficiency.simulation import INPUT, SETTINGS, Simulation, all_fit, records_of

FOR_FRONT = replace(SETTINGS, objective=Objective.PARETO)


def foreseen(settings: Settings, trials: int = 0) -> list[ExpectedFront]:
    """What a search's sampler says, by the time of its first proposal after so many trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    told: list[ExpectedFront] = []
    simulation = Simulation.of(settings, lambda features: 0.5)
    simulation.run(trials)
    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    simulation.study.sampler = SurrogateSampler(sampler._problem, records_of, all_fit, told.append)
    simulation.run(2)
    return told


@pytest.mark.parametrize("settings", [SETTINGS, FOR_FRONT], ids=["score", "pareto"])
def test_the_front_is_told_once_the_fastest_first(settings: Settings) -> None:
    (front,) = foreseen(settings)
    times = [point.ms for point in front.points if point.ms is not None]
    assert 3 <= len(times) == len(front.points) <= 7
    assert times == sorted(times)
    psnr_db = [point.psnr.psnr_db for point in front.points]
    assert psnr_db == sorted(psnr_db)
    for point in front.points:
        assert point.psnr.high_db - point.psnr.low_db > 0.2
        assert point.score_ratio is not None
        assert math.isfinite(point.score_ratio)
        assert f"{point.ms:.2f} ms" in front.text
    assert ExpectedFront.from_json(front.to_json()) == front


def test_what_is_over_the_limit_is_not_expected() -> None:
    (free,) = foreseen(FOR_FRONT)
    limit_ms = max(point.ms or 0.0 for point in free.points) / 2
    (limited,) = foreseen(replace(FOR_FRONT, max_latency_ms=limit_ms))
    assert all(point.ms is not None and point.ms <= limit_ms for point in limited.points)


def test_it_is_told_while_the_first_reference_trains() -> None:
    told = SimpleQueue[ExpectedFront]()
    simulation = Simulation.of(SETTINGS, lambda features: 0.5)
    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    simulation.study.sampler = SurrogateSampler(sampler._problem, records_of, all_fit, told.put)
    simulation.study.enqueue_trial({}, user_attrs={BASELINE_KEY: "ABPN"})
    simulation.study.ask()
    assert told.get(timeout=100).points


def test_once_something_is_trained_nothing_is_foretold() -> None:
    assert foreseen(SETTINGS, trials=1) == []


def test_where_a_device_s_speed_is_not_known_no_time_is_told() -> None:
    simulation = Simulation.of(SETTINGS, lambda features: 0.5)
    sampler = simulation.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    host = LatencyEstimator.of(load_device("host"), INPUT, SETTINGS.risk)
    told: list[ExpectedFront] = []
    problem = replace(sampler._problem, estimator=host)
    simulation.study.sampler = SurrogateSampler(problem, records_of, all_fit, told.append)
    simulation.run(1)
    assert {point.ms for point in told[0].points} == {None}
