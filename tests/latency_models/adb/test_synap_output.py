from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.adb.errors import DeviceError
from latency_models.sources.adb.statistics import RunStatistics
from latency_models.sources.adb.synap_output import (
    NpuLayer,
    read_npu_layers,
    read_synap_timings,
    summed_by_kind,
)

from .outputs import SYNAP, SYNAP_PROFILE

READ = RunStatistics(4, 4.31, 4.27, 5.92)


def test_the_median_run_is_read() -> None:
    assert read_synap_timings(SYNAP) == READ
    steady = read_synap_timings(SYNAP.replace("stddev: 0.70", "stddev: 0.10"))
    assert (steady.low_ms, steady.ms) == (4.31, 4.31)
    assert steady.high_ms == pytest.approx(4.91)


@given(cut=st.integers(0, len(SYNAP) - 1))
def test_truncated_text_never_yields_a_value(cut: int) -> None:
    with pytest.raises(DeviceError, match="no usable times from synap_cli"):
        read_synap_timings(SYNAP[:cut])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("min: 4.27", "min: nan", "is not there"),
        ("median: 4.31", "median: 43.1", "a median of 43.1 ms is not within"),
        ("Predict #2: 4.27", "Predict #2: 42.7", "are summed up as 4.27 to 5.92"),
        ("max: 5.92", "max: 5.12", "are summed up as 4.27 to 5.12"),
        ("min: 4.27  median: 4.31  max: 5.92", "min: 0  median: 0  max: 0", "summed up as 0.0"),
    ],
)
def test_what_is_garbled_is_refused(old: str, new: str, message: str) -> None:
    assert old in SYNAP
    with pytest.raises(DeviceError, match=message):
        read_synap_timings(SYNAP.replace(old, new))


def test_never_run() -> None:
    text = "".join(line for line in SYNAP.splitlines(True) if "Predict" not in line)
    with pytest.raises(DeviceError, match="count of 0"):
        read_synap_timings(text)


def test_layers() -> None:
    layers = read_npu_layers(SYNAP_PROFILE)
    assert layers[0] == NpuLayer("TensorTranspose", 301200, 0.62)
    assert summed_by_kind(layers) == (
        "ConvolutionReluPoolingLayer2 3.500 ms, TensorTranspose 0.620 ms"
    )
    assert read_npu_layers(SYNAP) == ()


@given(cut=st.integers(0, len(SYNAP_PROFILE) - 1))
def test_truncated_layers_are_refused(cut: int) -> None:
    if "\n" not in SYNAP_PROFILE[:cut]:
        assert read_npu_layers(SYNAP_PROFILE[:cut]) == ()
        return
    with pytest.raises(DeviceError, match="cut off or garbled"):
        read_npu_layers(SYNAP_PROFILE[:cut])
