"""The regressions that come with the package, against what was published."""

from __future__ import annotations

import functools
import math

import pytest

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import fitted_model, read_table
from latency_models.sources.regression.validation import (
    Prediction,
    accuracy,
    cross_validate,
    predict_rows,
)
from search_spaces import Graph, InputSpec, zoo

SHIPPED = ("dimensity8100-nnapi", "dimensity8100-neuron", "vs680")


def not_to_be_made() -> bytes:
    raise AssertionError("a regression converts nothing")


def request_for(graph: Graph) -> LatencyRequest:
    return LatencyRequest.of_graph(graph, InputSpec(360, 640), not_to_be_made)


@functools.lru_cache
def left_out(name: str, by: str) -> list[tuple[str, Prediction]]:
    """(family, prediction) of each row, by a model without its network or family."""
    settings = load_device(name).settings
    assert isinstance(settings, RegressionSettings)
    rows = read_table(load_device(name).folder / TABLE)
    families = {row.name: row.family for row in rows}
    keys = [getattr(row, by) for row in rows]
    return [(families[p.name], p) for p in cross_validate(settings.structure, rows, keys)]


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_converted_and_rows_add_up(name: str) -> None:
    with Worker() as worker:
        source = open_source(load_device(name), worker)
        latency = source.measure(request_for(zoo.find("QuickSRNet-S").build(3).deployed))
    assert 0 < latency.low_ms < latency.ms < latency.high_ms
    assert math.isclose(sum(row.ms for row in latency.operators), latency.ms)
    assert dict(latency.conditions)["measurements"] in ("11", "32")


def test_the_report_s_own_time_is_known_of_its_winner() -> None:
    with Worker() as worker:
        latency = open_source(load_device("vs680"), worker).measure(request_for(zoo.abpn(3)))
    assert latency.low_ms == 36.89
    assert latency.high_ms == latency.ms


@pytest.mark.parametrize("name", SHIPPED[:2])
def test_dimensity_networks_left_out_with_all_their_scales(name: str) -> None:
    figures = accuracy([prediction for _, prediction in left_out(name, "network")])
    assert figures.networks == 32
    assert figures.mape_percent <= 9
    assert figures.spearman >= 0.98
    assert figures.coverage_percent >= 80


@pytest.mark.parametrize("name", SHIPPED[:2])
@pytest.mark.parametrize("family", ["ABPN", "ETDS"])
def test_dimensity_family_left_out(name: str, family: str) -> None:
    predictions = [p for of, p in left_out(name, "family") if of == family]
    assert accuracy(predictions).mape_percent <= 20


@pytest.mark.parametrize("name", SHIPPED[:2])
def test_prelu_never_seen_is_covered(name: str) -> None:
    assert all(p.covered for family, p in left_out(name, "family") if family == "ECBSR")


def test_vs680_facts_are_fitted() -> None:
    device = load_device("vs680")
    assert isinstance(device.settings, RegressionSettings)
    rows = read_table(device.folder / TABLE)
    model = fitted_model(device.settings.structure, rows)
    said = {p.name: p for p in predict_rows(model, rows)}
    assert all(abs(p.error) <= 0.15 for p in said.values())
    anchor = said["anchor residual"].ms - said["add, 28 channels"].ms
    clip = {k.kind: k for row in rows for k in row.operators if row.name.startswith("PRPSR")}
    clip_ms = model.predict([[clip["MINIMUM"], clip["RELU"]]]).ms[0]
    assert said["add, 28 channels"].ms < anchor < clip_ms < said["nearest resize x3"].ms


def test_vs680_hides_the_resize_residual_beside_the_network() -> None:
    rows = {row.name: row for row in read_table(load_device("vs680").folder / TABLE)}
    settings = load_device("vs680").settings
    assert isinstance(settings, RegressionSettings)
    model = fitted_model(settings.structure, tuple(rows.values()))
    operators = rows["FastSR, inferred"].operators
    said = model.predict([operators])
    hidden = said.operator_ms.sum() - said.ms[0]
    assert said.operator_ms.max() < said.ms[0]
    assert hidden > 0.3 * said.ms[0]
