"""The calibration that the device has is the one that its table of measured layers gives."""

from __future__ import annotations

import dataclasses
from importlib.resources import files

import pytest

from latency_models.device import load_device
from latency_models.sources.rknn.calibration import Calibration
from latency_models.sources.rknn.settings import RknnSettings
from search_spaces import InputError
from studies.latency_error.rknn_fitting import LayerTime, fit_calibration, read_layer_times

FOLDER = files("latency_models") / "devices" / "rk3588"
TIMES = read_layer_times((FOLDER / "layer_times.csv").read_text())


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
    mean = 100 * sum(errors) / len(errors)
    assert f"| {len(TIMES)} layers, error of the fit | {mean:.1f} |" in card
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


def test_prices_of_a_board_that_keeps_the_rule_are_found() -> None:
    board = Calibration(80.0, 3.0, 1.5, 250.0, 23.65)
    times = [LayerTime(time.layer, board.us(time.layer)) for time in TIMES]
    found = fit_calibration(times, 23.65)
    assert dataclasses.asdict(found) == pytest.approx(dataclasses.asdict(board), rel=1e-3)
    with pytest.raises(InputError, match="7 layers for 4 prices; give 8"):
        fit_calibration(times[:7], 23.65)
