from __future__ import annotations

import dataclasses
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.device import load_device
from latency_models.sources.rknn.calibration import (
    Calibration,
    LayerTime,
    fit_calibration,
    read_layer_times,
)
from latency_models.sources.rknn.layers import Layer
from latency_models.sources.rknn.settings import RknnSettings
from search_spaces import InputError

FOLDER = files("latency_models") / "devices" / "rk3588"
TIMES = read_layer_times((FOLDER / "layer_times.csv").read_text())
LAYERS = st.builds(
    Layer,
    op=st.sampled_from(["ConvRelu", "ConvExSwish", "Concat"]),
    target=st.just("NPU"),
    output_shape=st.just("(1,32,90,160)"),
    ddr_cycles=st.integers(0, 10**6),
    npu_cycles=st.integers(0, 10**7),
    read_kb=st.floats(0, 1e5),
)


def shipped() -> RknnSettings:
    settings = load_device("rk3588").settings
    assert isinstance(settings, RknnSettings)
    return settings


def test_the_devices_prices_are_those_of_its_table() -> None:
    settings = shipped().calibration
    fitted = fit_calibration(TIMES, settings.bytes_per_ddr_cycle)
    assert dataclasses.asdict(fitted) == pytest.approx(settings.model_dump(), rel=2e-3)


def test_the_table_is_fitted_as_the_card_says() -> None:
    calibration = Calibration(**shipped().calibration.model_dump())
    errors = [abs(calibration.us(time.layer) / time.us - 1) for time in TIMES]
    card = (FOLDER / "README.md").read_text()
    assert f"| {len(TIMES)} layers, fitted | {100 * sum(errors) / len(errors):.1f} |" in card
    within = sum(error <= shipped().layer_error for error in errors) / len(errors)
    assert within >= 0.9


def test_bytes_explain_the_memory_cycles_of_the_table() -> None:
    """Of all that the compiler prices; layers of fewer channels than a block write more."""
    calibration = Calibration(**shipped().calibration.model_dump())
    for time in TIMES:
        unpriced = dataclasses.replace(time.layer, ddr_cycles=0, npu_cycles=0)
        if time.layer.op not in ("ConvSigmoid", "ConvClip"):
            assert calibration.ddr_cycles(unpriced) == pytest.approx(
                time.layer.ddr_cycles, rel=3e-3
            )


@given(LAYERS)
def test_no_layer_is_free(layer: Layer) -> None:
    calibration = Calibration(100.0, 2.0, 1.2, 400.0, 23.65)
    assert calibration.us(layer) >= 100.0 + 1.2 * layer.npu_cycles / 1e3 - 1e-6
    assert calibration.us(layer) >= 100.0 + 2.0 * layer.ddr_cycles / 1e3 - 1e-6


def test_an_unpriced_layer_costs_what_it_moves() -> None:
    calibration = Calibration(0.0, 2.0, 1.0, 0.0, 25.0)
    concat = Layer("Concat", "NPU", "(1,27,100,160)", 0, 0, 500.0)
    moved = 500 * 1024 + 32 * 100 * 160
    assert calibration.us(concat) == pytest.approx(2.0 * moved / 25.0 / 1e3)


def test_prices_of_a_board_that_keeps_the_rule_are_found() -> None:
    board = Calibration(80.0, 3.0, 1.5, 250.0, 23.65)
    times = [LayerTime(time.layer, board.us(time.layer)) for time in TIMES]
    found = fit_calibration(times, 23.65)
    assert dataclasses.asdict(found) == pytest.approx(dataclasses.asdict(board), rel=1e-3)
    with pytest.raises(InputError, match="7 layers for 4 prices; give 8"):
        fit_calibration(times[:7], 23.65)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="finite and not negative"):
        Calibration(100.0, bad, 1.0, 0.0, 23.65)
    with pytest.raises(InputError, match=r"23\.65"):
        Calibration(100.0, 2.0, 1.0, 0.0, 0.0)
