from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latency_models.sources.adb.delegation import Delegate, Delegation
from latency_models.sources.adb.errors import DeviceError
from latency_models.sources.adb.placement import Placement, placed_by_profile, placed_unprofiled
from latency_models.sources.adb.profile import ProfileRow
from search_spaces import LoweredOperator, Tensor

NPU = Delegate("NNAPI", "npu", ())
CPU = Delegate("XNNPACK", "cpu", ())


def operator(index: int, kind: str) -> LoweredOperator:
    tensor = Tensor(f"t{index}", (16, 16, 4 * (index + 1)))
    return LoweredOperator(kind, f"k{index}", (tensor,), (tensor,), macs=1000 * index)


def operators(*kinds: str) -> tuple[LoweredOperator, ...]:
    return tuple(operator(index, kind) for index, kind in enumerate(kinds))


NET = operators("QUANTIZE", "CONV_2D", "CONV_2D", "ADD", "DEPTH_TO_SPACE", "DEQUANTIZE")


def delegation(taken: int, delegate: Delegate = NPU, nodes: int = len(NET)) -> Delegation:
    return Delegation(delegate, taken, nodes, "the text")


def profile(*left: int, each: float, kernel: str = "Npu") -> tuple[ProfileRow, ...]:
    rows = [ProfileRow(NET[index].kind, index, each) for index in left]
    return (ProfileRow(kernel, len(NET), 1 - each * len(left)), *rows)


def names(placement: Placement, engine: str) -> list[str]:
    return [row.name for row in placement.operators if row.engine == engine]


def adds_up(placement: Placement, ms: float) -> bool:
    assert [row.name for row in placement.operators] == [operator.name for operator in NET]
    return math.isclose(math.fsum(row.ms for row in placement.operators), ms)


def test_whole_without_a_profile() -> None:
    placement = placed_unprofiled(NET, delegation(6), 20.0)
    assert names(placement, "npu") == [operator.name for operator in NET]
    assert placement.on_cpu == ()
    assert adds_up(placement, 20.0)


def test_only_conversions_may_be_left_without_a_profile() -> None:
    placement = placed_unprofiled(NET, delegation(4), 20.0)
    assert placement.on_cpu == ("k0", "k5")
    assert names(placement, "cpu") == ["k0", "k5"]
    assert adds_up(placement, 20.0)
    for taken in (1, 3, 5):  # 5: which one is left cannot be known
        with pytest.raises(DeviceError, match=f"left {6 - taken} of 6 operators"):
            placed_unprofiled(NET, delegation(taken), 20.0)


def test_a_processor_has_no_fallback() -> None:
    placement = placed_unprofiled(NET, delegation(2, CPU), 20.0)
    assert placement.on_cpu == ()
    assert names(placement, "cpu") == [operator.name for operator in NET]
    rows = profile(0, 1, 3, each=0.2, kernel="TfLiteXNNPackDelegate")
    placement = placed_by_profile(NET, delegation(3, CPU), rows, 20.0)
    assert placement.on_cpu == ()
    assert [row.ms for row in placement.operators if row.name in ("k0", "k1", "k3")] == (
        pytest.approx([4.0, 4.0, 4.0])
    )
    assert adds_up(placement, 20.0)


def test_parts_that_are_rounded_add_up_all_the_same() -> None:
    rows = (ProfileRow("Npu", len(NET), 0.97), ProfileRow("DEPTH_TO_SPACE", 4, 0.027))
    assert adds_up(placed_by_profile(NET, delegation(5), rows, 20.0), 20.0)


@pytest.mark.parametrize("index", [1, 2, 3])
def test_what_counts_may_not_be_left_whatever_its_time(index: int) -> None:
    rows = profile(index, each=0.0001)
    with pytest.raises(DeviceError, match=rf"{NET[index].kind} 'k{index}'") as error:
        placed_by_profile(NET, delegation(5), rows, 20.0)
    assert error.value.text == "the text"


@given(each=st.floats(0.0001, 0.4))
def test_five_percent_may_be_left(each: float) -> None:
    rows = profile(0, 4, each=each)
    if 2 * each > 0.05:
        with pytest.raises(DeviceError, match=r"DEPTH_TO_SPACE, QUANTIZE on the CPU take"):
            placed_by_profile(NET, delegation(4), rows, 20.0)
        return
    placement = placed_by_profile(NET, delegation(4), rows, 20.0)
    assert placement.on_cpu == ("k0", "k4")
    assert [row.ms for row in placement.operators if row.engine == "cpu"] == pytest.approx(
        [20.0 * each] * 2
    )
    assert adds_up(placement, 20.0)


def test_an_old_profile_names_operators_by_their_order() -> None:
    rows = tuple(ProfileRow(operator.kind, None, 1 / 6) for operator in NET)
    placement = placed_by_profile(NET, delegation(0, CPU), rows, 12.0)
    assert [row.ms for row in placement.operators] == pytest.approx([2.0] * 6)


@pytest.mark.parametrize(
    ("taken", "rows", "message"),
    [
        # XNNPACK has the rest, its rows named after its own kernels
        (4, profile(each=0.0), "took 4 operators, but the profile has 100.0% .* the 6"),
        (5, profile(0, 4, each=0.01), "took 5 operators, but .* the 4"),
        (5, profile(4, each=1.0), "has 0.0% of the time for the 5"),
        (5, (*profile(each=0.01), ProfileRow("ADD", 1, 0.01)), "ADD is none of this model's"),
        (5, (*profile(each=0.01), ProfileRow("ADD", 31, 0.01)), "ADD is none of this model's"),
        (5, (*profile(4, each=0.01), *profile(4, each=0.01)), "DEPTH_TO_SPACE is none of this"),
    ],
)
def test_a_profile_of_something_else(
    taken: int, rows: tuple[ProfileRow, ...], message: str
) -> None:
    with pytest.raises(DeviceError, match=message):
        placed_by_profile(NET, delegation(taken), rows, 20.0)


@given(left=st.sets(st.integers(0, 5)), each=st.floats(0, 0.2), ms=st.floats(0.1, 1e4))
def test_rows_add_up_or_there_are_none(left: set[int], each: float, ms: float) -> None:
    assume(len(left) < len(NET))
    rows = profile(*sorted(left), each=each)
    try:
        placement = placed_by_profile(NET, delegation(len(NET) - len(left)), rows, ms)
    except DeviceError:
        assert left & {1, 2, 3} or each * len(left) > 0.05
        return
    assert adds_up(placement, ms)
    assert all(row.ms >= 0 for row in placement.operators)
    assert set(placement.on_cpu) == {f"k{index}" for index in left}
