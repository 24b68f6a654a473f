"""Building a latency model of a device that keeps a rule; conversion is not needed for it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from latency_models import (
    Latency,
    LatencyError,
    LatencyRequest,
    LatencySource,
    OperatorLatency,
    Worker,
)
from latency_models.device import load_device, open_source
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import read_table
from latency_models.sources.regression.validation import accuracy, predict_rows
from nas.latency.collect import Collection, measure_front, validate
from nas.latency.fit import fit_folder, transfer_folder
from nas.latency.table import Networks
from nas.studies.results import findings
from search_spaces import Graph, GraphError, InputError, InputSpec, LoweredOperator
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space

from ...latency_models.regression.synthetic import operator_ms
from ..studies.finished import candidates, finished_study


class Rule(LatencySource):
    """A device of a known rule, which may refuse what it is asked after some answers."""

    def __init__(self, answers: int = 10**9, speed: float = 1.0) -> None:
        self.asked = 0
        self.answers = answers
        self.speed = speed

    def measure(self, request: LatencyRequest) -> Latency:
        self.asked += 1
        if self.asked > self.answers:
            raise LatencyError("the device has gone")
        rows = tuple(
            OperatorLatency(operator.name, operator.kind, _engine(operator), self._ms(operator))
            for operator in request.operators
        )
        ms = sum(row.ms for row in rows)
        return Latency(ms, ms, ms, rows, (), "rule", (("rule", "known"),))

    def _ms(self, operator: LoweredOperator) -> float:
        return operator_ms(operator, 16, self.speed)


def _engine(operator: LoweredOperator) -> str:
    return "mac" if operator.macs else "vector"


def collection(folder: Path, source: LatencySource, seed: int = 0) -> Collection:
    device = load_device("ethos-u65-512").model_copy(update={"input": InputSpec(90, 160)})
    return Collection(device, source, Worker(), load_space("anchor"), 2, folder, seed)


def test_a_collection_stopped_at_any_time_goes_on(tmp_path: Path) -> None:
    whole = collection(tmp_path / "whole", Rule()).run(12, lambda line: None)
    with pytest.raises(LatencyError, match="the device has gone"):
        collection(tmp_path / "cut", Rule(answers=7)).run(12, lambda line: None)
    kept = read_table(tmp_path / "cut" / TABLE)
    assert [row.name for row in kept] == [row.name for row in whole[:7]]
    rest = Rule()
    rows = collection(tmp_path / "cut", rest).run(12, lambda line: None)
    assert rest.asked == 5
    assert [row.name for row in rows] == [row.name for row in whole]
    assert len({row.name for row in rows}) == 12


class Glitching(Rule):
    """Every second answer is a time that no device takes."""

    def measure(self, request: LatencyRequest) -> Latency:
        latency = super().measure(request)
        glitch = self.asked % 2 == 0
        return replace(latency, ms=1e-9, low_ms=1e-9, high_ms=1e-9) if glitch else latency


def test_an_impossible_time_leaves_out_one_network(tmp_path: Path) -> None:
    told: list[str] = []
    rows = collection(tmp_path, Glitching()).run(4, told.append)
    assert len(rows) == 4
    assert all(row.ms > 1e-6 for row in rows)
    assert any("left out" in line and "1e-09 ms is no time" in line for line in told)


def test_what_is_drawn_first_fills_the_space(tmp_path: Path) -> None:
    chosen = collection(tmp_path, Rule()).run(12, lambda line: None)
    at_random = [
        collection(tmp_path, Rule()).bench.measure(collection(tmp_path, Rule()).draw(1000 * seed))
        for seed in range(12)
    ]

    def spread(rows: Sequence[Measurement]) -> float:
        """Standard deviation of the times' logarithms."""
        return statistics.stdev(math.log(row.ms) for row in rows)

    assert spread(chosen) > 1.1 * spread(at_random)


