"""The regressions that stand for a compiler, against the compiler."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from latency_models import Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression import ChannelPadding
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.measurements import write_measurements
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import read_table
from search_spaces import InputSpec

from ..models import GRAPHS, Models

COMPILED = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512", "ethos-u85-1024")


def settings_of(name: str) -> RegressionSettings:
    settings = load_device(f"{name}-regression").settings
    assert isinstance(settings, RegressionSettings)
    return settings


@pytest.mark.parametrize("name", COMPILED)
def test_it_agrees_with_the_compiler_in_kind(name: str, worker: Worker, models: Models) -> None:
    request = models.request(GRAPHS["abpn"](), InputSpec(360, 640))
    compiled = open_source(load_device(name), worker).measure(request)
    predicted = open_source(load_device(f"{name}-regression"), worker).measure(request)
    assert predicted.on_cpu == compiled.on_cpu
    assert [row.engine for row in predicted.operators] == [row.engine for row in compiled.operators]
    for said, told in zip(predicted.operators, compiled.operators, strict=True):
        if told.engine == "cpu":
            assert said.ms == pytest.approx(told.ms, rel=1e-3)
    assert predicted.ms == pytest.approx(compiled.ms, rel=0.25)


@pytest.mark.parametrize("name", COMPILED)
def test_it_names_the_compiler_and_keeps_to_its_table(name: str) -> None:
    device, settings = load_device(f"{name}-regression"), settings_of(name)
    assert settings.confirm == name
    assert device.stack == load_device(name).stack
    rows = read_table(device.folder / settings.table)
    assert len(rows) == 300
    assert all(math.isclose(sum(row.operators_ms), row.ms, rel_tol=1e-3) for row in rows)
    assert settings.structure == replace(
        default_structure(rows), paddings=(ChannelPadding(16, 16),)
    )


@pytest.mark.parametrize("name", COMPILED)
def test_its_interval_is_written_down(name: str, tmp_path: Path) -> None:
    device, settings = load_device(f"{name}-regression"), settings_of(name)
    assert settings.known_radius(device.folder) is not None
    rows = read_table(device.folder / settings.table)
    changed = settings.model_copy(update={"table": TABLE})
    (tmp_path / TABLE).write_text(write_measurements(rows[:-1]))
    assert changed.known_radius(tmp_path) is None
    assert settings.model_copy(update={"side_by_side": True}).known_radius(device.folder) is None


def test_an_interval_that_is_written_down_is_that_of_the_networks_left_out() -> None:
    """On every processor: the trees do not hang on the last digits of a logarithm."""
    device, settings = load_device("ethos-u55-256-regression"), settings_of("ethos-u55-256")
    found = settings.with_interval(device.folder).known_radius(device.folder)
    assert found == pytest.approx(settings.known_radius(device.folder), abs=2e-6)


@pytest.mark.parametrize("name", COMPILED)
def test_what_the_cpu_takes_is_known_and_not_fitted(name: str) -> None:
    structure = settings_of(name).structure
    (cpu,) = (engine for engine in structure.engines if engine.name == "cpu")
    assert cpu.kinds.isdisjoint(structure.open_kinds)
    assert cpu.kinds >= {"DEPTH_TO_SPACE", "SPACE_TO_DEPTH"}
