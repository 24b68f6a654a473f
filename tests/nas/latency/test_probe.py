"""A planned set of networks: what it tells, and how it is measured on a device of a known rule."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_models import Latency, LatencyError, LatencyRequest, UnsupportedOperators, Worker
from latency_models.device import load_device
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.design import information
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.prices import Prices
from latency_models.sources.regression.validation import predict_rows
from nas.latency.bench import DeviceBench
from nas.latency.probe import ProbeDesign, run_probe
from nas.latency.probe_pool import small_probes
from search_spaces import InputError, InputSpec
from search_spaces.spaces.loading import load_space
from search_spaces.zoo import find

from .test_collect import Rule

SPEC = InputSpec(64, 96)
DEVICE = load_device("host").model_copy(update={"input": SPEC})


class Refusing(Rule):
    """Takes no network with ``kind``; is stopped after some answers, as by Ctrl-C."""

    def __init__(self, kind: str = "", stop_after: int = 10**9) -> None:
        super().__init__()
        self.kind, self.stop_after = kind, stop_after

    def measure(self, request: LatencyRequest) -> Latency:
        kinds = sorted({operator.kind for operator in request.operators})
        if self.kind in (*kinds, "any"):
            refused = kinds if self.kind == "any" else [self.kind]
            raise UnsupportedOperators(f"takes no {', '.join(refused)}", refused)
        if self.asked == self.stop_after:
            raise KeyboardInterrupt
        return super().measure(request)


@pytest.fixture(scope="module")
def design() -> ProbeDesign:
    return ProbeDesign.of(DEVICE, load_space("mobile"), 3)


def bench(folder: Path, source: Rule) -> DeviceBench:
    return DeviceBench(DEVICE, source, Worker(), folder, "probe x3")


def quiet(line: str) -> None:
    pass


def test_the_plan_is_of_24_and_always_the_same(design: ProbeDesign) -> None:
    assert len(design.plan) == len(set(design.plan)) == 24
    again = ProbeDesign.of(DEVICE, load_space("mobile"), 3)
    assert again.plan == design.plan
    assert [again.pool[place].name for place in again.plan] == [
        design.pool[place].name for place in design.plan
    ]


def test_the_plan_holds_every_kind_of_operator_of_the_pool_at_two_sizes(
    design: ProbeDesign,
) -> None:
    planned = [design.pool[place] for place in design.plan]
    every = {kind for probe in design.pool for kind in probe.kinds}
    assert {kind for probe in planned for kind in probe.kinds} == every
    assert {probe.input for probe in planned} == {SPEC, InputSpec(16, 24)}


def test_the_plan_settles_every_price(design: ProbeDesign) -> None:
    """Of each term and kind of operator, no more than a part of what was open is left."""
    for structure in design.structures:
        which = Prices(structure, ()).of_charges("")
        of_it = [one for one in design.prices if len(one.precision) == which.shape[1]]
        assert of_it
        for prices in of_it:
            known = prices.slopes[list(design.plan)]
            prior, posterior = (
                np.diag(which @ np.linalg.inv(precision) @ which.T)
                for precision in (prices.precision, prices.precision + known.T @ known)
            )
            assert (posterior < 0.5 * prior).all()


def test_the_plan_tells_more_than_chance(design: ProbeDesign) -> None:
    told = information(design.prices, design.plan)
    for seed in range(20):
        at_random = random.Random(seed).sample(range(len(design.pool)), 24)
        assert information(design.prices, at_random) < told - 5


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_small_network_runs_at_its_size(scale: int) -> None:
    pool = small_probes(InputSpec(36, 64), scale)
    names = [(probe.name, probe.input) for probe in pool]
    assert len(set(names)) == len(names)
    assert all(probe.operators for probe in pool)


def test_a_compiler_is_asked_for_whole_networks() -> None:
    compiled = load_device("ethos-u65-512").model_copy(update={"input": SPEC})
    design = ProbeDesign.of(compiled, load_space("mobile"), 3, 5)
    assert len(design.plan) == 5
    assert {probe.input for probe in design.pool} == {SPEC}
    assert {"ABPN", "XLSR"} <= {probe.name for probe in design.pool}


def test_what_the_device_does_not_take_is_not_planned() -> None:
    device = DEVICE.model_copy(update={"operators": frozenset({"CONV_2D", "ADD"})})
    design = ProbeDesign.of(device, load_space("mobile"), 3)
    assert {kind for probe in design.pool for kind in probe.kinds} == {"CONV_2D", "ADD"}


def test_a_probe_stopped_at_any_time_goes_on(tmp_path: Path, design: ProbeDesign) -> None:
    whole = run_probe(bench(tmp_path / "whole", Rule()), design, quiet)
    assert [row.network for row in whole.rows] == [
        design.pool[place].graph.hash for place in design.plan
    ]
    with pytest.raises(KeyboardInterrupt):
        run_probe(bench(tmp_path / "cut", Refusing(stop_after=7)), design, quiet)
    rest = Rule()
    rows = run_probe(bench(tmp_path / "cut", rest), design, quiet).rows
    assert rest.asked == 24 - 7
    assert [row.name for row in rows] == [row.name for row in whole.rows]


def test_what_the_device_refuses_is_told_and_replaced(tmp_path: Path, design: ProbeDesign) -> None:
    told: list[str] = []
    probed = run_probe(bench(tmp_path, Refusing("PRELU")), design, told.append)
    assert [refused.kind for refused in probed.refused] == ["PRELU"]
    assert len(probed.rows) == 24
    assert not any(o.kind == "PRELU" for row in probed.rows for o in row.operators)
    assert sum(line.startswith("refused for PRELU") for line in told) == 1  # is not asked again
    again = Refusing("PRELU")
    rows = run_probe(bench(tmp_path, again), design, quiet).rows
    assert [row.name for row in rows] == [row.name for row in probed.rows]
    assert again.asked == 0


def test_a_device_that_has_gone_ends_the_probe(tmp_path: Path, design: ProbeDesign) -> None:
    with pytest.raises(LatencyError, match="the device has gone"):
        run_probe(bench(tmp_path, Rule(answers=4)), design, quiet)
    assert len(bench(tmp_path, Rule()).table.rows()) == 4


def test_a_device_that_refuses_everything_says_so(tmp_path: Path, design: ProbeDesign) -> None:
    with pytest.raises(UnsupportedOperators, match="takes no"):
        run_probe(bench(tmp_path, Refusing("any")), design, quiet)


def test_a_table_of_other_networks_is_left_alone(tmp_path: Path, design: ProbeDesign) -> None:
    other = DeviceBench(DEVICE, Rule(), Worker(), tmp_path, "mobile x3")
    other.measure(design.pool[0].graph)
    other.run_through([design.pool[0].graph], quiet)
    with pytest.raises(InputError, match="networks of mobile x3, not probe x3"):
        run_probe(bench(tmp_path, Rule()), design, quiet)


def test_a_model_of_it_knows_networks_that_it_never_saw(
    tmp_path: Path, design: ProbeDesign
) -> None:
    rows = run_probe(bench(tmp_path, Rule()), design, quiet).rows
    whole = [replace(row, operators_ms=(), engines=()) for row in rows]  # as a board tells them
    model = fit_model(default_structure(whole), whole, radius=2.0)
    fresh = [bench(tmp_path, Rule()).measure(find("ABPN").build(3).deployed)]
    (said,) = predict_rows(model, fresh)
    assert abs(said.error) < 0.2
    assert said.covered