def test_the_folder_is_a_device_and_judged_on_what_it_has_not_seen(tmp_path: Path) -> None:
    training = collection(tmp_path / "model", Rule())
    rows = training.run(44, lambda line: None)
    told: list[str] = []
    figures = fit_folder(tmp_path / "model", training.device, "ethos-u65-512", told.append)
    assert len(told) == 1
    assert figures.networks.networks == 44
    assert figures.structures is not None
    card = (tmp_path / "model" / "README.md").read_text()
    assert "ethos-u65-512-regression" in card
    row = next(line for line in card.splitlines() if "mean error" in line)
    by_structure, by_network = (
        f"{part.mape_percent:.1f} %" for part in (figures.structures, figures.networks)
    )
    assert f"| {by_structure} | {by_network} |" in row

    device = load_device(tmp_path / "model")
    with Worker() as worker:
        source = open_source(device, worker)
        fresh = collection(tmp_path / "fresh", Rule(), seed=1).run(10, lambda line: None)
        request = LatencyRequest("fresh", fresh[0].operators, device.input, bytes)
        latency = source.measure(request)
    assert {row.engine for row in latency.operators} == {"mac", "vector"}
    assert isinstance(device.settings, RegressionSettings)
    assert device.settings.confirm == "ethos-u65-512"
    model = device.settings.fit(device.folder)
    new = [row for row in fresh if row.name not in {old.name for old in rows}]
    result = validate(model, rows, new)
    assert result.model.mape_percent < result.macs.mape_percent / 2
    with pytest.raises(InputError, match="is among the measurements"):
        validate(model, rows, [replace(rows[0])])
    assert json.dumps(vars(result.model))


def test_ten_measurements_do_with_another_device_s_model(tmp_path: Path) -> None:
    donor = collection(tmp_path / "donor", Rule())
    donor.run(44, lambda line: None)
    fit_folder(tmp_path / "donor", donor.device)
    slower = collection(tmp_path / "slow", Rule(speed=3.0), seed=1)
    slower.run(9, lambda line: None)
    given = load_device(tmp_path / "donor")
    told: list[str] = []
    with pytest.raises(InputError, match="9 measurements"):
        transfer_folder(tmp_path / "slow", slower.device, given, tell=told.append)
    assert told == []  # an error is one line alone
    assert not (tmp_path / "slow/device.toml").exists()
    slower.run(10, lambda line: None)
    figures = transfer_folder(tmp_path / "slow", slower.device, given)
    assert figures.networks.networks == 10
    assert figures.structures is None
    card = (tmp_path / "slow/README.md").read_text()
    assert "starting from the model of `ethos-u65-512-regression`" in card

    device = load_device(tmp_path / "slow")
    assert isinstance(device.settings, RegressionSettings)
    model = device.settings.fit(device.folder)
    fresh = collection(tmp_path / "fresh", Rule(speed=3.0), seed=2).run(20, lambda line: None)
    judged = accuracy(predict_rows(model, fresh))
    assert judged.spearman > 0.95
    assert judged.mape_percent < 15
    for name in (str(tmp_path / "slow"), "host"):  # neither has a model of its own to give
        with pytest.raises(InputError, match="no regression on measurements of its own"):
            transfer_folder(tmp_path / "slow", slower.device, load_device(name))


def test_a_study_s_front_is_measured_where_the_fit_has_not_seen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = finished_study("s", candidates(12))
    front = [finding.network.deployed.hash for finding in findings(study)]
    source = Rule()
    rows = measure_front(collection(tmp_path / "out", source), study, lambda line: None)
    assert {row.name for row in rows} == set(front)
    asked = source.asked
    again = measure_front(collection(tmp_path / "out", source), study, lambda line: None)
    assert [row.name for row in again] == [row.name for row in rows]
    assert source.asked == asked  # they are on disk
    told: list[str] = []
    known = replace(collection(tmp_path / "out", source), but=Networks.of(rows[:1]))
    rest = measure_front(known, study, told.append)
    assert [row.name for row in rest] == [row.name for row in rows[1:]]
    assert "1 of the front" in told[0]


def test_a_space_that_refuses_every_draw_ends_the_collection(tmp_path: Path) -> None:
    def sample(trial: object) -> Graph:
        raise GraphError("nothing fits")

    refusing = Space("mine.py", 1, sample)
    with pytest.raises(InputError, match=r"mine\.py: refuses all of 2000 .*: nothing fits"):
        replace(collection(tmp_path, Rule()), space=refusing).run(1, lambda line: None)
