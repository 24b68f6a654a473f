from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.adb.errors import DeviceError
from latency_models.sources.adb.profile import ProfileRow, read_profile

from .outputs import CSV_PROFILE, INITIALIZATION_PROFILE, OLD_PROFILE, PROFILE
from .test_benchmark_output import PREFIXES, WHOLE, prefixed

ROWS = (ProfileRow("TfLiteNnapiDelegate", 4, 0.97), ProfileRow("DEPTH_TO_SPACE", 3, 0.03))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("text", [PROFILE, INITIALIZATION_PROFILE + PROFILE, CSV_PROFILE])
def test_rows_of_the_timed_runs(text: str, prefix: str) -> None:
    assert read_profile(prefixed(WHOLE + text, prefix)) == ROWS


def test_an_old_build_s_rows_have_no_index() -> None:
    rows = read_profile(WHOLE + OLD_PROFILE)
    assert [row.index for row in rows] == [None] * 4
    assert [row.kind for row in rows] == ["QUANTIZE", "CONV_2D", "CONV_2D", "DEPTH_TO_SPACE"]
    assert [row.share for row in rows] == [0.02, 0.53, 0.34, 0.11]


def test_kinds_of_several_words_and_litert_s_own_rows() -> None:
    text = (
        "============================== Run Order ==============================\n"
        "\t   LiteRT::Run[buffer registration]\t 0.020\t 0.014\t 3.000%\t 3.000%\t 0.000\t 1\t"
        "LiteRT::Run[buffer registration]/0\n"
        "\t Convolution (NHWC, QC8) IGEMM\t 0.538\t 0.051\t 97.000%\t 100.000%\t 0.000\t 13\t"
        "Delegate/Convolution (NHWC, QC8) IGEMM:0\n"
        "Number of nodes executed: 2\n"
    )
    assert read_profile(text) == (
        ProfileRow("LiteRT::Run[buffer registration]", None, 0.03),
        ProfileRow("Delegate/Convolution (NHWC, QC8) IGEMM:0", None, 0.97),
    )


@pytest.mark.parametrize("text", ["", WHOLE, WHOLE + INITIALIZATION_PROFILE])
def test_no_profile(text: str) -> None:
    assert read_profile(text) == ()


@given(cut=st.integers(0, len(PROFILE)))
def test_truncated_profile_never_yields_rows(cut: int) -> None:
    text, end = PROFILE[:cut], PROFILE.index("Number of nodes executed: 2\n") + 28
    if cut >= end:
        assert read_profile(text) == ROWS
    elif "Regular Benchmark Runs:\n" in text:
        with pytest.raises(DeviceError, match="cut off"):
            read_profile(text)
    else:
        assert read_profile(text) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\t 97.000%\t 97.000%\t     0.000", "\t 87.000%\t 97.000%\t     0.000"),
        ("35.100\t   34.900", "35.100"),
        ("nodes executed: 2", "nodes executed: 3"),
    ],
)
def test_rows_that_do_not_add_up(old: str, new: str) -> None:
    assert old in PROFILE
    with pytest.raises(DeviceError, match="cut off or garbled"):
        read_profile(PROFILE.replace(old, new))


@given(text=st.text())
def test_anything_else_has_no_rows(text: str) -> None:
    assert read_profile(text) == ()
