from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import LatencyError
from latency_models.sources.rknn.layers import Layer, read_compiled

#: Three layers as the compiler prints them for RK3588, among what else it says.
PRINTED = r"""
compiler: rknn-toolkit2 2.5.0
I rknn building ...
I RKNN: [10:00:00.100] librknnc version: 2.5.0 (0123abcd@2026-01-01T00:00:00)
D RKNN: [10:00:00.200] ID   OpType    DataType Target InputShape  OutputShape Cycles(DDR/NPU/Total)
D RKNN: [10:00:00.200] 0    InputOperator  INT8 CPU  \  (1,3,64,96)  0/0/0  0  InputOperator:image
D RKNN: [10:00:00.200] 1    Conv      INT8 NPU (1,3,64,96),(3,3,1,1),(3) (1,3,64,96) 90/70/90  18
D RKNN: [10:00:00.200] 2    ConvRelu INT8 NPU (1,3,64,96),(20,3,3,3),(20) (1,20,64,96) 30/400/400  \
100.5   Conv:a/Relu;a/Conv_prequant
D RKNN: [10:00:00.200] 3    Concat    INT8 NPU (1,3,64,96),... (1,27,64,96) 0/0/0 864 Concat:b c
D RKNN: [10:00:00.300] 1    Conv      Relu__9:0   INT8  NC1HWC2  (1,28,64,96) | 0x00034800
I rknn building done.
""".replace("\\\n", "")


def test_rows_are_found_among_all_that_is_said() -> None:
    compiled = read_compiled(PRINTED)
    assert compiled.compiler == "rknn-toolkit2 2.5.0"
    assert compiled.layers == (
        Layer("InputOperator", "CPU", "(1,3,64,96)", 0, 0, 0, "image"),
        Layer("Conv", "NPU", "(1,3,64,96)", 90, 70, 18, ""),
        Layer("ConvRelu", "NPU", "(1,20,64,96)", 30, 400, 100.5, "a/Relu;a/Conv_prequant"),
        Layer("Concat", "NPU", "(1,27,64,96)", 0, 0, 864, "b c"),
    )
    assert [layer.is_transfer for layer in compiled.layers] == [True, False, False, False]


def test_a_column_of_other_platforms_is_passed_over() -> None:
    printed = PRINTED.replace("90/70/90  18", "90/70/90  7%  18")
    assert read_compiled(printed) == read_compiled(PRINTED)


def test_the_last_of_several_tables_counts() -> None:
    earlier = PRINTED.replace("90/70/90", "80/70/80")
    assert read_compiled(earlier + PRINTED) == read_compiled(PRINTED)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (PRINTED, "E RKNN: failed", "no table"),
        ("] 2    ConvRelu", "] 4    ConvRelu", "gaps"),
        ("] 2    ConvRelu INT8", "] 2    ConvRelu", "gaps"),
        ("30/400/400", "30/400/390", "layer 2 adds up to 390"),
        ("compiler: rknn-toolkit2 2.5.0", "", "does not say its version"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, message: str) -> None:
    assert old in PRINTED
    with pytest.raises(LatencyError, match=message):
        read_compiled(PRINTED.replace(old, new))


@given(st.text())
def test_any_text_gives_layers_or_an_error(text: str) -> None:
    with pytest.raises(LatencyError):
        read_compiled(text)


@pytest.mark.parametrize(
    ("shape", "written_kb"),
    [
        ("(1,20,64,96)", 32 * 64 * 96 / 1024),
        ("(1,1080,1920,3)", 1088 * 1920 * 3 / 1024),
        ("(1,16,64,96),...", 50.0),
        ("\\", 0.0),
    ],
)
def test_what_is_written_is_padded(shape: str, written_kb: float) -> None:
    layer = Layer("Split", "NPU", shape, 0, 0, 50.0)
    assert layer.written_kb == pytest.approx(written_kb)
    assert layer.looked_up_kb == 0


@pytest.mark.parametrize("op", ["ConvSigmoid", "ConvExSwish", "Tanh"])
def test_tables_are_looked_up_for_what_is_written(op: str) -> None:
    layer = Layer(op, "NPU", "(1,20,64,96)", 0, 0, 50.0)
    assert layer.looked_up_kb == layer.written_kb > 0
    assert Layer("ConvRelu", "NPU", "(1,20,64,96)", 0, 0, 50.0).looked_up_kb == 0
