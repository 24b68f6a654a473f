"""The regressions that stand for a compiler, against the compiler."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression import ChannelPadding
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.fitted import FitByNetwork
from latency_models.sources.regression.settings import RegressionSettings
from latency_models.sources.regression.source import read_table
from search_spaces import (
    Graph,
    GraphBuilder,
    GraphError,
    InputError,
    InputSpec,
    Interpolation,
    Operator,
    Resize,
    TransposedConv,
)
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space
from studies.latency_error.tables import PARTS
from studies.latency_error.tflite_writer import written

from ..models import GRAPHS, Models

COMPILED = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512", "ethos-u85-1024")


def settings_of(name: str) -> RegressionSettings:
    settings = load_device(f"{name}-regression").settings
    assert isinstance(settings, RegressionSettings)
    return settings


@pytest.mark.parametrize(("size", "near"), [("36x64", 0.15), ("360x640", 0.1)])
@pytest.mark.parametrize("name", COMPILED)
def test_it_agrees_with_the_compiler(
    name: str, size: str, near: float, worker: Worker, models: Models
) -> None:
    request = models.request(GRAPHS["abpn"](), InputSpec.parse(size))
    compiled = open_source(load_device(name), worker).measure(request)
    predicted = open_source(load_device(f"{name}-regression"), worker).measure(request)
    assert predicted.on_cpu == compiled.on_cpu
    assert [row.engine for row in predicted.operators] == [row.engine for row in compiled.operators]
    for said, told in zip(predicted.operators, compiled.operators, strict=True):
        if told.engine == "cpu":
            assert said.ms == pytest.approx(told.ms, rel=1e-3)
    assert predicted.ms == pytest.approx(compiled.ms, rel=near)


def enlarged(scale: int, operator: Operator) -> Graph:
    """Two convolutions, and an image that ``operator`` enlarges."""
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, 16, relu=True), 3)
    net.add_node(operator, features)
    return net.graph


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", COMPILED)
def test_it_leaves_to_the_cpu_what_the_compiler_leaves(
    name: str, scale: int, worker: Worker
) -> None:
    source = open_source(load_device(name), worker)
    regression = open_source(load_device(f"{name}-regression"), worker)
    for operator in (
        TransposedConv(3, 9, scale), Resize(scale), Resize(scale, Interpolation.BILINEAR)
    ):  # fmt: skip
        graph = enlarged(scale, operator)
        request = LatencyRequest.of_graph(graph, InputSpec(90, 160), bytes)
        data = written(graph, request.operators, 0)
        request = LatencyRequest.of_graph(graph, InputSpec(90, 160), partial(bytes, data))
        compiled, predicted = source.measure(request), regression.measure(request)
        engines = [[row.engine for row in latency.operators] for latency in (compiled, predicted)]
        assert engines[0] == engines[1], operator


@pytest.mark.parametrize("name", COMPILED)
def test_it_knows_other_structures(name: str, worker: Worker) -> None:
    source = open_source(load_device(name), worker)
    regression = open_source(load_device(f"{name}-regression"), worker)
    drawing = replace(PARTS["fresh-structures"], seed=2_800_000_001)
    errors, inside = [], []
    for seed, (graph, spec) in enumerate(itertools.islice(drawing.drawn(), 32)):
        request = LatencyRequest.of_graph(graph, spec, bytes)
        data = written(graph, request.operators, seed)
        request = LatencyRequest.of_graph(graph, spec, partial(bytes, data))
        compiled, predicted = source.measure(request), regression.measure(request)
        errors.append(abs(math.log(predicted.ms / compiled.ms)))
        inside.append(predicted.low_ms <= compiled.ms <= predicted.high_ms)
    assert np.median(errors) < 0.1
    assert np.mean(inside) >= 0.7  # nine of ten, less what 32 networks leave to chance


@pytest.mark.parametrize("name", COMPILED)
def test_it_names_the_compiler_and_keeps_to_its_table(name: str) -> None:
    device, settings = load_device(f"{name}-regression"), settings_of(name)
    assert settings.confirm == name
    assert device.stack == load_device(name).stack
    rows = read_table(device.folder / settings.table)
    assert 300 <= len(rows) < 400
    assert all(math.isclose(sum(row.operators_ms), row.ms, rel_tol=1e-3) for row in rows)
    # The compiler leaves the bytes of a RESHAPE where they are.
    found = default_structure(rows)
    terms = (replace(term, kinds=term.kinds - {"RESHAPE"}) for term in found.terms)
    assert settings.structure == replace(
        found,
        terms=tuple(terms),
        free=frozenset({"RESHAPE"}),
        paddings=(ChannelPadding(16, 16),),
    )


def row_by_row(name: str, networks: int) -> Iterator[LatencyRequest]:
    """Networks of ``mobile`` whose pixels the compiled device has made row by row, at its size of
    image and at others.
    """
    device, found = load_device(name), 0
    for seed in itertools.count(100):
        spec = (device.input, InputSpec(90, 160), InputSpec(240, 320))[seed % 3]
        try:
            candidate = load_space("mobile").draw(RandomTrial(random.Random(seed)), 3)
            graph = candidate.shuffled(device.pixel_shuffle).deployed
            request = LatencyRequest.of_graph(graph, spec, bytes)
        except GraphError:
            continue
        if "RESHAPE" in {operator.kind for operator in request.operators}:
            data = written(graph, request.operators, seed)
            yield LatencyRequest.of_graph(graph, spec, partial(bytes, data))
            found += 1
            if found == networks:
                return


@pytest.mark.parametrize("name", COMPILED)
def test_it_knows_networks_as_its_device_deploys_them(name: str, worker: Worker) -> None:
    device, requests = load_device(name), list(row_by_row(name, 8))
    assert device.pixel_shuffle == load_device(f"{name}-regression").pixel_shuffle
    source = open_source(device, worker)
    regression = open_source(load_device(f"{name}-regression"), worker)
    errors, inside, widths = [], [], []
    for request in requests:
        compiled, predicted = source.measure(request), regression.measure(request)
        errors.append(abs(predicted.ms / compiled.ms - 1))
        inside.append(predicted.low_ms <= compiled.ms <= predicted.high_ms)
        widths.append(predicted.high_ms / predicted.low_ms)
    assert np.exp(np.mean(np.log(widths))) < 1.5
    assert max(errors) < 0.25
    assert np.mean(errors) < 0.06
    assert np.mean(inside) >= 0.75


@pytest.mark.parametrize("name", COMPILED)
def test_it_has_learned_from_more_than_its_table(name: str) -> None:
    device, settings = load_device(f"{name}-regression"), settings_of(name)
    model = settings.fit(device.folder)
    assert isinstance(model.fitted, FitByNetwork)
    assert model.networks > 1000
    assert model.seen >= {operator.kind for row in model.rows for operator in row.operators}
    assert model.pixels.least < 90 * 160
    assert model.pixels.most >= 720 * 1280
    said = model.predict([row.operators for row in model.rows[:300]])
    assert 1.0 < np.median(said.high_ms / said.low_ms) < 1.5


@pytest.mark.parametrize("name", COMPILED)
def test_it_keeps_to_the_times_of_its_table(name: str) -> None:
    device, settings = load_device(f"{name}-regression"), settings_of(name)
    model = settings.fit(device.folder)
    rows = model.rows[:300:10]
    said = model.predict([row.operators for row in rows]).ms
    within = np.abs(said / [row.ms for row in rows] - 1) <= 0.1
    assert within.mean() >= 0.95


def test_a_network_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = settings_of("ethos-u55-256")
    folder = load_device("ethos-u55-256-regression").folder
    (tmp_path / settings.table).write_bytes((folder / settings.table).read_bytes())
    with pytest.raises(InputError, match="cannot be read"):
        settings.fit(tmp_path)


def test_a_model_is_of_one_origin() -> None:
    values = settings_of("ethos-u55-256").model_dump() | {"transfer_from": "donor.csv"}
    with pytest.raises(ValueError, match="transfer_from and network"):
        RegressionSettings.model_validate(values)


@pytest.mark.parametrize("name", COMPILED)
def test_what_the_cpu_takes_is_known_and_not_fitted(name: str) -> None:
    structure = settings_of(name).structure
    (cpu,) = (engine for engine in structure.engines if engine.name == "cpu")
    assert cpu.kinds.isdisjoint(structure.open_kinds)
    assert cpu.kinds >= {"DEPTH_TO_SPACE", "SPACE_TO_DEPTH"}
