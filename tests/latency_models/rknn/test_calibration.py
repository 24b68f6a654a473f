from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.rknn.calibration import Calibration
from latency_models.sources.rknn.layers import Layer
from search_spaces import InputError

LAYERS = st.builds(
    Layer,
    op=st.sampled_from(["ConvRelu", "ConvExSwish", "Concat"]),
    target=st.just("NPU"),
    output_shape=st.just("(1,32,90,160)"),
    ddr_cycles=st.integers(0, 10**6),
    npu_cycles=st.integers(0, 10**7),
    read_kb=st.floats(0, 1e5),
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


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="finite and not negative"):
        Calibration(100.0, bad, 1.0, 0.0, 23.65)
    with pytest.raises(InputError, match=r"23\.65"):
        Calibration(100.0, 2.0, 1.0, 0.0, 0.0)
